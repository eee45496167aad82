//! Text to tokens, each with the byte where it starts.
//!
//! Numbers, 'texts' and "texts" with backslash escapes, names (dotted: `http.status`), `odd names` in backticks, operators. Words are
//! told apart by the parser. An error names the byte and says what would be right.

use crate::parser::ParseError;

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Float(f64),
    /// Fits s64 or u64; sign comes from a minus before it.
    Integer(u64),
    Text(String),
    /// A word: a name of a column, a keyword or a function.
    Word(String),
    /// Always a column.
    Quoted(String),
    /// `+ - * / % ( ) [ ] , = != < <= > >=`; `==`, `<>`, `&&`, `||` and `!` come as their usual forms.
    Symbol(&'static str),
    End,
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [(&str, &str); 20] = [
    ("==", "="),
    ("!=", "!="),
    ("<>", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("&&", "and"),
    ("||", "or"),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("!", "not"),
    ("+", "+"),
    ("-", "-"),
    ("*", "*"),
    ("/", "/"),
    ("%", "%"),
    ("(", "("),
    (")", ")"),
    ("[", "["),
    ("]", "]"),
];

pub fn tokens(text: &str) -> Result<Vec<(Token, usize)>, ParseError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = one(rest, first, at)?;
        found.push((token, at));
        at += length;
    }
    found.push((Token::End, text.len()));
    Ok(found)
}

fn one(rest: &str, first: char, at: usize) -> Result<(Token, usize), ParseError> {
    if first.is_ascii_digit() {
        return number(rest, at);
    }
    if first == '\'' || first == '"' {
        let (text, length) = quoted(rest, first, at)?;
        return Ok((Token::Text(text), length));
    }
    if first == '`' {
        let (text, length) = quoted(rest, first, at)?;
        return if text.is_empty() {
            Err(ParseError::new(at, "a name in backticks is empty".into()))
        } else {
            Ok((Token::Quoted(text), length))
        };
    }
    if first == '_' || first.is_alphabetic() {
        return Ok(word(rest));
    }
    if first == ',' {
        return Ok((Token::Symbol(","), 1));
    }
    match SYMBOLS.iter().find(|(form, _)| rest.starts_with(form)) {
        Some((form, meaning)) => Ok((Token::Symbol(meaning), form.len())),
        None => Err(ParseError::new(
            at,
            format!("`{first}` means nothing here; put texts in quotes and odd column names in backticks"),
        )),
    }
}

/// Letters, digits, `_`, and dots between them.
fn word(rest: &str) -> (Token, usize) {
    let end = rest.find(|c: char| !(c == '_' || c == '.' || c.is_alphanumeric())).unwrap_or(rest.len());
    let text = rest.get(..end).unwrap_or_default().trim_end_matches('.');
    (Token::Word(text.to_owned()), text.len())
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), ParseError> {
    let bytes = rest.as_bytes();
    let digits_from = |from: usize| {
        bytes.iter().skip(from).take_while(|b| b.is_ascii_digit() || **b == b'_').count() + from
    };
    let mut end = digits_from(0);
    let mut whole = true;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        whole = false;
        end = digits_from(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            whole = false;
            end = digits_from(end + 1 + sign);
        }
    }
    let text: String = rest.get(..end).unwrap_or_default().chars().filter(|c| *c != '_').collect();
    if rest.get(end..).unwrap_or_default().starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        let message = format!("`{text}` is followed by a letter; units of measurement are not written here");
        return Err(ParseError::new(at, message));
    }
    if whole && let Ok(value) = text.parse() {
        return Ok((Token::Integer(value), end));
    }
    match text.parse() {
        Ok(value) => Ok((Token::Float(value), end)),
        Err(_) => Err(ParseError::new(at, format!("`{text}` is not a number"))),
    }
}

/// `rest` starts with the quote; the length counts both quotes.
fn quoted(rest: &str, quote: char, at: usize) -> Result<(String, usize), ParseError> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, char)) = chars.next() {
        if char == quote {
            return Ok((text, index + 1));
        }
        if char != '\\' || quote == '`' {
            text.push(char);
            continue;
        }
        match chars.next().map(|(_, escaped)| escaped) {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            // Kept, so that a pattern of `like` can escape its own signs.
            Some(sign @ ('%' | '_')) => text.extend(['\\', sign]),
            Some(other) => text.push(other),
            None => break,
        }
    }
    Err(ParseError::new(at, format!("a text that starts with {quote} does not end; add {quote}")))
}
