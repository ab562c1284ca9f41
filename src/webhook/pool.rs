//! Idle connections, kept for a while by scheme, host and port.
//!
//! What must stay true: a connection is pooled only after its last response was read completely, and is used only for
//! the origin for which it was opened. What belongs to an endpoint (headers, signature) is part of each message, so
//! endpoints with the same origin share connections. A task closes connections that were idle for too long, and ends
//! when none are left.
//!
//! Called by [`super::sender`]. It neither opens connections nor limits how many are in use (the deliverer does).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::link::Link;
use super::network::Networks;
use crate::domain::clock::Uptime;

#[derive(Default)]
struct PoolState {
    /// By origin (`https://hooks.example.com:8443`), the most recent ones last.
    idle: HashMap<String, Vec<(Uptime, Link)>>,
    swept: bool,
}

/// The connections that are not in use.
pub(super) struct LinkPool {
    state: Mutex<PoolState>,
    /// How long an idle connection is kept.
    idle: Duration,
}

impl LinkPool {
    /// An empty pool that keeps idle connections for this long.
    pub(super) fn new(idle: Duration) -> Self {
        Self { state: Mutex::default(), idle }
    }

    /// The most recently used connection to this origin; only one within the given networks, if any. The receiver may
    /// have closed it meanwhile.
    pub(super) fn take(&self, origin: &str, within: Option<&Networks>) -> Option<Link> {
        let mut state = self.state();
        let links = state.idle.get_mut(origin)?;
        let fits = |link: &Link| within.is_none_or(|networks| link.remote.is_some_and(|remote| networks.hold(remote)));
        let at = links.iter().rposition(|(_, link)| fits(link))?;
        let (since, link) = links.remove(at);
        (Uptime::now().since(since) < self.idle).then_some(link)
    }

    /// Keeps a connection for the next message.
    pub(super) fn put(self: &Arc<Self>, origin: &str, link: Link) {
        let mut state = self.state();
        let kept = (Uptime::now(), link);
        match state.idle.get_mut(origin) {
            Some(links) => links.push(kept),
            None => drop(state.idle.insert(origin.to_owned(), vec![kept])),
        }
        if !std::mem::replace(&mut state.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), self.idle));
        }
    }

    /// Closes connections that were idle for too long. Returns when to check again, if any are left.
    fn close_old(&self) -> Option<Duration> {
        let (mut state, now) = (self.state(), Uptime::now());
        let mut old = Vec::new();
        for links in state.idle.values_mut() {
            let fresh = links.partition_point(|(since, _)| *since + self.idle <= now);
            old.extend(links.drain(..fresh));
        }
        state.idle.retain(|_, links| !links.is_empty());
        let next = state
            .idle
            .values()
            .filter_map(|links| links.first())
            .map(|(since, _)| *since + self.idle)
            .min()
            .map(|at| at.since(now));
        state.swept = next.is_some();
        // Closing takes system calls, so not while others wait.
        drop(state);
        drop(old);
        next
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        // Nothing panics while the lock is held, and connections are independent of each other.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(pool: Weak<LinkPool>, first: Duration) {
    let mut next = Some(first);
    while let Some(rest) = next {
        sleep(rest).await;
        next = pool.upgrade().and_then(|pool| pool.close_old());
    }
}
