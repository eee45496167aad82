//! Whole rows as they came before: what stands before each value, whose value it is, and what stands behind the last.
//!
//! Senders repeat themselves. When a decoder has read a row step by step, it says for each value what stood before it ([`Shapes::trace`]);
//! a row that was taken becomes a shape. The next row is compared with it literal by literal, and where all of them fit, its values are all
//! that must be read: that no key comes twice, that there are not too many, and that nesting is right was found when the shape was learned.
//! Where one does not fit, another shape that begins the same goes on ([`Shapes::walk`]); where none does, the row is read step by step, from
//! there on or from its start. So a shape is only a guess that was checked, and both ways give the same rows and refusals.
//!
//! How rows of a table begin is remembered too ([`heads`]).
//!
//! Bounds: [`SHAPES_MAX`] shapes of [`STEPS_MAX`] values; a new one takes the place of the one that came least. Where shapes fail row after
//! row they are tried and learned ever more rarely, so that a sender who shuffles its keys pays little for them.

use self::heads::Heads;
use crate::lanes::{Lanes, Portable};
use crate::literal::Literal;
use crate::schema::{NONE, Role};
use crate::stage::{Span, Stage};

mod heads;

const SHAPES_MAX: usize = 16;
const STEPS_MAX: usize = 128;

/// Rows without a shape that are learned from at once...
const TRACED_AT_ONCE: u32 = 64;

/// ...and of later ones, one in so many.
const TRACED_EVERY: u32 = 64;

/// Rows in turn that no shape fits, after which one row in [`TRIED_EVERY`] is tried.
const FAILING_MAX: u32 = 32;
const TRIED_EVERY: u32 = 16;

/// The same after so many: a sender without order stays so.
const FAILING_LONG: u32 = 1_024;
const TRIED_RARELY: u32 = 128;

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What stands before it.
    pub literal: Literal,
    pub length: usize,
    pub field: u32,
    pub canonical: u32,
    pub role: Role,
    /// Canonical fields of the objects that open in the literal, where the format says them.
    pub marks: Box<[u32]>,
}

/// How a format reads values. A trait and no closure, because a closure would not be inlined where vectors may be used.
pub(crate) trait Values {
    /// Why the row ends here.
    type Stop;

    /// Reads the value at `at`; where it ends. None: it cannot, and has done nothing.
    fn value<L: Lanes>(&mut self, chunk: &[u8], at: usize, step: &Step) -> Result<Option<usize>, Self::Stop>;

    /// The row begins as one of that table.
    fn begins(&mut self, table: u32);

    /// Parts of the route of a row of which only its table was said, because it leaves the shape.
    fn leaves(&mut self, chunk: &[u8], route: impl Iterator<Item = (u8, Span)>);

    /// What follows a text that was staged.
    fn behind_text(chunk: &[u8], span: Span) -> Option<usize>;
}

/// How far a row came along the shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// All of it, in the shape of that number; it ends there. `head`: how it began, where that was foretold, else [`NONE`].
    Whole { number: usize, end: usize, head: u32 },
    /// Its first values, so many, as in that shape; the last of them ended at `at`.
    Part { number: usize, steps: usize, at: usize, head: u32 },
}

#[derive(Debug)]
struct Shape {
    steps: Vec<Step>,
    /// What stands behind the last value and belongs to the event.
    tail: Literal,
    /// How many steps are a head: all that are of the route, where they come first.
    head_steps: usize,
    /// Rows that came so; halved when a shape is learned, so that old ones count less.
    hits: u32,
    /// How many steps at the start are those of each other shape.
    shared: [u16; SHAPES_MAX],
}

impl Shape {
    /// What must come after so many values.
    #[inline(always)]
    fn literal(&self, step: usize) -> &Literal {
        self.steps.get(step).map_or(&self.tail, |step| &step.literal)
    }
}

/// Where a row leaves a shape.
struct Turn {
    number: usize,
    /// Values that came as in the shape.
    steps: usize,
    /// The next literal came, but not its value: only a longer one can be meant.
    longer_than: Option<usize>,
    ends_at: Option<usize>,
}

/// The shapes of one format.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    shapes: Vec<Shape>,
    /// The one that came last.
    last: usize,
    /// Rows in turn that no shape fits.
    failing: u32,
    /// Rows in turn that left their shape and found no other.
    alone: u32,
    /// Rows that were read step by step.
    stepped: u32,
    /// The row that is learned from.
    traced: Vec<Step>,
    tracing: bool,
    heads: Heads,
}

