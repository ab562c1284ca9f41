//! What is sent to an endpoint outside the queue: the challenge before anything else, and tests. A test is sent as a
//! delivery would be, in the endpoint's own format; a challenge has one form for all.
//!
//! A challenge proves that whoever added the URL is heard at it: its answer must be the challenge itself, or JSON with
//! it as `challenge`. No transaction is open meanwhile.

use serde_json::json;

use crate::app::admission::aside;
use crate::app::delivering::{Rendered, render, word};
use crate::app::view::{EndpointTestView, EventBody};
use crate::app::{Error, Gateway, access};
use crate::domain::caller::Caller;
use crate::domain::endpoint::Endpoint;
use crate::domain::field::FieldError;
use crate::domain::ids::{EndpointId, EventId};
use crate::webhook::explain::{explain, no_echo};
use crate::webhook::sender::{Attempted, Outcome, Outgoing};
use crate::webhook::sign::{self, SigningKey};

/// The type of a challenge's body.
const CHALLENGE: &str = "webhook_endpoint.challenge";
/// The type of a test's body.
const TEST: &str = "webhook_endpoint.test";

impl Gateway {
    /// Sends one signed test message now, whatever waits and whether it is enabled; answers with what came back.
    pub async fn test_webhook_endpoint(&self, caller: &Caller, id: EndpointId) -> Result<EndpointTestView, Error> {
        access::check(caller, "test_webhook_endpoint")?;
        let endpoint = self.verified_endpoint(caller, id).await?;
        let (keys, headers) = self.opened(caller, id).await?;
        let message = EventId::new(self.now(), self.entropy());
        let body = EventBody::of_endpoint(TEST, endpoint.clone(), self.now()).to_json();
        let rendered = render(endpoint.options.format, &caller.team, message, &body)?;
        let attempted = self.try_endpoint(&endpoint, message, &keys, headers, rendered).await;
        if attempted.outcome == Outcome::Delivered {
            self.store().note_test_arrived(&caller.team, id, self.now()).await?;
            self.outlet().look.notify_one();
        }
        Ok(EndpointTestView::of(message.to_string(), word(attempted.outcome), &attempted))
    }

    /// Everything that an endpoint signs and sends with, for the moment of sending: its keys, its own headers.
    pub(super) async fn opened(
        &self,
        caller: &Caller,
        id: EndpointId,
    ) -> Result<(Vec<SigningKey>, Vec<(String, String)>), Error> {
        let found = self.store().endpoint_secrets(&caller.team, id, self.now()).await?;
        let (secret, old, headers) = found.ok_or(Error::NotFound("webhook endpoint"))?;
        let mut keys = self.open_keys(id, &secret)?;
        if let Some(old) = old {
            keys.extend(self.open_keys(id, &old)?);
        }
        Ok((keys, self.open_headers(id, headers.as_deref())?))
    }

    /// Whether the challenge may be left out where `asked` says so.
    pub(super) fn skips_challenge(&self, asked: bool) -> Result<bool, Error> {
        if asked && !self.settings().webhook_skip_challenge {
            let detail = "is not allowed by this gateway's operator";
            return Err(Error::Invalid(vec![FieldError::new("/skip_challenge", "not_allowed", detail)]));
        }
        Ok(asked)
    }

    /// Refuses an endpoint that does not echo a challenge.
    pub(super) async fn challenge(
        &self,
        endpoint: &Endpoint,
        keys: &[SigningKey],
        own: Vec<(String, String)>,
    ) -> Result<(), Error> {
        let challenge = u128::from_le_bytes(self.entropy().bytes());
        let challenge = format!("{challenge:032x}");
        let body = json!({"type": CHALLENGE, "timestamp": self.now(), "data": {"challenge": challenge}}).to_string();
        let message = EventId::new(self.now(), self.entropy());
        let attempted = self.try_endpoint(endpoint, message, keys, own, Rendered::native(body)).await;
        let why = match (attempted.outcome, attempted.error) {
            (Outcome::Delivered, _) if echoes(&attempted.response_excerpt, &challenge) => return Ok(()),
            (Outcome::Delivered, _) => no_echo(attempted.http_status, &attempted.response_excerpt),
            (_, error) => explain(error.unwrap_or("unanswered"), attempted.http_status, attempted.redirect.as_ref()),
        };
        let detail = format!("must answer a {CHALLENGE} with its data.challenge, as text or as JSON; {why}");
        Err(Error::Invalid(vec![FieldError::new("/url", "challenge_failed", detail)]))
    }

    async fn try_endpoint(
        &self,
        endpoint: &Endpoint,
        message: EventId,
        keys: &[SigningKey],
        mut headers: Vec<(String, String)>,
        rendered: Rendered,
    ) -> Attempted {
        let Rendered { content_type, body } = rendered;
        let signed = sign::headers(keys, &message.to_string(), self.now(), &body);
        headers.extend(signed.into_iter().map(|(name, value)| (name.to_owned(), value)));
        headers.push(("content-type".into(), content_type.into()));
        let timeout = self.webhook_timeout(endpoint.options.timeout_seconds);
        let outgoing = Outgoing { url: endpoint.url.clone(), headers, body, timeout };
        aside(self.parts().sender.send(outgoing)).await
    }
}

/// Whether an answer is the challenge, or JSON that has it as `challenge`.
fn echoes(answer: &[u8], challenge: &str) -> bool {
    let text = String::from_utf8_lossy(answer);
    let json = serde_json::from_slice::<serde_json::Value>(answer).unwrap_or_default();
    text.trim() == challenge || json.as_str() == Some(challenge) || json["challenge"] == challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_challenge_itself_is_an_echo() {
        for good in ["abc", " abc\n", "\"abc\"", r#"{"challenge": "abc"}"#] {
            assert!(echoes(good.as_bytes(), "abc"), "{good}");
        }
        for bad in ["", "ab", "abcd", r#"{"data":{"challenge":"abc"}}"#, r#"["abc"]"#, "hello abc"] {
            assert!(!echoes(bad.as_bytes(), "abc"), "{bad}");
        }
    }
}
