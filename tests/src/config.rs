//! Configurations of tests and benches: the sections that all of them have, written once.
//!
//! In: what is a test's own. Out: text in which `{http}` and `{tcp}` stand for the ports, as [`crate::process`] wants it.

/// A server and a source `tcp` on loopback, then `tcp` (further lines of that source) and `sections`. Makes a constant.
#[macro_export]
macro_rules! local_config {
    (tcp: $tcp:literal, $sections:literal) => {
        concat!(
            "[server]\nlisten = \"127.0.0.1:{http}\"\n",
            "[[source]]\nname = \"tcp\"\nkind = \"tcp\"\nlisten = \"127.0.0.1:{tcp}\"\n",
            $tcp,
            $sections
        )
    };
}

/// What `weir run` uses where there is no file, on ports of the test.
pub fn built_in() -> String {
    let mut text = weir::app::DEFAULT.to_owned();
    for (port, place) in [("127.0.0.1:7070", "127.0.0.1:{http}"), ("127.0.0.1:7171", "127.0.0.1:{tcp}")] {
        assert!(text.contains(port), "the built-in configuration has other ports now");
        text = text.replace(port, place);
    }
    text
}
