//! SIGTERM and SIGINT: the first asks for a drain, a SIGINT after that ends the program at once with exit code 130. SIGHUP: the configuration file is loaded.
//!
//! They are awaited on a thread and a runtime of their own, so that they work however busy or stuck the rest of the program is.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const EXIT_BY_SIGINT: i32 = 130;

pub struct Signals {
    /// Becomes true when the program is to drain.
    pub stop: watch::Receiver<bool>,
    /// One message for each hang-up that was not waited for yet.
    pub hangups: crossbeam_channel::Receiver<()>,
}

pub fn listen() -> anyhow::Result<Signals> {
    let (stop, stopped) = watch::channel(false);
    // Two in a row come to one load.
    let (hung_up, hangups) = crossbeam_channel::bounded(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("start the signal thread")?;
    let entered = runtime.enter();
    // Registered before anything starts, so that no early signal kills.
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    drop(entered);
    let wait = async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
                _ = hangup.recv() => if hung_up.try_send(()).is_err() {
                    tracing::debug!("a load is asked for already");
                },
            }
        }
        tracing::info!("draining; Ctrl-C ends at once");
        stop.send_replace(true);
        interrupt.recv().await;
        std::process::exit(EXIT_BY_SIGINT)
    };
    let body = move || runtime.block_on(wait);
    std::thread::Builder::new().name("signals".into()).spawn(body).context("start the signal thread")?;
    Ok(Signals { stop: stopped, hangups })
}
