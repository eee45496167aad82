//! Compiled components on disk, so that a start with known components compiles nothing.
//!
//! In: a component's digest. Out: wasmtime's serialized code, which is native code and therefore as trusted as the program itself: the folder
//! is 0700 and ours, each file begins with an HMAC-SHA256 over its name and content under a random key (file `key`, 0600), and a file whose
//! MAC is wrong is removed, counted and never given out. The name is digest and the engine's compatibility hash. At most 256 files and
//! 2 GiB are kept, the oldest go first. Errors at reading mean "not there"; errors at writing are logged and cost a compilation later.

use std::fs::{self, OpenOptions, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const MAC_BYTES: usize = 32;
const KEY_BYTES: usize = 32;
const FILES_MAX: usize = 256;
const FOLDER_BYTES_MAX: u64 = 2 << 30;

pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    compatibility: u64,
    tampered: AtomicU64,
}

impl Cache {
    pub(crate) fn open(folder: &Path, engine: &wasmtime::Engine) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let owner = fs::metadata(folder)?.uid();
        // SAFETY: takes no arguments and cannot fail.
        let own = unsafe { libc::geteuid() };
        if owner != own {
            let text = format!("{} belongs to user {owner}, not to {own}", folder.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self {
            folder: folder.to_owned(),
            key: key(&folder.join("key"))?,
            compatibility: hasher.finish(),
            tampered: AtomicU64::new(0),
        })
    }

    pub(crate) fn tampered(&self) -> u64 {
        self.tampered.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self, digest: &str) -> Option<Vec<u8>> {
        let name = self.name(digest);
        let path = self.folder.join(&name);
        let mut file = fs::read(&path).ok()?;
        let valid = file.split_at_checked(MAC_BYTES).is_some_and(|(mac, code)| {
            self.mac(&name, code).is_some_and(|expected| expected.verify_slice(mac).is_ok())
        });
        if !valid {
            self.tampered.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(file = %path.display(), "compiled component was changed by somebody else: thrown away");
            drop(fs::remove_file(&path));
            return None;
        }
        file.drain(..MAC_BYTES);
        Some(file)
    }

    pub(crate) fn put(&self, digest: &str, code: &[u8]) {
        let name = self.name(digest);
        if let Err(error) = self.write(&name, code) {
            tracing::warn!(%error, "compiled component could not be kept");
        }
        if let Err(error) = self.prune() {
            tracing::warn!(%error, "cache of compiled components could not be pruned");
        }
    }

    fn write(&self, name: &str, code: &[u8]) -> io::Result<()> {
        let mac = self.mac(name, code).ok_or_else(|| io::Error::other("no key"))?;
        let open = self.folder.join(format!("{name}.{}.new", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&open)?;
        file.write_all(&mac.finalize().into_bytes())?;
        file.write_all(code)?;
        fs::rename(&open, self.folder.join(name))
    }

    fn name(&self, digest: &str) -> String {
        format!("{}-{:016x}", digest.trim_start_matches("sha256:"), self.compatibility)
    }

    fn mac(&self, name: &str, code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(code);
        Some(mac)
    }

    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            if meta.is_file() && entry.file_name() != "key" {
                files.push((meta.modified()?, meta.len(), entry.path()));
            }
        }
        files.sort();
        let mut count = files.len();
        let mut bytes: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if count <= FILES_MAX && bytes <= FOLDER_BYTES_MAX {
                break;
            }
            fs::remove_file(path)?;
            count -= 1;
            bytes -= length;
        }
        Ok(())
    }
}

/// Reads the key, or makes a new one where there is none, it is not whole or others could have read it; older files then fail their MAC.
fn key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    if let Ok(meta) = fs::metadata(path)
        && meta.permissions().mode() & 0o077 == 0
        && let Ok(bytes) = fs::read(path)
        && let Ok(key) = bytes.try_into()
    {
        return Ok(key);
    }
    let key: [u8; KEY_BYTES] = rand::random();
    let open = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&open)?;
    file.write_all(&key)?;
    fs::rename(&open, path)?;
    Ok(key)
}
