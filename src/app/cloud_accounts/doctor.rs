//! Checks, for `doctor cloud`, which rights the gateway needs at the cloud for each account, and whether it has them.
//!
//! What must stay true: it creates, changes and removes nothing at the cloud; reports contain no secrets and no access
//! key ids; a right that cannot be checked without a side effect is reported as unknown.
//!
//! The command line calls it, and turns the reports into text (`cli::doctor`).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::app::Error;
use crate::app::cloud_accounts::CloudAccounts;
use crate::domain::explain::{is_of_key, is_of_rights};
use crate::domain::failure::CallError;
use crate::domain::region::Region;
use crate::eci::Client;
use crate::eci::ram::{RIGHTS, RamPolicy, RamResource, Right, account_of, image_caches};

mod identity;

pub use identity::{KeyIdentity, KeyVerdict};

/// The region used to check an account that may be used in every region.
const ANYWHERE: &str = "cn-hangzhou";

/// What cannot be checked without a side effect.
pub const NOT_CHECKED: [&str; 3] = [
    "whether a create may use the vSwitch, the security group, the EIP, the resource group or the registry instance that \
     it names: the first one shows it",
    "ram:CreateServiceLinkedRole: the first create in an account makes the role AliyunServiceRoleForECI, which an \
     administrator does once and for all; without it, CreateServiceLinkedRole.Denied",
    "a condition in a policy (a tag, a resource group): lists may then lack image caches without a word, and the gateway \
     takes them for missing",
];

/// What one account needs, and the result of each check.
#[derive(Debug, Clone, Serialize)]
pub struct AccountReport {
    /// The account's name in the gateway.
    pub account: String,
    /// The role that its access key assumes, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Why nothing can be sent with the account, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
    /// The owner of its access key at the cloud; `None` if that was not checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<KeyIdentity>,
    /// The policies that the account needs, and what to attach each one to.
    pub policies: Vec<NeededPolicy>,
    /// The results by region and right; empty if nothing was checked.
    pub checks: Vec<RightCheck>,
}

/// A RAM policy and what to attach it to.
#[derive(Debug, Clone, Serialize)]
pub struct NeededPolicy {
    /// What to attach it to, in words.
    pub attach_to: String,
    /// The policy document in RAM's format.
    pub document: RamPolicy,
}

/// The result of checking one right.
#[derive(Debug, Clone, Serialize)]
pub struct RightCheck {
    /// The region that was checked; `None` if the right does not depend on a region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The right, such as `eci:DeleteImageCache`.
    pub right: String,
    /// What the gateway needs it for.
    pub need: &'static str,
    /// The result of the check.
    pub verdict: RightVerdict,
    /// The cloud's error code, if it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The cloud's RequestId, if it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Anything else that is known, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What the cloud's answer says about a right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RightVerdict {
    /// The call succeeded.
    Allowed,
    /// A call that can have no effect was refused for a reason other than missing rights. The right is there, provided
    /// that the cloud checks rights first.
    NotRefused,
    /// The right is missing.
    Missing,
    /// The cloud does not accept the key, or could not be reached.
    Unknown,
}

impl CloudAccounts {
    /// Reports what every account needs, starting with the account from the settings. With `ask`, also checks the
    /// rights: in `regions`, or, if that is empty, in the regions of the settings and of the account. The second value
    /// says why the accounts in the database could not be read, if they could not.
    pub async fn examine_cloud(&self, regions: &[Region], ask: bool) -> (Vec<AccountReport>, Option<Error>) {
        let (settings, own) = (self.base.settings(), &self.client);
        let mut reports = vec![self.examine(&settings.account, Ok(own), &settings.regions, (regions, ask)).await];
        let added = match self.added_accounts(None).await {
            Ok(added) => added,
            Err(error) => return (reports, Some(error)),
        };
        for (name, known) in added.iter().filter(|(name, _)| **name != settings.account) {
            let own = &known.account().regions;
            let theirs = if own.is_empty() { &settings.regions } else { own };
            reports.push(self.examine(name, known.client(), theirs, (regions, ask)).await);
        }
        (reports, None)
    }

    async fn examine(
        &self,
        name: &str,
        client: Result<&Client, String>,
        allowed: &[Region],
        (asked, ask): (&[Region], bool),
    ) -> AccountReport {
        let client = match client {
            Ok(client) => client,
            Err(why) => return unusable(name, why),
        };
        let role = client.identity().1.map(|(arn, _)| arn.to_owned());
        let policies = policies(role.as_deref(), allowed);
        let mut report = AccountReport { role, policies, ..AccountReport::of(name) };
        if ask {
            let anywhere = || ANYWHERE.parse().ok();
            let regions = if asked.is_empty() { allowed } else { asked };
            let regions: Vec<Region> = if regions.is_empty() { Vec::from_iter(anywhere()) } else { regions.to_vec() };
            report.identity = Some(self.identity_of(name, client).await);
            report.checks = checks(client, report.role.is_some(), &regions).await;
        }
        report
    }
}

