//! What a deliverer remembers of an endpoint beside the database, and for how long that holds.
//!
//! It holds for one revision of the endpoint: whoever acts upon an endpoint raises the revision, and the deliverer
//! hears of it with the next delivery that it reads or when it compares, twice a second. The simulation runs this, too.

use chrono::Duration;

use super::types::AttemptEnd;
use crate::domain::clock::Instant;
use crate::domain::webhooks::health::CAREFUL_AFTER;

/// Nobody rests longer than a day; what lies further ahead than this was written by a clock that leapt.
const LONGEST_REST: Duration = Duration::hours(25);

/// What is remembered of one endpoint.
#[derive(Debug, Clone, Copy)]
pub struct EndpointMemory {
    revision: i64,
    failures: i32,
    paused_until: Option<Instant>,
}

impl EndpointMemory {
    /// What the database says when the endpoint's first delivery is read.
    pub const fn new(revision: i64, failures: i32) -> Self {
        Self { revision, failures, paused_until: None }
    }

    /// The revision for which the rest holds.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Failures in a row.
    pub fn failures(&self) -> i32 {
        self.failures
    }

    /// Hears of the endpoint's revision. `true`: it is newer, and nothing that was remembered holds any longer.
    pub fn renew(&mut self, revision: i64) -> bool {
        let newer = revision > self.revision;
        if newer {
            *self = Self::new(revision, 0);
        }
        newer
    }

    /// Takes over how many failures in a row the database knows of.
    pub fn set_failures(&mut self, failures: i32) {
        self.failures = failures;
    }

    /// Counts how an attempt ended. `false`: somebody acted upon the endpoint since the attempt was read, so that its
    /// end says nothing of the endpoint any more.
    pub fn count(&mut self, end: &AttemptEnd) -> bool {
        if end.revision != self.revision {
            return false;
        }
        self.failures = if end.good { 0 } else { self.failures.saturating_add(1) };
        self.paused_until = self.paused_until.max(end.paused_until);
        true
    }

    /// Whether nothing may be sent to it now.
    pub fn is_resting(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| until > now && until - now <= LONGEST_REST)
    }

    /// Whether one delivery at a time finds out whether it is back.
    pub fn is_failing(&self) -> bool {
        self.failures >= CAREFUL_AFTER
    }
}
