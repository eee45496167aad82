//! The program: from options to a running host, and its end.
//!
//! Start: components, runtime, configuration, sources, API, in this order; the first thing that fails ends the start with its reason. End (the stop signal):
//! sources stop and hand over what they read, flows run what is left, units say good-bye, the API lets requests finish. Standard output gets
//! exactly one line, with the URL, once everything runs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use crossbeam_channel::Receiver;
use tokio::sync::watch;
use weir_core::config::{Problem, Topology};
use weir_engine::{CompileHelper, Engine, Settings};

use crate::intake::Intake;
use crate::runtime::{Checked, Runtime};
use crate::units::Components;
use crate::watched::Watched;
use crate::{api, source};

/// The configuration where there is no file.
pub const DEFAULT: &str = include_str!("default.toml");

/// What `weir run` is told.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// None: the embedded default.
    pub config: Option<PathBuf>,
    pub data: PathBuf,
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
    let components = components(Some(&options.data))?.with_tables(folder(options.config.as_deref()));
    let mut checked = Checked::new(&text, &components).map_err(|problems| refused(&name, &problems))?;
    let codecs = source::check::Codecs::load(&checked.topology.sources, &components)
        .map_err(|problems| refused(&name, &problems))?;
    let runtime = Runtime::start(components).context("start the workers")?;
    if let Some(listen) = options.listen {
        checked.topology.server.listen = listen;
        runtime.keep_listen(listen);
    }
    let async_runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("io")
        .enable_all()
        .build()
        .context("start the async runtime")?;
    let _entered = async_runtime.enter();
    let server = checked.topology.server.clone();
    let specs = checked.topology.sources.clone();
    let listener = api::listen(server.listen).with_context(|| {
        format!("server: cannot listen on {}; end the program that does, or set server.listen", server.listen)
    })?;
    let address = listener.local_addr().context("server: no address")?;
    let origin = if options.config.is_some() { "file" } else { "default" };
    runtime.configure_checked(checked, origin).map_err(|problems| refused(&name, &problems))?;
    let (source_stop, source_stopped) = watch::channel(false);
    let sources =
        source::start(&specs, &codecs, Arc::new(Intake::new(Arc::clone(&runtime))), source_stopped)?;
    let file = options.config.clone().map(|path| Watched::new(path, text, &runtime));
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
    let (api_stop, api_stopped) = watch::channel(false);
    let api = async_runtime.spawn(api::serve(served, listener, api_stopped));
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
    if !runtime.drain() {
        bail!("the drain was cut short: a flow did not finish in time");
    }
    tracing::info!("ended in peace");
    Ok(())
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
