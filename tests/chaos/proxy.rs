//! A fault-injecting proxy between two programs: on request it delays, blocks, cuts or resets their connections.
//!
//! What must stay true: without faults every byte passes, in order; the directions are independent, so that what a
//! client sent before it gave up still arrives; a cut or reset breaks both directions, with RST towards the client.
//!
//! Used by `tests/chaos`, and by `tests/it` if a test needs more than its `Gate`. It does not interpret the data,
//! except for responses of Postgres ([`postgres`]).

mod connection;
pub(crate) mod postgres;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

/// The destination of a proxy.
#[derive(Debug, Clone)]
pub(crate) enum ProxyTarget {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The Unix socket of a Postgres server, whose responses are parsed.
    Postgres(PathBuf),
}

/// The conditions for every connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sky {
    /// The delay of each chunk towards the destination.
    pub(crate) up: Duration,
    /// The delay of each chunk towards the client.
    pub(crate) down: Duration,
    /// Nothing passes and nothing is closed: data wait until this ends.
    pub(crate) silent: bool,
    /// New connections are reset.
    pub(crate) refused: bool,
}

/// A fault for a single connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shot {
    /// Reset after this many further bytes towards the destination.
    CutUp(usize),
    /// Reset after this many further bytes towards the client.
    CutDown(usize),
    /// The next COMMIT is carried out, and the connection is reset before its response.
    LoseCommit,
    /// The same for the next statement that commits by itself.
    LoseStatement,
}

#[derive(Debug, Default)]
struct ProxyState {
    target: Mutex<Option<ProxyTarget>>,
    sky: watch::Sender<Sky>,
    shots: Mutex<VecDeque<Shot>>,
    /// Counts the resets of all open connections.
    storms: watch::Sender<u64>,
    hits: AtomicUsize,
    lost: AtomicUsize,
}

/// A proxy on a port of its own, until dropped.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    /// The address for its clients.
    pub(crate) address: SocketAddr,
    state: Arc<ProxyState>,
    task: tokio::task::JoinHandle<()>,
}

impl FaultProxy {
    /// A proxy in front of `target`, which need not exist yet.
    pub(crate) async fn before(target: ProxyTarget) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(ProxyState { target: Mutex::new(Some(target)), ..ProxyState::default() });
        let task = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { address, state, task }
    }

    /// Sets the conditions for all connections.
    pub(crate) fn set(&self, sky: Sky) {
        self.state.sky.send_replace(sky);
    }

    /// Changes the destination of new connections; open ones keep theirs.
    pub(crate) fn lead_to(&self, target: ProxyTarget) {
        *self.state.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }

    /// Resets all open connections.
    pub(crate) fn storm(&self) {
        self.state.storms.send_modify(|storms| *storms += 1);
    }

    /// Adds a fault for the next matching connection.
    pub(crate) fn shoot(&self, shot: Shot) {
        self.shots().push_back(shot);
    }

    /// Removes unused faults and returns their number.
    pub(crate) fn disarm(&self) -> usize {
        self.shots().drain(..).count()
    }

    /// How many connections were affected by a fault.
    pub(crate) fn hits(&self) -> usize {
        self.state.hits.load(Ordering::Relaxed)
    }

    /// How many responses to commits were lost.
    pub(crate) fn lost(&self) -> usize {
        self.state.lost.load(Ordering::Relaxed)
    }

    fn shots(&self) -> std::sync::MutexGuard<'_, VecDeque<Shot>> {
        self.state.shots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ProxyState {
    /// The first fault that `fits`, if there is one.
    fn take<T>(&self, fits: impl Fn(&Shot) -> Option<T>) -> Option<T> {
        let mut shots = self.shots.lock().unwrap_or_else(PoisonError::into_inner);
        let place = shots.iter().position(|shot| fits(shot).is_some())?;
        shots.remove(place).and_then(|shot| fits(&shot))
    }

    fn note_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    fn note_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

async fn serve(listener: TcpListener, state: Arc<ProxyState>) {
    loop {
        // The system may temporarily be out of sockets; the next one will work.
        let Ok((client, _)) = listener.accept().await else { continue };
        let target = state.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(target) = target {
            tokio::spawn(connection::carry(client, target, Arc::clone(&state)));
        }
    }
}
