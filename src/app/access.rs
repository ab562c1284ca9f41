//! Who may call what: the one table. The checks, the audit wrapper and the OpenAPI document read it.

use super::Error;
use crate::domain::caller::{Caller, Scope};
use crate::domain::limits::queue::Class;

/// What one operation of the API asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The operation id: the handler's name.
    pub operation: &'static str,
    /// The scopes that let somebody in: one of them is enough. None for what any valid credential may see of itself.
    pub scopes: &'static [Scope],
    /// Whether it changes something (its audit entry is then part of the change).
    pub changes: bool,
}

impl Access {
    /// How it stands in line when there is too much to do.
    pub fn class(&self) -> Class {
        let many = ["list_", "export_", "match_"].iter().any(|stem| self.operation.starts_with(stem));
        match self {
            Self { changes: true, .. } => Class::Change,
            _ if many => Class::List,
            _ => Class::Read,
        }
    }
}

const fn read(operation: &'static str, scopes: &'static [Scope]) -> Access {
    Access { operation, scopes, changes: false }
}

const fn change(operation: &'static str, scopes: &'static [Scope]) -> Access {
    Access { operation, scopes, changes: true }
}

const READ: &[Scope] = &[Scope::Read];
const WRITE: &[Scope] = &[Scope::Write];
const WEBHOOKS: &[Scope] = &[Scope::Webhooks];
const AUDIT: &[Scope] = &[Scope::Audit, Scope::PlatformAudit];
const KEYS: &[Scope] = &[Scope::Keys];
/// What withdraws credentials is the team's for its own, and the platform's for all.
const CONTAINMENT: &[Scope] = &[Scope::Keys, Scope::PlatformSecurity];
/// A team sees its own, the platform all.
const OPERATIONS: &[Scope] = &[Scope::Read, Scope::PlatformRead];
const PLATFORM: &[Scope] = &[Scope::PlatformRead];
const SECURITY: &[Scope] = &[Scope::PlatformSecurity];
const ACCOUNTS: &[Scope] = &[Scope::PlatformAccounts];
/// What changes what holds for every team.
pub(super) const POLICY: &[Scope] = &[Scope::PlatformPolicy];