impl AccountReport {
    /// An empty report.
    fn of(name: &str) -> Self {
        let (policies, checks) = (Vec::new(), Vec::new());
        Self { account: name.to_owned(), role: None, unusable: None, identity: None, policies, checks }
    }

    /// Whether the account has everything that it needs, as far as that can be checked.
    pub fn is_fine(&self) -> bool {
        let good = |check: &RightCheck| [RightVerdict::Allowed, RightVerdict::NotRefused].contains(&check.verdict);
        let foreign = self.identity.as_ref().is_some_and(|identity| identity.verdict == KeyVerdict::Foreign);
        self.unusable.is_none() && !foreign && self.checks.iter().all(good)
    }
}

fn unusable(name: &str, why: String) -> AccountReport {
    AccountReport { unusable: Some(why), ..AccountReport::of(name) }
}

/// The policies that an account needs: one for the identity that makes the calls and, if that is a role, one for the
/// access key that assumes it.
fn policies(role: Option<&str>, regions: &[Region]) -> Vec<NeededPolicy> {
    let Some(role) = role else {
        return vec![NeededPolicy {
            attach_to: "the RAM user of the access key".to_owned(),
            document: calls(None, regions),
        }];
    };
    let assuming = RIGHTS.iter().filter(|right| right.on == RamResource::Role).map(Right::name).collect();
    vec![
        NeededPolicy {
            attach_to: "the RAM user of the access key".to_owned(),
            document: RamPolicy::allowing([(assuming, vec![role.to_owned()])]),
        },
        NeededPolicy { attach_to: format!("the role {role}"), document: calls(account_of(role), regions) },
    ]
}

/// One statement per resource: a statement per action would repeat the same resources, and RAM limits the length of a
/// policy.
fn calls(account: Option<&str>, regions: &[Region]) -> RamPolicy {
    let caches: Vec<String> = if regions.is_empty() {
        vec![image_caches(None, account, None)]
    } else {
        regions.iter().map(|region| image_caches(Some(region), account, None)).collect()
    };
    let mut by_resource: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for right in RIGHTS.iter().filter(|right| right.on != RamResource::Role) {
        let on = if right.on == RamResource::Everything { vec!["*".to_owned()] } else { caches.clone() };
        by_resource.entry(on).or_default().push(right.name());
    }
    // List image caches before the wildcard.
    RamPolicy::allowing(by_resource.into_iter().rev().map(|(resources, actions)| (actions, resources)))
}

async fn checks(client: &Client, has_role: bool, regions: &[Region]) -> Vec<RightCheck> {
    let mut checks = Vec::new();
    if has_role {
        let assuming = RIGHTS.iter().filter(|right| right.on == RamResource::Role);
        for (right, region) in assuming.zip(regions) {
            checks.push(RightCheck { region: None, ..check(client, right, region).await });
        }
        // Without the role's credentials, all other checks would give the same answer.
        if checks.iter().any(|check| check.verdict != RightVerdict::Allowed) {
            return checks;
        }
    }
    for region in regions {
        for right in RIGHTS.iter().filter(|right| right.on != RamResource::Role) {
            checks.push(check(client, right, region).await);
        }
    }
    checks
}

async fn check(client: &Client, right: &Right, region: &Region) -> RightCheck {
    let answered = client.probe(right, region).await;
    let refused = answered.as_ref().err().and_then(CallError::cloud_error);
    let (verdict, detail) = judge(&answered);
    RightCheck {
        region: Some(region.to_string()),
        right: right.name(),
        need: right.need,
        verdict,
        code: refused.map(|error| error.code.clone()),
        request_id: refused.and_then(|error| error.request_id.clone()),
        detail,
    }
}

/// What an answer says about the right, and any detail to add.
fn judge(answered: &Result<(), CallError>) -> (RightVerdict, Option<String>) {
    match answered {
        Ok(()) => (RightVerdict::Allowed, None),
        Err(CallError::Refused(error)) if is_of_rights(&error.code) => {
            let denied = error.denied.as_ref().map(|denied| {
                let words = [denied.right.as_str(), denied.kind.as_str(), denied.policy.as_str()];
                words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ")
            });
            // Some services say only who was refused.
            (RightVerdict::Missing, denied.filter(|denied| !denied.is_empty()))
        }
        Err(CallError::Refused(error)) if is_of_key(&error.code) => (
            RightVerdict::Unknown,
            Some(
                "the cloud does not accept the access key: its id or its secret is wrong, or it was \
                 disabled"
                    .to_owned(),
            ),
        ),
        Err(CallError::Refused(_)) => (RightVerdict::NotRefused, None),
        Err(fault) => (RightVerdict::Unknown, Some(fault.to_string())),
    }
}
