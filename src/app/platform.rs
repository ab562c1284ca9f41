//! What the platform decides for its teams: who they are, what they may do, where they build, and what that costs.

pub(super) mod discovery;
pub(super) mod overview;
pub(super) mod policy;
pub(super) mod region_profiles;
pub(super) mod teams;

use super::base::Base;
use super::cloud_accounts::CloudAccounts;
use super::webhooks::platform_events::PlatformEvents;
use policy::Policies;

/// What the platform manages for its teams; cheap to clone.
#[derive(Debug, Clone)]
pub struct Platform {
    base: Base,
    cloud_accounts: CloudAccounts,
    told: PlatformEvents,
    policies: Policies,
}

impl Platform {
    pub(super) fn new(
        base: &Base,
        cloud_accounts: &CloudAccounts,
        platform_events: &PlatformEvents,
        policies: &Policies,
    ) -> Self {
        Self {
            base: base.clone(),
            cloud_accounts: cloud_accounts.clone(),
            told: platform_events.clone(),
            policies: policies.clone(),
        }
    }
}
