//! One endpoint, as the scheduler has it: what waits for it, and what is remembered of it.

use std::collections::VecDeque;

use super::memory::EndpointMemory;
use super::types::{DeliveryLimits, EndpointInfo};
use crate::domain::clock::Instant;

/// What is remembered of one endpoint, and what waits for it here.
#[derive(Debug)]
pub(super) struct EndpointSlot<T> {
    pub(super) address: EndpointInfo,
    pub(super) queue: VecDeque<T>,
    pub(super) flying: usize,
    pub(super) memory: EndpointMemory,
    pub(super) listed: bool,
    /// How much of it may be in hand: more with each that arrives, half as much with each that does not.
    pub(super) trust: usize,
    /// Whether the database holds more that is due.
    pub(super) more: bool,
    /// When something for it came in or ended.
    pub(super) used_at: Instant,
}

impl<T> EndpointSlot<T> {
    pub(super) fn new(address: EndpointInfo, trust: usize, now: Instant) -> Self {
        Self {
            memory: EndpointMemory::new(address.revision, address.failures),
            address,
            queue: VecDeque::new(),
            flying: 0,
            listed: false,
            trust,
            more: false,
            used_at: now,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.flying == 0
    }

    pub(super) fn cap(&self, limits: &DeliveryLimits) -> usize {
        if self.memory.is_failing() { 1 } else { limits.per_endpoint }
    }

    /// How much of it may be in hand.
    pub(super) fn most(&self, now: Instant) -> usize {
        match self.memory.is_resting(now) {
            true => 0,
            false if self.memory.is_failing() => 1,
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

    pub(super) fn adjust_trust(&mut self, good: bool, limits: &DeliveryLimits) {
        let trust = if good { self.trust + 1 } else { self.trust / 2 };
        self.trust = trust.clamp(limits.first_hand(), limits.hand_per_endpoint);
    }
}
