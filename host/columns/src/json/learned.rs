//! What the scanner learned of the bytes between two values.
//!
//! Rows that come whole as they came before are read by their [`shape`](crate::shape). The others, step by step, are guessed value by value.
//!
//! A node is a leaf field. It remembers two successors: the exact bytes that stood between the end of its value and the start of the next
//! one (`,"latency_ms":`, `},"x":{"y":`), and the node of that value. Because a field's path says which objects are open, these bytes say
//! all: comma, keys, colons and nesting.
//!
//! All tables share the nodes, because streams of one sender are mostly alike and what is shared stays in the nearest cache. A table in whose rows the shared nodes
//! keep failing gets nodes of its own, which are used from the value on with which its route is known (the context of a node).
//!
//! Where no literal fits, the key is looked up among the keys seen before ([`Keys`]), so that shuffled keys cost little more.
//!
//! Bounds: [`NODES_MAX`] nodes of about 200 bytes, [`KEYS`](super::keys) keys; when they are used up all are forgotten, so that a hostile sender cannot hold them.
//! A node whose guesses keep failing learns ever more rarely. Only fields that are settled are in here.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::frame::Frame;
use super::keys::Keys;
use crate::literal::Literal;
use crate::schema::{NONE, Role};
use crate::shape::Shapes;

const NODES_MAX: usize = 4_096;

/// Misses that are learned from at once...
const MISSES_LEARNED: u32 = 16;

/// ...and of later ones, one in so many.
const LEARNED_EVERY: u32 = 64;

/// Trust that a node has at most, and what a guess that fits adds: two of three may fail.
const TRUST_MAX: u8 = 32;
const TRUST_OF_A_HIT: u8 = 2;

/// Of the rows that come by a node without trust, one in so many is guessed.
const GUESSED_EVERY: u32 = 16;

/// Misses of a table's rows at shared nodes after which it gets its own.
const MISSES_SHARED: u32 = 64;

/// Set in the number of a field: the node is not its value's end but the inside of its object.
pub(super) const INSIDE: u32 = 1 << 31;

#[derive(Clone, Debug)]
pub(super) struct Successor {
    pub literal: Literal,
    pub length: u32,
    /// [`NONE`]: nothing was learned here.
    pub node: u32,
    /// Of that node's field.
    pub canonical: u32,
    /// Fields in the literal that are no leaves: objects. Most often none.
    pub marks: Box<[u32]>,
}

impl Successor {
    fn empty() -> Self {
        Self { literal: Literal::EMPTY, length: 0, node: NONE, canonical: NONE, marks: Box::default() }
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub successors: [Successor; 2],
    pub field: u32,
    pub canonical: u32,
    pub role: Role,
    /// The table of the context; [`NONE`]: all tables.
    pub context: u32,
    /// The object that the field stands in.
    pub object: u32,
    misses: u32,
    /// Grows with guesses that fit, shrinks with those that do not; at 0 guessing is not worth its time.
    trust: u8,
    /// The successor that is replaced next.
    oldest: u8,
}

impl Node {
    #[inline(always)]
    pub fn wants(&self) -> bool {
        self.misses < MISSES_LEARNED || self.misses.is_multiple_of(LEARNED_EVERY)
    }

    /// Whether its successors are worth comparing.
    #[inline(always)]
    pub fn is_trusted(&self) -> bool {
        self.trust > 0 || self.misses.is_multiple_of(GUESSED_EVERY)
    }
}

/// The field whose value comes, and its node; [`NONE`]: on probation, nothing can be learned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub node: u32,
    pub field: u32,
    pub canonical: u32,
    pub role: Role,
}

/// How rows of a table go on when their route is known.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// At shared nodes.
    misses: u32,
    /// Its own node at which rows of it were last known to be of it.
    node: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Learned {
    nodes: Vec<Node>,
    /// By context and field.
    index: HashMap<(u32, u32), u32, RandomState>,
    /// The node of the row start, where it was made.
    first: Option<u32>,
    /// For each table how it is entered.
    entries: Vec<Entry>,
    pub(super) keys: Keys,
    /// Lent to the row that is looked at.
    pub(super) frame: Option<Box<Frame>>,
    pub(crate) shapes: Shapes,
    /// Grows when all is forgotten: node numbers from before mean nothing.
    pub(super) generation: u64,
    /// Objects opened in the generic step.
    pub(super) marks: Vec<u32>,
}

impl Learned {
    pub fn forget(&mut self) {
        self.nodes.clear();
        self.index.clear();
        self.first = None;
        self.entries.clear();
        self.keys.forget();
        self.shapes.forget();
        self.generation += 1;
    }

