//! What the scheduler is given, and what it gives out.

use chrono::Duration;

use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EndpointId;

/// How much a scheduler takes.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryLimits {
    /// Most in flight.
    pub flying: usize,
    /// Most in flight for one team.
    pub per_team: usize,
    /// Most in flight to one endpoint; 1 while it fails.
    pub per_endpoint: usize,
    /// Most in hand, in flight or waiting here.
    pub hand: usize,
    /// Most in hand for one endpoint that takes what it is sent.
    pub hand_per_endpoint: usize,
}

impl DeliveryLimits {
    /// Most in hand for an endpoint of which nothing is known: one that hangs keeps no more than that from the others.
    pub fn first_hand(&self) -> usize {
        (self.per_endpoint * 8).min(self.hand_per_endpoint)
    }
}

/// What is known of an endpoint when something for it comes in.
#[derive(Debug, Clone)]
pub struct EndpointInfo {
    /// The team that it belongs to.
    pub team: TeamId,
    /// The endpoint itself.
    pub endpoint: EndpointId,
    /// The least time between two deliveries to it.
    pub spacing: Option<Duration>,
    /// Before that, its rate lets nothing go.
    pub free_at: Option<Instant>,
    /// Failures in a row.
    pub failures: i32,
    /// Rises whenever somebody acts upon the endpoint: what is known of an older revision no longer holds.
    pub revision: i64,
}

/// How much more an endpoint takes.
#[derive(Debug, Clone, Copy)]
pub struct EndpointCapacity {
    /// Which.
    pub endpoint: EndpointId,
    /// The revision for which it holds.
    pub revision: i64,
    /// How many deliveries.
    pub most: usize,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub struct AttemptEnd {
    /// The endpoint's revision as it was read for the attempt.
    pub revision: i64,
    /// Whether it arrived.
    pub good: bool,
    /// Until when the endpoint rests because of it.
    pub paused_until: Option<Instant>,
}
