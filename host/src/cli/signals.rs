//! SIGTERM and SIGINT: the first asks for a drain, a SIGINT after that ends the program at once with exit code 130.
//!
//! They are awaited on a thread and a runtime of their own, so that they work however busy or stuck the rest of the program is.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const EXIT_BY_SIGINT: i32 = 130;

/// Becomes true when the program is to drain.
pub fn listen() -> anyhow::Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("start the signal thread")?;
    let entered = runtime.enter();
    // Registered before anything starts, so that no early signal kills.
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    drop(entered);
    let wait = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("draining; Ctrl-C ends at once");
        stop.send_replace(true);
        interrupt.recv().await;
        std::process::exit(EXIT_BY_SIGINT)
    };
    let body = move || runtime.block_on(wait);
    std::thread::Builder::new().name("signals".into()).spawn(body).context("start the signal thread")?;
    Ok(stopped)
}
