//! Messages that are sent to an endpoint outside the queue: the challenge before anything else, and tests. A test is
//! sent as a delivery would be, in the endpoint's own format; a challenge has the same form for all.
//!
//! Both go to a URL that a caller chooses, so they have a rate limit of their own, and a test also respects its
//! endpoint's limits.
//!
//! A challenge proves that whoever added the URL controls it: the answer must be the challenge itself, or JSON that has
//! it as `challenge`. [`super::challenge`] repeats it if the URL's host name points elsewhere. No transaction is open
//! meanwhile.

use super::challenge::place_of;
use super::secrets::DeliverySecrets;
use crate::app::admission::{UnderWay, without_permit};
use crate::app::view::{EndpointTestView, EventBody};
use crate::app::webhooks::Webhooks;
use crate::app::webhooks::message::{RenderedMessage, render, word};
use crate::app::{Error, access};
use crate::domain::clock::Instant;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::{EndpointId, EventId};
use crate::domain::problem::Code;
use crate::domain::webhooks::endpoint::{CHALLENGE, Endpoint};
use crate::domain::webhooks::health::CAREFUL_AFTER;
use crate::store::Trial;
use crate::webhook::explain::{explain, no_echo};
use crate::webhook::network::Networks;
use crate::webhook::outcome::DeliveryOutcome;
use crate::webhook::sender::{Attempted, Outgoing};
use crate::webhook::sign::SigningKey;

const BUSY: &str = "the limit of concurrent messages to the webhook endpoint is reached";
const SLOW: &str = "the webhook endpoint's rate_per_second allows no more messages at the moment";
/// The type of a test's body.
const TEST: &str = "webhook_endpoint.test";

impl Webhooks {
    /// Sends one signed test message now, whatever is waiting and whether or not the endpoint is enabled, and returns
    /// the result. It respects the endpoint's limits and has a rate limit of its own.
    pub async fn test_webhook_endpoint(&self, caller: &Caller, id: EndpointId) -> Result<EndpointTestView, Error> {
        access::check(caller, "test_webhook_endpoint")?;
        let endpoint = self.verified_endpoint(caller, id).await?;
        self.admission.count_trial(&caller.team)?;
        let (_under_way, free_at) = self.begin_test(&endpoint).await?;
        let secrets = self.opened(caller, id).await?;
        let message = EventId::new(self.base.now(), self.base.entropy());
        let body = EventBody::of_endpoint(TEST, endpoint.clone(), self.base.now()).to_json();
        let rendered = render(endpoint.options.format, &caller.team, message, &body)?;
        let attempted = without_permit(self.send_test(&endpoint, message, secrets, rendered)).await;
        if attempted.outcome == DeliveryOutcome::Delivered {
            self.base.store().note_test_arrived(&caller.team, id, self.base.now(), free_at).await?;
            self.base.outlet().look.notify_one();
        }
        Ok(EndpointTestView::of(message.to_string(), word(attempted.outcome), &attempted))
    }

    /// Starts a test under the same limits as a delivery: it counts as running for as long as the returned value lives,
    /// and counts towards the rate.
    async fn begin_test(&self, endpoint: &Endpoint) -> Result<(UnderWay, Option<Instant>), Error> {
        let careful = endpoint.health.consecutive_failures >= CAREFUL_AFTER;
        let most = if careful { 1 } else { self.base.settings().webhook.running_per_endpoint };
        let under_way = self.admission.try_one(endpoint.id, most).ok_or_else(|| too_many(BUSY))?;
        let room = i64::try_from(most - under_way.before).unwrap_or(i64::MAX);
        match self.base.store().begin_test(&endpoint.team, endpoint.id, self.base.now(), room).await? {
            None => Err(Error::NotFound("webhook endpoint")),
            Some(Trial::Begun(free_at)) => Ok((under_way, free_at)),
            Some(Trial::Limited) => Err(too_many(SLOW)),
            Some(Trial::Busy) => Err(too_many(BUSY)),
        }
    }

    async fn send_test(
        &self,
        endpoint: &Endpoint,
        message: EventId,
        secrets: DeliverySecrets,
        rendered: RenderedMessage,
    ) -> Attempted {
        let timeout = self.webhook_timeout(endpoint.options.timeout_seconds);
        let headers = self.signed(message, (&secrets.0, secrets.1.clone()), &rendered);
        let outgoing = Outgoing { url: endpoint.url.expose().to_owned(), headers, body: rendered.body, timeout };
        self.send_verified((endpoint.id, endpoint.verified_networks.as_deref()), outgoing, || Ok(secrets)).await
    }

    /// Everything that an endpoint signs and sends with, decrypted for sending: its keys and its custom headers.
    pub(super) async fn opened(&self, caller: &Caller, id: EndpointId) -> Result<DeliverySecrets, Error> {
        let found = self.base.store().endpoint_secrets(&caller.team, id, self.base.now()).await?;
        let (secret, old, headers) = found.ok_or(Error::NotFound("webhook endpoint"))?;
        let mut keys = self.open_keys(id, &secret)?;
        if let Some(old) = old {
            keys.extend(self.open_keys(id, &old)?);
        }
        Ok((keys, self.open_headers(id, headers.as_deref())?))
    }

    /// Whether to skip the challenge; refused if the operator does not allow that.
    pub(super) fn skips_challenge(&self, asked: bool) -> Result<bool, Error> {
        if asked && !self.base.settings().webhook.allow_skip_challenge {
            let detail = "is not allowed by this gateway's operator";
            return Err(Error::Invalid(vec![FieldError::new("/skip_challenge", FieldCode::NotAllowed, detail)]));
        }
        Ok(asked)
    }

    /// Challenges an endpoint and refuses it if it does not echo. Returns the networks in which it did.
    pub(super) async fn challenge(
        &self,
        endpoint: &Endpoint,
        keys: &[SigningKey],
        own: Vec<(String, String)>,
    ) -> Result<Vec<String>, Error> {
        self.admission.count_trial(&endpoint.team)?;
        let timeout = self.webhook_timeout(endpoint.options.timeout_seconds);
        let to = (endpoint.url.expose().to_owned(), timeout);
        let (challenge, outgoing) = self.challenge_to(to, (keys, own));
        let attempted = without_permit(self.sender.send(outgoing)).await;
        if let Some(place) = place_of(&attempted, &challenge) {
            return Ok(Networks::default().with(place).texts());
        }
        let why = match (attempted.outcome, attempted.error) {
            (DeliveryOutcome::Delivered, _) => no_echo(attempted.http_status, &attempted.response_excerpt),
            (_, error) => explain(error.unwrap_or("unanswered"), attempted.http_status, attempted.redirect.as_ref()),
        };
        let detail = format!("must answer a {CHALLENGE} with its data.challenge, as text or as JSON; {why}");
        Err(Error::Invalid(vec![FieldError::new("/url", FieldCode::ChallengeFailed, detail)]))
    }
}

fn too_many(detail: &'static str) -> Error {
    Error::TooMany { code: Code::TooManyTests, detail, retry_after_seconds: 1 }
}
