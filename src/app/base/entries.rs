//! What every audit entry of a request records: the parameters, the duration, and the actor.

use std::collections::BTreeMap;

use crate::app::Call;
use crate::app::base::Base;
use crate::domain::audit::{Actor, AuditEntry, Outcome, parameters};
use crate::domain::identity::caller::Caller;

impl Base {
    /// The parameters of a request as its entry records them: some in clear text, the others as keyed hashes.
    pub(in crate::app) fn audit_parameters(&self, call: &Call) -> BTreeMap<String, String> {
        let fingerprint = &self.fingerprint();
        // 128 bits are enough to tell values apart, and the hash is not used for lookups.
        let hash = |bytes: &[u8]| {
            let print = fingerprint.of("audit", bytes);
            print[..16].iter().fold("hmac:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
        };
        let mut kept = parameters::recorded(&call.parameters(), hash);
        kept.extend(call.provenance().map(parameters::of_token).into_iter().flatten());
        kept.extend(call.noted());
        kept
    }

    /// Milliseconds since the request arrived.
    pub(in crate::app) fn milliseconds_since(&self, call: &Call) -> i32 {
        i32::try_from((self.now() - call.arrived_at).num_milliseconds()).unwrap_or(i32::MAX)
    }

    pub(in crate::app) fn admin_entry(&self, caller: &Caller, call: &Call, action: &str, resource: &str) -> AuditEntry {
        let actor = Actor::caller(caller, &call.origin);
        let mut entry = actor.entry(self.audit_id(), self.now(), action, Outcome::Succeeded);
        entry.resource = Some(resource.to_owned());
        entry.duration_ms = Some(self.milliseconds_since(call));
        entry.parameters = self.audit_parameters(call);
        entry
    }
}
