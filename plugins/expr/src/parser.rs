//! Tokens to a tree, with every refusal that can be known without data.
//!
//! Precedence, loosest first: `or`; `and`; `not`; comparisons, `in`, `like`, `is null` (these do not chain); `+ -`; `* / %`; unary minus.
//! One function climbs it by binding power, so that a level of brackets costs two stack frames and the bound on levels keeps the stack small.

use std::fmt;

use crate::cast::Kind;
use crate::function::Function;
use crate::lexer::{Token, tokens};
use crate::node::{Arithmetic, Comparison, Expr, Matching, Node, Sort};
use crate::value::Scalar;

pub const TEXT_BYTES_MAX: usize = 8 * 1024;
pub const NODES_MAX: usize = 1024;
pub const LEVELS_MAX: usize = 64;
pub const COLUMNS_MAX: usize = 128;
pub const ITEMS_MAX: usize = 1024;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Byte of the text, from 0.
    pub at: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

impl ParseError {
    pub(crate) fn new(at: usize, message: String) -> Self {
        Self { at, message }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at + 1, self.message)
    }
}

impl std::error::Error for ParseError {}

pub fn parse(text: &str) -> Result<Expr, ParseError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(ParseError::new(TEXT_BYTES_MAX, format!("longer than {TEXT_BYTES_MAX} bytes; split it")));
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, columns: Vec::new(), nodes: 0, levels: 0 };
    let parsed = parser.expression(Binding::Or)?;
    let (rest, at) = parser.peek();
    if *rest != Token::End {
        let message =
            format!("{} follows a complete expression; an operator is missing before it", shown(rest));
        return Err(ParseError::new(at, message));
    }
    Ok(Expr { root: parsed.node, sort: parsed.sort, columns: parser.columns, text: text.to_owned() })
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Not,
    Compare,
    Add,
    Multiply,
    Minus,
}

enum Infix {
    Or,
    And,
    Arithmetic(Arithmetic),
    Compare(Comparison),
    Match(Matching),
    In,
    Is,
    /// `not in`, `not like`, ...
    Not,
}

struct Parsed {
    node: Node,
    sort: Sort,
    levels: usize,
    at: usize,
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    next: usize,
    columns: Vec<String>,
    nodes: usize,
    /// Of brackets, calls and prefixes that are open.
    levels: usize,
}

impl Parser {
    fn peek(&self) -> (&Token, usize) {
        match self.tokens.get(self.next).or(self.tokens.last()) {
            Some((token, at)) => (token, *at),
            None => (&Token::End, 0),
        }
    }

    fn take(&mut self) -> (Token, usize) {
        let (token, at) = self.peek();
        let taken = (token.clone(), at);
        self.next += 1;
        taken
    }

    fn take_symbol(&mut self, wanted: &str) -> bool {
        let there = matches!(self.peek().0, Token::Symbol(symbol) if *symbol == wanted);
        self.next += usize::from(there);
        there
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let there = matches!(self.peek().0, Token::Word(word) if word.eq_ignore_ascii_case(wanted));
        self.next += usize::from(there);
        there
    }

    fn want_symbol(&mut self, wanted: &'static str, after: &str) -> Result<(), ParseError> {
        if self.take_symbol(wanted) {
            return Ok(());
        }
        let (token, at) = self.peek();
        Err(ParseError::new(at, format!("expected `{wanted}` {after}, found {}", shown(token))))
    }

