//! The HTTP server: API, live WebSocket, page, metrics and the routes of the `http` source. Formats: `docs/wire.md`.
//!
//! In: a bound listener ([`listen`]), what runs ([`Runtime`]) and a stop signal. Each request passes [`guard`] (names, origins, headers), then one
//! handler; one file per resource. Handlers take copies under short locks; what may take longer runs off the async threads.
//! From the start on it answers `/healthz`, `/readyz` and `/metrics` ([`starting`]); the rest comes when everything runs.
//! At the stop signal the server accepts no more, lets requests in hand finish for at most [`accept::DRAIN`], says goodbye on WebSockets, and returns.
//! Nothing that a caller sends ends the server: it gets an error of the form of [`ApiError`].

mod accept;
mod alerts;
mod components;
mod configuration;
mod dead;
mod edits;
mod error;
mod faults;
mod file;
mod guard;
mod health;
mod metric;
mod metrics;
mod pipelines;
mod rejected;
mod series;
mod sinks;
mod starting;
mod streams;
mod trace;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, patch, post};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use self::accept::Current;
pub(crate) use self::accept::stopped;
pub use self::error::ApiError;
use self::guard::{Guard, guard};
use crate::live::Live;
use crate::runtime::Runtime;
use crate::source::RejectedRows;
use crate::watched::Watched;
use crate::{charts, live, page};

/// Largest body of API calls other than ingest: a configuration.
const BODY_BYTES_MAX: usize = 1 << 20;
/// What the kernel holds for a client that reads slowly. Small, so that latest-wins is decided here and not there.
const SEND_BUFFER_BYTES: u32 = 256 * 1024;
const BACKLOG: u32 = 1_024;

/// What the server serves.
pub struct Server {
    pub runtime: Arc<Runtime>,
    /// Routes of the `http` source.
    pub ingest: Router,
    /// What sources could not take.
    pub rejected: Arc<RejectedRows>,
    /// The watched configuration file, where there is one.
    pub file: Option<Arc<Watched>>,
    /// Names that are answered beside the loopback ones.
    pub hosts: Vec<String>,
}

/// What handlers share.
#[derive(Clone)]
struct Api {
    runtime: Arc<Runtime>,
    file: Option<Arc<Watched>>,
    live: Arc<Live>,
    rejected: Arc<RejectedRows>,
    /// Places for previews of metrics.
    previews: Arc<Semaphore>,
}

