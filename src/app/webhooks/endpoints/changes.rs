//! Changes of an existing endpoint: update, verify, pause, resume, rotate the secret.

use chrono::Duration;
use secrecy::SecretString;

use super::{SigningKeys, secrets};
use crate::app::input::EndpointChanges;
use crate::app::precondition::Precondition;
use crate::app::view::EndpointView;
use crate::app::webhooks::Webhooks;
use crate::app::{Call, Error, access};
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::identity::caller::{Caller, Scope};
use crate::domain::ids::EndpointId;
use crate::domain::problem::Code;
use crate::domain::webhooks::endpoint::{Endpoint, is_text};
use crate::store::{Enabling, EndpointWrite};
use crate::webhook::ed25519::Ed25519Key;

const UPDATE: &str = "update_webhook_endpoint";
const VERIFY: &str = "verify_webhook_endpoint";
const ROTATE: &str = "rotate_webhook_secret";
/// The longest time that an old secret may sign beside the new one.
const LONGEST_OVERLAP_HOURS: i32 = 7 * 24;

impl Webhooks {
    /// Applies the given changes. A new URL must echo a challenge.
    pub async fn update_webhook_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        id: EndpointId,
        changes: EndpointChanges,
        precondition: &Precondition,
    ) -> Result<EndpointView, Error> {
        access::check(caller, UPDATE)?;
        let before = self.own_endpoint(caller, id).await?;
        precondition.check(before.version)?;
        let mut endpoint = changed(before.clone(), &changes);
        let moved = endpoint.url != before.url;
        if moved {
            endpoint.verified_networks = None;
        }
        if moved && changes.headers.is_none() && !endpoint.header_names.is_empty() {
            // A caller who knows the header values may send them to another URL; one who only sees the endpoint may
            // not.
            let error = FieldError::new("/headers", FieldCode::Required, "must be given again when the URL changes");
            return Err(Error::Invalid(vec![error]));
        }
        endpoint.platform &= caller.may(Scope::PlatformSecurity);
        self.check_changes(&before, &endpoint, &changes).await?;
        let sealed = self.base.store().endpoint_secrets(&caller.team, id, self.base.now()).await?;
        let (sealed, _, _) = sealed.ok_or(Error::NotFound("webhook endpoint"))?;
        let mut keys = self.read_keys(id, &sealed)?;
        let other_keys = changes.ed25519.is_some_and(|wanted| wanted != keys.ed25519.is_some());
        if other_keys {
            keys.ed25519 = keys.ed25519.is_none().then(|| Ed25519Key::generate(self.base.entropy()));
            endpoint.public_key = keys.public_key();
        }
        // A pending endpoint is challenged when it is verified.
        if moved && !self.skips_challenge(changes.skip_challenge)? && !endpoint.is_pending() {
            let headers = secrets::plain(&changes.headers.clone().unwrap_or_default());
            endpoint.verified_networks = Some(self.challenge(&endpoint, &keys.signing(), headers).await?);
        }
        let headers = changes
            .headers
            .as_ref()
            .map(|headers| if headers.is_empty() { Vec::new() } else { self.seal_headers(id, headers) });
        let secret = other_keys.then(|| self.seal_keys(id, &keys));
        let moved = moved.then(|| self.seal_url(id, &endpoint.url));
        self.write_endpoint(caller, call, UPDATE, EndpointWrite { endpoint, headers, secret, rotate: false, moved })
            .await
    }

    /// Challenges an endpoint that was created to be verified later; from then on it receives events. An endpoint that
    /// is already verified stays as it is.
    pub async fn verify_webhook_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        id: EndpointId,
    ) -> Result<EndpointView, Error> {
        access::check(caller, VERIFY)?;
        let mut endpoint = self.own_endpoint(caller, id).await?;
        if !endpoint.is_pending() {
            return Ok(endpoint.into());
        }
        let (keys, headers) = self.opened(caller, id).await?;
        endpoint.verified_networks = Some(self.challenge(&endpoint, &keys, headers).await?);
        let entry = self.endpoint_entry(caller, call, VERIFY, &id);
        if !self.base.store().verify_endpoint(&endpoint, &entry).await? {
            return Err(self.changed_meanwhile(caller, id).await);
        }
        call.set_audited();
        self.own_endpoint(caller, id).await.map(Into::into)
    }

    /// Generates a new secret, or uses the given one. The old one signs beside it for `keep_old_hours` (0 to 168).
    pub async fn rotate_webhook_secret(
        &self,
        caller: &Caller,
        call: &Call,
        id: EndpointId,
        keep_old_hours: i32,
        secret: Option<SecretString>,
    ) -> Result<EndpointView, Error> {
        access::check(caller, ROTATE)?;
        if !(0..=LONGEST_OVERLAP_HOURS).contains(&keep_old_hours) {
            let error = FieldError::new("/keep_old_hours", FieldCode::OutOfRange, "must be 0 to 168");
            return Err(Error::Invalid(vec![error]));
        }
        let mut endpoint = self.own_endpoint(caller, id).await?;
        let keys = SigningKeys::of(secret.as_ref(), self.base.entropy(), endpoint.public_key.is_some())?;
        endpoint.public_key = keys.public_key();
        endpoint.platform &= caller.may(Scope::PlatformSecurity);
        endpoint.old_secret_until = Some(self.base.now() + Duration::hours(keep_old_hours.into()));
        let secret = Some(self.seal_keys(id, &keys));
        let write = EndpointWrite { endpoint, headers: None, secret, rotate: true, moved: None };
        let view = self.write_endpoint(caller, call, ROTATE, write).await?;
        Ok(EndpointView { secret: Some((&keys.hmac.text()).into()), ..view })
    }

    /// Stops sending to it until [`Webhooks::resume_webhook_endpoint`]. Events wait in the meantime, up to a limit.
    pub async fn pause_webhook_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        id: EndpointId,
    ) -> Result<EndpointView, Error> {
        let off = Enabling::Off { most_waiting: self.base.settings().webhook.waiting_while_off };
        self.enable_endpoint(caller, call, id, "pause_webhook_endpoint", off).await
    }

    /// Sends it everything that waits, as if it had never failed.
    pub async fn resume_webhook_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        id: EndpointId,
    ) -> Result<EndpointView, Error> {
        self.enable_endpoint(caller, call, id, "resume_webhook_endpoint", Enabling::On).await
    }

    async fn enable_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        id: EndpointId,
        action: &'static str,
        enabling: Enabling,
    ) -> Result<EndpointView, Error> {
        access::check(caller, action)?;
        self.verified_endpoint(caller, id).await?;
        let entry = self.endpoint_entry(caller, call, action, &id);
        if !self.base.store().enable_endpoint(&caller.team, id, enabling, &entry).await? {
            return Err(Error::NotFound("webhook endpoint"));
        }
        call.set_audited();
        self.base.outlet().look.notify_one();
        self.own_endpoint(caller, id).await.map(Into::into)
    }

    async fn check_changes(
        &self,
        before: &Endpoint,
        endpoint: &Endpoint,
        changes: &EndpointChanges,
    ) -> Result<(), Error> {
        let mut findings = Findings::default();
        if before.platform || changes.event_types.is_some() {
            endpoint.options.check_types(endpoint.platform, &mut findings);
        }
        let length = endpoint.description.as_ref().is_none_or(|text| is_text(text, 256));
        findings.require(length, "/description", FieldCode::TooLong, "must be at most 256 printable characters");
        endpoint.options.check(&mut findings);
        if let Some(headers) = &changes.headers {
            secrets::check_headers(headers, &mut findings);
        }
        if let Some(url) = &changes.url
            && let Err(reason) = self.sender.judge(url).await
        {
            findings.require(false, "/url", FieldCode::NotAllowed, reason.to_string());
        }
        Ok(findings.into_result()?)
    }

    async fn write_endpoint(
        &self,
        caller: &Caller,
        call: &Call,
        action: &'static str,
        write: EndpointWrite,
    ) -> Result<EndpointView, Error> {
        let id = write.endpoint.id;
        let entry = self.endpoint_entry(caller, call, action, &id);
        if !self.base.store().change_endpoint(&write, &entry).await? {
            return Err(self.changed_meanwhile(caller, id).await);
        }
        call.set_audited();
        self.base.outlet().look.notify_one();
        self.own_endpoint(caller, id).await.map(Into::into)
    }

    /// The error if the endpoint was deleted, or somebody else changed it in the meantime.
    pub(super) async fn changed_meanwhile(&self, caller: &Caller, id: EndpointId) -> Error {
        if let Err(gone) = self.own_endpoint(caller, id).await {
            return gone;
        }
        let detail = "the webhook endpoint was changed by another request at the same time".to_owned();
        Error::Conflict { code: Code::WebhookEndpointChanged, detail }
    }
}

