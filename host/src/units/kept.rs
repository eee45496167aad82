//! Copies of components that are not part of the program, by digest, so that what ran can run again whatever becomes of its file.
//!
//! In: the bytes behind a name or path, each time a configuration takes them up. Out: a file `DIGEST.wasm` in a folder of the data folder, written beside, synced and renamed,
//! and a table `names`, which says for each revision what each name stood for. Removed is what no revision in a kept segment, checkpoint or list names. Errors are told
//! and cost only the copy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use weir_disk::RealDisk;

const TABLE: &str = "names.json";
/// Revisions whose names are known: as many as are listed at all, and some.
const REVISIONS_MAX: usize = 2_000;

/// By revision: name or path, and digest.
type Table = BTreeMap<u64, BTreeMap<String, String>>;

#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
    table: Table,
}

impl Kept {
    /// What a crash left on its way is removed, unless the table cannot be read.
    pub fn open(folder: PathBuf) -> Self {
        let table: Option<Table> =
            fs::read(folder.join(TABLE)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let is_known = table.is_some();
        let kept = Self { folder, table: table.unwrap_or_default() };
        if is_known && let Err(error) = kept.sweep() {
            tracing::warn!(%error, "copies of components that nothing names could not be removed");
        }
        kept
    }

    /// What `uses` stood for in a revision.
    pub fn bytes(&self, revision: u64, uses: &str) -> Option<Vec<u8>> {
        let digest = self.table.get(&revision)?.get(uses)?;
        let bytes = fs::read(self.file(digest)).ok()?;
        // What is damaged is as good as gone.
        (weir_engine::digest(&bytes) == *digest).then_some(bytes)
    }

    /// What `uses` stood for when a revision named it last.
    pub fn newest(&self, uses: &str) -> Option<Vec<u8>> {
        self.table.keys().rev().find_map(|revision| self.bytes(*revision, uses))
    }

    /// Name and digest of all that a revision ran with.
    pub fn names(&self, revision: u64) -> BTreeMap<String, String> {
        self.table.get(&revision).cloned().unwrap_or_default()
    }

    pub fn revisions(&self) -> BTreeSet<u64> {
        self.table.keys().copied().collect()
    }

    /// Keeps what a revision runs with. Nothing is written where all of it is there.
    pub fn keep(&mut self, revision: u64, names: &BTreeMap<String, Vec<u8>>) -> io::Result<()> {
        let digests: BTreeMap<String, String> =
            names.iter().map(|(name, bytes)| (name.clone(), weir_engine::digest(bytes))).collect();
        if self.table.get(&revision) == Some(&digests) || (digests.is_empty() && self.table.is_empty()) {
            return Ok(());
        }
        let disk = RealDisk::open(&self.folder)?;
        for (digest, bytes) in digests.values().zip(names.values()) {
            if !self.file(digest).is_file() {
                weir_disk::replace(&disk, &format!("{}.wasm", stem(digest)), bytes)?;
            }
        }
        self.table.insert(revision, digests);
        let is_over = self.table.len() > REVISIONS_MAX;
        while self.table.len() > REVISIONS_MAX {
            self.table.pop_first();
        }
        self.write(&disk)?;
        if is_over {
            self.sweep()?;
        }
        Ok(())
    }

    /// Removes what none of these revisions names. Returns how many files went.
    pub fn forget_all_but(&mut self, revisions: &BTreeSet<u64>) -> io::Result<usize> {
        let before = self.table.len();
        self.table.retain(|revision, _| revisions.contains(revision));
        if self.table.len() != before {
            // First the table: a name never stands for what is not there.
            self.write(&RealDisk::open(&self.folder)?)?;
        }
        self.sweep()
    }

    /// Removes the copies that the table does not name, and what was on its way to be one.
    fn sweep(&self) -> io::Result<usize> {
        let Ok(files) = fs::read_dir(&self.folder) else { return Ok(0) };
        let named: BTreeSet<&str> =
            self.table.values().flat_map(BTreeMap::values).map(|digest| stem(digest)).collect();
        let mut gone = 0;
        for path in files.flatten().map(|file| file.path()) {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let is_unnamed = name.strip_suffix(".wasm").is_some_and(|stem| !named.contains(stem));
            if is_unnamed || name.ends_with(".wasm.tmp") {
                fs::remove_file(&path)?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{}.wasm", stem(digest)))
    }

    fn write(&self, disk: &RealDisk) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(&self.table).map_err(io::Error::other)?;
        weir_disk::replace(disk, TABLE, &bytes)
    }
}

/// Without the name of the digest: a file.
fn stem(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, hex)| hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pairs: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect()
    }

    #[test]
    fn what_a_revision_ran_with_stays_until_nothing_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("kept");
        let mut kept = Kept::open(place.clone());
        kept.keep(1, &names(&[("/a/b.wasm", b"one"), ("own", b"own")])).unwrap();
        kept.keep(2, &names(&[("/a/b.wasm", b"two"), ("own", b"own")])).unwrap();
        let mut kept = Kept::open(place.clone());
        assert_eq!(kept.bytes(1, "/a/b.wasm").as_deref(), Some(b"one".as_slice()));
        assert_eq!(kept.bytes(2, "/a/b.wasm").as_deref(), Some(b"two".as_slice()));
        assert_eq!(kept.bytes(3, "own"), None);
        assert_eq!(kept.forget_all_but(&[2].into()).unwrap(), 1);
        assert_eq!((kept.bytes(1, "own"), kept.bytes(2, "own").as_deref()), (None, Some(b"own".as_slice())));
        fs::write(kept.file(&weir_engine::digest(b"two")), b"damaged").unwrap();
        assert_eq!(kept.bytes(2, "/a/b.wasm"), None);
    }

    #[test]
    fn what_a_crash_left_on_its_way_goes_at_the_start_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("kept");
        Kept::open(place.clone()).keep(1, &names(&[("own", b"own")])).unwrap();
        // Written, and no table came to name it; and half of one.
        fs::write(place.join("0123.wasm"), b"stray").unwrap();
        fs::write(place.join("4567.wasm.tmp"), b"half").unwrap();
        fs::write(place.join("notes.txt"), b"of a person").unwrap();
        let kept = Kept::open(place.clone());
        assert_eq!(kept.bytes(1, "own").as_deref(), Some(b"own".as_slice()));
        let there = |name: &str| place.join(name).exists();
        assert_eq!((there("0123.wasm"), there("4567.wasm.tmp"), there("notes.txt")), (false, false, true));
        // A table that cannot be read says nothing of what is named.
        fs::write(place.join(TABLE), b"{").unwrap();
        Kept::open(place.clone());
        assert!(kept.file(&weir_engine::digest(b"own")).is_file());
    }

    #[test]
    fn revisions_and_their_copies_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("kept");
        let mut kept = Kept::open(place.clone());
        for revision in 0..REVISIONS_MAX as u64 {
            kept.table.insert(revision, [("own".to_owned(), format!("sha256:{revision:04}"))].into());
        }
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("0000.wasm"), b"oldest").unwrap();
        fs::write(place.join("0001.wasm"), b"next").unwrap();
        kept.keep(REVISIONS_MAX as u64, &names(&[("own", b"newest")])).unwrap();
        assert_eq!(kept.revisions().len(), REVISIONS_MAX);
        assert_eq!((place.join("0000.wasm").exists(), place.join("0001.wasm").exists()), (false, true));
    }

    #[test]
    fn who_runs_with_standard_components_alone_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("kept");
        Kept::open(place.clone()).keep(1, &BTreeMap::new()).unwrap();
        assert!(!place.exists());
    }
}
