//! Files of an engine that does its own input and output, in a real folder: copied, put back, damaged.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use weir_disk::sim::Chance;

const PAGE_BYTES: usize = 4_096;

/// All of it, those in folders below too, in the order of names.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(list(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

pub fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in list(from)? {
        let target = to.join(file.strip_prefix(from)?);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::copy(&file, &target) {
            // Files of a running engine come and go.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => drop(other?),
        }
    }
    Ok(())
}

/// `from` takes the place of `to`.
pub fn replace(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    if from.exists() {
        fs::rename(from, to)?;
    }
    Ok(())
}

/// A flipped bit, an end that is missing or a page of zeros, in any file that has bytes; what was done.
pub fn hurt(folder: &Path, chance: &mut Chance) -> Result<Option<String>> {
    let mut files = list(folder)?;
    files.retain(|file| fs::metadata(file).is_ok_and(|file| file.len() > 0));
    let Some(file) = files.get(chance.below(files.len() as u64) as usize) else { return Ok(None) };
    let mut bytes = fs::read(file)?;
    let at = chance.below(bytes.len() as u64) as usize;
    let what = match chance.below(3) {
        0 => {
            bytes.truncate(at);
            "cut"
        }
        1 => {
            let page = bytes.get_mut(at..).unwrap_or_default();
            page.iter_mut().take(PAGE_BYTES).for_each(|byte| *byte = 0);
            "zeros"
        }
        _ => {
            let bit = chance.below(8);
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
            "flip"
        }
    };
    fs::write(file, &bytes)?;
    Ok(Some(format!("{what} at {at} of {}", file.display())))
}

/// Flips one bit; where.
pub fn flip(folder: &Path, chance: &mut Chance) -> Result<Option<String>> {
    let mut files = list(folder)?;
    files.retain(|file| fs::metadata(file).is_ok_and(|file| file.len() > 0));
    let Some(file) = files.get(chance.below(files.len() as u64) as usize) else { return Ok(None) };
    let mut bytes = fs::read(file)?;
    let at = chance.below(bytes.len() as u64) as usize;
    let bit = chance.below(8);
    bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
    fs::write(file, &bytes)?;
    Ok(Some(format!("{}, byte {at}, bit {bit}", file.display())))
}
