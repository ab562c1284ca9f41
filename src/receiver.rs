//! Floor 3: a receiver of webhooks for development: it takes deliveries, verifies them, and tells of each.
//!
//! `POST` to any path is a delivery. One that is verified gets 204, also when it came before; one that is not gets 401
//! and JSON that says why. A challenge is echoed. `judge` decides, `server` takes connections.
//!
//! An endpoint's secret is known only once it is saved, and before that its URL must echo a challenge. So a receiver
//! may start without a secret: until it learns it, a challenge is all that it answers, of whoever sends it.
//!
//! What must stay true: only a verified delivery is ever remembered, so nobody without the secret can make a real one
//! look like a repeat; whatever arrives, a connection and a body end within their limits.
//!
//! Who calls it: `cli` (`receive`) and tests. What it does not do: retry, store, or forward.

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

/// The largest body that is taken, in bytes: 256 KiB. A larger one gets 413 and is not told of.
pub const MAX_BODY: usize = 256 << 10;

/// One delivery, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// `webhook-id`, the same on every attempt at one delivery; empty where the header is absent.
    pub id: String,
    /// The body's `type`, if the body is JSON and has one.
    pub event_type: Option<String>,
    /// Whether the signature holds. Nothing else of an unverified delivery is to be believed.
    pub verified: Result<(), VerifyError>,
    /// Whether a verified delivery with this id was told before. Ids are remembered while they are few: the last
    /// 10,000.
    pub repeat: bool,
    /// The body; bytes that are no UTF-8 are replaced.
    pub body: String,
    /// When it had arrived.
    pub at: Instant,
}

type OnReceived = Box<dyn Fn(&Received) + Send + Sync>;

/// What every request shares.
struct ReceiverState {
    secret: OnceLock<SigningSecret>,
    clock: Arc<dyn Clock>,
    seen: Mutex<judge::SeenIds>,
    told: OnReceived,
}

/// A running receiver. Stops when told to, or when dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<ReceiverState>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Receives on `listener` from now on, with the secret if it is known already. Must be called within a tokio
    /// runtime.
    ///
    /// `told` hears of every delivery before it is answered, also of unverified ones and of repeats, which
    /// [`Received`] marks. It is called from many tasks, and should return soon.
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

    /// Learns the secret of the endpoint; the first one that is learnt stays.
    pub fn learn(&self, secret: SigningSecret) {
        let _known = self.shared.secret.set(secret);
    }

    /// Where it receives, such as `http://127.0.0.1:9099`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops taking deliveries and closes every connection.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // The task ends by itself; if it panicked there is nothing left to stop.
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
