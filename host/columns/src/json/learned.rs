//! What the scanner learned of the bytes between two values.
//!
//! A node is a leaf field (in the context of a table, once the route is known). It remembers two successors: the exact bytes that stood
//! between the end of its value and the start of the next one (`,"latency_ms":`, `},"x":{"y":`, `}\n{"application":`), and the node of that
//! value. Because a field's path says which objects are open, these bytes say all: comma, keys, colons, nesting and row ends.
//!
//! Bounds: [`NODES_MAX`] nodes of about 200 bytes; when they are used up all are forgotten, so that a hostile sender cannot hold them.
//! A node whose guesses keep failing learns ever more rarely. Only fields that are settled are in here.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::schema::{NONE, Role};

/// Longest literal, bytes; longer ones take the generic step each time.
pub(super) const LITERAL_BYTES_MAX: usize = 64;

const NODES_MAX: usize = 4_096;

/// Misses that are learned from at once...
const MISSES_LEARNED: u32 = 16;

/// ...and of later ones, one in so many.
const LEARNED_EVERY: u32 = 32;

/// Set in the number of a field: the node is not its value's end but the inside of its object.
pub(super) const INSIDE: u32 = 1 << 31;

/// The bytes between two values.
#[derive(Clone, Debug)]
pub(super) struct Literal {
    bytes: [u8; LITERAL_BYTES_MAX],
    /// One bit for each byte.
    mask: u64,
}

impl Literal {
    const EMPTY: Self = Self { bytes: [0; LITERAL_BYTES_MAX], mask: 0 };

    fn new(text: &[u8]) -> Option<Self> {
        let mut literal = Self::EMPTY;
        literal.bytes.get_mut(..text.len())?.copy_from_slice(text);
        literal.mask = u64::MAX.checked_shr(64 - text.len() as u32).unwrap_or(0);
        Some(literal)
    }

    #[inline(always)]
    pub fn mask(&self) -> u64 {
        self.mask
    }

    /// 64 bytes can be read from here.
    #[inline(always)]
    pub fn start(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length()).unwrap_or_default()
    }

    #[inline(always)]
    pub fn length(&self) -> usize {
        (u64::BITS - self.mask.leading_zeros()) as usize
    }
}

/// Where a row ends and the next begins in a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowEnd {
    /// Behind the `}` of the event.
    pub event_end: u8,
    /// At the `{` of the next.
    pub next_start: u8,
    /// Whether the events stand in an array.
    pub in_array: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Successor {
    pub literal: Literal,
    pub length: u32,
    /// [`NONE`]: nothing was learned here.
    pub node: u32,
    /// Of that node's field.
    pub canonical: u32,
    pub row_end: Option<RowEnd>,
    /// Fields in the literal that are no leaves: objects. Most often none.
    pub marks: Box<[u32]>,
}

impl Successor {
    fn empty() -> Self {
        Self {
            literal: Literal::EMPTY,
            length: 0,
            node: NONE,
            canonical: NONE,
            row_end: None,
            marks: Box::default(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Node {
    pub successors: [Successor; 2],
    pub field: u32,
    pub canonical: u32,
    pub role: Role,
    /// The table of the context; [`NONE`]: not known yet.
    pub context: u32,
    misses: u32,
    /// The successor that is replaced next.
    oldest: u8,
}

/// The field whose value comes, and its node; [`NONE`]: on probation, nothing can be learned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub node: u32,
    pub field: u32,
    pub canonical: u32,
    pub role: Role,
}

#[derive(Debug, Default)]
pub(crate) struct Learned {
    nodes: Vec<Node>,
    /// By context and field.
    index: HashMap<(u32, u32), u32, RandomState>,
    /// For each table the node at which rows of it were last known to be of it.
    entries: Vec<u32>,
    /// Grows when all is forgotten: node numbers from before mean nothing.
    pub(super) generation: u64,
    /// Objects opened in the generic step.
    pub(super) marks: Vec<u32>,
}

impl Learned {
    pub fn forget(&mut self) {
        self.nodes.clear();
        self.index.clear();
        self.entries.clear();
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

    /// The node of a settled field, made where it is not there. The row start is the node of field [`NONE`].
    #[inline]
    pub(super) fn node_of(&mut self, context: u32, field: u32, canonical: u32, role: Role) -> u32 {
        if let Some(number) = self.index.get(&(context, field)) {
            return *number;
        }
        self.make(context, field, canonical, role)
    }

    #[inline(never)]
    fn make(&mut self, context: u32, field: u32, canonical: u32, role: Role) -> u32 {
        if self.nodes.len() >= NODES_MAX {
            self.forget();
        }
        let number = self.nodes.len() as u32;
        let successors = [Successor::empty(), Successor::empty()];
        self.nodes.push(Node { successors, field, canonical, role, context, misses: 0, oldest: 0 });
        self.index.insert((context, field), number);
        number
    }

    /// The node at which to go on when the route of a row is known at `node`.
    #[inline(always)]
    pub(super) fn enter(&mut self, node: u32, table: u32) -> u32 {
        let Some(field) = self.node(node).map(|node| node.field) else { return node };
        if let Some(entry) = self.entries.get(table as usize)
            && self.node(*entry).is_some_and(|entry| entry.field == field && entry.context == table)
        {
            return *entry;
        }
        self.enter_anew(node, table)
    }

    #[inline(never)]
    fn enter_anew(&mut self, node: u32, table: u32) -> u32 {
        let Some((field, canonical, role)) =
            self.node(node).map(|node| (node.field, node.canonical, node.role))
        else {
            return node;
        };
        let entry = self.node_of(table, field, canonical, role);
        if self.entries.len() <= table as usize {
            self.entries.resize(table as usize + 1, NONE);
        }
        if let Some(slot) = self.entries.get_mut(table as usize) {
            *slot = entry;
        }
        entry
    }

    /// Whether a miss at `node` is worth learning from.
    #[inline]
    pub(super) fn wants(&mut self, node: u32) -> bool {
        let Some(node) = self.nodes.get_mut(node as usize) else { return false };
        node.misses = node.misses.wrapping_add(1);
        node.misses < MISSES_LEARNED || node.misses % LEARNED_EVERY == 0
    }

    /// Notes that `text` led from `from` to `to`; the objects opened in it are in `marks`.
    #[inline(never)]
    pub(super) fn learn(&mut self, from: u32, to: u32, text: &[u8], row_end: Option<RowEnd>) {
        let Some(literal) = Literal::new(text) else { return };
        let marks = self.marks.as_slice().into();
        let Some(canonical) = self.node(to).map(|node| node.canonical) else { return };
        let Some(node) = self.nodes.get_mut(from as usize) else { return };
        let slot = node.oldest;
        node.oldest ^= 1;
        if let Some(successor) = node.successors.get_mut(slot as usize) {
            *successor =
                Successor { literal, length: text.len() as u32, node: to, canonical, row_end, marks };
        }
    }
}
