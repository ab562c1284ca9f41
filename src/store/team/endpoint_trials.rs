//! Messages that are sent to an endpoint outside the queue respect the same limits as those in it: its rate, and how
//! many are in flight to it.

use chrono::Duration;

use super::endpoint_changes::{Failures, end_rest};
use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EndpointId;
use crate::store::{Store, StoreError};

/// Whether a test may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// It may be sent, and counts towards the endpoint's rate. If the endpoint has a rate limit, nothing more is
    /// allowed until the given time.
    Begun(Option<Instant>),
    /// The rate limit does not allow it yet.
    Limited,
    /// As many deliveries as allowed, or more, are claimed.
    Busy,
}

impl Store {
    /// Takes one message from the endpoint's rate for a test, unless `most` deliveries or more are claimed. `None` if
    /// there is no such endpoint.
    pub async fn begin_test(
        &self,
        team: &TeamId,
        id: EndpointId,
        now: Instant,
        most: i64,
    ) -> Result<Option<Trial>, StoreError> {
        let found: Option<(Option<i32>, i64)> = sqlx::query_as(
            "SELECT w.rate_per_second,
                 (SELECT count(*) FROM webhook_deliveries d WHERE d.endpoint = w.id AND d.state = 1 AND w.rate_per_second IS NULL)
             FROM webhook_endpoints w WHERE w.team = $1 AND w.id = $2 AND NOT w.deleted",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .fetch_optional(&self.requests)
        .await?;
        match found {
            None => Ok(None),
            Some((_, in_hand)) if in_hand >= most => Ok(Some(Trial::Busy)),
            Some((None, _)) => Ok(Some(Trial::Begun(None))),
            Some((Some(rate), _)) => self.take_of_rate(id, now, rate).await.map(Some),
        }
    }

    /// What deliverers remember of the rate is then outdated, which they learn from the epoch.
    async fn take_of_rate(&self, id: EndpointId, now: Instant, rate: i32) -> Result<Trial, StoreError> {
        let free_at = now + Duration::microseconds(1_000_000 / i64::from(rate.max(1)));
        // A time further in the future than any rate allows was written by a clock that jumped.
        let done = sqlx::query(
            "UPDATE webhook_endpoint_state SET free_at = $3, epoch = epoch + 1
             WHERE endpoint = $1 AND (free_at IS NULL OR free_at <= $2 OR free_at > $2 + interval '2 seconds')",
        )
        .bind(id.uuid())
        .bind(now)
        .bind(free_at)
        .execute(&self.requests)
        .await?;
        Ok(if done.rows_affected() == 1 { Trial::Begun(Some(free_at)) } else { Trial::Limited })
    }

    /// Records that a test arrived at `now`. It is a success like any other and ends every pause, but not the wait for
    /// the rate limit.
    pub async fn note_test_arrived(
        &self,
        team: &TeamId,
        id: EndpointId,
        now: Instant,
        free_at: Option<Instant>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "UPDATE webhook_endpoint_state SET last_success_at = $3 WHERE endpoint = $2
               AND EXISTS (SELECT FROM webhook_endpoints WHERE team = $1 AND id = $2 AND NOT deleted)",
        )
        .bind(team.as_str())
        .bind(id.uuid())
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 1 {
            end_rest(&mut transaction, id, Failures::Forgotten).await?;
            sqlx::query("UPDATE webhook_endpoint_state SET free_at = $2 WHERE endpoint = $1")
                .bind(id.uuid())
                .bind(free_at)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
