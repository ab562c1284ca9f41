//! Judges a request by the policy: what is filled in, what is refused and why.

use super::money::Money;
use super::profile::RegionProfile;
use super::shape::Shape;
use super::usage::Usage;
use super::{ANY, Policy, Prices};
use crate::domain::image_cache::spec::DEFAULT_SIZE_GIB;
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::image_cache::spec::fields::objects::{ACR_REGISTRY, Member};
use crate::domain::image_cache::spec::fields::{FIELDS, Field};
use crate::domain::image_ref::{DEFAULT_TAG, ImageRef};

/// The change that is checked against a policy.
#[derive(Debug, Clone, Copy)]
pub struct ProposedChange<'a> {
    /// The cloud account of the change.
    pub account: &'a str,
    /// The cache after the change, with defaults filled in.
    pub spec: &'a ImageCacheSpec,
    /// The cache before an update: what does not change is not judged again.
    pub before: Option<&'a ImageCacheSpec>,
    /// Whether the cloud builds it; false for an adoption.
    pub builds: bool,
}

impl ProposedChange<'_> {
    /// The team's usage after the change.
    pub fn after(&self, usage: &Usage, prices: &Prices) -> Usage {
        let next = Shape::of(self.spec);
        let build = if self.builds { prices.build(&next.region) } else { Money::ZERO };
        usage.with(&next, self.before.map(Shape::of).as_ref(), build, prices)
    }
}

/// One thing that the policy refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The field, as a JSON pointer; empty if it is about no field.
    pub field: String,
    /// The member of the policy that refuses, or `unregistered_team` or `disabled_team`, which are not members.
    pub rule: &'static str,
    /// Why, as a sentence.
    pub detail: String,
    /// The allowed values, if they can be listed.
    pub allowed: Vec<String>,
}

/// The most allowed values that a sentence lists.
const LISTED: usize = 20;

impl Refusal {
    /// Why, and what is allowed instead if that can be listed, in one sentence.
    pub fn message(&self) -> String {
        if self.allowed.iter().all(|value| self.detail.contains(value.as_str())) {
            return self.detail.clone();
        }
        let listed: Vec<&str> = self.allowed.iter().take(LISTED).map(String::as_str).collect();
        let more = self.allowed.len().saturating_sub(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}; allowed: {}{more}", self.detail, listed.join(", "))
    }
}

/// Everything that the policy refuses, in a fixed order; quotas only if `usage` is given.
pub fn judge(
    policy: &Policy,
    profile: Option<&RegionProfile>,
    asked: &ProposedChange<'_>,
    usage: Option<&Usage>,
    prices: &Prices,
) -> Vec<Refusal> {
    let mut bench = PolicyCheck { policy, asked: *asked, found: Vec::new() };
    if asked.before.is_none() {
        bench.place();
        bench.registry_security();
    }
    bench.ids(profile);
    bench.acr();
    bench.images();
    bench.size();
    bench.retention();
    if let Some(usage) = usage {
        bench.quotas(usage, prices);
    }
    bench.found
}

/// Fills in what a create leaves out, and returns the names of those fields.
pub fn fill(
    policy: &Policy,
    profile: Option<&RegionProfile>,
    spec: &ImageCacheSpec,
) -> (ImageCacheSpec, Vec<&'static str>) {
    let (mut spec, mut filled) = (spec.clone(), Vec::new());
    if let Some(profile) = profile {
        if spec.vswitch_ids.is_empty() && !profile.vswitch_ids.is_empty() {
            spec.vswitch_ids.clone_from(&profile.vswitch_ids);
            filled.push(FIELDS.vswitch_ids.name);
            put(&FIELDS.zone_id, &mut spec.zone_id, profile.zone_id.as_ref(), &mut filled);
        }
        put(&FIELDS.security_group_id, &mut spec.security_group_id, profile.security_group_id.as_ref(), &mut filled);
        put(&FIELDS.eip_instance_id, &mut spec.eip_instance_id, profile.eip_instance_id.as_ref(), &mut filled);
        put(&FIELDS.resource_group_id, &mut spec.resource_group_id, profile.resource_group_id.as_ref(), &mut filled);
    }
    let smallest = policy.min_size_gib.filter(|size| *size > DEFAULT_SIZE_GIB);
    put(&FIELDS.size_gib, &mut spec.size_gib, smallest.as_ref(), &mut filled);
    let days = policy.default_retention_days.or(policy.max_retention_days);
    put(&FIELDS.retention_days, &mut spec.retention_days, days.as_ref(), &mut filled);
    (spec, filled)
}

fn put<T: Clone>(field: &Field, slot: &mut Option<T>, value: Option<&T>, filled: &mut Vec<&'static str>) {
    if let (None, Some(value)) = (&slot, value) {
        *slot = Some(value.clone());
        filled.push(field.name);
    }
}

