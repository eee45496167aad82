//! The sections `[[sink]]`: where derived streams go, beside the host's own stores.

use std::sync::Arc;

use super::check::Check;
use super::near::hint;
use super::raw::{self, At};
use super::{PipelineSpec, Place, measure};
use crate::triplet::Selector;

const ROWS_DEFAULT: u64 = 100_000;
const ROWS_MAX: i64 = 10_000_000;
const BYTES_DEFAULT: &str = "8MiB";
const BYTES_MIN: u64 = 1 << 10;
/// A file is made in memory.
const BYTES_MAX: u64 = 64 << 20;
const EVERY_DEFAULT: &str = "10s";
const EVERY_NS_MIN: i64 = 100_000_000;
const EVERY_NS_MAX: i64 = 86_400_000_000_000;
const DIR_BYTES_MAX: usize = 1_024;

/// Streams of derived events, and where they go.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkSpec {
    pub name: Arc<str>,
    pub from: Vec<Selector>,
    pub kind: SinkKind,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkKind {
    File(FileSink),
}

/// Files of JSON lines. A file is ended by whatever of its bounds comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSink {
    /// None: `sinks/NAME` in the folder of data.
    pub dir: Option<String>,
    pub rows: u64,
    pub bytes: u64,
    pub every_ns: i64,
}

pub(super) fn sinks(check: &mut Check<'_>, raw: &[raw::Sink], pipelines: &[PipelineSpec]) -> Vec<SinkSpec> {
    let names: Vec<(&At<String>, &Place)> = raw.iter().map(|sink| (&sink.name, &sink.place)).collect();
    check.distinct("sink", &names);
    raw.iter().map(|raw| sink(check, raw, pipelines)).collect()
}

fn sink(check: &mut Check<'_>, raw: &raw::Sink, pipelines: &[PipelineSpec]) -> SinkSpec {
    let place = &raw.place;
    if !raw.kind.value.is_empty() && raw.kind.value != "file" {
        let message =
            format!("there is no kind of sink `{}`{}", raw.kind.value, hint(&raw.kind.value, ["file"]));
        check.problem(place, "kind", raw.kind.line, message);
    }
    let from = raw.from.as_deref().unwrap_or_default();
    if from.is_empty() {
        let message = "is missing; name the derived streams that go there, like [\"shop/prod/slow\"]";
        check.problem(place, "from", 0, message);
    }
    let from = check.selectors(place, "from", from);
    for selector in &from {
        let fed = pipelines.iter().flat_map(|it| &it.streams).any(|stream| stream.name.feeds(selector));
        if !fed {
            let message = format!(
                "takes `{selector}`, but no pipeline derives such a stream; a [[pipeline.stream]] makes one of any port"
            );
            check.warning(place, message);
        }
    }
    SinkSpec {
        name: check.name(place, "name", &raw.name),
        from,
        kind: SinkKind::File(file(check, raw)),
        place: place.clone(),
    }
}

fn file(check: &Check<'_>, raw: &raw::Sink) -> FileSink {
    let place = &raw.place;
    if let Some(dir) = &raw.dir
        && (dir.value.is_empty()
            || dir.value.len() > DIR_BYTES_MAX
            || dir.value.chars().any(char::is_control))
    {
        let message = "is no path; write one, like \"/var/lib/weir/slow\", or leave it out";
        check.problem(place, "dir", dir.line, message);
    }
    let rows = raw.rows.as_ref().map_or(ROWS_DEFAULT as i64, |rows| rows.value);
    if !(1..=ROWS_MAX).contains(&rows) {
        let line = raw.rows.as_ref().map_or(0, |rows| rows.line);
        check.problem(place, "rows", line, format!("must be from 1 to {ROWS_MAX}"));
    }
    let text = raw.bytes.as_ref();
    let bytes = measure::size_bytes(text.map_or(BYTES_DEFAULT, |text| &text.value)).and_then(|bytes| {
        let fits = (BYTES_MIN..=BYTES_MAX).contains(&bytes);
        fits.then_some(bytes).ok_or_else(|| "must be from \"1KiB\" to \"64MiB\"".to_owned())
    });
    let every_ns = check.duration_ns(place, "every", raw.every.as_ref(), EVERY_DEFAULT);
    if let Some(every) = raw.every.as_ref().filter(|_| !(EVERY_NS_MIN..=EVERY_NS_MAX).contains(&every_ns)) {
        check.problem(place, "every", every.line, "must be from \"100ms\" to \"1d\"");
    }
    FileSink {
        dir: raw.dir.as_ref().map(|dir| dir.value.clone()),
        rows: rows.unsigned_abs(),
        bytes: bytes.unwrap_or_else(|message| {
            check.problem(place, "bytes", text.map_or(0, |text| text.line), message);
            BYTES_MIN
        }),
        every_ns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Topology;

    const PIPELINE: &str = "[[pipeline]]\nname = \"p\"\nfrom = [\"a/b/c\"]\n[[pipeline.stream]]\ntriplet = \"a/b/slow\"\nfrom = [\"in\"]\n";

    #[test]
    fn a_sink_is_read_with_its_bounds() {
        let text = format!(
            "{PIPELINE}[[sink]]\nname = \"slow\"\nkind = \"file\"\nfrom = [\"a/b/slow\"]\nrows = 10\nevery = \"1s\"\n"
        );
        let topology = Topology::parse(&text).unwrap();
        assert!(topology.warnings.is_empty(), "{:?}", topology.warnings);
        let SinkKind::File(file) = &topology.sinks[0].kind;
        assert_eq!((file.rows, file.bytes, file.every_ns, &file.dir), (10, 8 << 20, 1_000_000_000, &None));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_a_stream_that_nobody_makes_is_a_warning() {
        let text = "[[sink]]\nname = \"x\"\nkind = \"fille\"\nfrom = [\"a/b/c\"]\nrows = 0\nbytes = \"1GiB\"\nevery = \"1ns\"\n";
        let problems = Topology::parse(text).unwrap_err();
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert!(lines[0].contains("did you mean `file`"), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("line 6")), "{lines:#?}");
        let topology =
            Topology::parse("[[sink]]\nname = \"x\"\nkind = \"file\"\nfrom = [\"a/b/c\"]\n").unwrap();
        assert_eq!(topology.warnings.len(), 1);
    }
}
