//! One attempt: the body is rendered for its endpoint, signed just before it is sent, sent once, and the outcome
//! evaluated.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::app::Error;
use crate::app::webhooks::Webhooks;
use crate::app::webhooks::endpoints::DeliverySecrets;
use crate::app::webhooks::message::{render, word};
use crate::domain::webhooks::DeliveryState;
use crate::domain::webhooks::endpoint::EventFormat;
use crate::domain::webhooks::health;
use crate::domain::webhooks::retry::{AfterFailure, LONGEST_PAUSE, after_failure};
use crate::store::{Claim, Finished};
use crate::webhook::excerpt::excerpt;
use crate::webhook::outcome::DeliveryOutcome;
use crate::webhook::sender::{Attempted, Outgoing};
use crate::webhook::sign;

/// An attempt that has ended.
pub(super) struct EndedAttempt {
    /// The delivery that was sent.
    pub(super) claim: Claim,
    attempted: Attempted,
}

impl EndedAttempt {
    /// Whether it was delivered.
    pub(super) fn is_good(&self) -> bool {
        self.attempted.outcome == DeliveryOutcome::Delivered
    }
}

impl Webhooks {
    /// Makes one attempt. Whatever happens in it, it ends with an outcome.
    pub(super) async fn attempt_delivery(&self, claim: Claim) -> EndedAttempt {
        let attempted = match self.outgoing(&claim) {
            Ok(outgoing) => {
                let sending =
                    self.send_verified((claim.endpoint, claim.to.verified_networks.as_deref()), outgoing, || {
                        self.keys_of(&claim)
                    });
                let sending = AssertUnwindSafe(sending).catch_unwind();
                sending.await.unwrap_or_else(|_| unsent("broken_connection"))
            }
            Err(error) => {
                tracing::error!(delivery = %claim.id, error = &error as &dyn std::error::Error, "a webhook cannot be signed");
                unsent("not_signed")
            }
        };
        EndedAttempt { claim, attempted }
    }

    fn keys_of(&self, claim: &Claim) -> Result<DeliverySecrets, Error> {
        let to = &claim.to;
        let mut keys = self.open_keys(claim.endpoint, &to.secret)?;
        if let Some(old) = &to.old_secret {
            keys.extend(self.open_keys(claim.endpoint, old)?);
        }
        Ok((keys, self.open_headers(claim.endpoint, to.headers.as_deref())?))
    }

    fn outgoing(&self, claim: &Claim) -> Result<Outgoing, Error> {
        let to = &claim.to;
        let format = EventFormat::from_word(&to.format).unwrap_or_default();
        let rendered = render(format, &claim.team, claim.event, &claim.body)?;
        let (keys, mut headers) = self.keys_of(claim)?;
        let signed = sign::headers(&keys, &claim.event.to_string(), self.base.now(), &rendered.body);
        headers.extend(signed.into_iter().map(|(name, value)| (name.to_owned(), value)));
        headers.push(("content-type".into(), rendered.content_type.into()));
        let timeout = self.webhook_timeout(to.timeout_seconds);
        let url = self.open_url(claim.endpoint, to.url.clone(), to.url_sealed.as_deref())?.expose().to_owned();
        Ok(Outgoing { url, headers, body: rendered.body, timeout })
    }

    /// The endpoint's own timeout, or the gateway's.
    pub(in crate::app) fn webhook_timeout(&self, own: Option<i32>) -> Duration {
        let own = own.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        own.unwrap_or(self.base.settings().webhook.timeout)
    }

    /// What to record about the attempt; `failures` is how many attempts in a row failed at the endpoint before it.
    pub(super) fn finished(&self, ended: &EndedAttempt, failures: i32) -> Finished {
        let (claim, attempted) = (&ended.claim, &ended.attempted);
        metrics::counter!("ecg_webhook_attempts_total", "outcome" => word(attempted.outcome)).increment(1);
        metrics::histogram!("ecg_webhook_attempt_seconds").record(attempted.duration);
        let now = self.base.now();
        let wish = attempted.retry_after.and_then(|wish| chrono::Duration::from_std(wish).ok());
        let schedule = claim.to.retry_schedule.as_deref();
        let after = after_failure(claim.attempt, schedule, self.base.entropy().permille());
        let (state, next_attempt_at) = match (attempted.outcome, after) {
            (DeliveryOutcome::Delivered, _) => (DeliveryState::Delivered, None),
            (_, AfterFailure::Again(pause)) => (DeliveryState::Waiting, Some(now + pause)),
            (_, AfterFailure::Exhausted) => (DeliveryState::Exhausted, None),
        };
        // The pause that the receiver asks for, or the pause because it keeps failing: the longer of the two.
        let pause = wish.map(|wish| wish.min(LONGEST_PAUSE)).max(health::rest(failures.saturating_add(1)));
        Finished {
            id: claim.id,
            worker: claim.worker,
            attempt: claim.attempt,
            revision: claim.to.revision,
            outcome: word(attempted.outcome),
            state: state.number(),
            next_attempt_at,
            pause_until: pause.filter(|_| !ended.is_good()).map(|pause| now + pause),
            free_at: None,
            http_status: attempted.http_status.and_then(|status| i16::try_from(status).ok()),
            duration: chrono::Duration::from_std(attempted.duration).unwrap_or_default(),
            remote: attempted.remote,
            response: excerpt(&attempted.response_excerpt).into_bytes(),
            error: attempted.error,
        }
    }
}

/// The outcome of an attempt that could not be signed. It is tried again, because the key may be missing only here.
fn unsent(error: &'static str) -> Attempted {
    Attempted {
        outcome: DeliveryOutcome::Failed,
        http_status: None,
        duration: Duration::ZERO,
        remote: None,
        response_excerpt: Vec::new(),
        redirect: None,
        retry_after: None,
        error: Some(error),
    }
}
