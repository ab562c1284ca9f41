//! What a dry run tells, and what a policy refuses, as callers see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{AcrRegistryView, AmountsView, MatchView};
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::policy::Refusal;
use crate::domain::policy::price::Cost;

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
        Self { pointer: refusal.field, rule: refusal.rule.to_owned(), detail: refusal.detail, allowed: refusal.allowed }
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
    /// Where the policy comes from: `team` (the team's own, in place of the default one), `default` or `built_in`.
    pub policy_source: String,
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
    /// The cloud account that it would be in.
    pub cloud_account: String,
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

impl PlannedImageCacheView {
    /// What would be asked for, in that account.
    pub(crate) fn of(cloud_account: String, spec: ImageCacheSpec) -> Self {
        Self {
            cloud_account,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::image_cache::spec::fields::sample;

    /// What a dry run does not show of what was asked for.
    const LEFT_OUT: [&str; 7] = [
        "reuse_layers",
        "tags",
        "plain_http_registries",
        "insecure_registries",
        "annotations",
        "os_type",
        "elimination_strategy",
    ];

    #[test]
    fn every_field_is_shown_or_left_out_on_purpose() {
        let shown = serde_json::json!(PlannedImageCacheView::of("default".to_owned(), sample::full()));
        for field in sample::fields() {
            let left_out = LEFT_OUT.contains(&field.name);
            assert_eq!(
                shown.get(field.name).is_none(),
                left_out,
                "{}: show it, or say here that it is not",
                field.name
            );
        }
    }
}
