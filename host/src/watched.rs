//! The configuration file while everything runs: looked at four times a second and at SIGHUP, and taken where nothing else has changed what runs.
//!
//! In: the path, and a channel of hang-ups. Out: changes of the configuration with the origin `file`, and a view for the API of how file and host stand to each other. A
//! change is taken when the file has been the same for two looks, so that a half-written one is not read; files that are renamed into place and other file systems
//! work alike, because only size, time and number of the file count. Polling and no notification of the kernel: one call of `stat` a look, and it works everywhere. A bad
//! file changes nothing and is told with all its problems. Where both the file and the API have changed, what runs stays, until somebody says which of the two wins.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use parking_lot::Mutex;
use weir_core::config::TEXT_BYTES_MAX;

use crate::runtime::folder::Data;
use crate::runtime::{By, Changed, Refused, Runtime};
use crate::standing::Standing;
use crate::view::{FileView, ProblemView};

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What `stat` says: device, number, size, time.
type Stamp = (u64, u64, u64, i64, i64);

pub struct Watched {
    path: PathBuf,
    data: Option<Arc<Data>>,
    runtime: Weak<Runtime>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The text that was taken last, and the revision that it became.
    loaded: String,
    loaded_revision: u64,
    loaded_at: String,
    changed_at: Option<String>,
    /// What the last look with a change came to.
    trouble: Option<Trouble>,
    /// The text that made the trouble: not tried again until it changes.
    tried: Option<String>,
    taken: Option<Stamp>,
    /// The revision that the last look was made against.
    looked_at: u64,
    /// Seen once; taken when it is seen again.
    candidate: Option<Stamp>,
    loads_total: u64,
    refused_total: u64,
    conflicts_total: u64,
}

enum Trouble {
    Missing(String),
    Refused(String, Vec<ProblemView>),
    Conflict,
}

/// Why a load that was asked for did not happen.
pub enum NotLoaded {
    Missing(String),
    Conflict,
    Refused(Refused),
}

impl Watched {
    /// `text` is what was read at the start.
    pub fn new(
        path: PathBuf,
        text: String,
        standing: Standing,
        data: Option<Arc<Data>>,
        runtime: &Arc<Runtime>,
    ) -> Arc<Self> {
        let trouble = standing.conflict.then_some(Trouble::Conflict);
        let state = State {
            taken: stamp(&path).ok(),
            tried: standing.conflict.then_some(text),
            conflicts_total: u64::from(standing.conflict),
            trouble,
            looked_at: runtime.running().0,
            loaded: standing.loaded,
            loaded_revision: runtime.running().0,
            loaded_at: runtime.now_text(),
            ..State::default()
        };
        Arc::new(Self { path, data, runtime: Arc::downgrade(runtime), state: Mutex::new(state) })
    }

    /// Looks until the runtime is gone. Without hang-ups only the file counts.
    pub fn start(self: &Arc<Self>, hangups: Option<Receiver<()>>) -> std::io::Result<()> {
        let watched = Arc::clone(self);
        let hangups = hangups.unwrap_or_else(crossbeam_channel::never);
        let body = move || {
            while watched.runtime.strong_count() > 0 {
                match hangups.recv_timeout(LOOK_EVERY) {
                    Ok(()) => {
                        tracing::info!("hang-up: the configuration file is loaded");
                        watched.state.lock().tried = None;
                        drop(watched.load(false));
                    }
                    Err(RecvTimeoutError::Timeout) => watched.look(),
                    Err(RecvTimeoutError::Disconnected) => {
                        std::thread::sleep(LOOK_EVERY);
                        watched.look();
                    }
                }
            }
        };
        std::thread::Builder::new().name("configuration-file".into()).spawn(body).map(drop)
    }

    fn look(&self) {
        let stamp = stamp(&self.path);
        let revision = self.runtime.upgrade().map_or(0, |runtime| runtime.revision());
        {
            let mut state = self.state.lock();
            // What runs may have gone back to what the file was before it changed.
            let anew = matches!(state.trouble, Some(Trouble::Conflict)) && state.looked_at != revision;
            match stamp {
                Ok(_) if anew => {}
                Ok(stamp) if state.taken == Some(stamp) => return,
                Ok(stamp) if state.candidate != Some(stamp) => {
                    state.candidate = Some(stamp);
                    return;
                }
                Ok(_) => {}
                Err(_) if matches!(state.trouble, Some(Trouble::Missing(_))) => return,
                // Gone for one look: it may be in the middle of a rename.
                Err(_) if state.candidate.is_some() || state.taken.is_some() => {
                    (state.candidate, state.taken) = (None, None);
                    return;
                }
                Err(_) => {}
            }
        }
        drop(self.load(false));
    }