/// The endpoint with the changes applied, including the values that mean "none".
fn changed(mut endpoint: Endpoint, changes: &EndpointChanges) -> Endpoint {
    let changes = changes.clone();
    let text =
        |new: Option<String>, old: Option<String>| new.map_or(old, |text| Some(text).filter(|text| !text.is_empty()));
    let number =
        |new: Option<i32>, old: Option<i32>| new.map_or(old, |number| Some(number).filter(|number| *number != 0));
    endpoint.url = changes.url.map_or(endpoint.url, Into::into);
    endpoint.description = text(changes.description, endpoint.description);
    if let Some(headers) = changes.headers {
        endpoint.header_names = headers.into_keys().collect();
    }
    let mut options = endpoint.options;
    options.event_types = changes.event_types.unwrap_or(options.event_types);
    options.name_pattern = text(changes.name_pattern, options.name_pattern);
    options.tags = changes.tags.unwrap_or(options.tags);
    options.rate_per_second = number(changes.rate_per_second, options.rate_per_second);
    options.ordered = changes.ordered.unwrap_or(options.ordered);
    options.format = changes.format.unwrap_or(options.format);
    options.timeout_seconds = number(changes.timeout_seconds, options.timeout_seconds);
    if let Some(schedule) = changes.retry_schedule {
        options.retry_schedule = Some(schedule).filter(|pauses| !pauses.is_empty());
    }
    Endpoint { options, ..endpoint }
}
