//! Serves the door on one listener ([`net`]), with what is particular to it: the problems that are its answers where no
//! request was read, the proxies that speak for many, and its metrics.
//!
//! What must stay true: what is refused before there is a request is a problem all the same ([`error_bodies`]); a head
//! that two readers may read in two ways is refused ([`framing`]).

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::exchange::Peer;
use super::problem::{MEDIA_TYPE, Occasion, ProblemResponse};
use super::proxies::TrustedProxies;
use super::receipts::Unflushed;
use super::rpc;
use crate::config::LimitsConfig;
use crate::eci::incoming::AnswerFormat;
use crate::net::flushes::Flushes;
use crate::net::{self, ConnectionEvent};

mod error_bodies;
mod framing;

use error_bodies::ErrorBodies;
use framing::{Lengths, Scanner};

pub use crate::net::ConnectionLimits;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The id of a request that was not read.
const UNREAD: &str = "unread";

impl Default for ConnectionLimits {
    /// What holds where nothing is set, for a listener whose end nobody has to hear of before.
    fn default() -> Self {
        Self { grace: Duration::ZERO, ..Self::from(LimitsConfig::usual()) }
    }
}

impl From<&LimitsConfig> for ConnectionLimits {
    fn from(limits: &LimitsConfig) -> Self {
        Self {
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            header_deadline: limits.header,
            keep_idle: limits.keep_idle,
            write_deadline: limits.write,
            headers: limits.headers,
            head_bytes: limits.head_bytes,
            grace: limits.grace,
            drain: Duration::from_secs(25),
        }
    }
}

/// Serves `router` until `stop` is cancelled and `limits.grace` is over, then lets what is running end, for at most
/// `limits.drain`. `tasks` are the requests' own tasks (`DoorState::tasks`).
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    serve_behind(TrustedProxies::default(), listener, router, limits, tasks, stop).await;
}

/// The same behind `proxies`: each of them may have all connections, for it speaks for many.
pub async fn serve_behind(
    proxies: TrustedProxies,
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    net::serve(listener, GatewayListener { proxies, router }, limits, tasks, stop).await;
}

struct GatewayListener {
    proxies: TrustedProxies,
    router: Router,
}

impl net::Handler for GatewayListener {
    type Connection = GatewayConnection;

    fn connect(&self, peer: SocketAddr) -> GatewayConnection {
        let router = self.router.clone();
        GatewayConnection { peer: peer.ip(), router, unflushed: Unflushed::default(), lengths: Lengths::default() }
    }

    fn most_of(&self, address: IpAddr) -> Option<usize> {
        self.proxies.trusts(address).then_some(usize::MAX)
    }

    fn refusal(&self) -> Vec<u8> {
        unread(&ProblemResponse::too_many_connections())
    }

    fn happened(&self, happening: ConnectionEvent) {
        match happening {
            ConnectionEvent::Opened => metrics::gauge!("ecg_connections").increment(1.0),
            ConnectionEvent::Closed => metrics::gauge!("ecg_connections").decrement(1.0),
            ConnectionEvent::Refused => metrics::counter!("ecg_connections_refused_total").increment(1),
            ConnectionEvent::GivenUp => metrics::counter!("ecg_connections_given_up_total").increment(1),
        }
    }
}

struct GatewayConnection {
    peer: IpAddr,
    router: Router,
    unflushed: Unflushed,
    lengths: Lengths,
}

impl net::Connection for GatewayConnection {
    type Body = Body;
    type Error = Infallible;

    fn over<S: net::Stream>(&self, stream: S) -> impl net::Stream {
        let stream = ErrorBodies::new(stream, Scanner::new(self.lengths.clone()));
        Flushes::new(stream, || self.unflushed.flushed())
    }

    async fn answer(&self, mut request: Request<Incoming>) -> Result<Response, Infallible> {
        if let Some(detail) = framing::fault(&request, &self.lengths) {
            tracing::debug!(peer = %self.peer, detail, "a request was refused for its head");
            return Ok(ill_framed(&request, detail));
        }
        request.extensions_mut().insert(Peer(self.peer));
        request.extensions_mut().insert(self.unflushed.clone());
        self.router.clone().oneshot(request.map(Body::new)).await
    }
}

/// A refusal as it stands on the wire, for a request that was not read.
fn unread(refusal: &ProblemResponse) -> Vec<u8> {
    written(refusal, MEDIA_TYPE, &refusal.body(&Occasion::without_effect(UNREAD)))
}

/// The same to a request of the cloud's API, in its shape.
fn unread_rpc(refusal: &ProblemResponse, format: AnswerFormat) -> Vec<u8> {
    let (kind, body) = rpc::envelope::unread(refusal.clone(), format, UNREAD);
    written(refusal, kind, body.as_bytes())
}

fn written(refusal: &ProblemResponse, media_type: &str, body: &[u8]) -> Vec<u8> {
    let status = refusal.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let retry = refusal.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry = retry.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {} {reason}\r\nconnection: close\r\nx-request-id: {UNREAD}\r\ncache-control: no-store\r\n{retry}content-type: {media_type}\r\ncontent-length: {}\r\n\r\n",
        status.as_u16(),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The refusal of a head that was read: the last answer on its connection.
fn ill_framed(request: &Request<Incoming>, detail: &'static str) -> Response {
    let refusal = ProblemResponse::bad_head(detail);
    let path = request.uri().path_and_query().map_or("", |all| all.as_str());
    let line = format!("{} {path} ", request.method());
    let mut answer = match error_bodies::rpc_format(line.as_bytes()) {
        Some(format) => {
            let (kind, body) = rpc::envelope::unread(refusal, format, UNREAD);
            let mut answer = Response::new(Body::from(body));
            *answer.status_mut() = StatusCode::BAD_REQUEST;
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            answer
        }
        None => refusal.write(None, &Occasion::without_effect(UNREAD)),
    };
    for (name, value) in [(CONNECTION, "close"), (CACHE_CONTROL, "no-store"), (REQUEST_ID, UNREAD)] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
