//! Serves the door on one listener, with a deadline on everything that a client could hold open.
//!
//! What must stay true: a client that sends nothing, or too slowly, or reads nothing, or too slowly, gives its connection
//! back within a bounded time; there are never more connections than allowed, more wait in the listener's queue, and one
//! address does not have them all; what is refused before there is a request is a problem all the same ([`telling`]).
//! hyper's HTTP/1 builder is used alone: the one that also speaks HTTP/2 leaves silent connections open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::RETRY_AFTER;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::exchange::Peer;
use super::problem::{MEDIA_TYPE, Refusal};

mod neighbours;
mod patience;
mod telling;

use neighbours::{Counted, Neighbours};
use patience::Patient;
use telling::Telling;

/// The id of a request that was not read.
const UNREAD: &str = "unread";

/// What a client may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections; further ones wait to be accepted.
    pub connections: usize,
    /// How many of them from one address (64 bits of IPv6); further ones are refused.
    pub connections_per_address: usize,
    /// From the connection's start, or the end of the answer before, to the end of a request's head.
    pub header_deadline: Duration,
    /// For the client to take 16 KiB of an answer that is ready for it, or what there is of it.
    pub write_deadline: Duration,
    /// The most header fields; more are answered with 431.
    pub headers: usize,
    /// About the largest request head in bytes (at least 8192); a clearly larger one is answered with 431.
    pub head_bytes: usize,
    /// How long a shutdown waits for what is running.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            connections_per_address: 4096,
            header_deadline: Duration::from_secs(8),
            write_deadline: Duration::from_secs(8),
            headers: 64,
            head_bytes: 32 * 1024,
            drain: Duration::from_secs(25),
        }
    }
}

/// Serves `router` until `stop` is cancelled, then lets what is running end, for at most `limits.drain`.
/// `tasks` are the requests' own tasks (`DoorState::tasks`).
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, tasks: TaskTracker, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (connections, neighbours) = (TaskTracker::new(), Neighbours::default());
    while let Some((stream, peer, slot)) = next(&listener, &slots, &stop).await {
        let Some(counted) = neighbours.count(peer.ip(), limits.connections_per_address) else {
            refuse(&stream);
            continue;
        };
        let connection = Connection { peer, limits, stop: stop.clone(), _held: (slot, counted) };
        connections.spawn(connection.run(stream, router.clone()));
    }
    drop(listener);
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
    let status = refusal.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let retry = refusal.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry = retry.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
    let body = refusal.body(UNREAD);
    let head = format!(
        "HTTP/1.1 {} {reason}\r\nconnection: close\r\nx-request-id: {UNREAD}\r\n{retry}content-type: {MEDIA_TYPE}\r\ncontent-length: {}\r\n\r\n",
        status.as_u16(),
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// The next connection, once there is room for it; nothing when it is time to stop.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let accept = async {
        let slot = Arc::clone(slots).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return Some((stream, peer, slot)),
                Err(error) => {
                    // Out of file handles, or a client that left at once: look again shortly.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        accepted = accept => accepted,
    }
}

struct Connection {
    peer: SocketAddr,
    limits: Limits,
    stop: CancellationToken,
    _held: (OwnedSemaphorePermit, Counted),
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
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let peer = Peer(self.peer.ip());
        let service = router.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request.map(axum::body::Body::new)
        });
        let io = TokioIo::new(Telling::new(Patient::new(stream, self.limits.write_deadline)));
        let connection = self.builder().serve_connection(io, TowerToHyperService::new(service));
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, peer = %self.peer, "a connection ended early");
        }
    }

    fn builder(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_deadline)
            .max_headers(self.limits.headers)
            .max_header_size(self.limits.head_bytes)
            .max_buf_size(self.limits.head_bytes);
        builder
    }
}
