//! A proxy that hurts: it stands between two programs and makes their connections slow, silent, cut or reset, when
//! told to.
//!
//! What must stay true: with a clear sky every byte passes, in order; each direction lives by itself, so that what a
//! client sent before it gave up still arrives; a cut or reset breaks both directions, with RST towards the client.
//!
//! Who uses it: `tests/chaos`, and `tests/it` where a test needs more than its `Gate`. What it does not do: understand
//! what passes, but for the answers of Postgres ([`postgres`]).

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

/// Where a proxy leads.
#[derive(Debug, Clone)]
pub(crate) enum ProxyTarget {
    /// To a port.
    Tcp(SocketAddr),
    /// To the socket of a Postgres, whose answers are understood.
    Postgres(PathBuf),
}

/// What every connection meets at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sky {
    /// How long each piece waits on its way there.
    pub(crate) up: Duration,
    /// And on its way back.
    pub(crate) down: Duration,
    /// Nothing passes, nothing is closed: what is sent waits until the sky is clear.
    pub(crate) silent: bool,
    /// New connections are reset.
    pub(crate) refused: bool,
}

/// Something that hits one connection, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shot {
    /// Reset after so many further bytes on their way there.
    CutUp(usize),
    /// Reset after so many further bytes on their way back.
    CutDown(usize),
    /// The next COMMIT is carried out, and the connection reset before its answer.
    LoseCommit,
    /// The same for the next statement that commits by itself.
    LoseStatement,
}

#[derive(Debug, Default)]
struct ProxyState {
    target: Mutex<Option<ProxyTarget>>,
    sky: watch::Sender<Sky>,
    shots: Mutex<VecDeque<Shot>>,
    /// Counts resets of everything that is open.
    storms: watch::Sender<u64>,
    hits: AtomicUsize,
    lost: AtomicUsize,
}

/// A proxy on a port of its own, until dropped.
#[derive(Debug)]
pub(crate) struct FaultProxy {
    /// What its clients take for the other program.
    pub(crate) address: SocketAddr,
    state: Arc<ProxyState>,
    task: tokio::task::JoinHandle<()>,
}

impl FaultProxy {
    /// A proxy before `target`, which need not be there yet.
    pub(crate) async fn before(target: ProxyTarget) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(ProxyState { target: Mutex::new(Some(target)), ..ProxyState::default() });
        let task = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { address, state, task }
    }

    /// From now on every connection meets this.
    pub(crate) fn set(&self, sky: Sky) {
        self.state.sky.send_replace(sky);
    }

    /// New connections lead there; those that are open stay where they are.
    pub(crate) fn lead_to(&self, target: ProxyTarget) {
        *self.state.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }

    /// Resets every connection that is open.
    pub(crate) fn storm(&self) {
        self.state.storms.send_modify(|storms| *storms += 1);
    }

    /// The next connection that fits is hit.
    pub(crate) fn shoot(&self, shot: Shot) {
        self.shots().push_back(shot);
    }

    /// Shots that hit nobody so far are forgotten; how many there were.
    pub(crate) fn disarm(&self) -> usize {
        self.shots().drain(..).count()
    }

    /// How many connections were hit.
    pub(crate) fn hits(&self) -> usize {
        self.state.hits.load(Ordering::Relaxed)
    }

    /// How many answers to commits were lost.
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
    /// The first shot that `fits`, if there is one.
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
        // The system may be out of sockets for a moment; the next one comes.
        let Ok((client, _)) = listener.accept().await else { continue };
        let target = state.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(target) = target {
            tokio::spawn(connection::carry(client, target, Arc::clone(&state)));
        }
    }
}
