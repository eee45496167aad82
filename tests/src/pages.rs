//! The page of documentation of a standard component, made from what it says of itself.
//!
//! In: its manifest, and the plans of the configurations that its schema gives as `examples`. Out: Markdown: the summary, the description, every option with
//! type, default, bounds and examples, whole examples as TOML with the ports that they have. The order is the schema's, as in the form of the page.
//! What a schema does not say is left out; nothing here knows a component by name.

use std::fmt::Write;

use serde_json::{Map, Value};
use weir_core::plan::{Manifest, Plan};

/// A configuration that the schema gives as an example, and its plan; the error is what the component complains of.
pub type Example = (Value, Result<Plan, String>);

/// The whole page.
pub fn page(manifest: &Manifest, examples: &[Example]) -> String {
    let schema = &manifest.config_schema;
    let mut out = format!("# {}\n\n", manifest.name);
    out.push_str(
        "<!-- Made by `cargo xtask docs` from what the component says of itself; change its source. -->\n\n",
    );
    line(
        &mut out,
        &format!("{} (kind `{}`, version {})", sentence(&manifest.summary), manifest.kind, manifest.version),
    );
    if let Some(description) = text(schema, "description") {
        line(&mut out, description);
    }
    out.push_str("## Options\n\n");
    let properties = members(schema, "properties");
    if properties.is_empty() {
        line(&mut out, "None.");
    }
    for (name, property) in properties {
        option(&mut out, name, property, is_required(schema, name), schema);
    }
    if !examples.is_empty() {
        out.push_str("## Examples\n\n");
    }
    for (config, plan) in examples {
        example(&mut out, manifest, config, plan);
    }
    while out.ends_with("\n\n") {
        out.pop();
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push_str("\n\n");
}

fn sentence(text: &str) -> String {
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{text}{end}")
}

fn text<'a>(schema: &'a Value, member: &str) -> Option<&'a str> {
    schema.get(member)?.as_str()
}

fn members<'a>(schema: &'a Value, member: &str) -> Vec<(&'a String, &'a Value)> {
    schema.get(member).and_then(Value::as_object).into_iter().flat_map(Map::iter).collect()
}

fn list<'a>(schema: &'a Value, member: &str) -> Vec<&'a Value> {
    schema.get(member).and_then(Value::as_array).into_iter().flatten().collect()
}

fn is_required(schema: &Value, name: &str) -> bool {
    list(schema, "required").iter().any(|entry| entry.as_str() == Some(name))
}

/// Follows `#/$defs/NAME`.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let target = text(schema, "$ref").and_then(|path| root.pointer(path.strip_prefix('#')?));
    target.unwrap_or(schema)
}

fn option(out: &mut String, name: &str, property: &Value, required: bool, root: &Value) {
    let title = text(property, "title").unwrap_or_default();
    let _ = writeln!(out, "### `{name}`{}{title}\n", if title.is_empty() { "" } else { ": " });
    line(out, &facts(property, required, root));
    if let Some(description) = text(property, "description") {
        line(out, description);
    }
    let property = resolved(property, root);
    inner(out, property, root, 0);
    for example in list(property, "examples") {
        let _ = writeln!(out, "```toml\n{name} = {}\n```\n", toml(example));
    }
}

/// The properties of an object, of its values, of a list's entries or of each choice, one line each.
fn inner(out: &mut String, schema: &Value, root: &Value, depth: usize) {
    let before = out.len();
    let parts = [schema.get("items"), schema.get("additionalProperties")].into_iter().flatten();
    let choices = ["anyOf", "oneOf"].into_iter().flat_map(|word| list(schema, word));
    lines(out, schema, root, depth);
    for part in parts.chain(choices) {
        let part = resolved(part, root);
        if let Some(about) = text(part, "title").filter(|_| part.get("properties").is_some()) {
            let _ = writeln!(out, "{:depth$}- {about}:", "", depth = depth * 2);
            lines(out, part, root, depth + 1);
        } else {
            lines(out, part, root, depth);
        }
        for choice in ["anyOf", "oneOf"].into_iter().flat_map(|word| list(part, word)) {
            lines(out, resolved(choice, root), root, depth);
        }
    }
    if depth == 0 && out.len() > before {
        out.push('\n');
    }
}

fn lines(out: &mut String, schema: &Value, root: &Value, depth: usize) {
    for (name, property) in members(schema, "properties") {
        let about = text(property, "description").or_else(|| text(property, "title")).unwrap_or_default();
        let facts = facts(property, is_required(schema, name), root);
        let space = if about.is_empty() { "" } else { " " };
        let _ = writeln!(out, "{:depth$}- `{name}`: {facts}{space}{about}", "", depth = depth * 2);
        if depth < 4 {
            inner(out, resolved(property, root), root, depth + 1);
        }
    }
}

/// Type, bounds, default: one line that ends with a full stop.
fn facts(property: &Value, required: bool, root: &Value) -> String {
    let mut parts = vec![kind(property, root)];
    let bound = |member: &str, word: &str| property.get(member).map(|value| format!("{word} {value}"));
    parts.extend(bound("minimum", "at least"));
    parts.extend(bound("exclusiveMinimum", "more than"));
    parts.extend(bound("maximum", "at most"));
    parts.extend(property.get("maxItems").map(|most| format!("at most {most} entries")));
    parts.extend(property.get("maxProperties").map(|most| format!("at most {most} entries")));
    match property.get("default") {
        Some(default) => parts.push(format!("default `{}`", toml(default))),
        None if required => parts.push("required".to_owned()),
        None => {}
    }
    format!("{}.", parts.join(", "))
}

