//! Claimed deliveries, as they are read and dispatched.

use sqlx::FromRow;
use uuid::Uuid;

use super::StoreError;
use super::unreadable::Keyed;
use super::values::word;
use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::{DeliveryId, EndpointId, EventId};
use crate::domain::webhooks::endpoint::EventFormat;
use crate::domain::webhooks::endpoint::url::EndpointUrl;

/// A delivery that a worker has claimed, with everything needed to send it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The delivery's id.
    pub id: DeliveryId,
    /// The worker that has claimed it. Together with the attempt's number it guards the outcome.
    pub worker: Uuid,
    /// The number of this attempt, from 1; already counted.
    pub attempt: i16,
    /// The team that owns the delivery.
    pub team: TeamId,
    /// The event's id, sent as `webhook-id`.
    pub event: EventId,
    /// The event's body.
    pub body: String,
    /// The endpoint to deliver to.
    pub endpoint: EndpointId,
    /// The endpoint as it was when the delivery was claimed.
    pub to: Destination,
}

/// The data of an endpoint that a delivery needs.
#[derive(Debug, Clone, FromRow)]
pub struct Destination {
    /// Its URL; used only if there is no encrypted one.
    #[sqlx(try_from = "String")]
    pub url: EndpointUrl,
    /// Its URL, encrypted.
    pub url_sealed: Option<Vec<u8>>,
    /// The networks in which it echoed its challenge; `None` allows any network.
    pub verified_networks: Option<Vec<String>>,
    /// Its encrypted secret.
    pub secret: Vec<u8>,
    /// The previous secret, encrypted, while it still signs.
    pub old_secret: Option<Vec<u8>>,
    /// Its custom headers, encrypted.
    pub headers: Option<Vec<u8>>,
    /// Its own timeout, if set.
    pub timeout_seconds: Option<i32>,
    /// Its own pauses between attempts, in seconds, if set.
    pub retry_schedule: Option<Vec<i32>>,
    /// Its rate limit in deliveries per second, if set.
    pub rate_per_second: Option<i32>,
    /// Whether it wants events in order.
    pub ordered: bool,
    /// Its payload format: a name of `domain::webhooks::endpoint::EventFormat`.
    pub format: String,
    /// Its revision, which rises with every change by a person; what is remembered of an older revision is no longer
    /// valid.
    pub revision: i64,
    /// The time before which its rate limit allows nothing.
    pub free_at: Option<Instant>,
    /// How many attempts have failed in a row.
    pub consecutive_failures: i32,
}

/// The columns that [`Claim`] is read from, in a statement with a `claimed` of (id, attempts, team, event, endpoint)
/// and now as `$2`.
pub(in crate::store) const COLUMNS: &str = "
    c.id, c.attempts, c.team, e.id AS event, e.body, c.endpoint, w.url, w.url_sealed, w.verified_networks, w.secret,
    CASE WHEN w.old_secret_until > $2 THEN w.old_secret END AS old_secret, w.headers, w.timeout_seconds,
    w.retry_schedule, w.rate_per_second, w.ordered, w.format, w.version + s.epoch AS revision, s.free_at, s.consecutive_failures";

/// Whether the endpoint with the state `s` is not paused at $2. A pause that ends later than any pause can was written
/// by a clock that jumped.
pub(in crate::store) const AWAKE: &str =
    "(s.paused_until IS NULL OR s.paused_until <= $2 OR s.paused_until > $2 + interval '25 hours')";

/// The payload formats that this version can produce, as an SQL list.
pub(in crate::store) fn forms() -> String {
    EventFormat::ALL.map(|form| format!("'{}'", form.as_str())).join(", ")
}

/// A row of [`COLUMNS`].
#[derive(Debug, FromRow)]
pub(in crate::store) struct ClaimRow {
    id: Uuid,
    attempts: i16,
    team: String,
    event: Uuid,
    body: String,
    endpoint: Uuid,
    #[sqlx(flatten)]
    to: Destination,
}

impl Keyed for ClaimRow {
    fn key(&self) -> String {
        self.id.to_string()
    }
}

impl ClaimRow {
    /// The endpoint to deliver to.
    pub(in crate::store) fn endpoint(&self) -> Uuid {
        self.endpoint
    }

    /// The claim, held by `worker`.
    pub(in crate::store) fn of(self, worker: Uuid) -> Result<Claim, StoreError> {
        Ok(Claim {
            id: self.id.into(),
            worker,
            attempt: self.attempts,
            team: word(self.team.parse().ok(), "webhook_deliveries", "team")?,
            event: self.event.into(),
            body: self.body,
            endpoint: self.endpoint.into(),
            to: self.to,
        })
    }
}
