//! Teams, policies, region profiles and the dry run, as callers see them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AcrRegistryView, MatchView};
use crate::domain::policy::price::Cost;
use crate::domain::policy::{Policy, Prices, Refusal, RegionProfile, Usage};
use crate::domain::team::Team;

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
    /// Where it comes from: `team` (its own), `default` (the default policy) or `built_in` (nobody wrote any).
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
    /// Where the policy comes from: `team`, `default` or `built_in`.
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

/// One thing that the policy refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PolicyRefusal)]
pub struct PolicyRefusalView {
    /// Which field, as a JSON pointer; empty where it is no field.
    pub pointer: String,
    /// The member of the policy that refuses; or `unregistered_team`, `disabled_team`. New words may appear.
    pub rule: String,
    /// Why, in a sentence.
    pub detail: String,
    /// What is allowed, where that can be listed.
    pub allowed: Vec<String>,
}

impl From<Refusal> for PolicyRefusalView {
    fn from(refusal: Refusal) -> Self {
        Self {
            pointer: refusal.field,
            rule: refusal.rule.to_owned(),
            detail: refusal.detail,
            allowed: refusal.allowed,
        }
    }
}

/// What an image cache would cost, by the operator's prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Cost)]
pub struct CostView {
    /// The currency.
    pub currency: String,
    /// For a month of 30 days, as decimal text.
    pub month: String,
    /// For the build.
    pub build: String,
    /// From the build to the end of its retention; absent where it never expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub whole: Option<String>,
}

impl CostView {
    /// The cost in that currency.
    pub(crate) fn of(cost: &Cost, currency: &str) -> Self {
        Self {
            currency: currency.to_owned(),
            month: cost.month.to_string(),
            build: cost.build.to_string(),
            whole: cost.whole.map(|whole| whole.to_string()),
        }
    }
}

/// What would become of a create.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = DryRun)]
pub struct DryRunView {
    /// Whether the policy would let it through.
    pub allowed: bool,
    /// Everything that it would refuse.
    pub refusals: Vec<PolicyRefusalView>,
    /// Who can change the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub contact: Option<String>,
    /// What would be created.
    pub image_cache: PlannedImageCacheView,
    /// Which of its fields were filled in by the region profile or the policy.
    pub filled_in: Vec<String>,
    /// What the team has.
    pub used: AmountsView,
    /// What it would have.
    pub used_after: AmountsView,
    /// What it may have; what is absent has no limit.
    pub limits: AmountsView,
    /// What it would cost; absent where the gateway has no prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cost: Option<CostView>,
    /// How long such builds usually take, by the team's own in the region: 3 minutes until there are three.
    pub expected_seconds: i64,
    /// What an ensure would do: `created`, `joined` or `reused`.
    pub ensure_outcome: String,
    /// The image cache that it would answer with, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ensure_image_cache_id: Option<String>,
    /// When that is expected to be usable.
    pub ensure_ready_at: DateTime<Utc>,
    /// Which image caches the automatic matching would take for these images today; absent where an image cannot be
    /// read as a reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub matches: Option<MatchView>,
}

/// An image cache that would be created; what is absent is the cloud's to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlannedImageCache)]
pub struct PlannedImageCacheView {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// The images in it.
    pub images: Vec<String>,
    /// Its vSwitches.
    pub vswitch_ids: Vec<String>,
    /// Its security group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub security_group_id: Option<String>,
    /// Its EIP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub eip_instance_id: Option<String>,
    /// Its resource group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resource_group_id: Option<String>,
    /// Its zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub zone_id: Option<String>,
    /// Its size in GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub size_gib: Option<i32>,
    /// Its retention in days; absent means that it never expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retention_days: Option<i32>,
    /// Whether it is a Flash cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub flash: Option<bool>,
    /// Its regular snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub standard_copy_count: Option<i32>,
    /// Its local snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub flash_copy_count: Option<i32>,
    /// The ACR Enterprise registries that it reads.
    pub acr_registries: Vec<AcrRegistryView>,
}

impl From<crate::domain::spec::ImageCacheSpec> for PlannedImageCacheView {
    fn from(spec: crate::domain::spec::ImageCacheSpec) -> Self {
        Self {
            name: spec.name,
            region: spec.region.into(),
            images: spec.images,
            vswitch_ids: spec.vswitch_ids,
            security_group_id: spec.security_group_id,
            eip_instance_id: spec.eip_instance_id,
            resource_group_id: spec.resource_group_id,
            zone_id: spec.zone_id,
            size_gib: spec.size_gib,
            retention_days: spec.retention_days,
            flash: spec.flash,
            standard_copy_count: spec.standard_copy_count,
            flash_copy_count: spec.flash_copy_count,
            acr_registries: spec.acr_registries.into_iter().map(Into::into).collect(),
        }
    }
}
