//! The back door of tests: faults to come, and what really happened. Unsigned, for this machine alone.
//!
//! Its answers are not the cloud's: plain JSON, and `{"error": …}` where something is wrong.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{self, Request};
use axum::http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::faults::Asked;
use super::server::{self, Peer};
use super::state::State;
use super::{Shared, answer, keeping};

/// Everything under `/_admin/`.
pub(super) async fn door(extract::State(shared): extract::State<Arc<Shared>>, request: Request) -> Response<Body> {
    let local = request.extensions().get::<Peer>().is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    if !local {
        return server::not_found(extract::State(shared), request).await;
    }
    let (parts, body) = request.into_parts();
    match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/_admin/calls") => calls(&shared),
        (&Method::POST, "/_admin/faults") => match server::read(body).await {
            Ok(body) => faults(&shared, &body),
            Err(refusal) => wrong(&refusal.message),
        },
        (&Method::POST, "/_admin/forget-tokens") => {
            shared.state().tokens.forget();
            done(&shared).await
        }
        (&Method::POST, "/_admin/reset") => {
            *shared.state() = State::default();
            done(&shared).await
        }
        _ => wrong("GET /_admin/calls, POST /_admin/faults, /_admin/forget-tokens or /_admin/reset"),
    }
}

/// The answer to a change of the state, once it is kept.
async fn done(shared: &Arc<Shared>) -> Response<Body> {
    shared.state().mark_changed();
    keeping::keep(shared).await;
    answer::json(StatusCode::OK, &json!({}))
}

fn calls(shared: &Shared) -> Response<Body> {
    let state = shared.state();
    let mut ledger = serde_json::to_value(&state.ledger).unwrap_or(Value::Null);
    ledger["faults_waiting"] = json!(state.faults.waiting());
    answer::json(StatusCode::OK, &ledger)
}

fn faults(shared: &Shared, body: &[u8]) -> Response<Body> {
    let asked =
        serde_json::from_slice::<Asked>(body).map_err(|_| "a fault has an action and a kind: see the docs of sim");
    match asked.and_then(|asked| shared.state().faults.add(asked)) {
        Ok(()) => answer::json(StatusCode::OK, &json!({})),
        Err(text) => wrong(text),
    }
}

fn wrong(text: &str) -> Response<Body> {
    answer::json(StatusCode::BAD_REQUEST, &json!({ "error": text }))
}
