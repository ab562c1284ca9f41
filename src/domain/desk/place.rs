//! One endpoint on the desk: what waits for it, and what is remembered of it.

use std::collections::VecDeque;

use chrono::Duration;

use super::words::{Address, Limits};
use crate::domain::clock::Instant;
use crate::domain::health::CAREFUL_AFTER;

/// Nobody rests longer than a day; what lies further ahead than this was written by a clock that leapt.
const LONGEST_REST: Duration = Duration::hours(25);

/// What is remembered of one endpoint, and what waits for it here.
#[derive(Debug)]
pub(super) struct Place<T> {
    pub(super) address: Address,
    pub(super) queue: VecDeque<T>,
    pub(super) flying: usize,
    pub(super) paused_until: Option<Instant>,
    pub(super) listed: bool,
    /// How much of it may be in hand: more with each that arrives, half as much with each that does not.
    pub(super) trust: usize,
    /// Whether the database holds more that is due.
    pub(super) more: bool,
    /// When something for it came in or ended.
    pub(super) used_at: Instant,
}

impl<T> Place<T> {
    pub(super) fn new(address: Address, trust: usize, now: Instant) -> Self {
        Self {
            address,
            queue: VecDeque::new(),
            flying: 0,
            paused_until: None,
            listed: false,
            trust,
            more: false,
            used_at: now,
        }
    }

    pub(super) fn is_resting(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| until > now && until - now <= LONGEST_REST)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.flying == 0
    }

    pub(super) fn cap(&self, limits: &Limits) -> usize {
        if self.is_failing() { 1 } else { limits.per_endpoint }
    }

    /// How much of it may be in hand.
    pub(super) fn most(&self, now: Instant) -> usize {
        match self.is_resting(now) {
            true => 0,
            false if self.is_failing() => 1,
            false => self.trust,
        }
    }

    pub(super) fn room(&self, now: Instant) -> usize {
        self.most(now).saturating_sub(self.queue.len() + self.flying)
    }

    /// Whether a look for more of it is worth a statement: not for every one that ends, and not while it rests.
    pub(super) fn is_hungry(&self, now: Instant) -> bool {
        let most = self.most(now);
        self.more && most > 0 && self.queue.len() + self.flying <= most / 4 * 3
    }

    pub(super) fn count(&mut self, good: bool, limits: &Limits) {
        self.address.failures = if good { 0 } else { self.address.failures.saturating_add(1) };
        let trust = if good { self.trust + 1 } else { self.trust / 2 };
        self.trust = trust.clamp(limits.first_hand(), limits.hand_per_endpoint);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.address.failures >= CAREFUL_AFTER
    }
}
