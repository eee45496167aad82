//! The configuration of a parse: which text, in which form, and the columns that are made of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use weir_sdk::Complaint;
use weir_sdk::expr::Kind;

use crate::form::Form;

const FIELDS_MAX: usize = 128;
const PATTERN_BYTES_MAX: usize = 4_096;

/// A form: titles, descriptions, examples.
pub const SCHEMA: &str = r#"{
  "type": "object",
  "title": "Parse",
  "description": "Takes the texts of a column apart and makes columns of their parts. Rows whose text is not of that form leave by `unparsed` as they are.",
  "required": ["column", "as"],
  "additionalProperties": false,
  "properties": {
    "column": {
      "type": "string",
      "title": "Column",
      "description": "The column with the texts.",
      "minLength": 1,
      "maxLength": 256,
      "examples": ["message"]
    },
    "as": {
      "enum": ["json", "key_value", "regex", "url", "user_agent"],
      "title": "Form of the texts",
      "description": "`json`: an object. `key_value`: pairs such as level=info msg=\"all well\". `regex`: what the named groups of a pattern match. `url`: whole or from the path on. `user_agent`: what a browser says of itself."
    },
    "fields": {
      "type": "object",
      "title": "Fields",
      "description": "Which parts become columns, and of which kind: a value that does not convert is not there in that row. Needed for `json` (`a.b` is the member b of a) and `key_value`. Without it a `regex` gives all its groups as text, a `url` scheme, host, port, path, query and fragment (also `query.NAME` for a parameter), a `user_agent` browser, browser_version, system, system_version, device (phone, tablet, desktop, bot, tool, other) and bot.",
      "additionalProperties": { "enum": ["f64", "s64", "u64", "text", "bool", "timestamp"] },
      "propertyNames": { "minLength": 1, "maxLength": 256 },
      "maxProperties": 128,
      "default": {},
      "examples": [{ "level": "text", "took_ms": "f64", "user.id": "u64" }, { "host": "text", "query.page": "u64" }]
    },
    "pattern": {
      "type": "string",
      "title": "Pattern",
      "description": "For `regex`: the first match counts; groups are named as in (?P<status>[0-9]+). Neither look-around nor back references, so that no text takes long.",
      "format": "regex",
      "minLength": 1,
      "maxLength": 4096,
      "examples": ["^(?P<method>[A-Z]+) (?P<path>[^ ]+) (?P<status>[0-9]{3})"]
    },
    "between": {
      "type": "string",
      "title": "Between pairs",
      "description": "For `key_value`: the character that ends a pair.",
      "minLength": 1,
      "maxLength": 1,
      "default": " ",
      "examples": [";", "&"]
    },
    "sign": {
      "type": "string",
      "title": "Sign of a pair",
      "description": "For `key_value`: the character between key and value.",
      "minLength": 1,
      "maxLength": 1,
      "default": "=",
      "examples": [":"]
    },
    "prefix": {
      "type": "string",
      "title": "Prefix",
      "description": "Put before the name of each new column. A column of that name is replaced.",
      "maxLength": 128,
      "default": "",
      "examples": ["url."]
    },
    "keep": {
      "type": "boolean",
      "title": "Keep the text",
      "description": "Whether the column with the texts goes on.",
      "default": true
    }
  },
  "examples": [
    { "column": "message", "as": "json", "fields": { "level": "text", "user.id": "u64" }, "keep": false },
    { "column": "line", "as": "key_value", "fields": { "level": "text", "took_ms": "f64" } },
    { "column": "line", "as": "regex", "pattern": "^(?P<method>[A-Z]+) (?P<path>[^ ]+) (?P<status>[0-9]{3})", "fields": { "status": "u64" } },
    { "column": "url", "as": "url", "prefix": "url.", "fields": { "host": "text", "query.page": "u64" } },
    { "column": "agent", "as": "user_agent" }
  ]
}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub column: String,
    #[serde(rename = "as")]
    form: Word,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    pattern: Option<String>,
    between: Option<String>,
    sign: Option<String>,
    #[serde(default)]
    prefix: String,
    #[serde(default = "yes")]
    pub keep: bool,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Word {
    Json,
    KeyValue,
    Regex,
    Url,
    UserAgent,
}

fn yes() -> bool {
    true
}

/// A column that is made.
#[derive(Debug)]
pub struct Field {
    /// In the text.
    pub name: String,
    pub column: String,
    /// None: text.
    pub kind: Option<Kind>,
}

pub struct Checked {
    pub form: Form,
    pub fields: Vec<Field>,
}

