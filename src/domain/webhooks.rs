//! Deliveries: events on their way to webhook endpoints ([`self::endpoint`]), and the attempts to deliver them.

use super::clock::Instant;
use super::ids::{DeliveryId, EndpointId, EventId};

pub mod endpoint;
pub mod health;
pub mod retry;
pub mod scheduler;

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Due now or later.
    Waiting,
    /// Claimed by a worker.
    Leased,
    /// The receiver accepted it.
    Delivered,
    /// Given up after the last attempt: the dead letter.
    Exhausted,
    /// Its endpoint was deleted.
    Cancelled,
}

impl DeliveryState {
    /// Every state; the index is the number in the database.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Leased, Self::Delivered, Self::Exhausted, Self::Cancelled];

    /// The word for it in REST.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Leased => "in_flight",
            Self::Delivered => "delivered",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
        }
    }

    /// The number in the database.
    pub fn number(self) -> i16 {
        match self {
            Self::Waiting => 0,
            Self::Leased => 1,
            Self::Delivered => 2,
            Self::Exhausted => 3,
            Self::Cancelled => 4,
        }
    }

    /// The state with that number.
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

/// One event on its way to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The gateway's id of the delivery.
    pub id: DeliveryId,
    /// The event; its id is the `webhook-id`.
    pub event: EventId,
    /// The event's type.
    pub event_type: String,
    /// The endpoint that it goes to.
    pub endpoint: EndpointId,
    /// Whether it waits, is being sent, or is over.
    pub state: DeliveryState,
    /// How many attempts were started.
    pub attempts: i16,
    /// When the next attempt is due, while it waits.
    pub next_attempt_at: Option<Instant>,
    /// When it ended.
    pub finished_at: Option<Instant>,
    /// When the event happened.
    pub created_at: Instant,
    /// The last attempt's HTTP status.
    pub last_http_status: Option<i16>,
    /// The general reason of the last attempt's failure.
    pub last_error: Option<String>,
}

/// One attempt at a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// The number of the attempt, from 1.
    pub number: i16,
    /// `delivered`, `failed`, `gone`, `refused` or `worker_lost`.
    pub outcome: String,
    /// The HTTP status of the answer, if there was one.
    pub http_status: Option<i16>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i32>,
    /// The beginning of the answer's body as text: at most 256 bytes, or more if an earlier version stored it.
    pub response: Option<String>,
    /// The general reason, if it failed.
    pub error: Option<String>,
    /// When it ended.
    pub at: Instant,
}
