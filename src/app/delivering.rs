//! Delivering webhooks: claimed in batches, sent side by side, finished in batches. A receiver that hangs
//! holds its own slots and nobody else's; no connection to the database is held while one is waited for.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Error, Gateway};
use crate::domain::retry::{AfterFailure, LONGEST_PAUSE, MAX_ATTEMPTS, after_failure};
use crate::domain::webhook::DeliveryState;
use crate::store::{Bounds, Claim, Finished};
use crate::webhook::sender::{Attempted, Outcome, Outgoing};
use crate::webhook::sign;

/// While attempts are in flight, what has become due meanwhile is looked for that often.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl Gateway {
    /// Sends everything that is due, until nothing is in flight and nothing is due. Returns how many attempts.
    /// Once `stop` is cancelled nothing more is begun, and what is in flight ends by its deadline.
    pub async fn deliver(&self, stop: &CancellationToken) -> Result<usize, Error> {
        let mut in_flight = JoinSet::new();
        let mut attempts = 0;
        loop {
            if !stop.is_cancelled() {
                attempts += self.begin_attempts(&mut in_flight).await?;
            }
            if in_flight.is_empty() {
                return Ok(attempts);
            }
            let finished = next_batch(&mut in_flight).await;
            if !finished.is_empty() {
                self.store().finish_deliveries(self.now(), &finished).await?;
            }
        }
    }

    async fn begin_attempts(&self, in_flight: &mut JoinSet<Finished>) -> Result<usize, Error> {
        let free = self.settings().webhook_slots.saturating_sub(in_flight.len());
        if free == 0 {
            return Ok(0);
        }
        let bounds = Bounds {
            slots: i64::try_from(free).unwrap_or(i64::MAX),
            per_endpoint: self.settings().webhook_slots_per_endpoint,
            lease_seconds: self.settings().delivery_lease().as_secs_f64(),
        };
        let claims = self.store().claim_deliveries(self.now(), self.uuid(), bounds).await?;
        let begun = claims.len();
        for claim in claims {
            let gateway = self.clone();
            in_flight.spawn(async move { gateway.attempt_delivery(claim).await });
        }
        Ok(begun)
    }

    /// One attempt: signed just before it is sent.
    async fn attempt_delivery(&self, claim: Claim) -> Finished {
        let signed = self.open_secret(claim.endpoint, &claim.secret).map(|secret| {
            let id = claim.event.to_string();
            sign::headers(&[secret], &id, self.now(), &claim.body)
        });
        let headers = match signed {
            Ok(headers) => headers,
            Err(error) => {
                tracing::error!(delivery = %claim.id, error = &error as &dyn std::error::Error, "a webhook cannot be signed");
                return self.finished(&claim, &unsigned());
            }
        };
        let mut all: Vec<(String, String)> =
            headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        all.push(("content-type".into(), "application/json".into()));
        let outgoing = Outgoing {
            url: claim.url.clone(),
            headers: all,
            body: claim.body.clone(),
            timeout: self.settings().webhook_timeout,
        };
        let attempted = self.parts().sender.send(outgoing).await;
        self.finished(&claim, &attempted)
    }

    fn finished(&self, claim: &Claim, attempted: &Attempted) -> Finished {
        metrics::counter!("ecg_webhook_attempts_total", "outcome" => word(attempted.outcome)).increment(1);
        metrics::histogram!("ecg_webhook_attempt_seconds").record(attempted.duration);
        let now = self.now();
        let wish = attempted.retry_after.and_then(|wish| chrono::Duration::from_std(wish).ok());
        let after = after_failure(claim.attempt, wish, self.entropy().permille());
        let (state, next_attempt_at) = match (attempted.outcome, after) {
            (Outcome::Delivered, _) => (DeliveryState::Delivered, None),
            (_, AfterFailure::Again(pause)) => (DeliveryState::Waiting, Some(now + pause)),
            (_, AfterFailure::Exhausted) => (DeliveryState::Exhausted, None),
        };
        Finished {
            id: claim.id,
            lease_token: claim.lease_token,
            outcome: word(attempted.outcome),
            state: state.number(),
            next_attempt_at,
            pause_until: wish.filter(|_| state != DeliveryState::Delivered).map(|wish| now + wish.min(LONGEST_PAUSE)),
            http_status: attempted.http_status.and_then(|status| i16::try_from(status).ok()),
            duration: chrono::Duration::from_std(attempted.duration).unwrap_or_default(),
            remote: attempted.remote,
            response: attempted.response_excerpt.clone(),
            error: attempted.error,
        }
    }

    /// Returns what dead workers held to the queue.
    pub async fn reclaim_deliveries(&self) -> Result<u64, Error> {
        Ok(self.store().reclaim_deliveries(self.now(), MAX_ATTEMPTS).await?)
    }
}

/// What has finished by now, at least one unless it takes long.
async fn next_batch(in_flight: &mut JoinSet<Finished>) -> Vec<Finished> {
    let mut finished = Vec::new();
    if let Ok(Some(ended)) = timeout(LOOK_EVERY, in_flight.join_next()).await {
        finished.extend(ended.ok());
    }
    while let Some(ended) = in_flight.try_join_next() {
        // A task that panicked keeps its lease until that runs out, and counts as an attempt.
        finished.extend(ended.ok());
    }
    finished
}

/// What cannot be signed is not sent, and tried again: the key may have been missing only here.
fn unsigned() -> Attempted {
    Attempted {
        outcome: Outcome::Failed,
        http_status: None,
        duration: Duration::ZERO,
        remote: None,
        response_excerpt: Vec::new(),
        retry_after: None,
        error: Some("not_signed"),
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Failed => "failed",
        Outcome::Gone => "gone",
        Outcome::Refused => "refused",
    }
}
