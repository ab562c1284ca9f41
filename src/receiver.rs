//! Floor 3: a receiver of webhooks for development: it accepts deliveries, verifies them, and reports each one.
//!
//! A `POST` to any path is a delivery. If it can be verified, it gets 204, even if it is a repeat; otherwise it gets
//! 401 and JSON with the reason. A challenge is echoed. `judge` decides, `server` accepts connections.
//!
//! An endpoint's secret is known only once the endpoint has been created, and before that its URL must echo a
//! challenge. So a receiver may start without a secret: until it has one, it answers only challenges, whoever sends
//! them.
//!
//! What must stay true: only verified deliveries are remembered, so nobody without the secret can make a real one look
//! like a repeat; every connection and body ends within its limits, whatever is sent.
//!
//! Called by `cli` (`receive`) and tests. It does not retry, store or forward.

mod judge;
mod server;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::domain::clock::{Clock, Instant};
use crate::webhook::secret::SigningSecret;
use crate::webhook::sign::VerifyError;

/// The largest accepted body in bytes: 256 KiB. A larger one gets 413 and is not reported.
pub const MAX_BODY: usize = 256 << 10;

/// A delivery as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `webhook-id`, the same for all attempts of a delivery; empty if the header is absent.
    pub id: String,
    /// The body's `type`, if the body is JSON and has one.
    pub event_type: Option<String>,
    /// Whether the signature is valid. Nothing else in an unverified delivery can be trusted.
    pub verified: Result<(), VerifyError>,
    /// Whether a verified delivery with this id was reported before. Only the last 10,000 ids are remembered.
    pub repeat: bool,
    /// The body; invalid UTF-8 is replaced.
    pub body: String,
    /// When it was received.
    pub at: Instant,
}

type OnReceived = Box<dyn Fn(&Received) + Send + Sync>;

/// The state that all requests share.
struct ReceiverState {
    secret: OnceLock<SigningSecret>,
    clock: Arc<dyn Clock>,
    seen: Mutex<judge::SeenIds>,
    told: OnReceived,
}

/// A running receiver. It stops when it is told to or dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<ReceiverState>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Starts receiving on `listener`, with the secret if it is already known. Must be called within a tokio runtime.
    ///
    /// `told` is called with every delivery before it is answered, including unverified ones and repeats, which
    /// [`Received`] marks. It is called from many tasks and should return quickly.
    pub fn start(
        listener: TcpListener,
        secret: Option<SigningSecret>,
        clock: Arc<dyn Clock>,
        told: impl Fn(&Received) + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("a listener that is bound has an address");
        let stop = CancellationToken::new();
        let secret = secret.map_or_else(OnceLock::new, OnceLock::from);
        let shared = Arc::new(ReceiverState { secret, clock, seen: Mutex::default(), told: Box::new(told) });
        let task = tokio::spawn(server::serve(listener, Arc::clone(&shared), stop.clone()));
        Self { address, shared, stop, task }
    }

    /// Sets the secret of the endpoint; the first one set is kept.
    pub fn learn(&self, secret: SigningSecret) {
        let _known = self.shared.secret.set(secret);
    }

    /// Its URL, such as `http://127.0.0.1:9099`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting deliveries and closes every connection.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // The task ends by itself; if it panicked, there is nothing left to stop.
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("address", &self.address).finish_non_exhaustive()
    }
}