    /// Takes the file as it is now. What became of it can be seen in the view too.
    pub fn load(&self, force: bool) -> Result<Changed, NotLoaded> {
        let Some(runtime) = self.runtime.upgrade() else {
            return Err(NotLoaded::Missing("the host is ending".to_owned()));
        };
        let mut state = self.state.lock();
        state.candidate = None;
        state.taken = stamp(&self.path).ok();
        let text = match read(&self.path) {
            Ok(text) => text,
            Err(message) => {
                tracing::warn!(error = %message, "the configuration file cannot be read; what runs goes on");
                state.trouble = Some(Trouble::Missing(message.clone()));
                return Err(NotLoaded::Missing(message));
            }
        };
        state.changed_at = Some(runtime.now_text());
        let (revision, running) = runtime.running();
        state.looked_at = revision;
        if !force && text != running && running != state.loaded {
            return Err(state.conflict(text));
        }
        // Not before another change that came in between.
        let by = By { if_revision: Some(revision), ..By::origin("file") };
        match runtime.configure(&text, &by) {
            Ok(changed) => {
                state.loads_total += u64::from(changed.revision != revision);
                if let Some(data) = &self.data {
                    data.keep_loaded(&text);
                }
                (state.loaded, state.loaded_revision) = (text, changed.revision);
                (state.loaded_at, state.trouble, state.tried) = (runtime.now_text(), None, None);
                Ok(changed)
            }
            Err(Refused::Conflict { .. }) => Err(state.conflict(text)),
            Err(refused) => {
                state.refuse(text, &refused);
                if matches!(refused, Refused::Busy(_)) {
                    // Nothing is wrong with the file: the next looks find it as new.
                    state.taken = None;
                }
                Err(NotLoaded::Refused(refused))
            }
        }
    }

    pub fn view(&self) -> FileView {
        let running = self.runtime.upgrade().map(|runtime| runtime.running().1).unwrap_or_default();
        let state = self.state.lock();
        let (word, message, problems) = match &state.trouble {
            Some(Trouble::Missing(message)) => {
                ("missing", format!("{message}; what ran before goes on"), Vec::new())
            }
            Some(Trouble::Refused(message, problems)) => (
                "refused",
                format!("the file was refused, what ran before goes on: {message}"),
                problems.clone(),
            ),
            Some(Trouble::Conflict) => ("conflict", CONFLICT.to_owned(), Vec::new()),
            _ if running == state.loaded => ("in-sync", "the file is what runs".to_owned(), Vec::new()),
            _ => ("behind", BEHIND.to_owned(), Vec::new()),
        };
        FileView {
            state: word,
            name: self.path.file_name().map(|name| name.to_string_lossy().into_owned()),
            loaded_revision: Some(state.loaded_revision),
            loaded_at: Some(state.loaded_at.clone()),
            changed_at: state.changed_at.clone(),
            message,
            problems,
            loads_total: state.loads_total,
            refused_total: state.refused_total,
            conflicts_total: state.conflicts_total,
        }
    }
}

const BEHIND: &str = "what runs was changed since the file was loaded; \
     `weir config export > FILE` brings it into the file, `weir config load --force` goes back to the file";
pub const CONFLICT: &str = "both the file and what runs were changed since the file was loaded; what runs stays. \
     `weir config export > FILE` keeps what runs, `weir config load --force` takes the file";

impl State {
    fn conflict(&mut self, text: String) -> NotLoaded {
        if self.tried.as_ref() != Some(&text) {
            self.conflicts_total += 1;
            tracing::warn!("the configuration file was not loaded: {CONFLICT}");
        }
        (self.trouble, self.tried) = (Some(Trouble::Conflict), Some(text));
        NotLoaded::Conflict
    }

    fn refuse(&mut self, text: String, refused: &Refused) {
        let (message, problems) = match refused {
            Refused::Problems(problems) => (format!("{} problem(s)", problems.len()), problems.clone()),
            Refused::Busy(message) => (format!("{message}; the file is tried again by itself"), Vec::new()),
            _ => ("another change came first".to_owned(), Vec::new()),
        };
        if self.tried.as_ref() != Some(&text) {
            self.refused_total += 1;
            tracing::warn!(error = %message, "the configuration file was refused; what ran before goes on");
            for problem in &problems {
                tracing::warn!(place = %problem.place, "{}", problem.message);
            }
        }
        (self.trouble, self.tried) = (Some(Trouble::Refused(message, problems)), Some(text));
    }
}

fn stamp(path: &Path) -> std::io::Result<Stamp> {
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

fn read(path: &Path) -> Result<String, String> {
    // The path is the operator's business; what is told is what went wrong.
    let failed = |error: std::io::Error| format!("the configuration file cannot be read: {error}");
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(TEXT_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
