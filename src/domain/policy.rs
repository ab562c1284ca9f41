//! What a team may do: the rules of one team, and the judgement of one request by them.
//!
//! A [`Policy`] is what an administrator writes. [`judge()`] takes it with the region's [`profile`], what was asked for
//! and what the team has, and gives everything that is refused, not only the first. The member of the policy that
//! refused is the refusal's `rule`, so that team and administrator speak of the same thing.
//!
//! What must stay true: ids of the account's resources (vSwitches, security groups, EIPs, resource groups, ACR
//! instances, role ARNs) are closed unless they are listed, because the gateway's own cloud key could use anyone's;
//! what the region profile fills in is always allowed. An update is judged by what it changes: what stays was judged
//! when it came. What shrinks is never refused for a quota.
//!
//! Who calls it: `app` (create, update, ensure, adopt and their dry run, whichever the door). What it does not do:
//! count what a team has (`store`).

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::field::{FieldCode, FieldError, Findings};
use super::identity::key_life::MOST_DAYS;
use super::region::Region;
use crate::domain::image_cache::spec::fields::FIELDS;

pub mod judge;
pub mod money;
pub mod pattern;
pub mod price;
pub mod profile;
pub mod shape;
pub mod team;
pub mod usage;

pub use judge::{ProposedChange, Refusal, fill, judge};
pub use money::Money;
pub use pattern::RegistryPattern;
pub use price::{PRICES, Prices};
pub use profile::{ProfileId, RegionProfile};
pub use shape::Shape;
pub use usage::{Holdings, Usage};

/// Stands for every id in a list of ids.
pub const ANY: &str = "*";
/// The most entries of one list.
const MAX_ENTRIES: usize = 500;

/// What a team may do. A member that is left out has its default. An empty policy is closed: it allows any registry,
/// region and size and sets no quota, but no named resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The names of the cloud accounts that may be used. Defaults to all.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cloud_accounts: Option<Vec<String>>,
    /// The regions that may be used. Defaults to all.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<String>>)]
    pub regions: Option<Vec<Region>>,
    /// The vSwitches that may be named; `*` means any. Defaults to none: only those that the region profile fills in
    /// can be used.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub vswitch_ids: Option<Vec<String>>,
    /// The security groups that may be named; `*` means any. Defaults to none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub security_group_ids: Option<Vec<String>>,
    /// The EIPs that may be named; `*` means any. Defaults to none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub eip_instance_ids: Option<Vec<String>>,
    /// The resource groups that may be named; `*` means any. Defaults to none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resource_group_ids: Option<Vec<String>>,
    /// The ACR Enterprise instances that may be read without a login; `*` means any. Defaults to none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub acr_instance_ids: Option<Vec<String>>,
    /// The roles with which ACR registries may be read (`arn_service`, `arn_user`); `*` means any. Defaults to none.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub role_arns: Option<Vec<String>>,
    /// The registries and repositories from which images may come. Defaults to all. An entry is a host, or `*.` and a
    /// host for all its subdomains, followed by a path in which `*` matches any characters, including slashes:
    /// `registry.example.com/team-a/*`. A host alone allows all of it. Entries are read like image references:
    /// `nginx` is `docker.io/library/nginx`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Vec<String>>)]
    pub registries: Option<Vec<RegistryPattern>>,
    /// Whether an image without a digest may use the tag `latest`, or no tag. Defaults to true.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allow_latest_tag: Option<bool>,
    /// Whether registries may be read over plain HTTP. Defaults to false.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allow_plain_http: Option<bool>,
    /// Whether registries may be read without verifying their certificates. Defaults to false.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allow_insecure_registries: Option<bool>,
    /// The smallest size in GiB, 20 to 32768, which is also used if a create sets none. Defaults to 20.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 20, maximum = 32768)]
    pub min_size_gib: Option<i32>,
    /// The largest size in GiB, 20 to 32768. Defaults to the cloud's own limit.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 20, maximum = 32768)]
    pub max_size_gib: Option<i32>,
    /// The retention in days, 1 to 65536, for creates that set none. Defaults to the longest retention, if there is
    /// one; otherwise the image cache never expires.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 65536)]
    pub default_retention_days: Option<i32>,
    /// The longest retention in days, 1 to 65536. If it is set, no image cache that never expires can be created.
    /// Defaults to no limit.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 65536)]
    pub max_retention_days: Option<i32>,
    /// The maximum number of image caches that the cloud may have for the team at the same time. Defaults to no
    /// limit.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    pub max_image_caches: Option<i32>,
    /// The maximum total size of these image caches in GiB. Defaults to no limit.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    pub max_total_gib: Option<i32>,
    /// The maximum cost of a month, as decimal text such as `120.50` in the currency of the gateway's prices: what
    /// the team keeps, for a month, and the builds of this month (UTC). Defaults to no limit.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, example = "120.50")]
    pub monthly_budget: Option<Money>,
    /// The maximum number of days, 1 to 3650, for which a key that the team creates is valid; also the default. If it
    /// is left out, a key ends with the credential with which it is created.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1, maximum = 3650)]
    pub max_key_life_days: Option<i32>,
}

