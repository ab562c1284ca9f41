//! Deliveries in a worker's hands, as they are read and handed over.

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

/// A delivery in a worker's hands, with all that is needed to send it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which.
    pub id: DeliveryId,
    /// In whose hands: what guards its end, together with the number of the attempt.
    pub worker: Uuid,
    /// Which attempt this is, from 1; counted already.
    pub attempt: i16,
    /// Whose.
    pub team: TeamId,
    /// The event: the `webhook-id`.
    pub event: EventId,
    /// The event's body.
    pub body: String,
    /// To which endpoint.
    pub endpoint: EndpointId,
    /// What the endpoint was like.
    pub to: Destination,
}

/// An endpoint as a delivery needs it.
#[derive(Debug, Clone, FromRow)]
pub struct Destination {
    /// Its URL; counts only where there is no encrypted one.
    #[sqlx(try_from = "String")]
    pub url: EndpointUrl,
    /// Its URL, encrypted.
    pub url_sealed: Option<Vec<u8>>,
    /// The networks in which it echoed its challenge; none: it may be anywhere.
    pub verified_networks: Option<Vec<String>>,
    /// Its encrypted secret.
    pub secret: Vec<u8>,
    /// The secret before, encrypted, while it is still good.
    pub old_secret: Option<Vec<u8>>,
    /// Its own headers, encrypted.
    pub headers: Option<Vec<u8>>,
    /// Its own deadline.
    pub timeout_seconds: Option<i32>,
    /// Its own pauses between attempts.
    pub retry_schedule: Option<Vec<i32>>,
    /// Its rate.
    pub rate_per_second: Option<i32>,
    /// Whether it wants events in their order.
    pub ordered: bool,
    /// In which form it wants them: a word of `domain::endpoint::EventFormat`.
    pub format: String,
    /// Its revision: rises whenever somebody acts upon it, and with it what is remembered of it no longer holds.
    pub revision: i64,
    /// Before that, its rate lets nothing go.
    pub free_at: Option<Instant>,
    /// Failures in a row.
    pub consecutive_failures: i32,
}

/// What [`Claim`] is read from, behind a `claimed` of (id, attempts, team, event, endpoint), with `$2` as now.
pub(in crate::store) const COLUMNS: &str = "
    c.id, c.attempts, c.team, e.id AS event, e.body, c.endpoint, w.url, w.url_sealed, w.verified_networks, w.secret,
    CASE WHEN w.old_secret_until > $2 THEN w.old_secret END AS old_secret, w.headers, w.timeout_seconds,
    w.retry_schedule, w.rate_per_second, w.ordered, w.format, w.version + s.epoch AS revision, s.free_at, s.consecutive_failures";

/// Whether the endpoint whose state is `s` does not rest at $2. A rest that lies further ahead than any rest lasts was
/// written by a clock that leapt.
pub(in crate::store) const AWAKE: &str =
    "(s.paused_until IS NULL OR s.paused_until <= $2 OR s.paused_until > $2 + interval '25 hours')";

/// The forms of events that this version can make, as a list of SQL.
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
    /// To which endpoint.
    pub(in crate::store) fn endpoint(&self) -> Uuid {
        self.endpoint
    }

    /// The claim, in the hands of `worker`.
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
