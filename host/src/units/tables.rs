//! Files that a configuration names as tables: read by the host, since components have no files.
//!
//! In: a schema and a configuration that fits it. Where a member of the schema has the format `weir-table`, the configuration's `{ file = "..." }` there gets two members more: `text`,
//! the file's content, and `digest`, of that text. So another content is another configuration, and plan and unit see the same. Only files below one folder are
//! read, links out of it included in the check; the API of a host cannot be used to read others. Limits: [`FILE_BYTES_MAX`], UTF-8. Errors are (JSON pointer, message).

use std::io::Read;
use std::path::{Component, Path};

use serde_json::Value;

pub const FILE_BYTES_MAX: u64 = 2 << 20;
const FORMAT: &str = "weir-table";

/// Of the members at the top of the configuration.
pub fn fill(schema: &Value, config: &mut Value, folder: Option<&Path>) -> Result<(), Vec<(String, String)>> {
    let mut problems = Vec::new();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if property.get("format").and_then(Value::as_str) != Some(FORMAT) {
            continue;
        }
        let Some(table) = config.get_mut(name).and_then(Value::as_object_mut) else { continue };
        let Some(file) = table.get("file").and_then(Value::as_str) else { continue };
        match read(file, folder) {
            Ok(text) => {
                table.insert("digest".to_owned(), weir_engine::digest(text.as_bytes()).into());
                table.insert("text".to_owned(), text.into());
            }
            Err(message) => problems.push((format!("/{name}/file"), message)),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn read(file: &str, folder: Option<&Path>) -> Result<String, String> {
    let folder = folder.ok_or("no folder for files is known here; they lie beside the configuration file")?;
    let plain =
        Path::new(file).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain {
        return Err(format!("`{file}` must be a path below the folder of the configuration, without `..`"));
    }
    let failed = |error: std::io::Error| format!("cannot read `{file}`: {error}");
    let inside = folder.canonicalize().map_err(failed)?;
    let path = inside.join(file).canonicalize().map_err(failed)?;
    if !path.starts_with(&inside) || !path.is_file() {
        return Err(format!("`{file}` is no file below the folder of the configuration"));
    }
    let mut text = String::new();
    let bounded = std::fs::File::open(&path).map_err(failed)?.take(FILE_BYTES_MAX + 1);
    std::io::BufReader::new(bounded).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("`{file}` is larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(file: &str, folder: Option<&Path>) -> Result<Value, String> {
        let schema = json!({ "properties": { "table": { "format": "weir-table" }, "other": {} } });
        let mut config = json!({ "table": { "file": file }, "other": { "file": "x" } });
        fill(&schema, &mut config, folder).map_err(|problems| format!("{problems:?}"))?;
        assert_eq!(config["other"], json!({ "file": "x" }), "only tables are read");
        Ok(config["table"].clone())
    }

    #[test]
    fn a_file_below_the_folder_comes_with_text_and_digest() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tables")).unwrap();
        std::fs::write(folder.path().join("tables/t.csv"), "a,b\n").unwrap();
        let table = filled("./tables/t.csv", Some(folder.path())).unwrap();
        assert_eq!(table["text"], "a,b\n");
        assert!(table["digest"].as_str().unwrap().starts_with("sha256:"));
    }

    #[test]
    fn nothing_else_is_read() {
        let (outside, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = outside.path().join("secret");
        std::fs::write(&secret, "x").unwrap();
        std::os::unix::fs::symlink(&secret, folder.path().join("link")).unwrap();
        std::fs::write(folder.path().join("large"), vec![b'x'; FILE_BYTES_MAX as usize + 1]).unwrap();
        std::fs::write(folder.path().join("binary"), [0xff, 0xfe]).unwrap();
        let wrong = |file: &str, wanted: &str| {
            let message = filled(file, Some(folder.path())).unwrap_err();
            assert!(message.contains("/table/file") && message.contains(wanted), "{message}");
        };
        wrong(secret.to_str().unwrap(), "must be a path below");
        wrong("../secret", "must be a path below");
        wrong("link", "no file below");
        wrong(".", "no file below");
        wrong("gone", "cannot read");
        wrong("large", "larger than");
        wrong("binary", "cannot read");
        assert!(filled("x", None).unwrap_err().contains("no folder"));
    }
}
