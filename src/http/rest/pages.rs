//! Pages for operators and readers: health, readiness, metrics, and what the gateway says of itself as an issuer.
//! Open to all, and without an audit entry.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use chrono::Duration;
use serde::Serialize;
use utoipa::ToSchema;

use super::identity::token_exchange;
use crate::app::Gateway;
use crate::http::exchange::Exchange;
use crate::http::extract::authorize;
use crate::http::problem::{Occasion, ProblemResponse};
use crate::http::{DoorState, RenderMetrics, answer};

/// Confirms that the process is running.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Health {
    /// Always `ok`.
    status: String,
}

/// Whether the gateway is ready, by component.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
#[expect(clippy::struct_excessive_bools, reason = "each is a part of its own, by the name that it has in the answer")]
pub(in crate::http) struct ReadinessView {
    /// Whether the database responds.
    database: bool,
    /// Whether every migration is applied.
    migrations: bool,
    /// Whether a worker has recently shown that it is running.
    workers: bool,
    /// Whether no task of this process has failed because of a fault in the gateway since it last succeeded.
    tasks: bool,
    /// Whether the issuer's keys, with which tokens are verified, are available.
    issuer_keys: bool,
    /// Whether the clocks of the database and the machine agree. `false` means that one of them jumped. The gateway
    /// keeps running, but forgets nothing because of its age until the clocks agree again or the jump has lasted.
    clock: bool,
    /// What does not work as it should although requests are served, each in a sentence that says how it continues:
    /// events that wait for an open transaction of the server, a clock that jumped, or regions where so many image
    /// caches are missing at once that none of them is declared gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    degraded: Vec<String>,
}

/// Check that the process is running
///
/// Answers 200 as long as the process can answer at all. Restart it where it does not.
#[utoipa::path(get, path = "/healthz", tag = "operations-pages",
    responses((status = 200, description = "The process is running.", body = Health)),
)]
pub(super) async fn healthz() -> Response {
    answer::json(StatusCode::OK, &Health { status: "ok".to_owned() })
}

/// Check that the gateway is ready
///
/// Answers 200 while the database, its migrations and the workers are as they must be, and says what does not work
/// as it should although requests are served; else 503. Send requests elsewhere meanwhile.
#[utoipa::path(get, path = "/readyz", tag = "operations-pages",
    responses((status = 200, description = "The gateway is ready.", body = ReadinessView)),
)]
pub(super) async fn readyz(State(door): State<DoorState>) -> Result<Response, ProblemResponse> {
    // Whoever stands before it sends new requests elsewhere, while these are still answered.
    if door.gateway.base().is_stopping() {
        return Err(ProblemResponse::not_ready("it is about to stop".to_owned()));
    }
    readiness(&door.gateway).await
}

/// Whether the gateway can do its work, and if not, what is wrong.
async fn readiness(gateway: &Gateway) -> Result<Response, ProblemResponse> {
    let ready = gateway.upkeep().readiness().await;
    let parts = [("database", ready.database), ("migrations", ready.migrations), ("workers", ready.workers)];
    let mut wrong: Vec<String> = parts.iter().filter(|(_, good)| !good).map(|(name, _)| (*name).to_owned()).collect();
    wrong.extend(ready.ailment.map(|ailment| format!("the database answers, but {ailment}")));
    if wrong.is_empty() && !gateway.base().has_begun() {
        wrong.push("startup".to_owned());
    }
    if gateway.identity().lacks_issuer_keys() {
        wrong.push("issuer_keys".to_owned());
    }
    if !ready.ailing_tasks.is_empty() {
        wrong.push(format!("tasks ({})", ready.ailing_tasks.join(", ")));
    }
    if !wrong.is_empty() {
        return Err(ProblemResponse::not_ready(format!("not in order: {}", wrong.join(", "))));
    }
    let doubt = gateway.base().clock().doubt();
    let view = ReadinessView {
        database: true,
        migrations: true,
        workers: true,
        tasks: true,
        issuer_keys: true,
        clock: doubt.is_none(),
        degraded: ready.degraded.into_iter().chain(doubt.map(doubted)).collect(),
    };
    Ok(answer::json(StatusCode::OK, &view))
}

/// What was seen of the clocks, and how it goes on.
fn doubted(by: Duration) -> String {
    format!(
        "the database's clock leapt by {} s against this machine's: nothing is forgotten by its age and no leap is followed \
         until they agree again or it has lasted; look at the time service of both",
        by.num_seconds()
    )
}

/// Health, readiness and metrics alone, for a listener of the operator's.
pub(in crate::http) fn operators(gateway: Gateway, render: RenderMetrics) -> Router {
    let ready = async move || {
        let request_id = gateway.base().new_request_id();
        readiness(&gateway).await.unwrap_or_else(|refusal| refusal.write(None, &Occasion::without_effect(&request_id)))
    };
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(ready))
        .route("/metrics", get(async move || print(&render)))
}

/// Get metrics
///
/// The metrics cover all teams. If the operator serves them on a separate listener, this path answers 404.
#[utoipa::path(get, path = "/metrics", tag = "operations-pages",
    responses((status = 200, description = "The metrics, in the Prometheus text format.", body = String, content_type = "text/plain")),
)]
pub(super) async fn metrics(
    State(door): State<DoorState>,
    Extension(exchange): Extension<Arc<Exchange>>,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    if !door.settings.metrics_here {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    authorize(&door, &exchange, &headers).await?;
    let mut answer = print(&door.metrics);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// The metrics in Prometheus' text form.
pub(in crate::http) fn print(render: &RenderMetrics) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], render()).into_response()
}

/// What the gateway says of itself as an issuer of tokens.
pub(in crate::http) fn own_issuer() -> Router<DoorState> {
    Router::new()
        .route("/.well-known/jwks.json", get(token_exchange::jwks))
        .route("/.well-known/openid-configuration", get(token_exchange::configuration))
}