/// Binds the server's address. Any address but a loopback one is refused: there is no authentication yet.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    if !address.ip().is_loopback() {
        let message = format!(
            "server.listen: {address} is not a loopback address; without authentication Weir listens on 127.0.0.1 or [::1] only, put a proxy with authentication before it"
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The bound address, which answers from the first moment on: until [`serve`] only how far the start is.
pub struct Door {
    pub address: SocketAddr,
    current: Current,
    accepting: JoinHandle<()>,
    stop: watch::Receiver<bool>,
}

impl Door {
    /// Begins to accept, on the async runtime that is entered.
    pub fn open(
        runtime: Arc<Runtime>,
        listener: TcpListener,
        hosts: Vec<String>,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let current = Current::default();
        let names = Arc::new(Guard { hosts, port: address.port() });
        current.set(starting::router(runtime).layer(from_fn_with_state(names, guard)));
        let accepting = tokio::spawn(accept::run(current.clone(), listener, stop.clone()));
        Ok(Self { address, current, accepting, stop })
    }

    /// Gives the address back: another one is wanted.
    pub async fn close(self) {
        self.accepting.abort();
        // The listener goes with the task.
        let _ = self.accepting.await;
    }
}

/// Serves until the stop signal of the door is true (or its sender is gone), then drains.
pub async fn serve(server: Server, door: Door) -> io::Result<()> {
    let Door { address, current, accepting, stop } = door;
    let renderer = charts::Renderer::start(Arc::clone(&server.runtime))?;
    let live = Arc::new(Live::new(Arc::clone(&server.runtime), renderer.rounds(), stop.clone()));
    let guard = Guard { hosts: server.hosts, port: address.port() };
    let api = Api {
        runtime: server.runtime,
        file: server.file,
        live: Arc::clone(&live),
        rejected: server.rejected,
        previews: Arc::new(Semaphore::new(metric::PREVIEWS_MAX)),
    };
    current.set(router(api, server.ingest, guard));
    accepting.await.map_err(io::Error::other)?;
    live.drained().await;
    // Joining waits for at most one call of a formatter.
    let _ = tokio::task::spawn_blocking(move || renderer.stop()).await;
    Ok(())
}

fn router(api: Api, ingest: Router, names: Guard) -> Router {
    Router::new()
        .route("/api/streams", get(streams::list))
        .route("/api/streams/{application}/{environment}/{type}/recent", get(streams::recent))
        .route("/api/pipelines", get(pipelines::list))
        .route("/api/pipelines/{pipeline}", get(pipelines::show))
        .route("/api/pipelines/{pipeline}/{action}", post(pipelines::act))
        .route("/api/pipelines/{pipeline}/units", post(edits::inject))
        .route("/api/pipelines/{pipeline}/units/{unit}", patch(edits::change).delete(edits::remove))
        .route("/api/pipelines/{pipeline}/units/{unit}/{action}", post(pipelines::act_on_unit))
        .route("/api/configuration", get(configuration::show).put(configuration::change))
        .route("/api/configuration/check", post(configuration::check))
        .route("/api/configuration/diff", get(configuration::difference))
        .route("/api/configuration/file", get(file::show))
        .route("/api/configuration/file/load", post(file::load))
        .route("/api/configuration/undo", post(configuration::undo))
        .route("/api/configuration/revisions", get(configuration::revisions))
        .route("/api/configuration/revisions/{revision}", get(configuration::revision))
        .route("/api/metrics", get(metric::list).post(metric::add))
        .route("/api/metrics/preview", post(metric::preview))
        .route("/api/metrics/{metric}", get(metric::show).put(metric::change).delete(metric::remove))
        .route("/api/series", get(series::list))
        .route("/api/series/points", get(series::points))
        .route("/api/charts", get(charts_list))
        .route("/api/components", get(components::list))
        .route("/api/components/{name}", get(components::one))
        .route("/api/trace", post(trace::trace))
        .route("/api/faults", get(faults::list))
        .route("/api/dead", get(dead::list))
        .route("/api/dead/replay", post(dead::replay))
        .route("/api/dead/drop", post(dead::drop))
        .route("/api/dead/{id}", get(dead::one))
        .route("/api/alerts", get(alerts::list))
        .route("/api/alerts/{id}", get(alerts::one))
        .route("/api/episodes", get(alerts::episodes))
        .route("/api/channels", get(alerts::channels))
        .route("/api/sinks", get(sinks::list))
        .route("/api/sources", get(streams::sources))
        .route("/api/rejected", get(rejected::list))
        .route("/api/live", get(live_socket))
        .route("/metrics", get(metrics::show))
        .route("/healthz", get(health::healthy))
        .route("/readyz", get(health::ready))
        .route("/prometheus", any(reserved))
        .route("/prometheus/", any(reserved))
        .route("/prometheus/{*path}", any(reserved))
        .route("/", get(the_page))
        .route("/{*path}", get(page::file))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api)
        .merge(ingest)
        .fallback(nothing)
        .layer(from_fn_with_state(Arc::new(names), guard))
}

/// Who opens the page may soon look at components.
async fn the_page(State(api): State<Api>) -> Response {
    components::warm(&api);
    page::index().await
}

async fn charts_list(State(api): State<Api>) -> Response {
    let (_, charts) = api.runtime.charts();
    axum::Json(serde_json::json!({ "charts": charts.iter().map(|chart| chart.view()).collect::<Vec<_>>() }))
        .into_response()
}

async fn live_socket(
    State(api): State<Api>,
    first: Result<Query<live::First>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match upgrade {
        Ok(upgrade) => match first {
            Ok(Query(first)) => live::open(&api.live, upgrade, first),
            Err(rejection) => ApiError::bad_request(rejection.body_text()).into_response(),
        },
        Err(rejection) => {
            let message = format!("/api/live is a WebSocket: {rejection}");
            ApiError::new(StatusCode::UPGRADE_REQUIRED, "websocket_expected", message).into_response()
        }
    }
}

async fn reserved() -> ApiError {
    ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "reserved",
        "/prometheus/ is reserved for the Prometheus query API, which is not there yet",
    )
}

async fn nothing() -> ApiError {
    ApiError::not_found("no such resource; the API is described in docs/wire.md")
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this resource has no such method; see docs/wire.md",
    )
}

/// Runs something that may take longer than an async thread should be held.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "an API call ended in a panic");
        ApiError::internal()
    })
}