    fn made(&mut self, node: Node, sort: Sort, below: usize, at: usize) -> Result<Parsed, ParseError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(ParseError::new(at, format!("more than {NODES_MAX} parts; split the expression")));
        }
        if below + 1 > LEVELS_MAX {
            return Err(ParseError::new(
                at,
                format!("nested deeper than {LEVELS_MAX} levels; split the expression"),
            ));
        }
        Ok(Parsed { node, sort, levels: below + 1, at })
    }

    fn expression(&mut self, least: Binding) -> Result<Parsed, ParseError> {
        self.levels += 1;
        if self.levels > LEVELS_MAX {
            let at = self.peek().1;
            return Err(ParseError::new(
                at,
                format!("nested deeper than {LEVELS_MAX} levels; split the expression"),
            ));
        }
        let mut left = self.prefix()?;
        let mut compared = false;
        while let Some((infix, binding)) = self.infix() {
            if binding < least {
                break;
            }
            let at = self.take().1;
            if binding == Binding::Compare && std::mem::replace(&mut compared, true) {
                let message = "comparisons do not chain; join them with `and`";
                return Err(ParseError::new(at, message.into()));
            }
            left = self.joined(left, infix, at)?;
        }
        self.levels -= 1;
        Ok(left)
    }

    fn infix(&self) -> Option<(Infix, Binding)> {
        let name = match self.peek().0 {
            Token::Symbol(symbol) => (*symbol).to_owned(),
            Token::Word(word) => word.to_ascii_lowercase(),
            _ => return None,
        };
        Some(match name.as_str() {
            "or" => (Infix::Or, Binding::Or),
            "and" => (Infix::And, Binding::And),
            "=" => (Infix::Compare(Comparison::Equal), Binding::Compare),
            "!=" => (Infix::Compare(Comparison::Unequal), Binding::Compare),
            "<" => (Infix::Compare(Comparison::Less), Binding::Compare),
            "<=" => (Infix::Compare(Comparison::LessOrEqual), Binding::Compare),
            ">" => (Infix::Compare(Comparison::Greater), Binding::Compare),
            ">=" => (Infix::Compare(Comparison::GreaterOrEqual), Binding::Compare),
            "in" => (Infix::In, Binding::Compare),
            "is" => (Infix::Is, Binding::Compare),
            "not" => (Infix::Not, Binding::Compare),
            "+" => (Infix::Arithmetic(Arithmetic::Add), Binding::Add),
            "-" => (Infix::Arithmetic(Arithmetic::Subtract), Binding::Add),
            "*" => (Infix::Arithmetic(Arithmetic::Multiply), Binding::Multiply),
            "/" => (Infix::Arithmetic(Arithmetic::Divide), Binding::Multiply),
            "%" => (Infix::Arithmetic(Arithmetic::Remainder), Binding::Multiply),
            other => (Infix::Match(matching(other)?), Binding::Compare),
        })
    }

    fn joined(&mut self, left: Parsed, infix: Infix, at: usize) -> Result<Parsed, ParseError> {
        match infix {
            Infix::Or => self.chain(left, Binding::And, at),
            Infix::And => self.chain(left, Binding::Not, at),
            Infix::Arithmetic(operation) => {
                let tighter = match operation {
                    Arithmetic::Add | Arithmetic::Subtract => Binding::Multiply,
                    _ => Binding::Minus,
                };
                let right = self.expression(tighter)?;
                self.arithmetic(operation, left, right, at)
            }
            Infix::Compare(comparison) => {
                let right = self.expression(Binding::Add)?;
                self.comparison(comparison, left, right, at)
            }
            Infix::Match(matching) => self.matching(matching, left, at),
            Infix::In => self.list(left, at),
            Infix::Is => {
                let negated = self.take_word("not");
                if !self.take_word("null") {
                    let (token, at) = self.peek();
                    let message =
                        format!("expected `null` after `is`, found {}; write `=` to compare", shown(token));
                    return Err(ParseError::new(at, message));
                }
                self.made(Node::IsNull(Box::new(left.node), negated), Sort::Bool, left.levels, at)
            }
            Infix::Not => self.negated(left, at),
        }
    }

    fn negated(&mut self, left: Parsed, at: usize) -> Result<Parsed, ParseError> {
        let (token, word_at) = self.take();
        let inner = match &token {
            Token::Word(word) if word.eq_ignore_ascii_case("in") => self.list(left, word_at)?,
            Token::Word(word) => match matching(&word.to_ascii_lowercase()) {
                Some(matching) => self.matching(matching, left, word_at)?,
                None => return Err(not_what(&token, word_at)),
            },
            _ => return Err(not_what(&token, word_at)),
        };
        self.made(Node::Not(Box::new(inner.node)), Sort::Bool, inner.levels, at)
    }

    /// All terms of one `and` or `or` are one node, so that long chains stay flat.
    fn chain(&mut self, left: Parsed, tighter: Binding, at: usize) -> Result<Parsed, ParseError> {
        let is_or = tighter == Binding::And;
        let right = self.expression(tighter)?;
        for side in [&left, &right] {
            want(side, Sort::Bool, if is_or { "`or`" } else { "`and`" }, "true or false on both sides")?;
        }
        let levels = left.levels.max(right.levels + 1);
        let (mut terms, below) = match left.node {
            Node::Or(terms) if is_or => (terms, levels - 1),
            Node::And(terms) if !is_or => (terms, levels - 1),
            other => (vec![other], left.levels.max(right.levels)),
        };
        terms.push(right.node);
        self.made(if is_or { Node::Or(terms) } else { Node::And(terms) }, Sort::Bool, below, at)
    }

    fn arithmetic(
        &mut self,
        op: Arithmetic,
        left: Parsed,
        right: Parsed,
        at: usize,
    ) -> Result<Parsed, ParseError> {
        for side in [&left, &right] {
            if side.sort != Sort::Time {
                want(side, Sort::Number, "arithmetic", "numbers; write concat(a, b) to join texts")?;
            }
        }
        let times = usize::from(left.sort == Sort::Time) + usize::from(right.sort == Sort::Time);
        let sort = match (op, times) {
            (Arithmetic::Add | Arithmetic::Subtract, 1) => Sort::Time,
            (Arithmetic::Subtract, 2) => Sort::Number,
            (_, 0) if left.sort == Sort::Number && right.sort == Sort::Number => Sort::Number,
            (_, 0) => Sort::Any,
            _ => {
                let message =
                    "times can only be subtracted, or moved by nanoseconds; write s64(time) for the number";
                return Err(ParseError::new(at, message.into()));
            }
        };
        let below = left.levels.max(right.levels);
        self.made(Node::Arithmetic(op, Box::new([left.node, right.node])), sort, below, at)
    }

    fn comparison(
        &mut self,
        op: Comparison,
        left: Parsed,
        right: Parsed,
        at: usize,
    ) -> Result<Parsed, ParseError> {
        let null = |side: &Parsed| matches!(side.node, Node::Constant(Scalar::Null));
        if null(&left) || null(&right) {
            return Err(ParseError::new(at, "a comparison with null is never true; write `is null`".into()));
        }
        let both = [left.sort, right.sort];
        let time_and_number = both.contains(&Sort::Time) && both.contains(&Sort::Number);
        if !left.sort.fits(right.sort) && !time_and_number {
            let message = format!(
                "{} is compared with {}; convert one with text(), f64(), s64() or timestamp()",
                left.sort.name(),
                right.sort.name()
            );
            return Err(ParseError::new(at, message));
        }
        if both.contains(&Sort::Bool) && !matches!(op, Comparison::Equal | Comparison::Unequal) {
            return Err(ParseError::new(at, "true and false have no order; write `=` or `!=`".into()));
        }
        let below = left.levels.max(right.levels);
        self.made(Node::Compare(op, Box::new([left.node, right.node])), Sort::Bool, below, at)
    }

    fn matching(&mut self, matching: Matching, left: Parsed, at: usize) -> Result<Parsed, ParseError> {
        let right = self.expression(Binding::Add)?;
        self.matched(matching, left, right, at)
    }

    fn matched(
        &mut self,
        matching: Matching,
        left: Parsed,
        right: Parsed,
        at: usize,
    ) -> Result<Parsed, ParseError> {
        for side in [&left, &right] {
            want(side, Sort::Text, "this", "texts; convert with text()")?;
        }
        if matching == Matching::Like && !matches!(right.node, Node::Constant(Scalar::Text(_))) {
            return Err(ParseError::new(right.at, "the pattern of `like` is a text in quotes".into()));
        }
        let below = left.levels.max(right.levels);
        self.made(Node::Match(matching, Box::new([left.node, right.node])), Sort::Bool, below, at)
    }

    fn list(&mut self, left: Parsed, at: usize) -> Result<Parsed, ParseError> {
        let closing = match self.take() {
            (Token::Symbol("["), _) => "]",
            (Token::Symbol("("), _) => ")",
            (token, at) => {
                return Err(ParseError::new(at, format!("expected `[` after `in`, found {}", shown(&token))));
            }
        };
        let mut items = Vec::new();
        while !self.take_symbol(closing) {
            if !items.is_empty() {
                self.want_symbol(",", "between items of a list")?;
                if self.take_symbol(closing) {
                    break;
                }
            }
            items.push(self.item()?);
            if items.len() > ITEMS_MAX {
                return Err(ParseError::new(at, format!("more than {ITEMS_MAX} items in a list")));
            }
        }
        self.made(Node::In(Box::new(left.node), items), Sort::Bool, left.levels, at)
    }

    fn item(&mut self) -> Result<Scalar, ParseError> {
        let negative = self.take_symbol("-");
        let (token, at) = self.take();
        let scalar = match (token, negative) {
            (Token::Float(value), _) => Some(Scalar::F64(if negative { -value } else { value })),
            (Token::Integer(value), _) => Some(Scalar::integer(value, negative)),
            (Token::Text(text), false) => Some(Scalar::Text(text)),
            (Token::Word(word), false) if word.eq_ignore_ascii_case("true") => Some(Scalar::Bool(true)),
            (Token::Word(word), false) if word.eq_ignore_ascii_case("false") => Some(Scalar::Bool(false)),
            _ => None,
        };
        scalar.ok_or_else(|| {
            ParseError::new(
                at,
                "a list holds numbers, texts in quotes, true and false; use `or` for more".into(),
            )
        })
    }

    fn prefix(&mut self) -> Result<Parsed, ParseError> {
        let (token, at) = self.take();
        match token {
            Token::Float(value) => self.made(Node::Constant(Scalar::F64(value)), Sort::Number, 0, at),
            Token::Integer(value) => {
                self.made(Node::Constant(Scalar::integer(value, false)), Sort::Number, 0, at)
            }
            Token::Text(text) => self.made(Node::Constant(Scalar::Text(text)), Sort::Text, 0, at),
            Token::Quoted(name) => self.column(name, at),
            Token::Word(word) => self.word(word, at),
            Token::Symbol("(") => {
                let inner = self.expression(Binding::Or)?;
                self.want_symbol(")", "to close the bracket")?;
                Ok(inner)
            }
            Token::Symbol("-") => {
                let inner = self.expression(Binding::Minus)?;
                want(&inner, Sort::Number, "`-`", "a number")?;
                match inner.node {
                    Node::Constant(scalar) => {
                        self.made(Node::Constant(scalar.negated()), Sort::Number, 0, at)
                    }
                    node => self.made(Node::Negate(Box::new(node)), Sort::Number, inner.levels, at),
                }
            }
            Token::Symbol("not") => self.not(at),
            other => Err(ParseError::new(at, format!("expected a value, found {}", shown(&other)))),
        }
    }

    fn not(&mut self, at: usize) -> Result<Parsed, ParseError> {
        let inner = self.expression(Binding::Not)?;
        want(&inner, Sort::Bool, "`not`", "true or false")?;
        self.made(Node::Not(Box::new(inner.node)), Sort::Bool, inner.levels, at)
    }

    fn word(&mut self, word: String, at: usize) -> Result<Parsed, ParseError> {
        let lower = word.to_ascii_lowercase();
        match lower.as_str() {
            "true" | "false" => {
                return self.made(Node::Constant(Scalar::Bool(lower == "true")), Sort::Bool, 0, at);
            }
            "null" => return self.made(Node::Constant(Scalar::Null), Sort::Any, 0, at),
            "not" => return self.not(at),
            "and" | "or" | "in" | "is" | "like" => {
                let message = format!(
                    "expected a value, found `{word}`; a column of that name is written `{word}` in backticks"
                );
                return Err(ParseError::new(at, message));
            }
            _ => {}
        }
        if self.take_symbol("(") { self.call(&word, &lower, at) } else { self.column(word, at) }
    }

    fn column(&mut self, name: String, at: usize) -> Result<Parsed, ParseError> {
        let sort = if name == "time" { Sort::Time } else { Sort::Any };
        let index = match self.columns.iter().position(|known| *known == name) {
            Some(index) => index,
            None if self.columns.len() < COLUMNS_MAX => {
                self.columns.push(name);
                self.columns.len() - 1
            }
            None => return Err(ParseError::new(at, format!("more than {COLUMNS_MAX} columns"))),
        };
        self.made(Node::Column(index), sort, 0, at)
    }

    fn call(&mut self, word: &str, lower: &str, at: usize) -> Result<Parsed, ParseError> {
        let mut arguments = Vec::new();
        while !self.take_symbol(")") {
            if !arguments.is_empty() {
                self.want_symbol(",", "between arguments")?;
            }
            arguments.push(self.expression(Binding::Or)?);
        }
        let below = arguments.iter().map(|argument| argument.levels).max().unwrap_or(0);
        if let Some(kind) = Kind::named(lower) {
            let only = one_argument(arguments, lower, at)?;
            return self.made(Node::Cast(Box::new(only.node), kind), kind.sort(), below, at);
        }
        if let Some(matching) = matching(lower) {
            let mut sides = arguments.into_iter();
            return match (sides.next(), sides.next(), sides.next()) {
                (Some(left), Some(right), None) => self.matched(matching, left, right, at),
                _ => Err(ParseError::new(at, format!("{lower}(text, part) takes two arguments"))),
            };
        }
        let Some(function) = Function::named(lower) else {
            let message = format!("there is no function `{word}`; there are {}", Function::all_names());
            return Err(ParseError::new(at, message));
        };
        let sorts: Vec<Sort> = arguments.iter().map(|argument| argument.sort).collect();
        let sort = function.check(&sorts).map_err(|message| ParseError::new(at, message))?;
        let nodes = arguments.into_iter().map(|argument| argument.node).collect();
        self.made(Node::Call(function, nodes), sort, below, at)
    }
}