fn kind(property: &Value, root: &Value) -> String {
    let property = resolved(property, root);
    let choices = list(property, "enum");
    if !choices.is_empty() {
        return choices.iter().map(|choice| format!("`{}`", toml(choice))).collect::<Vec<_>>().join(" or ");
    }
    if let Some(word) = property.get("const") {
        return format!("`{}`", toml(word));
    }
    let any: Vec<&Value> = ["anyOf", "oneOf"].into_iter().flat_map(|word| list(property, word)).collect();
    if !any.is_empty() {
        let mut kinds: Vec<String> = any.iter().map(|choice| kind(choice, root)).collect();
        kinds.dedup();
        return kinds.join(", or ");
    }
    let entries =
        |member: &str| property.get(member).filter(|entry| entry.is_object()).map(|entry| kind(entry, root));
    match (text(property, "type").unwrap_or("any"), text(property, "format")) {
        ("string", Some("weir-expression")) => "an [expression](../expressions.md)".to_owned(),
        ("string", _) if text(property, "pattern").is_some_and(|pattern| pattern.contains("ns|us|ms")) => {
            "a duration".to_owned()
        }
        ("string", _) => "a text".to_owned(),
        ("number", _) => "a number".to_owned(),
        ("integer", _) => "a whole number".to_owned(),
        ("boolean", _) => "`true` or `false`".to_owned(),
        ("array", _) => format!("a list of: {}", entries("items").unwrap_or_else(|| "anything".to_owned())),
        ("object", _) => match entries("additionalProperties") {
            Some(entry) => format!("a table, each entry {entry}"),
            None => "a table".to_owned(),
        },
        (word, _) => word.to_owned(),
    }
}

fn example(out: &mut String, manifest: &Manifest, config: &Value, plan: &Result<Plan, String>) {
    out.push_str("```toml\n");
    let word = if manifest.kind == "codec" { "codec" } else { "use" };
    let _ = writeln!(out, "{word} = \"{}\"", manifest.name);
    for (name, value) in config.as_object().into_iter().flatten() {
        let _ = writeln!(out, "config.{name} = {}", toml(value));
    }
    out.push_str("```\n\n");
    let plan = match plan {
        Ok(plan) => plan,
        Err(complaint) => return line(out, &format!("The component refuses this: {complaint}")),
    };
    for port in &plan.ports {
        let _ = writeln!(out, "- port `{}`: {}", port.name, port.summary);
    }
    if !plan.ports.is_empty() {
        out.push('\n');
    }
    let invariant = match manifest.kind.as_str() {
        "formatter" | "codec" => return,
        _ if plan.cut_invariant => {
            "Cut-invariant: equal rows come out however the rows in are cut into batches."
        }
        _ => "Not cut-invariant: what comes out depends on how the rows in are cut into batches.",
    };
    line(out, invariant);
}

/// As it is written in a configuration, on one line.
fn toml(value: &Value) -> String {
    let bare = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let key = |name: &String| if bare(name) { name.clone() } else { Value::from(name.as_str()).to_string() };
    match value {
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(name, value)| format!("{} = {}", key(name), toml(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(entries) => format!("[{}]", entries.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::String(text) if text.contains('"') && !text.contains('\'') => format!("'{text}'"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use weir_core::manifest::parse_manifest;
    use weir_core::plan::PlannedPort;

    use super::*;

    #[test]
    fn a_page_says_what_the_schema_says() {
        let describe = json!({ "name": "f", "version": "1.0.0", "kind": "filter", "summary": "Keeps rows", "config": {
            "description": "All of it.", "required": ["keep"], "properties": {
                "keep": { "type": "string", "format": "weir-expression", "title": "Keep", "description": "Which.", "examples": ["a > 1", "b = \"x\""] },
                "each": { "type": "object", "additionalProperties": { "type": "object", "properties": { "n": { "type": "integer", "minimum": 1, "default": 2 } } } }
            } } });
        let manifest = parse_manifest(&describe.to_string()).unwrap();
        let plan = Plan {
            ports: vec![PlannedPort { name: "out".into(), summary: "kept".into() }],
            cut_invariant: true,
            ..Plan::default()
        };
        let expected = "# f\n\n<!-- Made by `cargo xtask docs` from what the component says of itself; change its source. -->\n
Keeps rows. (kind `filter`, version 1.0.0)\n
All of it.\n\n## Options\n\n### `keep`: Keep\n\nan [expression](../expressions.md), required.\n\nWhich.\n
```toml\nkeep = \"a > 1\"\n```\n\n```toml\nkeep = 'b = \"x\"'\n```\n
### `each`\n\na table, each entry a table.\n
- `n`: a whole number, at least 1, default `2`.\n
## Examples\n\n```toml\nuse = \"f\"\nconfig.keep = \"a > 1\"\n```\n
- port `out`: kept\n
Cut-invariant: equal rows come out however the rows in are cut into batches.\n";
        assert_eq!(page(&manifest, &[(json!({ "keep": "a > 1" }), Ok(plan))]), expected);
    }

    #[test]
    fn values_are_written_as_in_a_configuration() {
        let value = json!({ "a b": [1, "x"], "c": { "d": true }, "e": {} });
        assert_eq!(toml(&value), r#"{ "a b" = [1, "x"], c = { d = true }, e = {} }"#);
    }
}