/// Every operation that needs a credential.
pub const TABLE: &[Access] = &[
    change("create_image_cache", WRITE),
    change("ensure_image_cache", WRITE),
    read("dry_run_image_cache", WRITE),
    read("list_image_caches", READ),
    read("get_image_cache", READ),
    change("update_image_cache", WRITE),
    change("delete_image_cache", WRITE),
    read("wait_for_image_cache", READ),
    read("list_transitions", READ),
    read("match_image_caches", READ),
    // The cloud account is shared by the teams: only the platform says whose a cache is.
    change("adopt_image_caches", POLICY),
    read("list_found_image_caches", PLATFORM),
    read("get_provider_record", READ),
    read("list_usage", READ),
    read("get_operation", OPERATIONS),
    read("list_operations", OPERATIONS),
    read("list_team_costs", PLATFORM),
    read("list_events", READ),
    read("stream_events", READ),
    read("stream_image_cache_events", READ),
    read("check_gate", READ),
    change("create_webhook_endpoint", WEBHOOKS),
    read("list_webhook_endpoints", WEBHOOKS),
    read("get_webhook_endpoint", WEBHOOKS),
    change("update_webhook_endpoint", WEBHOOKS),
    change("delete_webhook_endpoint", WEBHOOKS),
    change("verify_webhook_endpoint", WEBHOOKS),
    change("rotate_webhook_secret", WEBHOOKS),
    change("test_webhook_endpoint", WEBHOOKS),
    change("pause_webhook_endpoint", WEBHOOKS),
    change("resume_webhook_endpoint", WEBHOOKS),
    change("recover_webhook_endpoint", WEBHOOKS),
    change("replay_webhook_endpoint", WEBHOOKS),
    read("list_deliveries", WEBHOOKS),
    read("get_delivery", WEBHOOKS),
    read("list_delivery_attempts", WEBHOOKS),
    change("resend_delivery", WEBHOOKS),
    read("list_audit_entries", AUDIT),
    read("get_audit_entry", AUDIT),
    read("get_audit_proof", AUDIT),
    read("export_audit_entries", AUDIT),
    read("list_audit_checkpoints", AUDIT),
    read("get_audit_consistency", AUDIT),
    change("create_access_key", KEYS),
    read("list_access_keys", CONTAINMENT),
    change("rotate_access_key", KEYS),
    change("revoke_access_key", CONTAINMENT),
    change("create_api_key", KEYS),
    read("list_api_keys", CONTAINMENT),
    read("get_api_key", CONTAINMENT),
    change("rotate_api_key", KEYS),
    change("revoke_api_key", CONTAINMENT),
    change("create_revocation", CONTAINMENT),
    read("list_revocations", CONTAINMENT),
    change("delete_revocation", CONTAINMENT),
    read("get_policy", READ),
    // The platform's: what they say holds for every team.
    change("create_team", POLICY),
    read("list_teams", PLATFORM),
    read("get_team", PLATFORM),
    change("update_team", POLICY),
    read("get_team_policy", PLATFORM),
    change("put_team_policy", POLICY),
    change("delete_team_policy", POLICY),
    read("get_default_policy", PLATFORM),
    change("put_default_policy", POLICY),
    read("list_region_profiles", PLATFORM),
    read("get_region_profile", PLATFORM),
    change("put_region_profile", POLICY),
    change("delete_region_profile", POLICY),
    read("list_cloud_accounts", PLATFORM),
    read("get_cloud_account", PLATFORM),
    change("put_cloud_account", ACCOUNTS),
    change("update_cloud_account", ACCOUNTS),
    change("delete_cloud_account", ACCOUNTS),
    read("list_issuers", SECURITY),
    read("get_issuer", SECURITY),
    change("put_issuer", SECURITY),
    change("delete_issuer", SECURITY),
    read("explain_token", SECURITY),
    Access { operation: "get_me", scopes: &[], changes: false },
    // Beside the API; on a listener of the operator's it is open.
    read("metrics", PLATFORM),
];

/// The exchange of a token needs none: what is exchanged is itself the credential.
pub const TOKEN_EXCHANGE: &str = "exchange_token";

/// The name of an operation of the API, whether or not it needs a credential.
pub fn known(operation: &str) -> Option<&'static str> {
    let named = of(operation).map(|access| access.operation);
    named.or_else(|| (operation == TOKEN_EXCHANGE).then_some(TOKEN_EXCHANGE))
}

/// The row of an operation.
pub fn of(operation: &str) -> Option<&'static Access> {
    TABLE.iter().find(|access| access.operation == operation)
}

/// Refuses a caller that has none of the scopes of `operation`. An operation that is not in the table is refused.
pub fn check(caller: &Caller, operation: &'static str) -> Result<(), Error> {
    match of(operation) {
        Some(Access { scopes: [], .. }) => Ok(()),
        Some(Access { scopes, .. }) if caller.may_one(scopes) => Ok(()),
        Some(Access { scopes, .. }) if caller.names_admin() => Err(Error::ForbiddenToAdmin(scopes)),
        Some(Access { scopes, .. }) => Err(Error::Forbidden(scopes)),
        None => Err(Error::Forbidden(&Scope::ALL)),
    }
}

/// Whether it is the platform that acts here: then it does not matter that the caller's own team is disabled.
pub fn is_platforms(caller: &Caller, operation: &str) -> bool {
    let scopes = of(operation).map_or(&[][..], |access| access.scopes);
    let scopes = if scopes.is_empty() { &Scope::PLATFORM } else { scopes };
    scopes.iter().any(|scope| scope.is_platforms() && caller.may(*scope))
}
