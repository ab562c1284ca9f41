//! What a deliverer remembers of an endpoint beside the database, and for how long that is valid.
//!
//! It is valid for one revision of the endpoint: whoever changes an endpoint raises the revision, and the deliverer
//! learns of it from the next delivery that it reads or when it compares, twice a second. The simulation runs this
//! code, too.

use chrono::Duration;

use super::types::AttemptEnd;
use crate::domain::clock::Instant;
use crate::domain::webhooks::health::CAREFUL_AFTER;

/// No rest is longer than a day; an end further ahead was written by a clock that jumped.
const LONGEST_REST: Duration = Duration::hours(25);

/// What is remembered of one endpoint.
#[derive(Debug, Clone, Copy)]
pub struct EndpointMemory {
    revision: i64,
    failures: i32,
    paused_until: Option<Instant>,
}

impl EndpointMemory {
    /// The state in the database when the endpoint's first delivery is read.
    pub const fn new(revision: i64, failures: i32) -> Self {
        Self { revision, failures, paused_until: None }
    }

    /// The revision for which the memory is valid.
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Failures in a row.
    pub fn failures(&self) -> i32 {
        self.failures
    }

    /// Compares the endpoint's revision. `true`: it is newer, and nothing that was remembered is valid any longer.
    pub fn renew(&mut self, revision: i64) -> bool {
        let newer = revision > self.revision;
        if newer {
            *self = Self::new(revision, 0);
        }
        newer
    }

    /// Sets the number of failures in a row to the database's.
    pub fn set_failures(&mut self, failures: i32) {
        self.failures = failures;
    }

    /// Counts the result of an attempt. `false`: somebody changed the endpoint since the attempt was read, so its
    /// result says nothing about the endpoint any more.
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

    /// Whether it gets only one delivery at a time, to find out whether it works again.
    pub fn is_failing(&self) -> bool {
        self.failures >= CAREFUL_AFTER
    }
}