struct PolicyCheck<'a> {
    policy: &'a Policy,
    asked: ProposedChange<'a>,
    found: Vec<Refusal>,
}

impl PolicyCheck<'_> {
    fn refuse(
        &mut self,
        field: impl Into<String>,
        rule: &'static str,
        detail: impl Into<String>,
        allowed: Vec<String>,
    ) {
        self.found.push(Refusal { field: field.into(), rule, detail: detail.into(), allowed });
    }

    /// Checks account and region, which an update cannot change.
    fn place(&mut self) {
        let (policy, asked) = (self.policy, self.asked);
        if let Some(accounts) = &policy.cloud_accounts
            && !accounts.iter().any(|name| name == ANY || name == asked.account)
        {
            let detail = format!("the cloud account {} is not allowed for the team", asked.account);
            self.refuse("", "cloud_accounts", detail, accounts.clone());
        }
        if let Some(regions) = &policy.regions
            && !regions.contains(&asked.spec.region)
        {
            let allowed = regions.iter().map(ToString::to_string).collect();
            self.refuse(FIELDS.region.pointer(), "regions", "is not a region that the team may use", allowed);
        }
    }

    /// Checks how registries are accessed, which an update cannot change.
    fn registry_security(&mut self) {
        let spec = self.asked.spec;
        if !spec.plain_http_registries.is_empty() && !self.policy.allow_plain_http.unwrap_or(false) {
            let detail = "registries must not be read over plain HTTP";
            self.refuse(FIELDS.plain_http_registries.pointer(), "allow_plain_http", detail, Vec::new());
        }
        if !spec.insecure_registries.is_empty() && !self.policy.allow_insecure_registries.unwrap_or(false) {
            let detail = "registries must not be read without checking their certificates";
            self.refuse(FIELDS.insecure_registries.pointer(), "allow_insecure_registries", detail, Vec::new());
        }
    }

    fn ids(&mut self, profile: Option<&RegionProfile>) {
        let (policy, spec, before) = (self.policy, self.asked.spec, self.asked.before);
        let of_profile = profile.map_or(&[][..], |profile| &profile.vswitch_ids);
        let kept = before.map_or(&[][..], |before| &before.vswitch_ids);
        for (place, id) in spec.vswitch_ids.iter().enumerate() {
            let list = policy.vswitch_ids.as_ref();
            self.id(&FIELDS.vswitch_ids.at(place), "vswitch_ids", list, id, (of_profile, kept.contains(id)));
        }
        let singles = [
            (
                &FIELDS.security_group_id,
                "security_group_ids",
                &policy.security_group_ids,
                &spec.security_group_id,
                profile.and_then(|profile| profile.security_group_id.as_ref()),
                before.and_then(|before| before.security_group_id.as_ref()),
            ),
            (
                &FIELDS.eip_instance_id,
                "eip_instance_ids",
                &policy.eip_instance_ids,
                &spec.eip_instance_id,
                profile.and_then(|profile| profile.eip_instance_id.as_ref()),
                before.and_then(|before| before.eip_instance_id.as_ref()),
            ),
            (
                &FIELDS.resource_group_id,
                "resource_group_ids",
                &policy.resource_group_ids,
                &spec.resource_group_id,
                profile.and_then(|profile| profile.resource_group_id.as_ref()),
                before.and_then(|before| before.resource_group_id.as_ref()),
            ),
        ];
        for (field, rule, list, id, of_profile, kept) in singles {
            if let Some(id) = id {
                self.id(
                    &field.pointer(),
                    rule,
                    list.as_ref(),
                    id,
                    (of_profile.map_or(&[], std::slice::from_ref), kept == Some(id)),
                );
            }
        }
    }

    /// Checks one id of the account's resources; those of the region profile are always allowed. `kept`: the cache has
    /// it already.
    fn id(
        &mut self,
        field: &str,
        rule: &'static str,
        list: Option<&Vec<String>>,
        id: &str,
        (of_profile, kept): (&[String], bool),
    ) {
        let list = list.map_or(&[][..], Vec::as_slice);
        let mut known = list.iter().chain(of_profile);
        if kept || known.any(|entry| entry == ANY || entry == id) {
            return;
        }
        let detail = match (list, of_profile) {
            ([], []) => "must be left out: the team may not name any".to_owned(),
            ([], _) => format!("{id} is not allowed for the team: leave the field out, and it is filled in"),
            _ => format!("{id} is not allowed for the team"),
        };
        self.refuse(field, rule, detail, list.iter().chain(of_profile).cloned().collect());
    }

    fn acr(&mut self) {
        let (policy, before) = (self.policy, self.asked.before);
        let kept = before.map_or(&[][..], |before| &before.acr_registries);
        for (place, registry) in self.asked.spec.acr_registries.iter().enumerate() {
            let was = kept.iter().find(|kept| kept.instance_id == registry.instance_id);
            let at = |member: &Member| format!("{}/{}", FIELDS.acr_registries.at(place), member.name);
            let list = policy.acr_instance_ids.as_ref();
            let (id, field) = (&registry.instance_id, at(&ACR_REGISTRY.instance_id));
            self.id(&field, "acr_instance_ids", list, id, (&[], was.is_some()));
            let roles = [
                (&ACR_REGISTRY.arn_service, &registry.arn_service, was.and_then(|was| was.arn_service.as_ref())),
                (&ACR_REGISTRY.arn_user, &registry.arn_user, was.and_then(|was| was.arn_user.as_ref())),
            ];
            for (member, role, was) in roles {
                if let Some(role) = role {
                    self.id(&at(member), "role_arns", policy.role_arns.as_ref(), role, (&[], was == Some(role)));
                }
            }
        }
    }

    fn images(&mut self) {
        let kept = self.asked.before.map_or(&[][..], |before| &before.images);
        for (place, image) in self.asked.spec.images.iter().enumerate() {
            if kept.contains(image) {
                continue;
            }
            let (field, read) = (FIELDS.images.at(place), image.parse::<ImageRef>().ok());
            if let Some(patterns) = &self.policy.registries
                && !read.as_ref().is_some_and(|image| patterns.iter().any(|pattern| pattern.lets(image)))
            {
                let allowed = patterns.iter().map(ToString::to_string).collect();
                let name = read.as_ref().map_or_else(|| image.clone(), ToString::to_string);
                self.refuse(
                    &field,
                    "registries",
                    format!("{name} is not allowed as a source of the team's images"),
                    allowed,
                );
            }
            // A text that is no valid reference might be anything.
            let floats = read.is_none_or(|image| image.digest().is_none() && image.tag() == Some(DEFAULT_TAG));
            if floats && !self.policy.allow_latest_tag.unwrap_or(true) {
                let detail = "must have a tag other than latest, or a digest";
                self.refuse(&field, "allow_latest_tag", detail, Vec::new());
            }
        }
    }

    fn size(&mut self) {
        let size = |spec: &ImageCacheSpec| spec.size_gib.unwrap_or(DEFAULT_SIZE_GIB);
        let asked = size(self.asked.spec);
        if self.asked.before.is_some_and(|before| size(before) == asked) {
            return;
        }
        if let Some(smallest) = self.policy.min_size_gib.filter(|smallest| asked < *smallest) {
            let detail = format!("must be at least {smallest} (GiB)");
            self.refuse(FIELDS.size_gib.pointer(), "min_size_gib", detail, Vec::new());
        }
        if let Some(largest) = self.policy.max_size_gib.filter(|largest| asked > *largest) {
            let detail = format!("must be at most {largest} (GiB)");
            self.refuse(FIELDS.size_gib.pointer(), "max_size_gib", detail, Vec::new());
        }
    }

    /// Never expiring counts as longer than any limit.
    fn retention(&mut self) {
        let asked = self.asked.spec.retention_days;
        if self.asked.before.is_some_and(|before| before.retention_days == asked) {
            return;
        }
        if let Some(longest) = self.policy.max_retention_days
            && asked.is_none_or(|days| days > longest)
        {
            let detail = format!("must be at most {longest} (days)");
            self.refuse(FIELDS.retention_days.pointer(), "max_retention_days", detail, Vec::new());
        }
    }

    /// A quota refuses only changes that increase what it counts.
    fn quotas(&mut self, usage: &Usage, prices: &Prices) {
        let after = self.asked.after(usage, prices);
        let counts = [
            ("max_image_caches", "image caches", self.policy.max_image_caches, usage.image_caches, after.image_caches),
            ("max_total_gib", "GiB", self.policy.max_total_gib, usage.total_gib, after.total_gib),
        ];
        for (rule, what, most, used, after) in counts {
            if let Some(most) = most.filter(|most| after > i64::from(*most) && after > used) {
                let detail = format!("the team has {used} {what}, would have {after}, and may have at most {most}");
                self.refuse("", rule, detail, vec![most.to_string()]);
            }
        }
        if let Some(most) = self.policy.monthly_budget.filter(|most| after.month > *most && after.month > usage.month) {
            let (currency, used) = (&prices.currency, usage.month);
            let detail = format!(
                "the team's month costs {used} {currency}, would cost {} {currency}, and may cost at most {most} \
                 {currency}",
                after.month
            );
            self.refuse("", "monthly_budget", detail, vec![Money::to_string(&most)]);
        }
    }
}
