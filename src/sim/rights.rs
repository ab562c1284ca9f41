//! RAM: whoever was given a policy may do what it allows and nothing else; whoever was not may do everything.
//!
//! A policy belongs to an access key, or to a role by its name (`acs:ram::…`): what a session of the role calls is
//! judged by the role's, and the assuming by the key's. Which right an action needs and on what is `eci::ram`'s to say.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::ActionRefusal;
use super::signed::VerifiedCall;
use super::{StandInSettings, identity, roles};
use crate::domain::region::Region;
use crate::eci::Action;
use crate::eci::ram::{self, Judgement, RamPolicy, RamResource, Right};

/// What stands for the diagnosis that the cloud encodes for its own tools.
const DIAGNOSIS: &str = "c3RhbmQtaW4=";

/// Policies by whom they are of.
pub(super) type PoliciesByHolder = BTreeMap<String, RamPolicy>;

/// A policy, as the admin door takes it; none takes it away.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyGrant {
    /// An access key id, or the name of a role.
    to: String,
    #[serde(default)]
    policy: Option<RamPolicy>,
}

impl PolicyGrant {
    /// Puts it among the others, or says what is wrong with it.
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

/// Whether a verified call may be.
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

/// In which words each product refuses.
fn words(action: Action) -> (&'static str, &'static str) {
    if action == Action::AssumeRole {
        return (roles::NOT_AUTHORIZED.0, roles::NOT_AUTHORIZED.1);
    }
    ("Forbidden.RAM", "User not authorized to operate the specified resource, or this API doesn't support RAM.")
}

/// What the call is about, as policies name it.
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

/// The policies, for whoever asks the admin door.
pub(super) fn as_json(policies: &PoliciesByHolder) -> Value {
    json!(policies)
}
