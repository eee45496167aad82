//! A real `weir` for one test: a configuration with other ports, its own folder for data, and an end.
//!
//! In: a configuration file of the repository that names the default addresses. Out: a running host on loopback, on free ports below those that the
//! system gives to clients. It must end with exit code 0 when it is asked to; its folder goes away with it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::missing;
use crate::program::{self, Running};

/// Below the range that Linux takes ports for clients from.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

pub struct Scratch {
    running: Running,
    pub weir: PathBuf,
    pub http: u16,
    pub tcp: u16,
    /// Its own folder for data.
    pub data: PathBuf,
    /// Below the folder: what the repository's configurations call /tmp/weir-clicks.
    pub files: PathBuf,
    /// Last, so that the program has ended when it goes.
    _folder: Folder,
}

impl Scratch {
    /// Starts the program that was built with a configuration of the repository.
    pub fn start(root: &Path, config: &str) -> Result<Self> {
        let weir = program::folder(root)?.join("weir");
        let folder = Folder::new()?;
        let [http, tcp] = free_ports()?;
        let text = fs::read_to_string(root.join(config)).with_context(|| format!("read {config}"))?;
        let (file, files) = (folder.0.join("weir.toml"), folder.0.join("files"));
        fs::create_dir(&files).with_context(|| format!("make {}", files.display()))?;
        // UDP has ports of its own, so that the same number does for both.
        let text = text.replace("127.0.0.1:7171", &format!("127.0.0.1:{tcp}"));
        let text = text.replace("127.0.0.1:7172", &format!("127.0.0.1:{tcp}"));
        fs::write(&file, text.replace("/tmp/weir-clicks", &files.to_string_lossy()))?;
        let data = folder.0.join("data");
        let file = file.to_string_lossy();
        let listen = format!("127.0.0.1:{http}");
        let running = Running::start(
            &weir,
            &["--config", &file, "--data", &data.to_string_lossy(), "--listen", &listen],
        )?;
        Ok(Self { running, weir, http, tcp, data, files, _folder: folder })
    }

    pub fn url(&self) -> &str {
        &self.running.url
    }

    /// Asks it to end; anything but exit code 0 is an error.
    pub fn end(self) -> Result<()> {
        self.running.end()
    }
}

/// Two that nobody listens on right now.
fn free_ports() -> Result<[u16; 2]> {
    // Runs at the same time begin at different places.
    let begin = u32::from(PORTS.start) + std::process::id() % (u32::from(PORTS.end) - u32::from(PORTS.start));
    let begin = u16::try_from(begin).unwrap_or(PORTS.start);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut free = (begin..PORTS.end).chain(PORTS.start..begin).filter(free);
    Ok([free.next().context("no free port")?, free.next().context("no second free port")?])
}

/// A folder for one run, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let mut mktemp = Command::new("mktemp");
        mktemp.args(["--directory", "-t", "weir-test.XXXXXXXX"]);
        let output = mktemp.output().map_err(|error| missing(&mktemp, error))?;
        let folder = String::from_utf8(output.stdout).context("read what mktemp says")?;
        match folder.trim() {
            "" => bail!("mktemp made no folder: {}", String::from_utf8_lossy(&output.stderr)),
            folder => Ok(Self(PathBuf::from(folder))),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("xtask: {} stays: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_apart_and_below_those_for_clients() {
        let [one, other] = free_ports().unwrap();
        assert!(one != other && PORTS.contains(&one) && PORTS.contains(&other));
        // Whether they are free still is not asked: other tests look for ports at the same time, from the same place on.
    }

    #[test]
    fn a_folder_goes_away() {
        let folder = Folder::new().unwrap();
        let path = folder.0.clone();
        fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
