//! The program: from options to a running host, and its end.
//!
//! Start: the folder of data, components, runtime, the API's address (which tells how far the start is), journal, configuration, sources, API, in this order; the first thing that fails
//! ends the start with its reason. What the
//! journal has is run again before any source reads. End (the stop signal): sources stop and hand over what they read, flows run what is left, units say good-bye, the API lets
//! requests finish, the journal is synced and ended. Standard output gets exactly one line, with the URL, once everything runs.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use crossbeam_channel::Receiver;
use tokio::sync::watch;
use weir_checkpoint::Way;
use weir_core::batch::Position;
use weir_core::config::{Problem, ServerSpec, Topology};
use weir_engine::{CompileHelper, Engine, Settings};
use weir_journal::Journal;
use weir_journal::journal::Limits;

use crate::intake::Intake;
use crate::runtime::checkpoint::restore::Loaded;
use crate::runtime::folder::Data;
use crate::runtime::{Checked, Runtime, checkpoint};
use crate::units::Components;
use crate::watched::Watched;
use crate::{api, runtime, source, standing};

/// The configuration where there is no file.
pub const DEFAULT: &str = include_str!("default.toml");

/// Records before a checkpoint that are looked at for the rings of recent events.
const RECENT_RECORDS: u64 = 2_000;

/// What `weir run` is told.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// None: the embedded default.
    pub config: Option<PathBuf>,
    /// Wins over `data.dir`.
    pub data: Option<PathBuf>,
    /// Where neither says.
    pub data_home: Option<PathBuf>,
    /// Wins over `data.durable`.
    pub durable: Option<bool>,
    /// Wins over `server.listen`.
    pub listen: Option<SocketAddr>,
    /// One message for each SIGHUP.
    pub hangups: Option<Receiver<()>>,
}

/// What `weir check` finds.
#[derive(Debug, Default)]
pub struct Findings {
    /// What was checked.
    pub text: String,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

/// Runs until `stop` is true. Blocks.
pub fn run(options: Options, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let text = read(options.config.as_deref())?;
    let name = name(options.config.as_deref());
    let topology = Topology::parse(&text).map_err(|problems| refused(&name, &problems))?;
    let folder_of_data = data_folder(
        options.data.clone(),
        options.config.as_deref(),
        Some(&topology),
        options.data_home.clone(),
    )?;
    let components = components(Some(&folder_of_data))?.with_tables(folder(options.config.as_deref()));
    if options.durable.unwrap_or(topology.data.durable) {
        components.keep_in(folder_of_data.join("kept"));
    }
    let mut checked = Checked::new(&text, &components).map_err(|problems| refused(&name, &problems))?;
    let runtime = Runtime::start(components).context("start the workers")?;
    if let Some(listen) = options.listen {
        checked.topology.server.listen = listen;
        runtime.keep_listen(listen);
    }
    runtime.sinks.keep_folders(&folder_of_data, &folder(options.config.as_deref()));
    let async_runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("io")
        .enable_all()
        .build()
        .context("start the async runtime")?;
    let _entered = async_runtime.enter();
    // Before the address: who asks there must not meet a host that cannot have the folder.
    let data = match options.durable.unwrap_or(topology.data.durable) {
        true => Some(Data::open(&folder_of_data, &format!(" (http://{}/)", checked.topology.server.listen))?),
        false => None,
    };
    let (api_stop, api_stopped) = watch::channel(false);
    let asked = checked.topology.server.clone();
    let mut door = open_door(&runtime, &asked, &api_stopped)?;
    let data = data.map(|data| recover(&runtime, data, &checked.topology)).transpose()?;
    let origin = if options.config.is_some() { "file" } else { "default" };
    let standing = standing::settle(&runtime, data.as_deref(), &text, checked, origin)
        .map_err(|problems| refused(&name, &problems))?;
    let topology = runtime.topology().context("no configuration runs")?;
    let codecs = source::check::Codecs::load(&topology.sources, runtime.components_catalog())
        .map_err(|problems| refused(&name, &problems))?;
    let (server, specs) = (topology.server.clone(), topology.sources.clone());
    if server.listen != asked.listen {
        // What runs was changed over the API.
        async_runtime.block_on(door.close());
        door = open_door(&runtime, &server, &api_stopped)?;
    }
    let address = door.address;
    runtime.go_live();
    if let Some(data) = &data {
        runtime::upkeep::start(&runtime, data, &topology.data).context("start the upkeep of the journal")?;
    }
    let (source_stop, source_stopped) = watch::channel(false);
    let sources =
        source::start(&specs, &codecs, Arc::new(Intake::new(Arc::clone(&runtime))), source_stopped)?;
    let file = options.config.clone().map(|path| Watched::new(path, text, standing, data.clone(), &runtime));
    if let Some(file) = &file {
        file.start(options.hangups.clone()).context("start to watch the configuration file")?;
    }
    let served = api::Server {
        runtime: Arc::clone(&runtime),
        ingest: sources.ingest.clone(),
        rejected: Arc::clone(&sources.rejected),
        file,
        hosts: server.hosts,
    };
    let api = async_runtime.spawn(api::serve(served, door));
    runtime.set_ready(true);
    announce(address)?;
    let (mut stopped, mut wanted) = (stop, sources.wants_stop.clone());
    async_runtime.block_on(async {
        // An error means that nobody is left who could stop the program: then it stops.
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => {}
            Ok(_) = wanted.wait_for(|wanted| *wanted) => tracing::info!("all input was read; draining"),
        }
    });
    source_stop.send_replace(true);
    runtime.set_ready(false);
    api_stop.send_replace(true);
    async_runtime.block_on(api).context("the API's task")??;
    sources.join();
    if data.is_some() {
        checkpoint::finish(&runtime);
    }
    let drained = runtime.drain();
    if let Err(message) = runtime.close_journal() {
        bail!("not all of it may be on disk: {message}");
    }
    if !drained {
        bail!("the drain was cut short: a flow did not finish in time");
    }
    tracing::info!("ended in peace");
    Ok(())
}

