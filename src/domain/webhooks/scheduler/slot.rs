//! One endpoint in the scheduler: what is queued for it, and what is remembered of it.

use std::collections::VecDeque;

use super::memory::EndpointMemory;
use super::types::{DeliveryLimits, EndpointInfo};
use crate::domain::clock::Instant;

/// What is remembered of one endpoint, and its queue here.
#[derive(Debug)]
pub(super) struct EndpointSlot<T> {
    pub(super) address: EndpointInfo,
    pub(super) queue: VecDeque<T>,
    pub(super) flying: usize,
    pub(super) memory: EndpointMemory,
    pub(super) listed: bool,
    /// How many deliveries for it may be held: one more after each success, half as many after each failure.
    pub(super) trust: usize,
    /// Whether the database holds more deliveries that are due.
    pub(super) more: bool,
    /// When a delivery for it last came in or ended.
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

    /// How many deliveries for it may be held now.
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

    /// Whether reading more of its deliveries is worth a statement: not after every single end, and not while it rests.
    pub(super) fn is_hungry(&self, now: Instant) -> bool {
        let most = self.most(now);
        self.more && most > 0 && self.queue.len() + self.flying <= most / 4 * 3
    }

    pub(super) fn adjust_trust(&mut self, good: bool, limits: &DeliveryLimits) {
        let trust = if good { self.trust + 1 } else { self.trust / 2 };
        self.trust = trust.clamp(limits.first_hand(), limits.hand_per_endpoint);
    }
}
