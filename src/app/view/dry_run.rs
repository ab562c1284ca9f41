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
    /// The field that is refused, as a JSON pointer. Empty if it is not a field.
    pub pointer: String,
    /// The member of the policy that refuses the request, or `unregistered_team` or `disabled_team`. New values may
    /// be added.
    pub rule: String,
    /// Why the policy refuses it, in a sentence.
    pub detail: String,
    /// The allowed values, if they can be listed.
    pub allowed: Vec<String>,
}

impl From<Refusal> for PolicyRefusalView {
    fn from(refusal: Refusal) -> Self {
        Self { pointer: refusal.field, rule: refusal.rule.to_owned(), detail: refusal.detail, allowed: refusal.allowed }
    }
}

/// The cost of an image cache at the operator's prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Cost)]
pub struct CostView {
    /// The currency of the amounts.
    pub currency: String,
    /// The cost of a month of 30 days, as decimal text.
    pub month: String,
    /// The cost of the build.
    pub build: String,
    /// The cost from the build to the end of the retention. Absent if the image cache never expires.
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

/// The result of a dry run of a create.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = DryRun)]
pub struct DryRunView {
    /// Whether the policy allows the request.
    pub allowed: bool,
    /// Everything that the policy would refuse.
    pub refusals: Vec<PolicyRefusalView>,
    /// Where the policy comes from: `team` (the team's own, instead of the default policy), `default` or `built_in`.
    pub policy_source: String,
    /// Whom to contact to change the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub contact: Option<String>,
    /// The image cache that would be created.
    pub image_cache: PlannedImageCacheView,
    /// The fields of the image cache that the region profile or the policy would fill in.
    pub filled_in: Vec<String>,
    /// The team's current usage.
    pub used: AmountsView,
    /// The team's usage after the create.
    pub used_after: AmountsView,
    /// The team's limits. A limit that is absent does not apply.
    pub limits: AmountsView,
    /// The cost of the image cache. Absent if the gateway has no prices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cost: Option<CostView>,
    /// How many seconds such builds usually take, based on the team's builds in the region. 3 minutes until there
    /// have been three.
    pub expected_seconds: i64,
    /// What an ensure would do: `created`, `joined` or `reused`.
    pub ensure_outcome: String,
    /// The image cache that an ensure would return, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ensure_image_cache_id: Option<String>,
    /// When that image cache is expected to be usable.
    pub ensure_ready_at: DateTime<Utc>,
    /// The image caches that the automatic matching would currently select for these images. Absent if an image
    /// cannot be parsed as a reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub matches: Option<MatchView>,
}

/// An image cache that would be created. The cloud chooses the values that are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PlannedImageCache)]
pub struct PlannedImageCacheView {
    /// The cloud account in which it would be created.
    pub cloud_account: String,
    /// The name of the image cache.
    pub name: String,
    /// The region of the image cache.
    pub region: String,
    /// The images in the image cache.
    pub images: Vec<String>,
    /// The ids of its vSwitches.
    pub vswitch_ids: Vec<String>,
    /// The id of its security group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub security_group_id: Option<String>,
    /// The id of its EIP.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub eip_instance_id: Option<String>,
    /// The id of its resource group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resource_group_id: Option<String>,
    /// The id of its zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub zone_id: Option<String>,
    /// The size of the image cache in GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub size_gib: Option<i32>,
    /// The retention in days. Absent if the image cache would never expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retention_days: Option<i32>,
    /// Whether the image cache would be a Flash cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub flash: Option<bool>,
    /// The number of regular snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub standard_copy_count: Option<i32>,
    /// The number of local snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub flash_copy_count: Option<i32>,
    /// The ACR Enterprise registries from which images are read.
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
        "comment",
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
