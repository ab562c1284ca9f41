//! The one table of all API operations and everything that is known about each: who may call it, its priority in the
//! queue, and which headers it takes. The permission checks, the admission, the audit and the OpenAPI document read it,
//! so that nothing is derived from names.

use super::Error;
use crate::domain::identity::caller::{Caller, Scope};
use crate::domain::limits::queue::Class;

/// Everything that is known about one API operation, apart from its handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a row of the table: each is a fact of its own")]
pub struct Access {
    /// The operation id, which is also the handler's name.
    pub operation: &'static str,
    /// The scopes that allow it; any one is enough. Empty if every valid credential may call it about itself.
    pub scopes: &'static [Scope],
    /// Its class in the queue when the gateway is overloaded.
    pub class: Class,
    /// Whether it changes something (its audit entry is then part of the change).
    pub changes: bool,
    /// Whether it takes `limit` and `cursor`, and returns a page with `next_cursor` and `Link`.
    pub paged: bool,
    /// Whether it takes an `Idempotency-Key`.
    pub idempotent: bool,
    /// Whether it takes `If-Match`.
    pub if_match: bool,
    /// Whether the answer has an `ETag`. A read that has one takes `If-None-Match`.
    pub etag: bool,
    /// Whether it waits for the cloud's answer, for as long as `Prefer: wait` says.
    pub waits: bool,
}

impl Access {
    const fn new(operation: &'static str, scopes: &'static [Scope], class: Class) -> Self {
        Self {
            operation,
            scopes,
            class,
            changes: false,
            paged: false,
            idempotent: false,
            if_match: false,
            etag: false,
            waits: false,
        }
    }

    const fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }

    const fn if_match(self) -> Self {
        Self { if_match: true, ..self }
    }

    const fn etag(self) -> Self {
        Self { etag: true, ..self }
    }

    const fn waits(self) -> Self {
        Self { waits: true, ..self }
    }
}

/// An operation that reads one thing.
const fn read(operation: &'static str, scopes: &'static [Scope]) -> Access {
    Access::new(operation, scopes, Class::Read)
}

/// An operation that reads many things, one page at a time.
const fn list(operation: &'static str, scopes: &'static [Scope]) -> Access {
    Access { paged: true, ..Access::new(operation, scopes, Class::List) }
}

/// An operation that reads many things at once.
const fn bulk(operation: &'static str, scopes: &'static [Scope]) -> Access {
    Access::new(operation, scopes, Class::List)
}

/// An operation that changes something.
const fn change(operation: &'static str, scopes: &'static [Scope]) -> Access {
    Access { changes: true, ..Access::new(operation, scopes, Class::Change) }
}

const READ: &[Scope] = &[Scope::Read];
const WRITE: &[Scope] = &[Scope::Write];
const WEBHOOKS: &[Scope] = &[Scope::Webhooks];
const AUDIT: &[Scope] = &[Scope::Audit, Scope::PlatformAudit];
const KEYS: &[Scope] = &[Scope::Keys];
/// To revoke credentials: a team for its own, the platform for all.
const CONTAINMENT: &[Scope] = &[Scope::Keys, Scope::PlatformSecurity];
/// A team sees its own operations, the platform sees all.
const OPERATIONS: &[Scope] = &[Scope::Read, Scope::PlatformRead];
const PLATFORM: &[Scope] = &[Scope::PlatformRead];
const SECURITY: &[Scope] = &[Scope::PlatformSecurity];
const ACCOUNTS: &[Scope] = &[Scope::PlatformAccounts];
/// To change what applies to every team.
pub(super) const POLICY: &[Scope] = &[Scope::PlatformPolicy];

