//! A folder of the operating system.
//!
//! In: a path; the folder and those above it are made. Out: files with `pread`, `pwrite` and `fdatasync`. Errors are the system's, unchanged.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::{Disk, File};

#[derive(Debug)]
pub struct RealDisk {
    folder: PathBuf,
    /// Open for as long as the disk: an error of a write-back is told to those who had it open.
    handle: fs::File,
}

impl RealDisk {
    /// Makes the folder where it is missing, and its name durable.
    pub fn open(folder: &Path) -> io::Result<Self> {
        if !folder.is_dir() {
            fs::create_dir_all(folder)?;
            if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                fs::File::open(parent)?.sync_all()?;
            }
        }
        Self::open_existing(folder)
    }

    /// For tools that look at a folder and make nothing.
    pub fn open_existing(folder: &Path) -> io::Result<Self> {
        Ok(Self { handle: fs::File::open(folder)?, folder: folder.to_owned() })
    }

    /// Keeps a second process out for as long as the returned file is open; `WouldBlock` where another has it.
    pub fn lock(&self, name: &str) -> io::Result<fs::File> {
        let file =
            fs::OpenOptions::new().create(true).truncate(false).write(true).open(self.folder.join(name))?;
        file.try_lock()?;
        Ok(file)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(Box::new(RealFile(fs::File::open(self.folder.join(name))?)))
    }

    fn open_writable(&self, name: &str) -> io::Result<Box<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).open(self.folder.join(name))?;
        Ok(Box::new(RealFile(file)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(self.folder.join(name))?;
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string().ok());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

#[derive(Debug)]
struct RealFile(fs::File);

impl File for RealFile {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(into, at)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