impl Config {
    pub fn check(&self) -> Result<Checked, Vec<Complaint>> {
        let mut complaints = Vec::new();
        if self.column == "time" || self.column.is_empty() {
            complaints.push(Complaint::new(
                "/column",
                "the event time (or an empty name) is no text; name a column",
            ));
        }
        let form = self.form(&mut complaints);
        let fields = match &form {
            Some(form) => self.fields(form, &mut complaints),
            None => Vec::new(),
        };
        match form {
            Some(form) if complaints.is_empty() => Ok(Checked { form, fields }),
            _ => Err(complaints),
        }
    }

    fn form(&self, complaints: &mut Vec<Complaint>) -> Option<Form> {
        if self.pattern.is_some() && self.form != Word::Regex {
            complaints.push(Complaint::new("/pattern", "only `as = \"regex\"` has a pattern; take it out"));
        }
        Some(match self.form {
            Word::Json => Form::Json,
            Word::Url => Form::Url,
            Word::UserAgent => Form::UserAgent,
            Word::KeyValue => {
                let between = self.character("/between", self.between.as_deref(), ' ', complaints)?;
                let sign = self.character("/sign", self.sign.as_deref(), '=', complaints)?;
                if between == sign {
                    complaints
                        .push(Complaint::new("/sign", "is the same as `between`; choose another character"));
                }
                Form::KeyValue { between, sign }
            }
            Word::Regex => self.regex(complaints)?,
        })
    }

    fn character(
        &self,
        path: &str,
        text: Option<&str>,
        default: char,
        complaints: &mut Vec<Complaint>,
    ) -> Option<char> {
        let mut characters = text.unwrap_or_default().chars();
        match (text, characters.next(), characters.next()) {
            (None, _, _) => Some(default),
            (_, Some(only), None) if only != '"' => Some(only),
            _ => {
                complaints.push(Complaint::new(path, "wants one character, and not a quote"));
                None
            }
        }
    }

    fn regex(&self, complaints: &mut Vec<Complaint>) -> Option<Form> {
        let Some(pattern) = self.pattern.as_deref().filter(|pattern| !pattern.is_empty()) else {
            complaints.push(Complaint::new("/pattern", "is missing; `as = \"regex\"` needs one"));
            return None;
        };
        if pattern.len() > PATTERN_BYTES_MAX {
            let message = format!("is longer than {PATTERN_BYTES_MAX} bytes");
            complaints.push(Complaint::new("/pattern", message));
            return None;
        }
        match regex::RegexBuilder::new(pattern).size_limit(1 << 20).dfa_size_limit(1 << 20).build() {
            Ok(regex) if regex.capture_names().flatten().next().is_some() => Some(Form::Regex(regex)),
            Ok(_) => {
                let message = "has no named group; name what is to become a column: (?P<status>[0-9]+)";
                complaints.push(Complaint::new("/pattern", message));
                None
            }
            Err(err) => {
                complaints.push(Complaint::new("/pattern", err.to_string().replace('\n', " ")));
                None
            }
        }
    }

    fn fields(&self, form: &Form, complaints: &mut Vec<Complaint>) -> Vec<Field> {
        let known = form.fields();
        if self.fields.is_empty() && known.is_empty() {
            let message = "is empty; say which parts become columns, such as { level = \"text\" }";
            complaints.push(Complaint::new("/fields", message));
        }
        let mut wanted: BTreeMap<String, &str> = BTreeMap::new();
        // A pattern gives all its groups, whatever kinds are named; the others give what is asked for.
        if self.fields.is_empty() || matches!(form, Form::Regex(_)) {
            wanted.extend(known.iter().map(|(name, kind)| (name.clone(), *kind)));
        }
        wanted.extend(self.fields.iter().map(|(name, kind)| (name.clone(), kind.as_str())));
        if wanted.len() > FIELDS_MAX {
            complaints.push(Complaint::new("/fields", format!("are more than {FIELDS_MAX}")));
        }
        let mut fields = Vec::new();
        for (name, kind) in wanted {
            let path = format!("/fields/{}", name.replace('~', "~0").replace('/', "~1"));
            if !form.has(&name) {
                let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
                let message = format!("there is no `{name}`; there are {}", names.join(", "));
                complaints.push(Complaint::new(&path, message));
            }
            let column = format!("{}{name}", self.prefix);
            if column == "time" {
                let message = "`time` is the event time; give a prefix, and set `time` by a transform";
                complaints.push(Complaint::new(&path, message));
            }
            let known_kind = Kind::named(kind);
            if known_kind.is_none() {
                let message = format!("`{kind}` is not a kind; there are {}", Kind::NAMES.join(", "));
                complaints.push(Complaint::new(&path, message));
            }
            fields.push(Field { name, column, kind: known_kind.filter(|_| kind != "text") });
        }
        fields
    }
}
