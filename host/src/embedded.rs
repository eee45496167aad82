//! What the program carries: the standard components and the page. Made by `build.rs`; empty where those were not built.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// One file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageFile {
    pub bytes: &'static [u8],
    pub content_type: &'static str,
    /// Its name has a hash of its content, so it never changes.
    pub immutable: bool,
}

/// Name and bytes of each standard component, sorted by name.
pub fn components() -> &'static [(&'static str, &'static [u8])] {
    COMPONENTS
}

/// A file of the page by its path, without a leading `/`.
pub fn page(path: &str) -> Option<PageFile> {
    let at = PAGE.binary_search_by(|(known, _)| (*known).cmp(path)).ok()?;
    let (_, bytes) = PAGE.get(at)?;
    Some(PageFile { bytes, content_type: content_type(path), immutable: path.starts_with("assets/") })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_found_by_its_path() {
        for (path, bytes) in PAGE {
            assert_eq!(page(path).unwrap().bytes, *bytes);
        }
        assert_eq!(page("../secret"), None);
        assert!(components().is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn scripts_and_styles_have_types_that_a_strict_browser_accepts() {
        assert_eq!(content_type("assets/index-1.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("a/b.css"), "text/css; charset=utf-8");
        assert_eq!(content_type("noending"), "application/octet-stream");
    }
}