impl Shapes {
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// To be called when the same route may lead to another table.
    pub fn forget_heads(&mut self) {
        self.heads.forget();
    }

    /// Compares the row at `start` with the shapes that were learned and reads its values. `ends_at`: where it must end, where that is known.
    #[inline(always)]
    pub fn walk<L: Lanes, V: Values>(
        &self,
        chunk: &[u8],
        start: usize,
        ends_at: Option<usize>,
        values: &mut V,
    ) -> Result<Walk, V::Stop> {
        let mut at = start;
        let Some((mut number, mut shape)) = self.first() else {
            return Ok(Walk::Part { number: 0, steps: 0, at, head: NONE });
        };
        let mut rest = shape.steps.iter();
        let (mut begun, mut head) = (None, NONE);
        if let Some((found, known)) = self.heads.find(chunk, start)
            && let Some(begins) = self.shapes.get(known.shape)
        {
            // The shape that came last may go on from there too, where it has no other field of the route.
            let same = shape.shared.get(known.shape).copied().unwrap_or(0);
            if usize::from(same) < known.steps || shape.head_steps != known.steps {
                (number, shape) = (known.shape, begins);
            }
            rest = shape.steps.get(known.steps..).unwrap_or_default().iter();
            at += known.length();
            values.begins(known.table());
            (begun, head) = (Some(known), found);
        }
        loop {
            let mut longer_than = None;
            let left = rest.len();
            if let Some(step) = rest.next() {
                if L::matches(chunk, at, &step.literal) {
                    if let Some(end) = values.value::<L>(chunk, at + step.length, step)? {
                        at = end;
                        continue;
                    }
                    longer_than = Some(step.length);
                }
            } else {
                let end = at + shape.tail.length();
                if ends_at.is_none_or(|ends_at| end == ends_at) && L::matches(chunk, at, &shape.tail) {
                    return Ok(Walk::Whole { number, end, head });
                }
            }
            if let Some(known) = begun.take() {
                values.leaves(chunk, known.route(start));
            }
            let steps = shape.steps.len() - left;
            match self.other(&Turn { number, steps, longer_than, ends_at }, chunk, at) {
                Some(found) => {
                    (number, shape) = found;
                    rest = shape.steps.get(steps..).unwrap_or_default().iter();
                }
                None => return Ok(Walk::Part { number, steps, at, head }),
            }
        }
    }

    /// The first steps of a shape.
    pub fn steps(&self, number: usize, steps: usize) -> &[Step] {
        self.shapes.get(number).and_then(|shape| shape.steps.get(..steps)).unwrap_or_default()
    }

    /// The shape to try first on the next row, and its number; none: not worth trying.
    #[inline(always)]
    fn first(&self) -> Option<(usize, &Shape)> {
        let every = if self.failing < FAILING_LONG { TRIED_EVERY } else { TRIED_RARELY };
        if self.failing >= FAILING_MAX && !self.failing.is_multiple_of(every) {
            return None;
        }
        Some((self.last, self.shapes.get(self.last)?))
    }

    /// Another shape with the same first steps whose next literal comes at `at`.
    #[inline(never)]
    fn other(&self, turn: &Turn, chunk: &[u8], at: usize) -> Option<(usize, &Shape)> {
        if self.alone >= FAILING_MAX && !self.alone.is_multiple_of(TRIED_EVERY) {
            return None;
        }
        let Turn { number, steps, longer_than, ends_at } = *turn;
        let comes = |(other, shape): &(usize, &Shape)| {
            let begins_so = shape.shared.get(number).is_some_and(|shared| usize::from(*shared) >= steps);
            if *other == number || !begins_so {
                return false;
            }
            let literal = shape.literal(steps);
            let length = literal.length();
            let is_tail = steps == shape.steps.len();
            longer_than.is_none_or(|longer_than| length > longer_than)
                && (!is_tail || ends_at.is_none_or(|ends_at| at + length == ends_at))
                && Portable::matches(chunk, at, literal)
        };
        self.shapes.iter().enumerate().find(comes)
    }

    /// Notes that the staged row, which starts at `start`, came in that shape and was taken.
    #[inline(always)]
    pub fn took<V: Values>(&mut self, chunk: &[u8], start: usize, number: usize, head: u32, stage: &Stage) {
        self.came(number);
        if head != NONE {
            self.heads.came(head);
            return;
        }
        let steps = self.shapes.get(number).map_or(0, |shape| shape.head_steps);
        if steps > 0 {
            self.heads.missed::<V>(chunk, start, (number, steps), stage);
        }
    }

