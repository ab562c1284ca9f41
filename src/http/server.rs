//! Serves the door on one listener, with a deadline on everything that a client could hold open.
//!
//! What must stay true: a client that sends nothing, or too slowly, or reads nothing, or too slowly, gives its connection
//! back within a bounded time; there are never more connections than allowed, more wait in the listener's queue, and one
//! address does not have them all; what is refused before there is a request is a problem all the same ([`error_bodies`]);
//! a stop costs nobody a request: while connections are still taken, each answer announces the end of its own.
//! hyper's HTTP/1 builder is used alone: the one that also speaks HTTP/2 leaves silent connections open.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::exchange::Peer;
use super::problem::{MEDIA_TYPE, Refusal};
use super::proxies::TrustedProxies;
use super::receipts::Unflushed;
use super::rpc;
use crate::config::LimitsConfig;
use crate::eci::incoming::Format;

mod address_limits;
mod error_bodies;
mod flushes;
mod framing;
mod idle;
mod write_deadline;

use address_limits::{AddressLimits, Counted};
use error_bodies::ErrorBodies;
use flushes::Flushes;
use framing::{Lengths, Scanner};
use idle::{Answer, Deadlines, Idle, Underway};
use write_deadline::WriteDeadline;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The id of a request that was not read.
const UNREAD: &str = "unread";
/// How long a connection that was taken in the last moment may take to send something.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// What a client may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections; further ones wait to be accepted.
    pub connections: usize,
    /// How many of them from one address (64 bits of IPv6); further ones are refused.
    pub connections_per_address: usize,
    /// From the connection's start, or the first byte of a later request, to the end of the request's head.
    pub header_deadline: Duration,
    /// How long a connection is kept without a request. Only as long as a head may take while more than three quarters
    /// of the connections, or of those of its address, are open.
    pub keep_idle: Duration,
    /// For the client to take 16 KiB of an answer that is ready for it, or what there is of it.
    pub write_deadline: Duration,
    /// The most header fields; more are answered with 431.
    pub headers: usize,
    /// About the largest request head in bytes (at least 8192; a URL of the RPC front may have 64 kB); a clearly larger
    /// one is answered with 431.
    pub head_bytes: usize,
    /// For how long after it was told to stop connections are still taken and kept; each answer closes its own.
    pub grace: Duration,
    /// How long it waits for what is running then.
    pub drain: Duration,
}

impl Default for Limits {
    /// What holds where nothing is set, for a listener whose end nobody has to hear of before.
    fn default() -> Self {
        Self { grace: Duration::ZERO, ..Self::from(LimitsConfig::usual()) }
    }
}

impl From<&LimitsConfig> for Limits {
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
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, tasks: TaskTracker, stop: CancellationToken) {
    serve_behind(TrustedProxies::default(), listener, router, limits, tasks, stop).await;
}

/// The same behind `proxies`: each of them may have all connections, for it speaks for many.
pub async fn serve_behind(
    proxies: TrustedProxies,
    listener: TcpListener,
    router: Router,
    limits: Limits,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (connections, address_limits) = (TaskTracker::new(), AddressLimits::default());
    let (stopping, closing) = (stop.clone(), CancellationToken::new());
    let take = |(stream, peer, slot): Accepted, closing: CancellationToken| {
        let most = if proxies.trusts(peer.ip()) { usize::MAX } else { limits.connections_per_address };
        let limits = Limits { connections_per_address: most, ..limits };
        let Some(counted) = address_limits.count(peer.ip(), most) else {
            return refuse(&stream);
        };
        let (stop, slots) = (stop.clone(), Arc::clone(&slots));
        let connection = Connection { peer, limits, stop, closing, slots, counted, _slot: slot };
        connections.spawn(connection.run(stream, router.clone()));
    };
    let grace = async {
        stopping.cancelled().await;
        tokio::time::sleep(limits.grace).await;
    };
    let mut grace = std::pin::pin!(grace);
    while let Some(accepted) = next(&listener, &slots, &mut grace).await {
        take(accepted, closing.clone());
    }
    // Who is connected already would be reset with the listener.
    let (mut late, last) = (false, CancellationToken::new());
    while let Some(accepted) = accept(&listener, &slots).now_or_never().flatten() {
        take(accepted, last.clone());
        late = true;
    }
    drop(listener);
    closing.cancel();
    if late {
        tokio::spawn(async move {
            tokio::time::sleep(LAST_MOMENT).await;
            last.cancel();
        });
    }
    connections.close();
    tasks.close();
    let all = async {
        connections.wait().await;
        tasks.wait().await;
    };
    if tokio::time::timeout(limits.drain, all).await.is_err() {
        tracing::warn!(connections = connections.len(), requests = tasks.len(), "gave up waiting for requests");
    }
}

