//! Applies a fault to a call.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::StandInState;
use super::answer::{self, ActionResult, AnswerStyle};
use super::faults::{FaultKind, InjectedFault, Variant};
use super::state::new_id;
use super::transport::reset;

/// The response instead of the one for `outcome`.
pub(super) async fn inject(
    shared: &StandInState,
    fault: &InjectedFault,
    outcome: ActionResult,
    manner: &AnswerStyle,
) -> Response<Body> {
    let write = |outcome| answer::write(outcome, manner, &shared.entropy);
    match fault.kind {
        FaultKind::Hang => {
            shared.stop.cancelled().await;
            reset()
        }
        FaultKind::Reset => reset(),
        FaultKind::Garbage => garbage(fault.variant, write(outcome)).await,
        FaultKind::Status => {
            let status = StatusCode::from_u16(fault.http).unwrap_or(StatusCode::BAD_GATEWAY);
            answer::raw(status, "text/html", fault.body.clone())
        }
        FaultKind::ResetAt => break_off(write(outcome), fault.at).await,
        FaultKind::Latency => {
            let max_wait = tokio::time::timeout(Duration::from_millis(fault.ms), shared.stop.cancelled());
            if max_wait.await.is_ok() { reset() } else { write(outcome) }
        }
        FaultKind::WrongId => write(outcome.map(|fields| with_id(fields, fault, shared))),
        FaultKind::Word | FaultKind::LeftOut => write(outcome.map(|fields| altered(fields, fault))),
        FaultKind::Pretend => write(outcome),
        FaultKind::Error | FaultKind::Throttle => write(Err(fault.refusal())),
    }
}

fn with_id(
    mut fields: serde_json::Map<String, Value>,
    fault: &InjectedFault,
    shared: &StandInState,
) -> serde_json::Map<String, Value> {
    let other = || new_id("imc-", "", &shared.entropy);
    if let Some(id) = fields.get_mut("ImageCacheId") {
        *id = Value::String(fault.id.clone().unwrap_or_else(other));
    }
    fields
}

/// A list with a wrong status, or without one of its caches.
fn altered(mut fields: serde_json::Map<String, Value>, fault: &InjectedFault) -> serde_json::Map<String, Value> {
    let Some(Value::Array(caches)) = fields.get_mut("ImageCaches") else { return fields };
    if fault.kind == FaultKind::LeftOut {
        let meant = |cache: &Value| fault.id.as_ref().is_none_or(|id| cache["ImageCacheId"] == *id.as_str());
        if let Some(place) = caches.iter().position(meant) {
            caches.remove(place);
        }
        return fields;
    }
    let word = fault.id.clone().unwrap_or_else(|| "Warming".to_owned());
    for cache in caches {
        cache["Status"] = Value::String(word.clone());
    }
    fields
}

async fn garbage(variant: Variant, whole: Response<Body>) -> Response<Body> {
    match variant {
        Variant::Html => answer::raw(StatusCode::OK, "text/html", "<html><body>Bad gateway</body></html>"),
        Variant::Empty => Response::new(Body::empty()),
        Variant::Truncated => {
            let text = bytes_of(whole.into_body()).await;
            answer::raw(StatusCode::OK, "application/json;charset=utf-8", text.slice(..text.len() / 2))
        }
    }
}

/// Sends the head, which announces the whole body, and the first `at` bytes of the body; then closes the connection.
async fn break_off(whole: Response<Body>, at: usize) -> Response<Body> {
    let (head, body) = whole.into_parts();
    let text = bytes_of(body).await;
    let first = text.slice(..at.min(text.len().saturating_sub(1)));
    let broken = stream::once(async {
        // Not at once: hyper flushes what it has when the body is pending.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    let body = Body::from_stream(stream::once(async { Ok::<_, io::Error>(first) }).chain(broken));
    let mut response = Response::from_parts(head, body);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    response
}

async fn bytes_of(body: Body) -> Bytes {
    // Our own responses are in memory already.
    body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}
