//! Challenges an endpoint again after its host name moved. The first challenge proved that whoever added the URL
//! controls it, but only for the network where it was then. In another network it may belong to somebody else, so it is
//! challenged there before it gets anything else.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;

use super::secrets::DeliverySecrets;
use crate::app::Error;
use crate::app::view::EventBody;
use crate::app::webhooks::Webhooks;
use crate::app::webhooks::message::RenderedMessage;
use crate::domain::ids::{EndpointId, EventId};
use crate::domain::webhooks::endpoint::CHALLENGE;
use crate::webhook::network::Networks;
use crate::webhook::outcome::{DeliveryOutcome, NOT_VERIFIED};
use crate::webhook::sender::{Attempted, Outgoing};
use crate::webhook::sign::{self, SigningKey};

impl Webhooks {
    /// Sends a message to an endpoint, within the networks in which it was verified, if it ever was. If its name now
    /// points elsewhere, that address must first echo a challenge signed with `secrets`.
    pub(in crate::app) async fn send_verified(
        &self,
        (endpoint, known): (EndpointId, Option<&[String]>),
        outgoing: Outgoing,
        secrets: impl FnOnce() -> Result<DeliverySecrets, Error> + Send,
    ) -> Attempted {
        let sender = &self.sender;
        let Some(known) = known else { return sender.send(outgoing).await };
        let attempted = sender.send_within(outgoing.clone(), Some(&Networks::read(known))).await;
        if attempted.error != Some(NOT_VERIFIED) {
            return attempted;
        }
        match self.verify_anew(endpoint, &outgoing, known, secrets).await {
            Some(networks) => sender.send_within(outgoing, Some(&networks)).await,
            None => attempted,
        }
    }

    /// Challenges the endpoint where it is now. Returns its networks if it echoed.
    async fn verify_anew(
        &self,
        endpoint: EndpointId,
        to: &Outgoing,
        known: &[String],
        secrets: impl FnOnce() -> Result<DeliverySecrets, Error> + Send,
    ) -> Option<Networks> {
        let asked = async {
            let (keys, own) = secrets()?;
            let (challenge, outgoing) = self.challenge_to((to.url.clone(), to.timeout), (&keys, own));
            let attempted = self.sender.send(outgoing).await;
            let Some(place) = place_of(&attempted, &challenge) else { return Ok(None) };
            let networks = Networks::read(known).with(place);
            self.base.store().note_networks(endpoint, known, &networks.texts()).await?;
            Ok::<_, Error>(Some(networks))
        };
        match asked.await {
            Ok(networks) => {
                tracing::info!(%endpoint, verified = networks.is_some(), "a webhook endpoint leads to a different \
                    network");
                networks
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(%endpoint, error, "could not challenge a webhook endpoint that moved");
                None
            }
        }
    }

    /// A challenge, and the message that asks for its echo.
    pub(super) fn challenge_to(
        &self,
        (url, timeout): (String, Duration),
        secrets: (&[SigningKey], Vec<(String, String)>),
    ) -> (String, Outgoing) {
        let challenge = format!("{:032x}", u128::from_le_bytes(self.base.entropy().bytes()));
        let (id, now) = (EventId::new(self.base.now(), self.base.entropy()), self.base.now());
        let body = json!({
            "id": id.to_string(), "type": CHALLENGE, "version": EventBody::VERSION, "timestamp": now,
            "data": {"challenge": challenge},
        });
        let rendered = RenderedMessage::native(body.to_string());
        let headers = self.signed(id, secrets, &rendered);
        (challenge, Outgoing { url, headers, body: rendered.body, timeout })
    }

    /// The headers of a message: the endpoint's own, the signatures, and the content type.
    pub(super) fn signed(
        &self,
        message: EventId,
        (keys, mut headers): (&[SigningKey], Vec<(String, String)>),
        rendered: &RenderedMessage,
    ) -> Vec<(String, String)> {
        let signed = sign::headers(keys, &message.to_string(), self.base.now(), &rendered.body);
        headers.extend(signed.into_iter().map(|(name, value)| (name.to_owned(), value)));
        headers.push(("content-type".into(), rendered.content_type.into()));
        headers
    }
}

/// The address that echoed the challenge, if it did.
pub(super) fn place_of(attempted: &Attempted, challenge: &str) -> Option<IpAddr> {
    let echoed = attempted.outcome == DeliveryOutcome::Delivered && echoes(&attempted.response_excerpt, challenge);
    attempted.remote.filter(|_| echoed)
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