/// Tells a client that its address has too many connections, as far as that can be done at once.
fn refuse(stream: &TcpStream) {
    metrics::counter!("ecg_connections_refused_total").increment(1);
    // It fits into the empty buffer of a new connection, or the client has left.
    let _ = stream.try_write(&unread(&Refusal::too_many_connections()));
}

/// A refusal as it stands on the wire, for a request that was not read.
fn unread(refusal: &Refusal) -> Vec<u8> {
    written(refusal, MEDIA_TYPE, &refusal.body(UNREAD))
}

/// The same to a request of the cloud's API, in its shape.
fn unread_rpc(refusal: &Refusal, format: Format) -> Vec<u8> {
    let (kind, body) = rpc::envelope::unread(refusal.clone(), format, UNREAD);
    written(refusal, kind, body.as_bytes())
}

fn written(refusal: &Refusal, media_type: &str, body: &[u8]) -> Vec<u8> {
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
    let refusal = Refusal::bad_head(detail);
    let path = request.uri().path_and_query().map_or("", |all| all.as_str());
    let line = format!("{} {path} ", request.method());
    let mut answer = match error_bodies::rpc_format(line.as_bytes()) {
        Some(format) => {
            let (kind, body) = rpc::envelope::unread(refusal, format, UNREAD);
            let mut answer = Response::new(axum::body::Body::from(body));
            *answer.status_mut() = StatusCode::BAD_REQUEST;
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            answer
        }
        None => refusal.write(None, UNREAD),
    };
    for (name, value) in [(CONNECTION, "close"), (CACHE_CONTROL, "no-store"), (REQUEST_ID, UNREAD)] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

/// The next connection, once there is room for it; nothing when it is time to close.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    close: &mut (impl Future<Output = ()> + Unpin),
) -> Option<Accepted> {
    tokio::select! {
        biased;
        () = close => None,
        accepted = accept(listener, slots) => accepted,
    }
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<Accepted> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, slot)),
            Err(error) => {
                // Out of file handles, or a client that left at once: look again shortly.
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

struct Connection {
    peer: SocketAddr,
    limits: Limits,
    /// When answers close their connection.
    stop: CancellationToken,
    /// When it is closed, once nothing is under way.
    closing: CancellationToken,
    slots: Arc<Semaphore>,
    counted: Counted,
    _slot: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: TcpStream, router: Router) {
        let gauge = metrics::gauge!("ecg_connections");
        gauge.increment(1.0);
        self.talk(stream, router).await;
        gauge.decrement(1.0);
    }

    async fn talk(&self, stream: TcpStream, router: Router) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = &error as &dyn std::error::Error, "TCP_NODELAY could not be set");
        }
        let (underway, unflushed) = (Underway::default(), Unflushed::default());
        let deadlines = Deadlines { head: self.limits.header_deadline, idle: self.limits.keep_idle };
        let stream = WriteDeadline::new(stream, self.limits.write_deadline);
        let lengths = Lengths::default();
        let stream = ErrorBodies::new(stream, Scanner::new(lengths.clone()));
        let io = Idle::new(stream, deadlines, underway.clone(), || self.is_short());
        let io = TokioIo::new(Flushes::new(io, unflushed.clone()));
        let service = service_fn(|request| self.answer(&router, &underway, (&unflushed, &lengths), request));
        let connection = self.builder().serve_connection(io, service);
        let mut connection = std::pin::pin!(connection);
        // First whatever has come: it is answered.
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            () = self.closing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = &error as &dyn std::error::Error, peer = %self.peer, "a connection ended early");
        }
    }

    /// Answers one request; while the process stops, the answer announces that the connection ends with it.
    async fn answer(
        &self,
        router: &Router,
        underway: &Underway,
        (unflushed, lengths): (&Unflushed, &Lengths),
        mut request: Request<Incoming>,
    ) -> Result<Response<Answer<axum::body::Body>>, Infallible> {
        let underway = underway.begin();
        if let Some(detail) = framing::fault(&request, lengths) {
            tracing::debug!(peer = %self.peer, detail, "a request was refused for its head");
            return Ok(ill_framed(&request, detail).map(|body| Answer { body, _request: underway }));
        }
        request.extensions_mut().insert(Peer(self.peer.ip()));
        request.extensions_mut().insert(unflushed.clone());
        let mut answer = router.clone().oneshot(request.map(axum::body::Body::new)).await?;
        if self.stop.is_cancelled() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer.map(|body| Answer { body, _request: underway }))
    }

    /// Whether so many connections are open that idle ones are not kept.
    fn is_short(&self) -> bool {
        let few = self.slots.available_permits() < self.limits.connections / 4;
        few || self.counted.count() > self.limits.connections_per_address / 4 * 3
    }

    fn builder(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // [`Idle`] has deadlines of both kinds.
            .header_read_timeout(None)
            .max_headers(self.limits.headers)
            .max_header_size(self.limits.head_bytes)
            .max_buf_size(self.limits.head_bytes);
        builder
    }
}
