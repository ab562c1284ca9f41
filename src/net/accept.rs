//! The accept loop and its shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::address_limits::AddressLimits;
use super::connection::{Ends, OpenConnection};
use super::{ConnectionEvent, ConnectionLimits, Handler};

/// How long a connection that was accepted at the last moment may take to send something.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// The pause after a connection that could not be accepted: no file descriptors left, or a client that disconnected at
/// once.
const BACK_OFF: Duration = Duration::from_millis(50);

type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

/// Serves `handler` until `stop` is cancelled and `limits.grace` has passed, then waits at most `limits.drain` for what
/// is running. `tasks` are the requests' own tasks, which continue after their connection ends; they are waited for
/// too.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    handler: H,
    limits: ConnectionLimits,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let loops = Loop::new(listener, handler, limits, stop);
    let (closing, last) = (CancellationToken::new(), CancellationToken::new());
    loops.take_until_stopped(&closing).await;
    let late = loops.take_queued(&last);
    let served = loops.close();
    closing.cancel();
    if late {
        tokio::spawn(async move {
            tokio::time::sleep(LAST_MOMENT).await;
            last.cancel();
        });
    }
    served.drain(&tasks).await;
}

struct Loop<H> {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    addresses: AddressLimits,
    handler: Arc<H>,
    stop: CancellationToken,
    served: Served,
}

/// The rest of a server that no longer accepts connections.
struct Served {
    limits: ConnectionLimits,
    connections: TaskTracker,
    /// Cancelled when all connections are dropped, whatever is running.
    cut: CancellationToken,
}

impl<H: Handler> Loop<H> {
    fn new(listener: TcpListener, handler: H, limits: ConnectionLimits, stop: CancellationToken) -> Self {
        let served = Served { limits, connections: TaskTracker::new(), cut: CancellationToken::new() };
        let slots = Arc::new(Semaphore::new(limits.connections));
        Self { listener, slots, addresses: AddressLimits::default(), handler: Arc::new(handler), stop, served }
    }

    async fn take_until_stopped(&self, closing: &CancellationToken) {
        let grace = async {
            self.stop.cancelled().await;
            tokio::time::sleep(self.served.limits.grace).await;
        };
        let mut grace = std::pin::pin!(grace);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut grace => return,
                accepted = self.accept() => accepted,
            };
            let Some(accepted) = accepted else { return };
            self.take(accepted, closing);
        }
    }

    /// Accepts the connections in the backlog: they would be reset when the listener closes. Returns whether there were
    /// any.
    fn take_queued(&self, last: &CancellationToken) -> bool {
        let mut late = false;
        while let Some(accepted) = self.accept().now_or_never().flatten() {
            self.take(accepted, last);
            late = true;
        }
        late
    }

    /// The next connection, once there is room for it.
    async fn accept(&self) -> Option<Accepted> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok()?;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return Some((stream, peer, slot)),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "could not accept a connection");
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }

    fn take(&self, (stream, peer, slot): Accepted, closing: &CancellationToken) {
        let limits = self.served.limits;
        let most = self.handler.most_of(peer.ip()).unwrap_or(limits.connections_per_address);
        let limits = ConnectionLimits { connections_per_address: most, ..limits };
        let Some(counted) = self.addresses.count(peer.ip(), most) else {
            return self.refuse(&stream);
        };
        let ends = Ends { stop: self.stop.clone(), closing: closing.clone(), cut: self.served.cut.clone() };
        let (handler, slots) = (Arc::clone(&self.handler), Arc::clone(&self.slots));
        let open = OpenConnection { handler, peer, limits, ends, slots, counted, _slot: slot };
        self.served.connections.spawn(open.run(stream));
    }

    /// Tells a client that its address has too many connections, if that is possible without waiting.
    fn refuse(&self, stream: &TcpStream) {
        self.handler.happened(ConnectionEvent::Refused);
        // It fits into the empty buffer of a new connection, or the client has disconnected.
        let _ = stream.try_write(&self.handler.refusal());
    }

    /// Closes the listener.
    fn close(self) -> Served {
        self.served
    }
}

impl Served {
    async fn drain(self, tasks: &TaskTracker) {
        self.connections.close();
        tasks.close();
        let all = async {
            self.connections.wait().await;
            tasks.wait().await;
        };
        let (limit, connections) = (self.limits.drain, &self.connections);
        if tokio::time::timeout(limit, all).await.is_err() && !limit.is_zero() {
            tracing::warn!(connections = connections.len(), requests = tasks.len(), "gave up waiting for requests");
        }
        self.cut.cancel();
        connections.wait().await;
    }
}
