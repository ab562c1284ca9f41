//! The one table of all API operations and everything that is known about each: who may call it, its priority in the
//! queue, and which headers it takes. The permission checks, the admission, the audit and the OpenAPI document read it,
//! so that nothing is derived from names.

use super::Error;
use crate::domain::identity::caller::{Caller, Scope};
use crate::domain::limits::queue::Class;

/// Why a repeat of an operation does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// It reads, or it says how something is to be from then on (PUT, DELETE): an `Idempotency-Key` has no effect.
    ByNature,
    /// It takes an `Idempotency-Key` although it is a POST that changes nothing, and the key has no effect.
    Reads,
    /// It is an operation on an image cache, to which its `Idempotency-Key` belongs.
    Operation,
    /// It is one transaction, with which the response to its `Idempotency-Key` commits.
    Transaction,
    /// It is several transactions, each of which finds done what was done before; the response is kept after the last.
    Stepwise,
    /// It has its effect outside the database, before which its `Idempotency-Key` is recorded.
    Outside,
}

impl Repeats {
    /// Whether an `Idempotency-Key` makes a difference.
    pub fn takes_key(self) -> bool {
        !matches!(self, Self::ByNature | Self::Reads)
    }

    /// Whether its response is kept ([`super::idempotency`]), and not its operation.
    pub fn keeps_response(self) -> bool {
        matches!(self, Self::Transaction | Self::Stepwise | Self::Outside)
    }
}

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
    /// Why a repeat does nothing, and so what an `Idempotency-Key` does.
    pub repeats: Repeats,
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
            repeats: Repeats::ByNature,
            if_match: false,
            etag: false,
            waits: false,
        }
    }

    const fn repeats(self, repeats: Repeats) -> Self {
        Self { repeats, ..self }
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

/// An operation that reads by POST, because it has a body.
const fn ask(operation: &'static str, scopes: &'static [Scope]) -> Access {
    Access::new(operation, scopes, Class::Read).repeats(Repeats::Reads)
}

/// An operation that changes something by POST or PATCH, in one transaction.
const fn act(operation: &'static str, scopes: &'static [Scope]) -> Access {
    change(operation, scopes).repeats(Repeats::Transaction)
}

/// An operation that changes something by PUT or DELETE.
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
    change("create_image_cache", WRITE).repeats(Repeats::Operation).etag().waits(),
    change("ensure_image_cache", WRITE).repeats(Repeats::Operation).etag().waits(),
    ask("dry_run_image_cache", WRITE),
    list("list_image_caches", READ),
    read("get_image_cache", READ).etag(),
    change("update_image_cache", WRITE).repeats(Repeats::Operation).if_match().etag().waits(),
    change("delete_image_cache", WRITE).if_match().etag().waits(),
    Access { class: Class::List, ..ask("batch_get_image_caches", READ) },
    change("batch_ensure_image_caches", WRITE).repeats(Repeats::Stepwise).waits(),
    change("batch_delete_image_caches", WRITE).repeats(Repeats::Stepwise).waits(),
    read("wait_for_image_cache", READ),
    list("list_transitions", READ),
    Access { class: Class::List, ..ask("match_image_caches", READ) },
    // The teams share the cloud account, so only the platform decides who owns a cache.
    change("adopt_image_caches", POLICY).repeats(Repeats::Stepwise),
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
    act("create_webhook_endpoint", WEBHOOKS).etag(),
    list("list_webhook_endpoints", WEBHOOKS),
    read("get_webhook_endpoint", WEBHOOKS).etag(),
    act("update_webhook_endpoint", WEBHOOKS).if_match().etag(),
    change("delete_webhook_endpoint", WEBHOOKS).if_match(),
    act("verify_webhook_endpoint", WEBHOOKS).etag(),
    act("rotate_webhook_secret", WEBHOOKS).etag(),
    change("test_webhook_endpoint", WEBHOOKS).repeats(Repeats::Outside),
    act("pause_webhook_endpoint", WEBHOOKS).etag(),
    act("resume_webhook_endpoint", WEBHOOKS).etag(),
    act("recover_webhook_endpoint", WEBHOOKS),
    act("replay_webhook_endpoint", WEBHOOKS),
    list("list_deliveries", WEBHOOKS),
    read("get_delivery", WEBHOOKS),
    list("list_delivery_attempts", WEBHOOKS),
    act("resend_delivery", WEBHOOKS),
    list("list_audit_entries", AUDIT),
    read("get_audit_entry", AUDIT),
    read("get_audit_proof", AUDIT),
    bulk("export_audit_entries", AUDIT),
    list("list_audit_checkpoints", AUDIT),
    read("get_audit_consistency", AUDIT),
    act("create_access_key", KEYS),
    list("list_access_keys", CONTAINMENT),
    act("rotate_access_key", KEYS),
    change("revoke_access_key", CONTAINMENT),
    act("create_api_key", KEYS),
    list("list_api_keys", CONTAINMENT),
    read("get_api_key", CONTAINMENT),
    act("rotate_api_key", KEYS),
    change("revoke_api_key", CONTAINMENT),
    act("create_revocation", CONTAINMENT),
    list("list_revocations", CONTAINMENT),
    change("delete_revocation", CONTAINMENT),
    read("get_policy", READ),
    // The platform's operations, which affect all teams.
    act("create_team", POLICY).etag(),
    list("list_teams", PLATFORM),
    read("get_team", PLATFORM).etag(),
    act("update_team", POLICY).if_match().etag(),
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
    act("update_cloud_account", ACCOUNTS).if_match().etag(),
    change("delete_cloud_account", ACCOUNTS).if_match(),
    list("list_issuers", SECURITY),
    read("get_issuer", SECURITY).etag(),
    change("put_issuer", SECURITY).if_match().etag(),
    change("delete_issuer", SECURITY).if_match(),
    ask("explain_token", SECURITY),
    read("list_regions", READ),
    read("list_event_types", &[]),
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
