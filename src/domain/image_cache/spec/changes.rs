//! An update: what is absent stays as it is. UpdateImageCache takes fewer parameters than CreateImageCache;
//! what it does not take is no field here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::{note_credentials, note_spec};
use super::{AcrRegistry, EliminationStrategy, ImageCacheSpec, RegistryCredential};
use crate::domain::field::{FieldError, Findings};

/// What shall be different. Holds no secret but the logins, which are not serialized.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ImageCacheChanges {
    /// A new name.
    pub name: Option<String>,
    /// New images, all of them: the cloud replaces the list.
    pub images: Option<Vec<String>>,
    /// Other vSwitches.
    pub vswitch_ids: Option<Vec<String>>,
    /// Another security group.
    pub security_group_id: Option<String>,
    /// Another EIP.
    pub eip_instance_id: Option<String>,
    /// Another resource group.
    pub resource_group_id: Option<String>,
    /// Another size in GiB.
    pub size_gib: Option<i32>,
    /// Another retention in days.
    pub retention_days: Option<i32>,
    /// Flash on or off.
    pub flash: Option<bool>,
    /// Layer reuse on or off.
    pub reuse_layers: Option<bool>,
    /// Other counts of regular snapshots.
    pub standard_copy_count: Option<i32>,
    /// Other counts of local snapshots.
    pub flash_copy_count: Option<i32>,
    /// Another strategy at the quota.
    pub elimination_strategy: Option<EliminationStrategy>,
    /// Other ACR Enterprise registries, all of them; their roles cannot be changed.
    pub acr_registries: Option<Vec<AcrRegistry>>,
    /// New tags, all of them.
    pub tags: Option<BTreeMap<String, String>>,
    /// Logins for the new build.
    #[serde(skip)]
    pub registry_credentials: Vec<RegistryCredential>,
}

impl ImageCacheChanges {
    /// The spec with these changes, checked like a new one. An update that changes nothing is refused.
    pub fn apply(&self, to: &ImageCacheSpec) -> Result<ImageCacheSpec, Vec<FieldError>> {
        let mut findings = Findings::default();
        findings.require(!self.is_empty(), "", "required", "give at least one field to change");
        for (place, registry) in self.acr_registries.iter().flatten().enumerate() {
            let fixed = registry.arn_service.is_none() && registry.arn_user.is_none();
            let field = format!("/acr_registries/{place}");
            findings.require(fixed, field, "not_allowed", "arn_service and arn_user cannot be changed by an update");
        }
        let spec = self.onto(to);
        // Images that are there already are not judged again: they may be older than the rules.
        note_spec(&spec, self.images.as_deref(), &mut findings);
        note_credentials(&self.registry_credentials, &mut findings);
        findings.into_result().map(|()| spec)
    }

    /// Whether nothing is given at all.
    pub fn is_empty(&self) -> bool {
        let given = [
            self.name.is_some(),
            self.images.is_some(),
            self.vswitch_ids.is_some(),
            self.security_group_id.is_some(),
            self.eip_instance_id.is_some(),
            self.resource_group_id.is_some(),
            self.size_gib.is_some(),
            self.retention_days.is_some(),
            self.flash.is_some(),
            self.reuse_layers.is_some(),
            self.standard_copy_count.is_some(),
            self.flash_copy_count.is_some(),
            self.elimination_strategy.is_some(),
            self.acr_registries.is_some(),
            self.tags.is_some(),
            !self.registry_credentials.is_empty(),
        ];
        !given.contains(&true)
    }

    /// The spec with these changes, unchecked.
    pub fn onto(&self, to: &ImageCacheSpec) -> ImageCacheSpec {
        let mut spec = to.clone();
        put(&mut spec.name, self.name.as_ref());
        put(&mut spec.images, self.images.as_ref());
        put(&mut spec.vswitch_ids, self.vswitch_ids.as_ref());
        put(&mut spec.acr_registries, self.acr_registries.as_ref());
        put(&mut spec.tags, self.tags.as_ref());
        put_some(&mut spec.security_group_id, self.security_group_id.as_ref());
        put_some(&mut spec.eip_instance_id, self.eip_instance_id.as_ref());
        put_some(&mut spec.resource_group_id, self.resource_group_id.as_ref());
        put_some(&mut spec.size_gib, self.size_gib.as_ref());
        put_some(&mut spec.retention_days, self.retention_days.as_ref());
        put_some(&mut spec.flash, self.flash.as_ref());
        put_some(&mut spec.reuse_layers, self.reuse_layers.as_ref());
        put_some(&mut spec.standard_copy_count, self.standard_copy_count.as_ref());
        put_some(&mut spec.flash_copy_count, self.flash_copy_count.as_ref());
        put_some(&mut spec.elimination_strategy, self.elimination_strategy.as_ref());
        spec
    }
}

fn put<T: Clone>(slot: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        slot.clone_from(value);
    }
}

fn put_some<T: Clone>(slot: &mut Option<T>, value: Option<&T>) {
    if let Some(value) = value {
        *slot = Some(value.clone());
    }
}