/// Where data is: what was asked for, else `data.dir` of the configuration in the file `config`, else the system's `home` of data.
pub fn data_folder(
    asked: Option<PathBuf>,
    config: Option<&Path>,
    topology: Option<&Topology>,
    home: Option<PathBuf>,
) -> anyhow::Result<PathBuf> {
    let configured = topology.and_then(|topology| topology.data.dir.as_ref());
    let configured = configured.map(|dir| folder(config).join(dir));
    asked
        .or(configured)
        .or(home)
        .context("no folder for data: neither XDG_DATA_HOME nor HOME is set; use --data DIR, or set data.dir")
}

/// Binds the address of the API, which answers how far the start is.
fn open_door(
    runtime: &Arc<Runtime>,
    server: &ServerSpec,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<api::Door> {
    let listener = api::listen(server.listen).with_context(|| {
        format!("server: cannot listen on {}; end the program that does, or set server.listen", server.listen)
    })?;
    api::Door::open(Arc::clone(runtime), listener, server.hosts.clone(), stop.clone())
        .context("server: no address")
}

/// Goes on where the last run in the folder ended.
fn recover(runtime: &Arc<Runtime>, data: Data, topology: &Topology) -> anyhow::Result<Arc<Data>> {
    let mut loaded = Loaded::default();
    let recovered = data.recover_state(topology.state.engine, &mut loaded)?;
    let (engine, strange) = (topology.state.engine.word(), loaded.strange);
    match recovered.way {
        Way::New | Way::Store => tracing::info!(engine, strange, "{}", recovered.way),
        Way::Snapshot { .. } | Way::Journal { .. } => tracing::warn!(engine, strange, "{}", recovered.way),
    }
    let begun = Position { log: 0, epoch: 0, offset: 1 };
    let at = loaded.global.as_ref().map_or(begun, |at| Position { log: 0, epoch: at.epoch, offset: at.at });
    let (writer, opened) = data.open_journal(at, runtime.now_unix_ns())?;
    if let Some((segment, bytes)) = opened.torn {
        tracing::warn!(%segment, bytes, "the journal's end was torn and is cut; nothing of it was acknowledged as on disk");
    }
    for damaged in &opened.damaged {
        tracing::error!(segment = %damaged.segment, at = damaged.at, bytes = damaged.bytes, "the journal is damaged; the segment is set apart");
    }
    runtime.begin_epoch(opened.position);
    runtime
        .open_letters(Arc::clone(&data.dead))
        .with_context(|| format!("read the dead letters in {}", data.folder().join("dead").display()))?;
    let (mut from, mut needed, mut store) = (begun.offset, begun.offset, recovered.store);
    let mut known = std::mem::take(&mut loaded.known);
    runtime.restore_seen(&mut loaded);
    if store.newest().number > 0 {
        match runtime.restore(loaded) {
            // The rings of recent events are filled from what came shortly before.
            Ok(()) => {
                needed = store.newest().position.offset + 1;
                from = needed.min(at.offset.saturating_sub(RECENT_RECORDS)).max(from);
            }
            Err(why) => {
                tracing::error!(
                    why,
                    "the checkpoint cannot run and is put aside; all is replayed from the journal"
                );
                drop(store);
                (store, known) = (data.new_state(topology.state.engine)?, BTreeSet::new());
            }
        }
    }
    let reader = data.read_journal(from)?;
    let replayed = runtime
        .replay(reader, needed, opened.position.offset, opened.was_closed)
        .context("replay the journal")?;
    runtime.tell_replayed(&replayed);
    let journal = Journal::start(writer, Limits::default()).context("start the journal's thread")?;
    let data = Arc::new(data);
    runtime.attach(journal, &data);
    let (of_store, engine) = (Arc::clone(&data), topology.state.engine);
    let reopen = Box::new(move || of_store.reopen_state(engine).map_err(|error| error.to_string()));
    checkpoint::start(runtime, (store, reopen), known, Arc::clone(&data.state), topology.state.replay_ns)
        .context("start the checkpoints")?;
    Ok(data)
}

/// Checks a configuration with the components at hand, without starting anything.
pub fn check(config: Option<&Path>) -> anyhow::Result<Findings> {
    let text = read(config)?;
    let components = components(None)?.with_tables(folder(config));
    Ok(match Checked::new(&text, &components) {
        Ok(checked) => Findings { problems: Vec::new(), warnings: checked.warnings, text },
        Err(problems) => {
            let warnings = Topology::parse(&text).map(|topology| topology.warnings).unwrap_or_default();
            Findings { problems, warnings, text }
        }
    })
}

/// The components, with the cache and the folder of the data directory where there is one.
pub fn components(data: Option<&Path>) -> anyhow::Result<Components> {
    if let Some(data) = data {
        private_folder(data)?;
    }
    let compile_helper = std::env::current_exe()
        .ok()
        .map(|program| CompileHelper { program, arguments: vec!["compile-component".to_owned()] });
    let cache_dir = data.map(|data| data.join("cache"));
    let engine = Engine::start(Settings { cache_dir, compile_helper }).context("start the engine")?;
    Ok(Components::new(engine, data.map(|data| data.join("components"))))
}

fn private_folder(data: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("make the data folder {}; name another with --data", data.display()))
}

/// Where the files lie that a configuration names: beside it.
fn folder(config: Option<&Path>) -> PathBuf {
    let parent = config.and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

fn read(config: Option<&Path>) -> anyhow::Result<String> {
    match config {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("read the configuration {}", path.display())),
        None => Ok(DEFAULT.to_owned()),
    }
}

fn name(config: Option<&Path>) -> String {
    config.map_or_else(|| "built-in configuration".to_owned(), |path| path.display().to_string())
}

fn refused(name: &str, problems: &[Problem]) -> anyhow::Error {
    let list: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    anyhow::anyhow!("{name} has {} problem(s):\n{}", problems.len(), list.join("\n"))
}

/// The one line on standard output.
fn announce(address: SocketAddr) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    writeln!(out, "weir runs: http://{address}/")
        .and_then(|()| out.flush())
        .context("write to standard output")
}