fn matching(word: &str) -> Option<Matching> {
    Some(match word {
        "like" => Matching::Like,
        "starts_with" => Matching::StartsWith,
        "ends_with" => Matching::EndsWith,
        "contains" => Matching::Contains,
        _ => return None,
    })
}

fn one_argument(arguments: Vec<Parsed>, name: &str, at: usize) -> Result<Parsed, ParseError> {
    let count = arguments.len();
    let mut arguments = arguments.into_iter();
    match (arguments.next(), count) {
        (Some(only), 1) => Ok(only),
        _ => Err(ParseError::new(at, format!("{name}() takes one argument, not {count}"))),
    }
}

fn want(side: &Parsed, sort: Sort, who: &str, what: &str) -> Result<(), ParseError> {
    if side.sort.fits(sort) {
        return Ok(());
    }
    Err(ParseError::new(side.at, format!("{who} wants {what}; this is {}", side.sort.name())))
}

fn not_what(token: &Token, at: usize) -> ParseError {
    ParseError::new(at, format!("expected `in`, `like`, `contains`, ... after `not`, found {}", shown(token)))
}

fn shown(token: &Token) -> String {
    match token {
        Token::Float(value) => format!("the number {value}"),
        Token::Integer(value) => format!("the number {value}"),
        Token::Text(text) => format!("the text '{}'", text.chars().take(40).collect::<String>()),
        Token::Word(word) | Token::Quoted(word) => format!("`{}`", word.chars().take(40).collect::<String>()),
        Token::Symbol(symbol) => format!("`{symbol}`"),
        Token::End => "the end".into(),
    }
}
