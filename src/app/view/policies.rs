//! Teams, policies and region profiles, as callers see them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::policy::team::Team;
use crate::domain::policy::{Policy, Prices, RegionProfile, Usage};

/// A registered team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Team)]
pub struct TeamView {
    /// The id of the team, as it appears in tokens.
    pub id: String,
    /// The display name, for human readers.
    pub display_name: String,
    /// Whom to contact about the team.
    pub contacts: Vec<String>,
    /// The cost centre that pays for the team.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cost_centre: Option<String>,
    /// Whether the team has its own policy. If not, the default policy applies.
    pub own_policy: bool,
    /// Whether the requests of the team are refused.
    pub disabled: bool,
    /// When the team was disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled_at: Option<DateTime<Utc>>,
    /// The version of the team, which is incremented by each change, including changes to its policy, and used in the
    /// `ETag`.
    pub version: i64,
    /// When the team was registered.
    pub created_at: DateTime<Utc>,
    /// When the team was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<Team> for TeamView {
    fn from(team: Team) -> Self {
        Self {
            id: team.id.to_string(),
            display_name: team.display_name,
            contacts: team.contacts,
            cost_centre: team.cost_centre,
            own_policy: team.policy.is_some(),
            disabled: team.disabled_at.is_some(),
            disabled_at: team.disabled_at,
            version: team.version,
            created_at: team.created_at,
            updated_at: team.updated_at,
        }
    }
}

/// A policy, with its metadata for administrators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TeamPolicy)]
pub struct TeamPolicyView {
    /// Where the policy comes from: `team` (the team's own, which replaces the default policy entirely), `default`
    /// (the default policy) or `built_in` (no policy was written).
    pub source: String,
    /// The policy.
    pub policy: Policy,
    /// The version of the team, or of the default policy (0 until one is written), used in the `ETag`.
    pub version: i64,
}

/// What the caller's team may do, and its current usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OwnPolicy)]
pub struct PolicyView {
    /// The team.
    pub team: String,
    /// Where the policy comes from: `team` (the team's own, instead of the default policy), `default` or `built_in`.
    pub source: String,
    /// The policy that applies to the team.
    pub policy: Policy,
    /// The team's usage of everything that is limited.
    pub used: AmountsView,
    /// The team's limits. A limit that is absent does not apply.
    pub limits: AmountsView,
    /// The currency of the amounts. Absent if the gateway has no prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub currency: Option<String>,
    /// Whom to contact to change the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub contact: Option<String>,
}

/// Amounts of everything that is limited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Amounts)]
pub struct AmountsView {
    /// The number of image caches that the cloud may have. Failed image caches, and those that are being removed, do
    /// not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_caches: Option<i64>,
    /// The total size of these image caches in GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total_gib: Option<i64>,
    /// The cost of these image caches for a month, including the builds of this month (UTC), as decimal text. Absent
    /// if the gateway has no prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub monthly_cost: Option<String>,
}

impl AmountsView {
    /// What is used.
    pub(crate) fn used(usage: &Usage, prices: &Prices) -> Self {
        Self {
            image_caches: Some(usage.image_caches),
            total_gib: Some(usage.total_gib),
            monthly_cost: prices.is_set().then(|| usage.month.to_string()),
        }
    }

    /// What is allowed.
    pub(crate) fn limits(policy: &Policy) -> Self {
        Self {
            image_caches: policy.max_image_caches.map(i64::from),
            total_gib: policy.max_total_gib.map(i64::from),
            monthly_cost: policy.monthly_budget.map(|budget| budget.to_string()),
        }
    }
}

/// The usage of a team, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TeamCost)]
pub struct TeamCostView {
    /// The id of the team.
    pub team: String,
    /// Whether the team is registered.
    pub is_registered: bool,
    /// The current usage of the team.
    pub used: AmountsView,
    /// The limits of the team's policy. A limit that is absent does not apply.
    pub limits: AmountsView,
    /// The currency of the costs. Absent if the gateway has no prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub currency: Option<String>,
}

/// Values that creates in one region of one cloud account use for fields that they leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RegionProfile)]
pub struct RegionProfileView {
    /// The id of the profile: `account:region`.
    pub id: String,
    /// The cloud account.
    pub cloud_account: String,
    /// The region.
    pub region: String,
    /// The ids of the vSwitches. Empty if there are none.
    pub vswitch_ids: Vec<String>,
    /// The id of the security group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub security_group_id: Option<String>,
    /// The id of the EIP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub eip_instance_id: Option<String>,
    /// The id of the resource group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resource_group_id: Option<String>,
    /// The id of the zone. It is used only together with the vSwitches.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub zone_id: Option<String>,
    /// The version, which is incremented by each change and used in the `ETag`.
    pub version: i64,
    /// When the profile was last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<RegionProfile> for RegionProfileView {
    fn from(profile: RegionProfile) -> Self {
        Self {
            id: profile.id.to_string(),
            cloud_account: profile.id.account,
            region: profile.id.region.into(),
            vswitch_ids: profile.vswitch_ids,
            security_group_id: profile.security_group_id,
            eip_instance_id: profile.eip_instance_id,
            resource_group_id: profile.resource_group_id,
            zone_id: profile.zone_id,
            version: profile.version,
            updated_at: profile.updated_at,
        }
    }
}
