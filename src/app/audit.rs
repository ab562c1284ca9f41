//! The audit entry of a request that changed nothing: a read, or a refusal.

use super::input::Ending;
use super::{Call, Error, Gateway};
use crate::domain::audit::Actor;

impl Gateway {
    /// Writes the entry; returns when it is durable. The door answers only then.
    pub async fn audit_request(&self, actor: &Actor, call: &Call, ending: Ending) -> Result<(), Error> {
        let mut entry = actor.entry(self.audit_id(), self.now(), &ending.action, ending.outcome);
        entry.resource = ending.resource;
        entry.http_status = Some(ending.http_status);
        entry.code = ending.code;
        entry.duration_ms = Some(self.milliseconds_since(call));
        self.store().append_audit(entry).await?;
        call.set_audited();
        Ok(())
    }
}
