//! Requests as they come over a connection, before anything is understood of them: who sent them, their bodies, and the
//! ways in which a connection ends without an answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt as _;

use super::StandInState;
use super::answer::{self, ActionRefusal, AnswerStyle};
use crate::eci::incoming;

/// The most bytes of a body that are read as one.
const BODY: usize = 1 << 20;
/// The most bytes of a body that are taken and thrown away, so that its sender still hears the answer.
const DRAINED: usize = 16 << 20;
/// How long headers, and a body, may take.
pub(super) const READ: Duration = Duration::from_secs(10);
/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerAddress(pub(super) SocketAddr);

/// Marks a response that must not be sent: the connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reset;

/// What a path that is not there gets.
pub(super) async fn not_found(State(shared): State<Arc<StandInState>>, request: Request) -> Response<Body> {
    let manner = manner(request.headers(), request.uri().query());
    answer::write(Err(incoming::RequestRefusal::UnknownApi.into()), &manner, &shared.entropy)
}

/// How to answer a request of which nothing more is known.
pub(super) fn manner(headers: &HeaderMap, query: Option<&str>) -> AnswerStyle {
    let headers_given = flat(headers);
    let request = incoming::RawRequest {
        method: "GET",
        path: "/",
        query: query.unwrap_or(""),
        headers: &headers_given,
        body: b"",
    };
    AnswerStyle { host: host(headers), format: incoming::format_of(&request), action: "" }
}

/// The headers as texts.
pub(super) fn flat(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// Why there is no body.
pub(super) enum UnreadBody {
    /// It is too large, or came too slowly.
    Refused(ActionRefusal),
    /// The connection broke off within it, or it is no HTTP: an answer would be taken for a judgement of what was
    /// asked.
    BrokenOff,
}

/// A whole body of at most 1 MiB.
pub(super) async fn read(body: Body) -> Result<Vec<u8>, UnreadBody> {
    let late =
        |_| UnreadBody::Refused(ActionRefusal::new(408, "RequestTimeout", "The request took too long to arrive."));
    tokio::time::timeout(READ, collect(body)).await.map_err(late)?
}

async fn collect(mut body: Body) -> Result<Vec<u8>, UnreadBody> {
    let (mut kept, mut seen) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| UnreadBody::BrokenOff)?.into_data().unwrap_or_default();
        seen += data.len();
        if seen <= BODY {
            kept.extend_from_slice(&data);
        } else if seen > DRAINED {
            break;
        }
    }
    let large = || UnreadBody::Refused(ActionRefusal::new(413, "RequestEntityTooLarge", "The body may have 1 MiB."));
    if seen <= BODY { Ok(kept) } else { Err(large()) }
}

/// The host that the caller asked for, as `HostId` repeats it.
fn host(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    host.chars().take(255).collect()
}

/// What closes the connection without an answer.
pub(super) fn reset() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.extensions_mut().insert(Reset);
    response
}
