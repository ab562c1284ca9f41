//! The receiver's listener ([`net`]) and requests: reads a body within its limits, has it checked, and answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{MAX_BODY, ReceiverState, judge};
use crate::net::body::{self, BodyError};
use crate::net::{self, ConnectionLimits};

/// The timeout for headers, for a body, and for each part of a response.
const DEADLINE: Duration = Duration::from_secs(10);
const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 256,
    connections_per_address: usize::MAX,
    header_deadline: DEADLINE,
    keep_idle: DEADLINE,
    write_deadline: DEADLINE,
    headers: 100,
    head_bytes: 400 << 10,
    grace: Duration::ZERO,
    drain: Duration::ZERO,
};

/// Receives until told to stop; then closes every connection.
pub(super) async fn serve(listener: TcpListener, shared: Arc<ReceiverState>, stop: CancellationToken) {
    net::serve(listener, ReceiverListener(shared), LIMITS, TaskTracker::new(), stop).await;
}

struct ReceiverListener(Arc<ReceiverState>);

impl net::Handler for ReceiverListener {
    type Connection = ReceiverConnection;

    fn connect(&self, _peer: SocketAddr) -> ReceiverConnection {
        ReceiverConnection(Arc::clone(&self.0))
    }
}

struct ReceiverConnection(Arc<ReceiverState>);

impl net::Connection for ReceiverConnection {
    type Body = Full<Bytes>;
    type Error = Infallible;

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        Ok(answer(&self.0, request).await)
    }
}

async fn answer(shared: &ReceiverState, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "a delivery is a POST");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let body = match read(body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let challenge = judge::challenge(&body);
    let Some(secret) = shared.secret.get() else {
        let unknown = || refusal(StatusCode::SERVICE_UNAVAILABLE, "the secret is not known yet");
        return challenge.map_or_else(unknown, |challenge| echo(&challenge));
    };
    let received = judge::judge(shared, secret, &parts.headers, &body);
    (shared.told)(&received);
    match (received.verified, challenge) {
        (Ok(()), Some(challenge)) => echo(&challenge),
        (Ok(()), None) => with_status(StatusCode::NO_CONTENT, Full::default()),
        (Err(error), _) => refusal(StatusCode::UNAUTHORIZED, &error.to_string()),
    }
}

fn echo(challenge: &str) -> Response<Full<Bytes>> {
    json(StatusCode::OK, &json!({ "challenge": challenge }))
}

/// A whole body of at most [`MAX_BODY`], or the response to anything else.
async fn read(body: Incoming) -> Result<Bytes, Response<Full<Bytes>>> {
    let (status, error) = match body::read(body, MAX_BODY, DEADLINE).await {
        Ok(body) => return Ok(body),
        Err(BodyError::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, "the body may have 256 KiB"),
        Err(BodyError::BrokenOff) => (StatusCode::BAD_REQUEST, "the body cannot be read"),
        Err(BodyError::TooSlow) => (StatusCode::REQUEST_TIMEOUT, "the body took too long to arrive"),
    };
    let mut response = refusal(status, error);
    // The rest of the body would be taken for the next request.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Err(response)
}

fn refusal(status: StatusCode, error: &str) -> Response<Full<Bytes>> {
    json(status, &json!({ "error": error }))
}

fn json(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = with_status(status, Full::from(body.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn with_status(status: StatusCode, body: Full<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
