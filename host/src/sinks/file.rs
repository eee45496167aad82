//! One file of a sink: its name, and how it comes to be there all at once.
//!
//! `FLOW-FIRST-BEHIND.ndjson`, with two offsets of 20 digits, so that names sort by position; of a flow in lanes `FLOW.LANE-…`. Written beside, synced, renamed, the folder synced.

use std::fmt;
use std::fs;
use std::io;

use weir_disk::RealDisk;

use super::Sealed;

const ENDING: &str = ".ndjson";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    flow: String,
    from: u64,
    until: u64,
}

impl Name {
    pub fn new(flow: &str, lane: u32, from: u64, until: u64) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
        let flow: String = flow.chars().map(plain).collect();
        Self { flow: if lane == 0 { flow } else { format!("{flow}.{lane}") }, from, until }
    }

    /// None: no name of ours.
    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(ENDING)?.split('-');
        let (flow, from, until) = (parts.next()?, parts.next()?, parts.next()?);
        let offset = |text: &str| (text.len() == 20).then(|| text.parse().ok())?;
        parts.next().is_none().then_some(Self {
            flow: flow.to_owned(),
            from: offset(from)?,
            until: offset(until)?,
        })
    }

    /// Whether all of the other's positions that matter are in this one: it was begun at or behind our beginning, and before our end.
    fn replaces(&self, other: &Self) -> bool {
        self != other && self.flow == other.flow && (self.from..self.until).contains(&other.from)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{:020}-{:020}{ENDING}", self.flow, self.from, self.until)
    }
}

/// Puts it there, and takes away what it replaces.
pub fn publish(sealed: &Sealed) -> io::Result<()> {
    fs::create_dir_all(&sealed.folder)?;
    let disk = RealDisk::open(&sealed.folder)?;
    weir_disk::replace(&disk, &sealed.name.to_string(), &sealed.bytes)?;
    for entry in fs::read_dir(&sealed.folder)? {
        let entry = entry?;
        let other = entry.file_name().to_str().and_then(Name::parse);
        if other.is_some_and(|other| sealed.name.replaces(&other)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(folder: &std::path::Path, from: u64, until: u64) -> Sealed {
        Sealed {
            sink: "s".into(),
            folder: folder.to_owned(),
            name: Name::new("slow", 0, from, until),
            rows: 1,
            bytes: format!("{from}\n").into_bytes(),
        }
    }

    fn there(folder: &std::path::Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_come_back_and_strange_ones_do_not() {
        let name = Name::new("a-b", 2, 5, 17);
        assert_eq!(name.to_string(), "a_b.2-00000000000000000005-00000000000000000017.ndjson");
        assert_eq!(Name::parse(&name.to_string()), Some(name));
        for strange in
            ["a.ndjson", "a-1-2.ndjson", "a-00000000000000000005-00000000000000000017.ndjson.tmp", "x"]
        {
            assert_eq!(Name::parse(strange), None, "{strange}");
        }
    }

    #[test]
    fn a_file_takes_the_place_of_those_that_it_covers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made");
        for (from, until) in [(0, 10), (10, 20), (25, 30), (30, 40)] {
            publish(&sealed(&path, from, until)).unwrap();
        }
        fs::write(path.join("other.ndjson"), "kept").unwrap();
        publish(&sealed(&path, 10, 30)).unwrap();
        let wanted =
            [(0, 10), (10, 30), (30, 40)].map(|(from, until)| Name::new("slow", 0, from, until).to_string());
        let mut names = there(&path);
        assert_eq!(names.pop().as_deref(), Some("slow-00000000000000000030-00000000000000000040.ndjson"));
        assert!(names.contains(&"other.ndjson".to_owned()), "{names:?}");
        assert!(wanted[..2].iter().all(|name| names.contains(name)) && names.len() == 3, "{names:?}");
    }
}
