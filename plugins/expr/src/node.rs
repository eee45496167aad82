//! The tree that the parser makes and the evaluation walks.
//!
//! Columns are numbers into [`Expr::columns`]. The sort of a node is what is known of its result before any data is seen; it serves
//! only to refuse what could never work. Depth is bounded by the parser, so walking by recursion is safe.

use crate::cast::Kind;
use crate::column::Columns;
use crate::eval;
use crate::function::Function;
use crate::value::{Column, Scalar};

/// A checked expression.
#[derive(Clone, Debug)]
pub struct Expr {
    pub(crate) root: Node,
    pub(crate) sort: Sort,
    pub(crate) columns: Vec<String>,
    pub(crate) text: String,
}

impl Expr {
    /// The columns that it reads, each once, in the order of the text. `time` is the event time.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it may be true or false: a condition. A lone column may.
    pub fn is_condition(&self) -> bool {
        // A sum may be a number or a time, never a truth value.
        matches!(self.sort, Sort::Any | Sort::Bool) && !matches!(self.root, Node::Arithmetic(..))
    }

    /// Whether it is a column by itself, with nothing done to it.
    pub fn is_column(&self) -> bool {
        matches!(self.root, Node::Column(_))
    }

    /// One byte for each row: 1 where the expression is true, 0 where it is false, null or no truth value at all.
    pub fn mask(&self, columns: &Columns) -> Vec<u8> {
        eval::mask(self, columns)
    }

    /// One value for each row.
    pub fn eval(&self, columns: &Columns) -> Column {
        eval::column(self, columns)
    }
}

/// What is known of a result before there is data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Any,
    Bool,
    Number,
    Text,
    Time,
}

impl Sort {
    pub fn fits(self, wanted: Self) -> bool {
        self == wanted || self == Self::Any || wanted == Self::Any
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Time => "a time",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The same with the sides exchanged.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }

    pub fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Unequal => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    Like,
    StartsWith,
    EndsWith,
    Contains,
}

#[derive(Clone, Debug)]
pub enum Node {
    Column(usize),
    Constant(Scalar),
    Negate(Box<Self>),
    Not(Box<Self>),
    /// `is null`; the flag makes it `is not null`.
    IsNull(Box<Self>, bool),
    Arithmetic(Arithmetic, Box<[Self; 2]>),
    Compare(Comparison, Box<[Self; 2]>),
    Match(Matching, Box<[Self; 2]>),
    And(Vec<Self>),
    Or(Vec<Self>),
    In(Box<Self>, Vec<Scalar>),
    Cast(Box<Self>, Kind),
    Call(Function, Vec<Self>),
}

impl Node {
    pub fn children(&self) -> &[Self] {
        match self {
            Self::Column(_) | Self::Constant(_) => &[],
            Self::Negate(child) | Self::Not(child) | Self::IsNull(child, _) => std::slice::from_ref(child),
            Self::In(child, _) | Self::Cast(child, _) => std::slice::from_ref(child),
            Self::Arithmetic(_, pair) | Self::Compare(_, pair) | Self::Match(_, pair) => &**pair,
            Self::And(children) | Self::Or(children) | Self::Call(_, children) => children,
        }
    }

    /// The one column that everything below depends on; none where there are several, or no column.
    pub fn only_column(&self) -> Option<usize> {
        let mut found = None;
        self.only_column_is(&mut found).then_some(found).flatten()
    }

    fn only_column_is(&self, found: &mut Option<usize>) -> bool {
        if let Self::Column(column) = self {
            return *found.get_or_insert(*column) == *column;
        }
        self.children().iter().all(|child| child.only_column_is(found))
    }
}
