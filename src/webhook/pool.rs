//! Connections between two messages: kept for a while, by scheme, host and port.
//!
//! What must stay true: a connection lies here only after the answer before it was read to its end, and goes out
//! only to the origin that it was opened for. What an endpoint has of its own (headers, signature) travels with each
//! message, so endpoints of one origin share. A task closes what has lain too long, and ends when nothing is left.
//!
//! Who calls it: [`super::sender`]. What it does not do: open connections, bound how many are in use (the deliverer
//! does).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::link::Link;
use super::network::Networks;
use crate::domain::clock::Uptime;

#[derive(Default)]
struct PoolState {
    /// By origin (`https://hooks.example.com:8443`), those that came last at the end.
    idle: HashMap<String, Vec<(Uptime, Link)>>,
    swept: bool,
}

/// The connections that nobody uses just now.
pub(super) struct LinkPool {
    state: Mutex<PoolState>,
    /// How long one is kept for the next message.
    idle: Duration,
}

impl LinkPool {
    /// An empty pool, that keeps each connection so long.
    pub(super) fn new(idle: Duration) -> Self {
        Self { state: Mutex::default(), idle }
    }

    /// The connection to this origin that was used last; one that ends within these networks, where they are given. The
    /// receiver may have hung up meanwhile.
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

    /// Closes what has lain too long. After how long to look again, if anything is left.
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
        // Closing takes system calls: not while others wait.
        drop(state);
        drop(old);
        next
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        // Nothing panics while it is held, and every connection stands for itself.
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