    #[inline(always)]
    pub(super) fn node(&self, number: u32) -> Option<&Node> {
        self.nodes.get(number as usize)
    }

    #[inline(always)]
    pub(super) fn leaf(&self, number: u32) -> Option<Leaf> {
        let node = self.node(number)?;
        Some(Leaf { node: number, field: node.field, canonical: node.canonical, role: node.role })
    }

    /// The node of the row start.
    #[inline(always)]
    pub(super) fn first(&mut self) -> u32 {
        match self.first {
            Some(first) => first,
            None => self.make_first(),
        }
    }

    #[inline(never)]
    fn make_first(&mut self) -> u32 {
        let nothing = Leaf { node: NONE, field: NONE, canonical: NONE, role: Role::Value };
        let first = self.node_of(NONE, NONE, nothing);
        self.first = Some(first);
        first
    }

    /// The node of a settled field, made where it is not there. The row start is the node of field [`NONE`].
    #[inline]
    pub(super) fn node_of(&mut self, context: u32, object: u32, leaf: Leaf) -> u32 {
        if let Some(number) = self.index.get(&(context, leaf.field)) {
            return *number;
        }
        self.make(context, object, leaf)
    }

    #[inline(never)]
    fn make(&mut self, context: u32, object: u32, leaf: Leaf) -> u32 {
        if self.nodes.len() >= NODES_MAX {
            self.forget();
        }
        let Leaf { field, canonical, role, .. } = leaf;
        let number = self.nodes.len() as u32;
        let successors = [Successor::empty(), Successor::empty()];
        self.nodes.push(Node {
            successors,
            field,
            canonical,
            role,
            context,
            object,
            misses: 0,
            trust: TRUST_MAX,
            oldest: 0,
        });
        self.index.insert((context, field), number);
        number
    }

    /// The node at which to go on when the route of a row is known at `node`.
    #[inline(always)]
    pub(super) fn enter(&mut self, node: u32, table: u32) -> u32 {
        match self.entries.get(table as usize) {
            Some(entry) if entry.misses >= MISSES_SHARED => self.enter_own(node, table, entry.node),
            _ => node,
        }
    }

    #[inline(never)]
    fn enter_own(&mut self, node: u32, table: u32, last: u32) -> u32 {
        let Some(leaf) = self.leaf(node) else { return node };
        if self.node(last).is_some_and(|last| last.field == leaf.field && last.context == table) {
            return last;
        }
        let object = self.node(node).map_or(NONE, |node| node.object);
        let own = self.node_of(table, object, leaf);
        if let Some(entry) = self.entries.get_mut(table as usize) {
            entry.node = own;
        }
        own
    }

    /// Counts a miss of a row of the table at a shared node.
    #[inline]
    pub(super) fn missed_shared(&mut self, table: u32) {
        if self.entries.len() <= table as usize {
            self.entries.resize(table as usize + 1, Entry { misses: 0, node: NONE });
        }
        if let Some(entry) = self.entries.get_mut(table as usize) {
            entry.misses = entry.misses.saturating_add(1);
        }
    }

    /// Counts a miss at a node.
    #[inline]
    pub(super) fn missed(&mut self, node: u32) -> Option<&Node> {
        let node = self.nodes.get_mut(node as usize)?;
        node.misses = node.misses.wrapping_add(1);
        node.trust = node.trust.saturating_sub(1);
        Some(node)
    }

    /// Counts a guess that fitted.
    #[inline(always)]
    pub(super) fn fitted(&mut self, node: u32) {
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.trust = (node.trust + TRUST_OF_A_HIT).min(TRUST_MAX);
        }
    }

    /// The node of all tables for a field, where there is one.
    pub(super) fn known(&self, field: u32) -> u32 {
        self.index.get(&(NONE, field)).copied().unwrap_or(NONE)
    }

    /// Whether the last miss at `node` is worth learning from.
    #[inline]
    pub(super) fn wants(&self, node: u32) -> bool {
        self.node(node).is_some_and(Node::wants)
    }

    /// Notes that `text` led from `from` to `to`; the objects opened in it are in `marks`.
    #[inline(never)]
    pub(super) fn learn(&mut self, from: u32, to: u32, text: &[u8]) {
        let Some(literal) = Literal::new(text) else { return };
        let marks = self.marks.as_slice().into();
        let Some(canonical) = self.node(to).map(|node| node.canonical) else { return };
        let Some(node) = self.nodes.get_mut(from as usize) else { return };
        let slot = node.oldest;
        node.oldest ^= 1;
        if let Some(successor) = node.successors.get_mut(slot as usize) {
            *successor = Successor { literal, length: text.len() as u32, node: to, canonical, marks };
        }
    }
}