    /// Notes how a row began that left its shape.
    #[inline(always)]
    pub fn began(&mut self, head: u32) {
        self.heads.came(head);
    }

    #[inline(always)]
    fn came(&mut self, number: usize) {
        if self.last != number {
            self.last = number;
            self.alone = 0;
        }
        self.failing = 0;
        if let Some(shape) = self.shapes.get_mut(number) {
            shape.hits = shape.hits.saturating_add(1);
        }
    }

    /// Notes that a row must be read step by step behind its first values, so many, which came as in the shape `number`; whether it is to
    /// be traced.
    #[inline]
    pub fn begin_steps(&mut self, number: usize, steps: usize) -> bool {
        // A row that came most of its way cost little.
        let whole = self.shapes.get(number).map_or(0, |shape| shape.steps.len());
        self.failing = if steps * 2 > whole { 0 } else { self.failing.saturating_add(1) };
        self.alone = self.alone.saturating_add(1);
        self.stepped = self.stepped.wrapping_add(1);
        self.tracing = self.stepped <= TRACED_AT_ONCE || self.stepped.is_multiple_of(TRACED_EVERY);
        self.traced.clear();
        if self.tracing
            && let Some(came) = self.shapes.get(number).and_then(|shape| shape.steps.get(..steps))
        {
            self.traced.extend_from_slice(came);
        }
        self.tracing
    }

    /// Whether shapes fail row after row.
    pub fn are_failing(&self) -> bool {
        self.failing >= FAILING_MAX
    }

    /// Rows that came in a shape, while none is learned.
    #[cfg(test)]
    pub fn hits(&self) -> u32 {
        self.shapes.iter().map(|shape| shape.hits).sum()
    }

    pub fn is_tracing(&self) -> bool {
        self.tracing
    }

    /// The row cannot be learned.
    pub fn give_up(&mut self) {
        self.tracing = false;
    }

    /// Notes the next value of the traced row. `text`: what stood before it; `marks`: the objects that opened in that.
    pub fn trace(&mut self, text: &[u8], field: u32, canonical: u32, role: Role, marks: &[u32]) {
        match Literal::new(text) {
            Some(literal) if self.traced.len() < STEPS_MAX => {
                let (length, marks) = (text.len(), marks.into());
                self.traced.push(Step { literal, length, field, canonical, role, marks });
            }
            _ => self.tracing = false,
        }
    }

    /// The traced row was taken. `tail`: what stood behind its last value.
    #[inline]
    pub fn end_trace(&mut self, tail: &[u8]) {
        if std::mem::take(&mut self.tracing)
            && let Some(tail) = Literal::new(tail)
        {
            self.learn(tail);
        }
    }

