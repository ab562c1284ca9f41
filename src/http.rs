//! Floor 3: the REST door, and at `/` the cloud's own API ([`rpc`]).
//!
//! A request passes, from the outside in: [`server`] (deadlines and limits of the connection), [`audit`] (request
//! id, deadline, panics, the audit entry, the log line, the problem body), the extractors of [`extract`]
//! (credential and scope first, then path, query, body), a handler of `rest`, a method of `Gateway`.
//!
//! What must stay true: every answer carries `X-Request-Id`; every refusal is problem+json (at `/`: the cloud's
//! envelope), whoever made it; no answer to a request under `/v1` or at `/` leaves before its audit entry is durable
//! (those turned away because there are too many share one, written within a second); nothing is worked for without a
//! place; no secret and no URI is logged. Who calls it: the command line. What it does not do: decide anything about
//! image caches (`app` does).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio_util::task::TaskTracker;

use crate::app::Gateway;
use crate::config::LimitsConfig;

mod answer;
pub mod audit;
pub mod deprecation;
mod documents;
pub mod exchange;
pub mod extract;
pub mod headers;
mod idempotency;
pub mod links;
pub mod openapi;
pub mod problem;
pub mod proxies;
mod receipts;
mod rest;
mod rpc;
pub mod server;

/// Prints the metrics in Prometheus' text format.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What the handlers work with; cheap to clone.
#[derive(Clone)]
pub struct DoorState {
    /// What every door calls.
    pub gateway: Gateway,
    /// What `/metrics` prints.
    pub metrics: RenderMetrics,
    /// Deadlines and sizes.
    pub settings: HttpSettings,
    /// Where clients reach it.
    pub links: links::Links,
    /// Every running request: they go on when their client leaves, so a shutdown waits for them.
    pub tasks: TaskTracker,
}

/// Deadlines and sizes of one request.
#[derive(Debug, Clone, Copy)]
pub struct HttpSettings {
    /// From the request's head to its answer; longer than the longest wait (55 s).
    pub request_deadline: Duration,
    /// For reading the whole body.
    pub body_deadline: Duration,
    /// The largest body.
    pub max_body_bytes: usize,
    /// The longest path and query, in bytes.
    pub max_url_bytes: usize,
    /// For writing the audit entry; later than that the request is refused.
    pub audit_deadline: Duration,
    /// How long an answer of the cloud's own API may take where the caller's own timeout is not known
    /// (`eci::user_agent` knows those of the SDKs).
    pub rpc_deadline: Duration,
    /// Whether a request that changes nothing has its audit entry before its answer. Always true: only the benchmark of
    /// what the audit costs says otherwise, and no setting of the gateway reaches it (a test of the floors sees to it).
    pub audits: bool,
    /// Whether `/metrics` stands beside the API; an operator may serve it on a listener of its own instead.
    pub metrics_here: bool,
    /// The operations whose responses say that they will be removed.
    pub deprecated: &'static [deprecation::Deprecation],
}

impl Default for HttpSettings {
    /// What holds where nothing is set.
    fn default() -> Self {
        Self::from(LimitsConfig::usual())
    }
}

impl From<&LimitsConfig> for HttpSettings {
    fn from(limits: &LimitsConfig) -> Self {
        Self {
            request_deadline: limits.request,
            body_deadline: limits.body,
            max_body_bytes: limits.body_bytes,
            max_url_bytes: limits.url_bytes,
            audit_deadline: Duration::from_secs(5),
            rpc_deadline: Duration::from_secs(4),
            audits: true,
            metrics_here: true,
            deprecated: deprecation::DEPRECATED,
        }
    }
}

/// `/healthz`, `/readyz` and `/metrics` alone, for a listener of the operator's.
pub fn operators_router(gateway: Gateway, render: RenderMetrics) -> Router {
    rest::pages::operators(gateway, render)
}

/// Every route of the door, with everything around them.
pub fn router(state: DoorState) -> Router {
    let (routes, document) = rest::routes().split_for_parts();
    let wrapper = audit::Wrapper::new(state.clone(), &document);
    routes
        .merge(documents::routes())
        .route("/", axum::routing::any(rpc::call))
        .layer(axum::middleware::from_fn_with_state(state.clone(), idempotency::around))
        .layer(axum::middleware::from_fn_with_state(wrapper, audit::around))
        .with_state(state)
}
