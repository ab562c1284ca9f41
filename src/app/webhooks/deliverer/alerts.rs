//! Alerts a team that one of its endpoints is failing, or was disabled.

use crate::app::Error;
use crate::app::view::EventBody;
use crate::app::webhooks::Webhooks;
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::event::EventType;
use crate::domain::ids::EventId;
use crate::domain::webhooks::endpoint::Endpoint;
use crate::domain::webhooks::health::{HealthVerdict, verdict};
use crate::store::{FailingEndpoint, NewEvent};

impl Webhooks {
    /// Does what the failures call for: nothing, a warning, or disabling the endpoint.
    pub(super) async fn tell_of_ailing(&self, ailing: &FailingEndpoint) -> Result<(), Error> {
        match verdict(&ailing.failing, self.base.now()) {
            _ if ailing.gone => self.switch_off(ailing, "gone").await,
            HealthVerdict::Disable => self.switch_off(ailing, "failing").await,
            HealthVerdict::Warn => self.warn(ailing).await,
            HealthVerdict::Wait => Ok(()),
        }
    }

    async fn warn(&self, ailing: &FailingEndpoint) -> Result<(), Error> {
        let Some(kept) = self.base.store().endpoint(&ailing.team, ailing.endpoint).await? else { return Ok(()) };
        let endpoint = self.open_endpoint(kept)?;
        let event = self.endpoint_event(EventType::EndpointFailing, ailing, endpoint);
        self.base.store().warn_of_endpoint(&ailing.team, ailing.endpoint, &event).await?;
        Ok(())
    }

    async fn switch_off(&self, ailing: &FailingEndpoint, reason: &'static str) -> Result<(), Error> {
        let Some(kept) = self.base.store().endpoint(&ailing.team, ailing.endpoint).await? else { return Ok(()) };
        let before = self.open_endpoint(kept)?;
        let version = before.version + 1;
        let off = Endpoint { enabled: false, disabled_reason: Some(reason.into()), version, ..before };
        let event = self.endpoint_event(EventType::EndpointDisabled, ailing, off);
        let entry = self.switched_off(ailing, reason);
        let off = (reason, self.base.settings().webhook.waiting_while_off);
        if self
            .base
            .store()
            .disable_endpoint(&ailing.team, (ailing.endpoint, ailing.revision), off, &event, &entry)
            .await?
        {
            tracing::info!(endpoint = %ailing.endpoint, reason, "a webhook endpoint was disabled");
        }
        Ok(())
    }

    fn endpoint_event(&self, kind: EventType, ailing: &FailingEndpoint, endpoint: Endpoint) -> NewEvent {
        let now = self.base.now();
        let body = EventBody::of_endpoint(kind.as_str(), endpoint, now);
        NewEvent {
            id: EventId::new(now, self.base.entropy()),
            kind,
            // One alert for each series of failures.
            dedupe_key: format!("{}:{}:{}", ailing.endpoint, ailing.failing.since.timestamp_micros(), kind.as_str()),
            body: body.to_json(),
            at: now,
            dispatch: self.base.dispatch(),
        }
    }

    fn switched_off(&self, ailing: &FailingEndpoint, reason: &str) -> AuditEntry {
        let actor = Actor::worker("deliverer", ailing.team.clone(), self.base.new_request_id());
        let mut entry =
            actor.entry(self.base.audit_id(), self.base.now(), "disable_webhook_endpoint", Outcome::Succeeded);
        entry.resource = Some(ailing.endpoint.to_string());
        entry.parameters.insert("reason".into(), reason.into());
        entry
    }
}