    #[inline(never)]
    fn learn(&mut self, tail: Literal) {
        let steps = self.traced.clone();
        if steps.is_empty() || self.shapes.iter().any(|shape| shape.steps == steps && shape.tail == tail) {
            return;
        }
        let number = if self.shapes.len() < SHAPES_MAX {
            self.shapes.len()
        } else {
            let hits = self.shapes.iter().enumerate().map(|(number, shape)| (shape.hits, number));
            hits.min().map_or(0, |(_, number)| number)
        };
        let mut shared = [0; SHAPES_MAX];
        for ((other, shape), slot) in self.shapes.iter_mut().enumerate().zip(&mut shared) {
            shape.hits /= 2;
            if other == number {
                continue;
            }
            let same = steps.iter().zip(&shape.steps).take_while(|(one, other)| one == other).count() as u16;
            *slot = same;
            if let Some(slot) = shape.shared.get_mut(number) {
                *slot = same;
            }
        }
        let routes = |steps: &[Step]| steps.iter().filter(|step| matches!(step.role, Role::Route(_))).count();
        let all = routes(&steps);
        let head_steps = if routes(steps.get(..all).unwrap_or_default()) == all { all } else { 0 };
        let shape = Shape { steps, tail, head_steps, hits: 1, shared };
        match self.shapes.get_mut(number) {
            Some(slot) => {
                *slot = shape;
                self.heads.forget();
            }
            None => self.shapes.push(shape),
        }
        self.last = number;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn learn(shapes: &mut Shapes, texts: &[&str]) {
        assert!(shapes.begin_steps(0, 0));
        for (number, text) in (0..).zip(texts) {
            shapes.trace(text.as_bytes(), number, number, Role::Value, &[]);
        }
        shapes.end_trace(b"}");
    }

    /// Along a row whose values are one digit each.
    fn walk(shapes: &Shapes, row: &str) -> Walk {
        let Ok(walked) = shapes.walk::<Portable, _>(row.as_bytes(), 0, None, &mut Digits);
        walked
    }

    struct Digits;

    impl Values for Digits {
        type Stop = Infallible;

        fn value<L: Lanes>(
            &mut self,
            chunk: &[u8],
            at: usize,
            _: &Step,
        ) -> Result<Option<usize>, Infallible> {
            Ok(chunk.get(at).is_some_and(u8::is_ascii_digit).then_some(at + 1))
        }

        fn begins(&mut self, _: u32) {}

        fn leaves(&mut self, _: &[u8], _: impl Iterator<Item = (u8, Span)>) {}

        fn behind_text(_: &[u8], _: Span) -> Option<usize> {
            None
        }
    }

    #[test]
    fn a_row_goes_on_in_another_shape_only_where_both_began_the_same() {
        let mut shapes = Shapes::default();
        learn(&mut shapes, &["a", "b", "c"]);
        learn(&mut shapes, &["a", "b", "d"]);
        learn(&mut shapes, &["x", "b", "e"]);
        for last in 0..3 {
            shapes.came(last);
            assert_eq!(walk(&shapes, "a1b1d1}"), Walk::Whole { number: 1, end: 7, head: NONE });
            assert_eq!(walk(&shapes, "a1b1c1}"), Walk::Whole { number: 0, end: 7, head: NONE });
            assert_eq!(walk(&shapes, "x1b1e1}"), Walk::Whole { number: 2, end: 7, head: NONE });
            assert!(matches!(walk(&shapes, "a1b1e1}"), Walk::Part { number: 0 | 1, steps: 2, at: 4, .. }));
            assert_eq!(walk(&shapes, "x1b1c1}"), Walk::Part { number: 2, steps: 2, at: 4, head: NONE });
        }
    }

    #[test]
    fn a_literal_whose_value_cannot_be_read_may_be_the_beginning_of_a_longer_one() {
        let mut shapes = Shapes::default();
        learn(&mut shapes, &["a", "b{c"]);
        learn(&mut shapes, &["a", "b"]);
        assert_eq!(walk(&shapes, "a1b{c1}"), Walk::Whole { number: 0, end: 7, head: NONE });
        assert_eq!(walk(&shapes, "a1b{d1}"), Walk::Part { number: 1, steps: 1, at: 2, head: NONE });
    }

    #[test]
    fn a_row_that_came_in_part_is_traced_from_there() {
        let mut shapes = Shapes::default();
        learn(&mut shapes, &["a", "b"]);
        assert_eq!(walk(&shapes, "a1c1}"), Walk::Part { number: 0, steps: 1, at: 2, head: NONE });
        assert!(shapes.begin_steps(0, 1));
        shapes.trace(b"c", 2, 2, Role::Value, &[]);
        shapes.end_trace(b"}");
        assert_eq!(walk(&shapes, "a1c1}"), Walk::Whole { number: 1, end: 5, head: NONE });
    }

    #[test]
    fn the_shape_that_came_least_gives_way() {
        let mut shapes = Shapes::default();
        let names: Vec<String> = (0..SHAPES_MAX).map(|number| number.to_string()).collect();
        for name in &names {
            learn(&mut shapes, &[name]);
            learn(&mut shapes, &[name]);
        }
        assert_eq!(shapes.shapes.len(), SHAPES_MAX);
        for number in (0..SHAPES_MAX).filter(|number| *number != 5) {
            (0..1_000).for_each(|_| shapes.came(number));
        }
        learn(&mut shapes, &["new"]);
        assert_eq!(shapes.shapes[5].steps[0].literal.bytes(), b"new");
        assert_eq!(shapes.first().map(|(number, _)| number), Some(5));
    }

    #[test]
    fn shapes_that_fail_are_tried_rarely_and_those_that_come_far_always() {
        let mut shapes = Shapes::default();
        learn(&mut shapes, &["a", "b"]);
        let mut tried = 0;
        for _ in 0..1_000 {
            tried += u32::from(shapes.first().is_some());
            shapes.begin_steps(0, 1);
            shapes.give_up();
        }
        assert!((FAILING_MAX..FAILING_MAX + 100).contains(&tried), "{tried}");
        shapes.came(0);
        for _ in 0..1_000 {
            assert!(shapes.first().is_some());
            shapes.begin_steps(0, 2);
            shapes.give_up();
        }
    }
}
