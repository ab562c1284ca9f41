//! Webhook endpoints: where a team hears of its events.

use secrecy::ExposeSecret;

use super::cursor::{List, one_more, unreadable};
use super::input::NewEndpoint;
use super::view::EndpointView;
use super::{Call, Error, Gateway, access};
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::caller::Caller;
use crate::domain::field::Findings;
use crate::domain::filter::{Page, Slice};
use crate::domain::ids::EndpointId;
use crate::domain::webhook::{Endpoint, MAX_ENDPOINTS};
use crate::webhook::secret::SigningSecret;

const CREATE: &str = "create_webhook_endpoint";
const DELETE: &str = "delete_webhook_endpoint";

impl Gateway {
    /// Adds an endpoint. Its secret is in the answer, and never shown again.
    pub async fn create_webhook_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewEndpoint,
    ) -> Result<EndpointView, Error> {
        access::check(caller, CREATE)?;
        self.check_endpoint(&new).await?;
        let now = self.now();
        let endpoint = Endpoint {
            id: EndpointId::new(now, self.entropy()),
            team: caller.team.clone(),
            url: new.url,
            description: new.description,
            event_types: new.event_types,
            enabled: true,
            disabled_reason: None,
            created_at: now,
        };
        let secret = SigningSecret::generate(self.entropy()).text();
        let sealed =
            self.parts().sealer.seal(secret.expose_secret().as_bytes(), &secret_context(endpoint.id), self.entropy());
        let entry = self.endpoint_entry(caller, call, CREATE, endpoint.id);
        if !self.store().add_endpoint(&endpoint, &sealed, &entry).await? {
            let detail = format!("the team has {MAX_ENDPOINTS} webhook endpoints, which is the most; delete one first");
            return Err(Error::Conflict { code: "too_many_webhook_endpoints", detail });
        }
        call.set_audited();
        Ok(EndpointView { secret: Some(secret.expose_secret().to_owned()), ..endpoint.into() })
    }

    async fn check_endpoint(&self, new: &NewEndpoint) -> Result<(), Error> {
        let mut findings = Findings::default();
        let length =
            new.description.as_ref().is_none_or(|text| text.chars().count() <= 256 && !text.contains(char::is_control));
        findings.require(length, "/description", "too_long", "must be at most 256 printable characters");
        if let Err(reason) = self.parts().sender.judge(&new.url).await {
            findings.require(false, "/url", "not_allowed", reason.to_string());
        }
        Ok(findings.into_result()?)
    }

    /// The team's endpoints, newest first.
    pub async fn list_webhook_endpoints(&self, caller: &Caller, page: &Page) -> Result<Slice<EndpointView>, Error> {
        access::check(caller, "list_webhook_endpoints")?;
        let list = List::new(self, caller, "webhook_endpoints", &());
        let before = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let endpoints = self.store().endpoints(&caller.team, before, one_more(page)).await?;
        Ok(list.slice(endpoints, page, |endpoint| endpoint.id.uuid().to_string()))
    }

    /// One endpoint of the team.
    pub async fn get_webhook_endpoint(&self, caller: &Caller, id: EndpointId) -> Result<EndpointView, Error> {
        access::check(caller, "get_webhook_endpoint")?;
        let endpoint = self.store().endpoint(&caller.team, id).await?;
        endpoint.map(Into::into).ok_or(Error::NotFound("webhook endpoint"))
    }

    /// Removes an endpoint: what waits for it is cancelled.
    pub async fn delete_webhook_endpoint(&self, caller: &Caller, call: &Call, id: EndpointId) -> Result<(), Error> {
        access::check(caller, DELETE)?;
        let entry = self.endpoint_entry(caller, call, DELETE, id);
        if !self.store().remove_endpoint(&caller.team, id, &entry).await? {
            return Err(Error::NotFound("webhook endpoint"));
        }
        call.set_audited();
        Ok(())
    }

    fn endpoint_entry(&self, caller: &Caller, call: &Call, action: &str, id: EndpointId) -> AuditEntry {
        let mut entry =
            Actor::caller(caller, &call.origin).entry(self.audit_id(), self.now(), action, Outcome::Succeeded);
        entry.resource = Some(id.to_string());
        entry.duration_ms = Some(self.milliseconds_since(call));
        entry.parameters = self.asked(call);
        entry
    }

    /// An endpoint's secret, for the moment of signing.
    pub(super) fn open_secret(&self, endpoint: EndpointId, sealed: &[u8]) -> Result<SigningSecret, Error> {
        let plain = self
            .parts()
            .sealer
            .open(sealed, &secret_context(endpoint))
            .map_err(|error| Error::Internal(error.into()))?;
        let text = std::str::from_utf8(plain.expose_secret())
            .map_err(|_| Error::Internal("a sealed secret is no text".into()))?;
        SigningSecret::parse(text).map_err(|error| Error::Internal(error.into()))
    }
}

fn secret_context(endpoint: EndpointId) -> String {
    format!("webhook_secret:{endpoint}")
}
