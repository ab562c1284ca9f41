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
    /// The id, as tokens name it.
    pub id: String,
    /// For people.
    pub display_name: String,
    /// Whom to ask.
    pub contacts: Vec<String>,
    /// Who pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cost_centre: Option<String>,
    /// Whether it has a policy of its own; else the default one holds.
    pub own_policy: bool,
    /// Whether its requests are refused.
    pub disabled: bool,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled_at: Option<DateTime<Utc>>,
    /// Counts the changes, the policy's among them; `ETag`.
    pub version: i64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
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

/// A policy as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TeamPolicy)]
pub struct TeamPolicyView {
    /// Where it comes from: `team` (its own, which stands in place of the default policy: nothing of that holds then),
    /// `default` (the default policy) or `built_in` (nobody wrote any).
    pub source: String,
    /// The policy.
    pub policy: Policy,
    /// The team's version, or the default policy's (0 while nobody wrote any); `ETag`.
    pub version: i64,
}

/// What the caller's team may do, and what it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OwnPolicy)]
pub struct PolicyView {
    /// The team.
    pub team: String,
    /// Where the policy comes from: `team` (the team's own, in place of the default one), `default` or `built_in`.
    pub source: String,
    /// The policy that holds.
    pub policy: Policy,
    /// What the team has of what is counted.
    pub used: AmountsView,
    /// What it may have; what is absent has no limit.
    pub limits: AmountsView,
    /// The currency of amounts; absent where the gateway has no prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub currency: Option<String>,
    /// Who can change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub contact: Option<String>,
}

/// Amounts of what is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Amounts)]
pub struct AmountsView {
    /// Image caches that the cloud may have; failed ones, and those that are being removed, do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_caches: Option<i64>,
    /// GiB of them all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total_gib: Option<i64>,
    /// What a month of them costs with the builds of this month (UTC), as decimal text; absent without prices.
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
            image_caches: policy.most_image_caches.map(i64::from),
            total_gib: policy.most_total_gib.map(i64::from),
            monthly_cost: policy.monthly_budget.map(|budget| budget.to_string()),
        }
    }
}

/// What a team has, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TeamCost)]
pub struct TeamCostView {
    /// The team's id.
    pub team: String,
    /// Whether it is registered.
    pub is_registered: bool,
    /// What it uses.
    pub used: AmountsView,
    /// What its policy allows at most; a member is absent where there is no limit.
    pub limits: AmountsView,
    /// The currency of what things cost; absent without prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub currency: Option<String>,
}

/// What a create in one region of one cloud account need not say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RegionProfile)]
pub struct RegionProfileView {
    /// `account:region`.
    pub id: String,
    /// The cloud account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The vSwitches; empty for none.
    pub vswitch_ids: Vec<String>,
    /// The security group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub security_group_id: Option<String>,
    /// The EIP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub eip_instance_id: Option<String>,
    /// The resource group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resource_group_id: Option<String>,
    /// The zone; filled in only together with the vSwitches.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub zone_id: Option<String>,
    /// Counts the changes; `ETag`.
    pub version: i64,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl From<RegionProfile> for RegionProfileView {
    fn from(profile: RegionProfile) -> Self {
        Self {
            id: profile.id.to_string(),
            account: profile.id.account,
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
