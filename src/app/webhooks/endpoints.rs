//! Webhook endpoints, where a team receives its events. They are created, read and deleted here; [`changes`] has the
//! other changes, [`trials`] the messages that are sent outside the queue, [`secrets`] what is stored encrypted.

mod challenge;
mod changes;
mod secrets;
mod trials;
mod urls;

pub(in crate::app) use secrets::DeliverySecrets;
use secrets::SigningKeys;
pub(in crate::app) use urls::seal_all;

use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::input::NewEndpoint;
use crate::app::precondition::Precondition;
use crate::app::view::EndpointView;
use crate::app::webhooks::Webhooks;
use crate::app::{Call, Error, access};
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::field::{FieldCode, Findings};
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::caller::{Caller, Scope};
use crate::domain::ids::EndpointId;
use crate::domain::problem::Code;
use crate::domain::webhooks::endpoint::{Endpoint, EndpointHealth, PENDING, is_text};
use crate::store::EndpointSecrets;

const CREATE: &str = "create_webhook_endpoint";
const DELETE: &str = "delete_webhook_endpoint";

impl Webhooks {
    /// Creates an endpoint after it has echoed a challenge, or as one that will do so later. Its secret is in the
    /// answer and is never shown again.
    pub async fn create_webhook_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewEndpoint,
    ) -> Result<EndpointView, Error> {
        access::check(caller, CREATE)?;
        self.check_endpoint(caller, &new).await?;
        let keys = SigningKeys::of(new.secret.as_ref(), self.base.entropy(), new.ed25519)?;
        let mut endpoint = self.endpoint_of(caller, &new, &keys);
        if !self.skips_challenge(new.skip_challenge)? && !endpoint.is_pending() {
            let own = secrets::plain(&new.headers);
            endpoint.verified_networks = Some(self.challenge(&endpoint, &keys.signing(), own).await?);
        }
        let secrets = EndpointSecrets {
            secret: self.seal_keys(endpoint.id, &keys),
            headers: (!new.headers.is_empty()).then(|| self.seal_headers(endpoint.id, &new.headers)),
            url: self.seal_url(endpoint.id, &endpoint.url),
        };
        let entry = self.endpoint_entry(caller, call, CREATE, &endpoint.id);
        let most = self.base.settings().webhook.endpoints_per_team;
        if !self.base.store().add_endpoint(&endpoint, &secrets, most, &entry).await? {
            let detail = format!("the team has reached its limit of {most} webhook endpoints; delete one first");
            return Err(Error::Conflict { code: Code::TooManyWebhookEndpoints, detail });
        }
        call.set_audited();
        let secret = Some((&keys.hmac.text()).into());
        Ok(EndpointView { secret, ..endpoint.into() })
    }

    fn endpoint_of(&self, caller: &Caller, new: &NewEndpoint, keys: &SigningKeys) -> Endpoint {
        let now = self.base.now();
        Endpoint {
            id: EndpointId::new(now, self.base.entropy()),
            team: caller.team.clone(),
            url: new.url.as_str().into(),
            description: new.description.clone(),
            options: new.options.clone(),
            header_names: new.headers.keys().cloned().collect(),
            verified_networks: None,
            public_key: keys.public_key(),
            old_secret_until: None,
            enabled: !new.verify_later,
            disabled_reason: new.verify_later.then(|| PENDING.to_owned()),
            health: EndpointHealth::default(),
            created_at: now,
            version: 1,
            platform: caller.may(Scope::PlatformSecurity),
        }
    }

    async fn check_endpoint(&self, caller: &Caller, new: &NewEndpoint) -> Result<(), Error> {
        let mut findings = Findings::default();
        let length = new.description.as_ref().is_none_or(|text| is_text(text, 256));
        findings.require(length, "/description", FieldCode::TooLong, "must be at most 256 printable characters");
        new.options.check(&mut findings);
        new.options.check_types(caller.may(Scope::PlatformSecurity), &mut findings);
        secrets::check_headers(&new.headers, &mut findings);
        let once = !(new.verify_later && new.skip_challenge);
        findings.require(
            once,
            "/verify_later",
            FieldCode::NotAllowed,
            "must not be combined with skip_challenge, which \
                                leaves nothing to verify",
        );
        if let Err(reason) = self.sender.judge(&new.url).await {
            findings.require(false, "/url", FieldCode::NotAllowed, reason.to_string());
        }
        Ok(findings.into_result()?)
    }

    /// The team's endpoints, newest first.
    pub async fn list_webhook_endpoints(&self, caller: &Caller, page: &Page) -> Result<Slice<EndpointView>, Error> {
        access::check(caller, "list_webhook_endpoints")?;
        let list = CursorList::new(&self.base, caller, "webhook_endpoints", &());
        let before = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let kept = self.base.store().endpoints(&caller.team, before, one_more(page)).await?;
        let endpoints = kept.into_iter().map(|kept| self.open_endpoint(kept)).collect::<Result<Vec<_>, _>>()?;
        Ok(list.slice(endpoints, page, |endpoint| endpoint.id.uuid().to_string()))
    }

    /// One endpoint of the team.
    pub async fn get_webhook_endpoint(&self, caller: &Caller, id: EndpointId) -> Result<EndpointView, Error> {
        access::check(caller, "get_webhook_endpoint")?;
        self.own_endpoint(caller, id).await.map(Into::into)
    }

    /// An endpoint of the caller's team.
    pub(in crate::app) async fn own_endpoint(&self, caller: &Caller, id: EndpointId) -> Result<Endpoint, Error> {
        let kept = self.base.store().endpoint(&caller.team, id).await?.ok_or(Error::NotFound("webhook endpoint"))?;
        self.open_endpoint(kept)
    }

    /// An endpoint of the caller's team that has echoed its challenge.
    pub(in crate::app) async fn verified_endpoint(&self, caller: &Caller, id: EndpointId) -> Result<Endpoint, Error> {
        let endpoint = self.own_endpoint(caller, id).await?;
        if endpoint.is_pending() {
            let detail = "the webhook endpoint has not answered its challenge yet: POST …/verify first".to_owned();
            return Err(Error::Conflict { code: Code::WebhookEndpointPending, detail });
        }
        Ok(endpoint)
    }

    /// Deletes an endpoint and cancels the deliveries that wait for it.
    pub async fn delete_webhook_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        id: EndpointId,
        precondition: &Precondition,
    ) -> Result<(), Error> {
        access::check(caller, DELETE)?;
        let version = self.own_endpoint(caller, id).await?.version;
        precondition.check(version)?;
        let entry = self.endpoint_entry(caller, call, DELETE, &id);
        let condition = precondition.matching.is_some().then_some(version);
        if !self.base.store().remove_endpoint(&caller.team, id, condition, &entry).await? {
            return Err(self.changed_meanwhile(caller, id).await);
        }
        call.set_audited();
        Ok(())
    }

    /// The audit entry for a change of an endpoint or of one of its deliveries.
    pub(in crate::app) fn endpoint_entry(
        &self,
        caller: &Caller,
        call: &Call,
        action: &str,
        id: &impl ToString,
    ) -> AuditEntry {
        let mut entry = Actor::caller(caller, &call.origin).entry(
            self.base.audit_id(),
            self.base.now(),
            action,
            Outcome::Succeeded,
        );
        entry.resource = Some(id.to_string());
        entry.duration_ms = Some(self.base.milliseconds_since(call));
        entry.parameters = self.base.audit_parameters(call);
        entry
    }
}
