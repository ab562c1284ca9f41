//! RAM: an access key or role with a policy may do what the policy allows and nothing else; one without may do
//! everything.
//!
//! A policy belongs to an access key, or to a role by its name (`acs:ram::…`): calls of a role's session are checked
//! against the role's policy, `AssumeRole` against the key's. `eci::ram` knows which right an action needs on which
//! resource.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::ActionRefusal;
use super::signed::VerifiedCall;
use super::{StandInSettings, identity, roles};
use crate::domain::region::Region;
use crate::eci::Action;
use crate::eci::ram::{self, Judgement, RamPolicy, RamResource, Right};

/// A placeholder for the diagnosis that the cloud encodes for its own tools.
const DIAGNOSIS: &str = "c3RhbmQtaW4=";

/// Policies by access key id or role.
pub(super) type PoliciesByHolder = BTreeMap<String, RamPolicy>;

/// A policy in the format of the admin API; `None` removes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyGrant {
    /// An access key id or the name of a role.
    to: String,
    #[serde(default)]
    policy: Option<RamPolicy>,
}

impl PolicyGrant {
    /// Stores it, or returns why it is invalid.
    pub(super) fn put(self, policies: &mut PoliciesByHolder) -> Result<(), &'static str> {
        let Some(policy) = self.policy else {
            policies.remove(&self.to);
            return Ok(());
        };
        if !policy.has_good_version() {
            return Err("Version must be \"1\"");
        }
        policies.insert(self.to, policy);
        Ok(())
    }
}

/// Checks whether the caller may make a verified call.
pub(super) fn check(
    policies: &PoliciesByHolder,
    settings: &StandInSettings,
    (action, signed): (Action, &VerifiedCall),
    params: &[(String, String)],
) -> Result<(), ActionRefusal> {
    let whose = signed.role.as_deref().unwrap_or(&signed.access_key_id);
    let (Some(policy), Some(right)) = (policies.get(whose), Right::to(action)) else { return Ok(()) };
    let account = identity::number_of(settings, signed.borrowed());
    let kind = match policy.judge(&right.name(), &resource(right, &account, params)) {
        Judgement::Allowed => return Ok(()),
        Judgement::ImplicitDeny => "ImplicitDeny",
        Judgement::ExplicitDeny => "ExplicitDeny",
    };
    let (code, message) = words(action);
    let detail = json!({
        "AuthAction": right.name(),
        "AuthPrincipalOwnerId": account,
        "AuthPrincipalType": if signed.role.is_some() { "AssumedRoleUser" } else { "SubUser" },
        "AuthPrincipalDisplayName": "stand-in",
        "NoPermissionType": kind,
        "PolicyType": "AccountLevelIdentityBasedPolicy",
        "EncodedDiagnosticMessage": DIAGNOSIS,
    });
    Err(ActionRefusal::new(403, code, message).with_detail(detail))
}

/// The code and message with which each product refuses.
fn words(action: Action) -> (&'static str, &'static str) {
    if action == Action::AssumeRole {
        return (roles::NOT_AUTHORIZED.0, roles::NOT_AUTHORIZED.1);
    }
    ("Forbidden.RAM", "User not authorized to operate the specified resource, or this API doesn't support RAM.")
}

/// The resource of the call, in the format of policies.
fn resource(right: &Right, account: &str, params: &[(String, String)]) -> String {
    let given = |name: &str| {
        let found = params.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    match right.on {
        RamResource::Everything => "*".to_owned(),
        RamResource::Role => given("RoleArn").unwrap_or("*").to_owned(),
        RamResource::ImageCaches => {
            let region = given("RegionId").and_then(|region| region.parse::<Region>().ok());
            ram::image_caches(region.as_ref(), Some(account), given("ImageCacheId"))
        }
    }
}

/// The policies, for the admin API.
pub(super) fn as_json(policies: &PoliciesByHolder) -> Value {
    json!(policies)
}
