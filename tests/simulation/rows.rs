//! The rows of the database, and the leases that protect them.

use eci_cache_gateway::domain::clock::Instant;
use eci_cache_gateway::domain::operation::{OperationState, Progress};
use eci_cache_gateway::domain::transition::core::CacheState;

use crate::cloud::{NEVER, Time};

/// The duration of a lease.
pub(crate) const LEASE: Time = 12;

/// The first hour in the domain's type: most things happen in it.
static INSTANTS: [Instant; SECONDS] = {
    let mut instants = [Instant::UNIX_EPOCH; SECONDS];
    let (mut time, mut place) = (0, 0);
    while place < SECONDS {
        if let Some(instant) = Instant::from_timestamp(time, 0) {
            instants[place] = instant;
        }
        (time, place) = (time + 1, place + 1);
    }
    instants
};
const SECONDS: usize = 3_600;

/// Converts the simulation's time to the domain's type.
pub(crate) fn instant(time: Time) -> Instant {
    let known = usize::try_from(time).ok().and_then(|time| INSTANTS.get(time));
    known.copied().unwrap_or_else(|| Instant::UNIX_EPOCH + chrono::Duration::seconds(i64::from(time)))
}

/// How far a read or a list may lag.
pub(crate) const LAG: Time = 60;

/// The same in the domain's type.
pub(crate) fn lag() -> chrono::Duration {
    const { chrono::Duration::seconds(LAG as i64) }
}

pub(crate) fn time(instant: Instant) -> Time {
    Time::try_from(instant.timestamp()).unwrap_or(NEVER)
}

/// The holder of a lease, and its end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ModelLease {
    pub(crate) token: u32,
    pub(crate) until: Time,
}

impl ModelLease {
    /// When it is free, by a database whose clock is wrong by this much.
    pub(crate) fn free_at(self, skew: Time) -> Time {
        if self.token == 0 { 0 } else { self.until + 1 - skew }
    }

    pub(crate) fn is(self, token: u32) -> bool {
        self.token == token
    }
}

/// The row of an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelOperation {
    /// `None` before it is requested.
    pub(crate) state: Option<OperationState>,
    pub(crate) progress: Progress,
    pub(crate) due: Time,
    pub(crate) lease: ModelLease,
    /// `NEVER` if nothing is unsettled.
    pub(crate) unsettled: Time,
}

impl ModelOperation {
    pub(crate) fn is(&self, state: OperationState) -> bool {
        self.state == Some(state)
    }
}

/// The row of the image cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelCacheRow {
    pub(crate) core: CacheState,
    pub(crate) version: u32,
    /// The cloud's cache once it is known.
    pub(crate) cache: Option<usize>,
    pub(crate) newest: usize,
    /// As last read, and as it was when the current update was accepted.
    pub(crate) snapshot: u8,
    pub(crate) snapshot_before: u8,
}

/// A Ready event and its delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelDelivery {
    /// The event's id; 0 before there is one.
    pub(crate) event: u32,
    pub(crate) attempts: i16,
    /// When it is due; `NEVER` once delivered or given up.
    pub(crate) due: Time,
    pub(crate) lease: ModelLease,
    pub(crate) delivered: bool,
}

/// The endpoint of the deliveries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelEndpoint {
    /// Incremented by each action of its team.
    pub(crate) revision: i64,
    /// Nothing is sent to it before this time.
    pub(crate) rests_until: Time,
}

/// Something to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Operation(usize),
    Unsettled(usize),
    Track,
    Deliver(usize),
    Sweep,
    Resend,
    Compare,
}
