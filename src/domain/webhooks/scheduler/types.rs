//! The inputs and outputs of the scheduler.

use chrono::Duration;

use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EndpointId;

/// The limits of a scheduler.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryLimits {
    /// The most deliveries in flight.
    pub flying: usize,
    /// The most deliveries in flight for one team.
    pub per_team: usize,
    /// The most deliveries in flight to one endpoint; 1 while it fails.
    pub per_endpoint: usize,
    /// The most deliveries that the scheduler holds, in flight or queued.
    pub hand: usize,
    /// The most deliveries held for one endpoint that accepts what it is sent.
    pub hand_per_endpoint: usize,
}

impl DeliveryLimits {
    /// The most deliveries held for an endpoint of which nothing is known: one that hangs blocks no more than that.
    pub fn first_hand(&self) -> usize {
        (self.per_endpoint * 8).min(self.hand_per_endpoint)
    }
}

/// What is known about an endpoint when a delivery for it comes in.
#[derive(Debug, Clone)]
pub struct EndpointInfo {
    /// The team that it belongs to.
    pub team: TeamId,
    /// The endpoint itself.
    pub endpoint: EndpointId,
    /// The shortest time between two deliveries to it.
    pub spacing: Option<Duration>,
    /// The time before which its rate allows no delivery.
    pub free_at: Option<Instant>,
    /// Failures in a row.
    pub failures: i32,
    /// Incremented whenever somebody changes the endpoint: what is known about an older revision is void.
    pub revision: i64,
}

/// How many more deliveries an endpoint may take.
#[derive(Debug, Clone, Copy)]
pub struct EndpointCapacity {
    /// The endpoint that it is for.
    pub endpoint: EndpointId,
    /// The revision that it applies to.
    pub revision: i64,
    /// The number of deliveries.
    pub most: usize,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub struct AttemptEnd {
    /// The endpoint's revision as it was read for the attempt.
    pub revision: i64,
    /// Whether the receiver accepted it.
    pub good: bool,
    /// Until when the endpoint rests because of it.
    pub paused_until: Option<Instant>,
}
