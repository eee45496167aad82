//! URLs as RFC 3986 takes them apart (appendix B), whole ones and those that begin with the path, as requests have them.
//!
//! Scheme and host come in small letters, the path as it is, parameters decoded (`+` is a space). User and password of an authority are passed over and never
//! become a column. A text with white space or control characters, without anything, or with a port that is no number of 16 bits is no URL.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::form::Part;

pub const FIELDS: [(&str, &str); 6] = [
    ("scheme", "text"),
    ("host", "text"),
    ("port", "u64"),
    ("path", "text"),
    ("query", "text"),
    ("fragment", "text"),
];
/// Before the name of a parameter.
pub const QUERY: &str = "query.";

#[derive(Debug, Default)]
pub struct Url<'a> {
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Url<'a> {
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.is_empty()
            || text.chars().any(|character| character.is_whitespace() || character.is_control())
        {
            return None;
        }
        let (rest, fragment) = cut(text, '#');
        let (rest, query) = cut(rest, '?');
        let (scheme, rest) = match rest.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, rest),
        };
        let mut url = Self { scheme, path: rest, query, fragment, ..Self::default() };
        if let Some(rest) = rest.strip_prefix("//") {
            let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
            url.path = path;
            let host_port = authority.rsplit_once('@').map_or(authority, |(_, host_port)| host_port);
            (url.host, url.port) = host_and_port(host_port)?;
        }
        Some(url)
    }

    pub fn part(&self, name: &str) -> Part<'a> {
        let lower = |text: &'a str| match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
        match name {
            "scheme" => self.scheme.map(lower),
            "host" => self.host.map(lower),
            "port" => self.port.map(Cow::Borrowed),
            "path" => Some(self.path).filter(|path| !path.is_empty()).map(Cow::Borrowed),
            "query" => self.query.map(Cow::Borrowed),
            "fragment" => self.fragment.map(Cow::Borrowed),
            other => self.parameter(other.strip_prefix(QUERY)?),
        }
    }

    /// The first one of that name.
    fn parameter(&self, name: &str) -> Part<'a> {
        let mut parameters = self.query?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        parameters.find(|(key, _)| decoded(key) == name).map(|(_, value)| decoded(value))
    }
}

fn cut(text: &str, sign: char) -> (&str, Option<&str>) {
    text.split_once(sign).map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// None where the port is no number.
fn host_and_port(text: &str) -> Option<(Option<&str>, Option<&str>)> {
    // The colons in the brackets of an IPv6 address are none before a port.
    let bracket = text.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match text.get(bracket..)?.find(':') {
        Some(colon) => (text.get(..bracket + colon)?, text.get(bracket + colon + 1..)?),
        None => (text, ""),
    };
    if !port.is_empty() {
        port.parse::<u16>().ok()?;
    }
    Some((Some(host).filter(|host| !host.is_empty()), Some(port).filter(|port| !port.is_empty())))
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
}
