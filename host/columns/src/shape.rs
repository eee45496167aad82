//! Whole rows as they came before: what stands before each value, whose value it is, and what stands behind the last.
//!
//! Senders repeat themselves. When a decoder has read a row step by step, it says for each value what stood before it ([`Shapes::trace`]);
//! a row that was taken becomes a shape. The next row is compared with it literal by literal, and where all of them fit, its values are all
//! that must be read: that no key comes twice, that there are not too many, and that nesting is right was found when the shape was learned.
//! Where one does not fit, another shape that begins the same goes on; where none does, the row is read anew from its start, step by step.
//! So a shape is only a guess that was checked, and both ways give the same rows and refusals.
//!
//! Bounds: [`SHAPES_MAX`] shapes of [`STEPS_MAX`] values; a new one takes the place of the one that came least. Where shapes fail row after
//! row they are tried and learned ever more rarely, so that a sender who shuffles its keys pays little for them.

use crate::literal::Literal;
use crate::schema::Role;

const SHAPES_MAX: usize = 16;
const STEPS_MAX: usize = 128;

/// Rows without a shape that are learned from at once...
const TRACED_AT_ONCE: u32 = 64;

/// ...and of later ones, one in so many.
const TRACED_EVERY: u32 = 64;

/// Rows in turn that no shape fits, after which one row in [`TRIED_EVERY`] is tried.
const FAILING_MAX: u32 = 32;
const TRIED_EVERY: u32 = 16;

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What stands before it.
    pub literal: Literal,
    pub length: usize,
    pub field: u32,
    pub canonical: u32,
    pub role: Role,
}

#[derive(Debug)]
pub(crate) struct Shape {
    pub steps: Vec<Step>,
    /// What stands behind the last value and belongs to the event.
    pub tail: Literal,
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

/// The shapes of one format.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    shapes: Vec<Shape>,
    /// The one that came last.
    last: usize,
    /// Rows in turn that no shape fits.
    failing: u32,
    /// Rows that were read step by step.
    stepped: u32,
    /// The row that is learned from.
    traced: Vec<Step>,
    tracing: bool,
}

impl Shapes {
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The shape to try first on the next row, and its number; none: not worth trying.
    #[inline(always)]
    pub fn first(&self) -> Option<(usize, &Shape)> {
        if self.failing >= FAILING_MAX && !self.failing.is_multiple_of(TRIED_EVERY) {
            return None;
        }
        Some((self.last, self.shapes.get(self.last)?))
    }

    /// Another shape than `number` with the same first steps, so many, whose next literal `comes`; it is told whether that is the tail.
    #[inline(never)]
    pub fn other(
        &self,
        number: usize,
        steps: usize,
        comes: impl Fn(&Literal, bool) -> bool,
    ) -> Option<(usize, &Shape)> {
        let begins_so =
            |shape: &Shape| shape.shared.get(number).is_some_and(|shared| usize::from(*shared) >= steps);
        let others = self.shapes.iter().enumerate().filter(|(other, _)| *other != number);
        others
            .into_iter()
            .find(|(_, shape)| begins_so(shape) && comes(shape.literal(steps), steps == shape.steps.len()))
    }

    /// Notes that a row came in that shape.
    #[inline(always)]
    pub fn came(&mut self, number: usize) {
        self.last = number;
        self.failing = 0;
        if let Some(shape) = self.shapes.get_mut(number) {
            shape.hits = shape.hits.saturating_add(1);
        }
    }

    /// Notes that a row must be read step by step, and whether it is to be traced.
    #[inline]
    pub fn begin_steps(&mut self) -> bool {
        self.failing = self.failing.saturating_add(1);
        self.stepped = self.stepped.wrapping_add(1);
        self.tracing = self.stepped <= TRACED_AT_ONCE || self.stepped.is_multiple_of(TRACED_EVERY);
        self.traced.clear();
        self.tracing
    }

    pub fn is_tracing(&self) -> bool {
        self.tracing
    }

    /// The row cannot be learned.
    pub fn give_up(&mut self) {
        self.tracing = false;
    }

    /// Notes the next value of the traced row. `text`: what stood before it.
    pub fn trace(&mut self, text: &[u8], field: u32, canonical: u32, role: Role) {
        match Literal::new(text) {
            Some(literal) if self.traced.len() < STEPS_MAX => {
                self.traced.push(Step { literal, length: text.len(), field, canonical, role });
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
        let shape = Shape { steps, tail, hits: 1, shared };
        match self.shapes.get_mut(number) {
            Some(slot) => *slot = shape,
            None => self.shapes.push(shape),
        }
        self.last = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(shapes: &mut Shapes, texts: &[&str]) {
        assert!(shapes.begin_steps());
        for (number, text) in (0..).zip(texts) {
            shapes.trace(text.as_bytes(), number, number, Role::Value);
        }
        shapes.end_trace(b"}");
    }

    #[test]
    fn a_shape_goes_on_as_another_only_where_both_began_the_same() {
        let mut shapes = Shapes::default();
        learn(&mut shapes, &["a", "b", "c"]);
        learn(&mut shapes, &["a", "b", "d"]);
        learn(&mut shapes, &["x", "b", "d"]);
        let comes = |text: &'static str| move |literal: &Literal, _: bool| literal.bytes() == text.as_bytes();
        assert_eq!(shapes.other(0, 2, comes("d")).map(|(number, _)| number), Some(1));
        assert_eq!(shapes.other(0, 1, comes("d")).map(|(number, _)| number), None);
        assert_eq!(shapes.other(1, 0, comes("x")).map(|(number, _)| number), Some(2));
        assert_eq!(shapes.other(2, 2, comes("c")).map(|(number, _)| number), None);
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
    fn shapes_that_fail_are_tried_rarely() {
        let mut shapes = Shapes::default();
        learn(&mut shapes, &["a"]);
        let mut tried = 0;
        for _ in 0..1_000 {
            tried += u32::from(shapes.first().is_some());
            shapes.begin_steps();
            shapes.give_up();
        }
        assert!((FAILING_MAX..FAILING_MAX + 100).contains(&tried), "{tried}");
        shapes.came(0);
        assert!(shapes.first().is_some());
    }
}
