//! Requests before they are parsed: the peer, the body, and closing a connection without a response.

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

/// The maximum size of a body in bytes.
const BODY: usize = 1 << 20;
/// How many bytes of a larger body are read and discarded, so that its sender can still read the response.
const DRAINED: usize = 16 << 20;
/// The timeout for reading the headers, and for reading the body.
pub(super) const READ: Duration = Duration::from_secs(10);
/// The address of the client.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerAddress(pub(super) SocketAddr);

/// Marks a response that must not be sent: the connection is closed instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reset;

/// The response for unknown paths.
pub(super) async fn not_found(State(shared): State<Arc<StandInState>>, request: Request) -> Response<Body> {
    let manner = manner(request.headers(), request.uri().query());
    answer::write(Err(incoming::RequestRefusal::UnknownApi.into()), &manner, &shared.entropy)
}

/// How to answer a request that has not been parsed.
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

/// The headers as strings.
pub(super) fn flat(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// Why a body could not be read.
pub(super) enum UnreadBody {
    /// It is too large, or was sent too slowly.
    Refused(ActionRefusal),
    /// The connection was closed within it, or it is not HTTP: a response would be taken for the result of the request.
    BrokenOff,
}

/// Reads a whole body of at most 1 MiB.
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

/// The requested host, which `HostId` repeats.
fn host(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    host.chars().take(255).collect()
}

/// Closes the connection without a response.
pub(super) fn reset() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.extensions_mut().insert(Reset);
    response
}