/// What is given is not null: leaving a member out is the way to say nothing.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl Policy {
    /// Everything is allowed and nothing counted: what `dev` and tests begin with.
    pub fn open() -> Self {
        let any = || Some(vec![ANY.to_owned()]);
        Self {
            vswitch_ids: any(),
            security_group_ids: any(),
            eip_instance_ids: any(),
            resource_group_ids: any(),
            acr_instance_ids: any(),
            role_arns: any(),
            allow_plain_http: Some(true),
            allow_insecure_registries: Some(true),
            ..Self::default()
        }
    }

    /// Whether anything is counted.
    pub fn has_quota(&self) -> bool {
        self.max_image_caches.is_some() || self.max_total_gib.is_some() || self.monthly_budget.is_some()
    }

    /// Checks what an administrator wrote; `priced`: whether there are prices, which a budget needs.
    pub fn check(&self, priced: bool) -> Result<(), Vec<FieldError>> {
        let mut findings = Findings::default();
        self.note_lists(&mut findings);
        let of_fields = [
            ("min_size_gib", self.min_size_gib, &FIELDS.size_gib),
            ("max_size_gib", self.max_size_gib, &FIELDS.size_gib),
            ("default_retention_days", self.default_retention_days, &FIELDS.retention_days),
            ("max_retention_days", self.max_retention_days, &FIELDS.retention_days),
        ];
        for (name, value, field) in of_fields {
            let fits = value.is_none_or(|value| field.range().contains(&value));
            findings.allow(fits, || format!("/{name}"), FieldCode::OutOfRange, || field.in_range());
        }
        let ranges = [
            ("max_image_caches", self.max_image_caches, 0..=i32::MAX, "must be 0 or more"),
            ("max_total_gib", self.max_total_gib, 0..=i32::MAX, "must be 0 or more"),
            ("max_key_life_days", self.max_key_life_days, 1..=MOST_DAYS, "must be 1 to 3650 (days)"),
        ];
        for (name, value, range, allowed) in ranges {
            let fits = value.is_none_or(|value| range.contains(&value));
            findings.require(fits, format!("/{name}"), FieldCode::OutOfRange, allowed);
        }
        let pairs = [
            ("min_size_gib", self.min_size_gib, "max_size_gib", self.max_size_gib),
            ("default_retention_days", self.default_retention_days, "max_retention_days", self.max_retention_days),
        ];
        for (name, low, other, high) in pairs {
            let ordered = low.zip(high).is_none_or(|(low, high)| low <= high);
            findings.require(ordered, format!("/{name}"), FieldCode::OutOfRange, format!("must be at most {other}"));
        }
        let affordable = self.monthly_budget.is_none() || priced;
        let detail = "requires prices, which the gateway does not have: its operator must set ECG_POLICY_PRICES";
        findings.require(affordable, "/monthly_budget", FieldCode::NotAllowed, detail);
        findings.into_result()
    }

    fn note_lists(&self, findings: &mut Findings) {
        let lists = [
            ("cloud_accounts", &self.cloud_accounts),
            ("vswitch_ids", &self.vswitch_ids),
            ("security_group_ids", &self.security_group_ids),
            ("eip_instance_ids", &self.eip_instance_ids),
            ("resource_group_ids", &self.resource_group_ids),
            ("acr_instance_ids", &self.acr_instance_ids),
            ("role_arns", &self.role_arns),
        ];
        for (name, list) in lists {
            let list = list.as_deref().unwrap_or_default();
            note_length(name, list.len(), findings);
            let whole: BTreeSet<&String> = list.iter().collect();
            findings.require(
                whole.len() == list.len(),
                format!("/{name}"),
                FieldCode::Duplicate,
                "contains a duplicate",
            );
            for (place, entry) in list.iter().enumerate() {
                let good = (1..=256).contains(&entry.len()) && entry.bytes().all(|b| b.is_ascii_graphic());
                let detail = "must be 1 to 256 characters without spaces; `*` alone means any";
                let star = entry == ANY || !entry.contains('*');
                findings.require(good && star, format!("/{name}/{place}"), FieldCode::Invalid, detail);
            }
        }
        note_length("regions", self.regions.as_ref().map_or(0, Vec::len), findings);
        note_length("registries", self.registries.as_ref().map_or(0, Vec::len), findings);
    }
}

fn note_length(name: &str, length: usize, findings: &mut Findings) {
    findings.require(length <= MAX_ENTRIES, format!("/{name}"), FieldCode::OutOfRange, "must have at most 500 entries");
}

#[cfg(test)]
mod tests;
