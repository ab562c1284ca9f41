//! Who may call what: the one table. The checks, the audit wrapper and the OpenAPI document read it.

use super::Error;
use crate::domain::caller::{Caller, Scope};
use crate::domain::limits::queue::Class;

/// What one operation of the API asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The operation id: the handler's name.
    pub operation: &'static str,
    /// The scope that it needs; none for what any valid credential may see of itself.
    pub scope: Option<Scope>,
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

const fn read(operation: &'static str, scope: Scope) -> Access {
    Access { operation, scope: Some(scope), changes: false }
}

const fn change(operation: &'static str, scope: Scope) -> Access {
    Access { operation, scope: Some(scope), changes: true }
}

/// Every operation that needs a credential.
pub const TABLE: &[Access] = &[
    change("create_image_cache", Scope::Write),
    change("ensure_image_cache", Scope::Write),
    read("dry_run_image_cache", Scope::Write),
    read("list_image_caches", Scope::Read),
    read("get_image_cache", Scope::Read),
    change("update_image_cache", Scope::Write),
    change("delete_image_cache", Scope::Write),
    read("wait_for_image_cache", Scope::Read),
    read("list_transitions", Scope::Read),
    read("match_image_caches", Scope::Read),
    // The cloud account is shared by the teams: only its admins may say whose a cache is.
    change("adopt_image_caches", Scope::Admin),
    read("list_found_image_caches", Scope::Admin),
    read("get_provider_record", Scope::Read),
    read("list_usage", Scope::Read),
    read("get_operation", Scope::Read),
    read("list_events", Scope::Read),
    read("stream_events", Scope::Read),
    read("stream_image_cache_events", Scope::Read),
    read("check_gate", Scope::Read),
    change("create_webhook_endpoint", Scope::Webhooks),
    read("list_webhook_endpoints", Scope::Webhooks),
    read("get_webhook_endpoint", Scope::Webhooks),
    change("update_webhook_endpoint", Scope::Webhooks),
    change("delete_webhook_endpoint", Scope::Webhooks),
    change("verify_webhook_endpoint", Scope::Webhooks),
    change("rotate_webhook_secret", Scope::Webhooks),
    change("test_webhook_endpoint", Scope::Webhooks),
    change("pause_webhook_endpoint", Scope::Webhooks),
    change("resume_webhook_endpoint", Scope::Webhooks),
    change("recover_webhook_endpoint", Scope::Webhooks),
    change("replay_webhook_endpoint", Scope::Webhooks),
    read("list_deliveries", Scope::Webhooks),
    read("get_delivery", Scope::Webhooks),
    read("list_delivery_attempts", Scope::Webhooks),
    change("resend_delivery", Scope::Webhooks),
    read("list_audit_entries", Scope::Audit),
    read("get_audit_entry", Scope::Audit),
    read("get_audit_proof", Scope::Audit),
    read("export_audit_entries", Scope::Audit),
    read("list_audit_checkpoints", Scope::Audit),
    read("get_audit_consistency", Scope::Audit),
    change("create_access_key", Scope::Admin),
    read("list_access_keys", Scope::Admin),
    change("rotate_access_key", Scope::Admin),
    change("revoke_access_key", Scope::Admin),
    change("create_api_key", Scope::Admin),
    read("list_api_keys", Scope::Admin),
    read("get_api_key", Scope::Admin),
    change("rotate_api_key", Scope::Admin),
    change("revoke_api_key", Scope::Admin),
    change("create_revocation", Scope::Admin),
    read("list_revocations", Scope::Admin),
    change("delete_revocation", Scope::Admin),
    read("get_policy", Scope::Read),
    // The platform's: what they say holds for every team.
    change("create_team", Scope::Admin),
    read("list_teams", Scope::Admin),
    read("get_team", Scope::Admin),
    change("update_team", Scope::Admin),
    read("get_team_policy", Scope::Admin),
    change("put_team_policy", Scope::Admin),
    change("delete_team_policy", Scope::Admin),
    read("get_default_policy", Scope::Admin),
    change("put_default_policy", Scope::Admin),
    read("list_region_profiles", Scope::Admin),
    read("get_region_profile", Scope::Admin),
    change("put_region_profile", Scope::Admin),
    change("delete_region_profile", Scope::Admin),
    read("list_cloud_accounts", Scope::Admin),
    read("get_cloud_account", Scope::Admin),
    change("put_cloud_account", Scope::Admin),
    change("delete_cloud_account", Scope::Admin),
    Access { operation: "get_me", scope: None, changes: false },
];

/// The row of an operation.
pub fn of(operation: &str) -> Option<&'static Access> {
    TABLE.iter().find(|access| access.operation == operation)
}

/// Refuses a caller that lacks the scope of `operation`. An operation that is not in the table is refused.
pub fn check(caller: &Caller, operation: &'static str) -> Result<(), Error> {
    match of(operation) {
        Some(Access { scope: None, .. }) => Ok(()),
        Some(Access { scope: Some(scope), .. }) if caller.may(*scope) => Ok(()),
        Some(Access { scope: Some(scope), .. }) => Err(Error::Forbidden(*scope)),
        None => Err(Error::Forbidden(Scope::Admin)),
    }
}