/// Every operation that needs a credential.
pub const TABLE: &[Access] = &[
    change("create_image_cache", WRITE).idempotent().etag().waits(),
    change("ensure_image_cache", WRITE).idempotent().etag().waits(),
    read("dry_run_image_cache", WRITE),
    list("list_image_caches", READ),
    read("get_image_cache", READ).etag(),
    change("update_image_cache", WRITE).if_match().etag().waits(),
    change("delete_image_cache", WRITE).if_match().etag().waits(),
    read("wait_for_image_cache", READ),
    list("list_transitions", READ),
    bulk("match_image_caches", READ),
    // The teams share the cloud account, so only the platform decides who owns a cache.
    change("adopt_image_caches", POLICY),
    list("list_found_image_caches", PLATFORM),
    read("get_provider_record", READ),
    // Returns the cloud's answer in one piece.
    read("list_usage", READ),
    read("get_operation", OPERATIONS),
    list("list_operations", OPERATIONS),
    list("list_team_costs", PLATFORM),
    list("list_events", READ),
    read("stream_events", READ),
    read("stream_image_cache_events", READ),
    read("check_gate", READ),
    change("create_webhook_endpoint", WEBHOOKS).etag(),
    list("list_webhook_endpoints", WEBHOOKS),
    read("get_webhook_endpoint", WEBHOOKS).etag(),
    change("update_webhook_endpoint", WEBHOOKS).if_match().etag(),
    change("delete_webhook_endpoint", WEBHOOKS).if_match(),
    change("verify_webhook_endpoint", WEBHOOKS).etag(),
    change("rotate_webhook_secret", WEBHOOKS).etag(),
    change("test_webhook_endpoint", WEBHOOKS),
    change("pause_webhook_endpoint", WEBHOOKS).etag(),
    change("resume_webhook_endpoint", WEBHOOKS).etag(),
    change("recover_webhook_endpoint", WEBHOOKS),
    change("replay_webhook_endpoint", WEBHOOKS),
    list("list_deliveries", WEBHOOKS),
    read("get_delivery", WEBHOOKS),
    list("list_delivery_attempts", WEBHOOKS),
    change("resend_delivery", WEBHOOKS),
    list("list_audit_entries", AUDIT),
    read("get_audit_entry", AUDIT),
    read("get_audit_proof", AUDIT),
    bulk("export_audit_entries", AUDIT),
    list("list_audit_checkpoints", AUDIT),
    read("get_audit_consistency", AUDIT),
    change("create_access_key", KEYS),
    list("list_access_keys", CONTAINMENT),
    change("rotate_access_key", KEYS),
    change("revoke_access_key", CONTAINMENT),
    change("create_api_key", KEYS),
    list("list_api_keys", CONTAINMENT),
    read("get_api_key", CONTAINMENT),
    change("rotate_api_key", KEYS),
    change("revoke_api_key", CONTAINMENT),
    change("create_revocation", CONTAINMENT),
    list("list_revocations", CONTAINMENT),
    change("delete_revocation", CONTAINMENT),
    read("get_policy", READ),
    // The platform's operations, which affect all teams.
    change("create_team", POLICY).etag(),
    list("list_teams", PLATFORM),
    read("get_team", PLATFORM).etag(),
    change("update_team", POLICY).if_match().etag(),
    read("get_team_policy", PLATFORM).etag(),
    change("put_team_policy", POLICY).if_match().etag(),
    change("delete_team_policy", POLICY).if_match(),
    read("get_default_policy", PLATFORM).etag(),
    change("put_default_policy", POLICY).if_match().etag(),
    list("list_region_profiles", PLATFORM),
    read("get_region_profile", PLATFORM).etag(),
    change("put_region_profile", POLICY).if_match().etag(),
    change("delete_region_profile", POLICY).if_match(),
    list("list_cloud_accounts", PLATFORM),
    read("get_cloud_account", PLATFORM).etag(),
    change("put_cloud_account", ACCOUNTS).if_match().etag(),
    change("update_cloud_account", ACCOUNTS).if_match().etag(),
    change("delete_cloud_account", ACCOUNTS).if_match(),
    list("list_issuers", SECURITY),
    read("get_issuer", SECURITY).etag(),
    change("put_issuer", SECURITY).if_match().etag(),
    change("delete_issuer", SECURITY).if_match(),
    read("explain_token", SECURITY),
    read("get_me", &[]),
    // Not part of the API proper; the operator's own listener serves it without a credential.
    read("metrics", PLATFORM),
];

/// Exchanging a token needs no credential: the exchanged token is itself the credential.
pub const TOKEN_EXCHANGE: &str = "exchange_token";

/// The static name of an API operation, whether or not it needs a credential.
pub fn known(operation: &str) -> Option<&'static str> {
    let named = of(operation).map(|access| access.operation);
    named.or_else(|| (operation == TOKEN_EXCHANGE).then_some(TOKEN_EXCHANGE))
}

/// The row of an operation in the table.
pub fn of(operation: &str) -> Option<&'static Access> {
    TABLE.iter().find(|access| access.operation == operation)
}

/// Refuses a caller that has none of the operation's scopes. An operation that is not in the table is always refused.
pub fn check(caller: &Caller, operation: &'static str) -> Result<(), Error> {
    match of(operation) {
        Some(Access { scopes: [], .. }) => Ok(()),
        Some(Access { scopes, .. }) if caller.may_one(scopes) => Ok(()),
        Some(Access { scopes, .. }) if caller.names_admin() => Err(Error::ForbiddenToAdmin(scopes)),
        Some(Access { scopes, .. }) => Err(Error::Forbidden(scopes)),
        None => Err(Error::Forbidden(&Scope::ALL)),
    }
}

/// Whether the platform is acting, in which case it does not matter that the caller's own team is disabled.
pub fn is_platforms(caller: &Caller, operation: &str) -> bool {
    let scopes = of(operation).map_or(&[][..], |access| access.scopes);
    let scopes = if scopes.is_empty() { &Scope::PLATFORM } else { scopes };
    scopes.iter().any(|scope| scope.is_platforms() && caller.may(*scope))
}
