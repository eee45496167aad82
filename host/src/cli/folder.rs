//! The data folder as the commands without a host see it: where journal and state are, and whether a host runs on them.
//!
//! Nothing is made. The journal may be read while a host writes it. The store of the state has one owner, so whoever opens it takes the folder's lock first; while a host
//! has it, the snapshots beside the store are read instead.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use weir_checkpoint::EngineName;
use weir_core::config::Topology;
use weir_disk::{Disk, RealDisk};

use super::paths;

/// Below the data folder.
pub const JOURNAL: &str = "journal";
pub const STATE: &str = "state";
/// Held by a running host.
const LOCK: &str = "lock";

#[derive(Args)]
pub struct Folder {
    /// Folder of the host's data; the default is that of `weir run`.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people.
    Table,
    /// One JSON object per line.
    Json,
}

impl Folder {
    /// As `weir run` finds it: what is asked for, what the configuration says, what the system says.
    fn path(&self) -> anyhow::Result<PathBuf> {
        let file = paths::config_file(None);
        // One that cannot be read or is wrong says nothing of the folder.
        let text = file.as_ref().and_then(|file| fs::read_to_string(file).ok());
        let topology = text.and_then(|text| Topology::parse(&text).ok());
        weir::app::data_folder(self.data.clone(), file.as_deref(), topology.as_ref(), paths::data_home())
    }

    /// What is in one of its folders.
    pub fn disk(&self, name: &str) -> anyhow::Result<(PathBuf, Arc<dyn Disk>)> {
        let folder = self.path()?.join(name);
        let disk = RealDisk::open_existing(&folder).with_context(|| {
            format!("there is no {name} at {}; name the folder of a host with --data", folder.display())
        })?;
        Ok((folder, Arc::new(disk)))
    }

    /// The folder's lock, kept for as long as it is held; none while a host runs on it.
    pub fn lock(&self) -> anyhow::Result<Option<fs::File>> {
        let folder = self.path()?;
        let taken = RealDisk::open_existing(&folder).and_then(|disk| disk.lock(LOCK));
        match taken {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).with_context(|| format!("take the lock of {}", folder.display())),
        }
    }
}

/// Which engine's files are there.
pub fn engine_of(folder: &Path, asked: Option<EngineName>) -> anyhow::Result<EngineName> {
    let there = |engine: &EngineName| match engine {
        EngineName::Redb => folder.join("state.redb").is_file(),
        EngineName::Sled => folder.join("sled").is_dir(),
    };
    if let Some(engine) = asked {
        if !there(&engine) {
            bail!("there is no state of {} in {}", engine.as_str(), folder.display());
        }
        return Ok(engine);
    }
    let found: Vec<EngineName> = [EngineName::Redb, EngineName::Sled].into_iter().filter(there).collect();
    match found.as_slice() {
        [engine] => Ok(*engine),
        [] => bail!("there is no state in {}; name the folder of a host with --data", folder.display()),
        _ => bail!("{} has states of redb and of sled; choose one with --engine", folder.display()),
    }
}

pub fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        10_485_760..10_737_418_240 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}
