//! What a team asks for: the parsed input of a create, and of an update.
//!
//! The limits are those of CreateImageCache and UpdateImageCache (version 2018-08-08) and are checked here,
//! before the cloud is called. A field error names the field as REST spells it.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::field::{FieldError, Findings};
use super::region::Region;

/// The most images one cache holds (ECI, "image cache overview").
pub const MAX_IMAGES: usize = 20;
/// The most tags a team may set: the cloud takes 20, one of them is ours ([`OPERATION_TAG`]).
pub const MAX_TAGS: usize = 19;
/// The most vSwitches, of which the cloud picks one.
pub const MAX_VSWITCHES: usize = 10;
/// The most registry logins. The cloud names no limit; one per image is enough for any use.
pub const MAX_REGISTRY_CREDENTIALS: usize = 20;
/// The allowed sizes in GiB.
pub const SIZE_GIB: std::ops::RangeInclusive<i32> = 20..=32_768;
/// The allowed retention in days.
pub const RETENTION_DAYS: std::ops::RangeInclusive<i32> = 1..=65_536;
/// The tag that ties a cloud cache to our operation; the only way to find a create whose answer was lost.
pub const OPERATION_TAG: &str = "eci-cache-gateway:operation";

/// What an image cache shall be. Holds no secret, so it may be stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCacheSpec {
    /// `ImageCacheName`: 1 to 128 characters.
    pub name: String,
    /// `RegionId`. Cannot be changed later.
    pub region: Region,
    /// `Image.N`: 1 to 20 image references.
    pub images: Vec<String>,
    /// `VSwitchId`: up to 10, joined by commas on the wire.
    #[serde(default)]
    pub vswitch_ids: Vec<String>,
    /// `SecurityGroupId`.
    #[serde(default)]
    pub security_group_id: Option<String>,
    /// `EipInstanceId`, for pulling over the public network.
    #[serde(default)]
    pub eip_instance_id: Option<String>,
    /// `ImageCacheSize` in GiB; the cloud takes 20 where none is given.
    #[serde(default)]
    pub size_gib: Option<i32>,
    /// `RetentionDays`; absent means never to expire.
    #[serde(default)]
    pub retention_days: Option<i32>,
    /// `Flash`: usable as soon as a local snapshot exists.
    #[serde(default)]
    pub flash: Option<bool>,
    /// `AutoMatchImageCache`: reuse the layers of existing caches while building.
    #[serde(default)]
    pub reuse_layers: Option<bool>,
    /// `Tag.N`: up to 19.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// A login to a registry (`ImageRegistryCredential.N`). The password never reaches a log or an answer.
#[derive(Debug, Clone)]
pub struct RegistryCredential {
    /// The registry's host, without `http://` or `https://`.
    pub server: String,
    /// The user.
    pub user_name: String,
    /// The password; [`SecretString`] prints as `[REDACTED]`.
    pub password: SecretString,
}

/// A create as it was asked for.
#[derive(Debug, Clone)]
pub struct NewImageCache {
    /// Everything that may be stored in the open.
    pub spec: ImageCacheSpec,
    /// Everything that may not.
    pub registry_credentials: Vec<RegistryCredential>,
}

/// An update: what is absent stays as it is.
#[derive(Debug, Clone, Default)]
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
    /// Another size in GiB.
    pub size_gib: Option<i32>,
    /// Another retention in days.
    pub retention_days: Option<i32>,
    /// Flash on or off.
    pub flash: Option<bool>,
    /// Layer reuse on or off.
    pub reuse_layers: Option<bool>,
    /// New tags, all of them.
    pub tags: Option<BTreeMap<String, String>>,
    /// Logins for the new build.
    pub registry_credentials: Vec<RegistryCredential>,
}

impl NewImageCache {
    /// Checks every documented limit and reports all refusals at once.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut findings = Findings::default();
        self.spec.note(&mut findings);
        note_credentials(&self.registry_credentials, &mut findings);
        findings.into_result()
    }
}

impl ImageCacheChanges {
    /// The spec with these changes, checked like a new one. An update that changes nothing is refused.
    pub fn apply(&self, to: &ImageCacheSpec) -> Result<ImageCacheSpec, Vec<FieldError>> {
        let mut spec = to.clone();
        let mut touched = !self.registry_credentials.is_empty();
        let mut set = |changed: bool| touched |= changed;
        set(put(&mut spec.name, self.name.as_ref()));
        set(put(&mut spec.images, self.images.as_ref()));
        set(put(&mut spec.vswitch_ids, self.vswitch_ids.as_ref()));
        set(put(&mut spec.tags, self.tags.as_ref()));
        set(put_some(&mut spec.security_group_id, self.security_group_id.as_ref()));
        set(put_some(&mut spec.eip_instance_id, self.eip_instance_id.as_ref()));
        set(put_some(&mut spec.size_gib, self.size_gib.as_ref()));
        set(put_some(&mut spec.retention_days, self.retention_days.as_ref()));
        set(put_some(&mut spec.flash, self.flash.as_ref()));
        set(put_some(&mut spec.reuse_layers, self.reuse_layers.as_ref()));
        let mut findings = Findings::default();
        findings.require(touched, "", "required", "give at least one field to change");
        spec.note(&mut findings);
        note_credentials(&self.registry_credentials, &mut findings);
        findings.into_result().map(|()| spec)
    }
}

fn put<T: Clone>(slot: &mut T, value: Option<&T>) -> bool {
    value.inspect(|value| slot.clone_from(value)).is_some()
}

fn put_some<T: Clone>(slot: &mut Option<T>, value: Option<&T>) -> bool {
    value.inspect(|value| *slot = Some((*value).clone())).is_some()
}

impl ImageCacheSpec {
    fn note(&self, findings: &mut Findings) {
        findings.require(is_text(&self.name, 128), "/name", "invalid", "must be 1 to 128 printable characters");
        self.note_images(findings);
        self.note_network(findings);
        let size = self.size_gib.is_none_or(|size| SIZE_GIB.contains(&size));
        findings.require(size, "/size_gib", "out_of_range", "must be 20 to 32768 (GiB)");
        let days = self.retention_days.is_none_or(|days| RETENTION_DAYS.contains(&days));
        findings.require(days, "/retention_days", "out_of_range", "must be 1 to 65536 (days)");
        self.note_tags(findings);
    }

    fn note_images(&self, findings: &mut Findings) {
        let count = (1..=MAX_IMAGES).contains(&self.images.len());
        findings.require(count, "/images", "out_of_range", "must have 1 to 20 images");
        for (place, image) in self.images.iter().enumerate() {
            let spaceless = is_text(image, 512) && !image.contains(char::is_whitespace);
            findings.require(
                spaceless,
                format!("/images/{place}"),
                "invalid",
                "must be an image reference of 1 to 512 characters without spaces",
            );
            let first = self.images.iter().position(|other| other == image) == Some(place);
            findings.require(first, format!("/images/{place}"), "duplicate", "stands in the list more than once");
        }
    }

    fn note_network(&self, findings: &mut Findings) {
        let count = self.vswitch_ids.len() <= MAX_VSWITCHES;
        findings.require(count, "/vswitch_ids", "out_of_range", "must have at most 10 vSwitches");
        for (place, id) in self.vswitch_ids.iter().enumerate() {
            findings.require(is_id(id), format!("/vswitch_ids/{place}"), "invalid", ID_FORM);
        }
        let group = self.security_group_id.as_deref().is_none_or(is_id);
        findings.require(group, "/security_group_id", "invalid", ID_FORM);
        let eip = self.eip_instance_id.as_deref().is_none_or(is_id);
        findings.require(eip, "/eip_instance_id", "invalid", ID_FORM);
    }

    fn note_tags(&self, findings: &mut Findings) {
        findings.require(self.tags.len() <= MAX_TAGS, "/tags", "out_of_range", "must have at most 19 tags");
        for (key, value) in &self.tags {
            let field = format!("/tags/{}", key.replace('~', "~0").replace('/', "~1"));
            let length = is_text(key, 128) && value.chars().count() <= 128 && !value.contains(char::is_control);
            findings.require(length, &field, "too_long", "key 1 to 128 and value 0 to 128 printable characters");
            let ours = !["aliyun", "acs:", "eci-cache-gateway:"].iter().any(|prefix| key.starts_with(prefix));
            findings.require(ours, &field, "reserved", "must not begin with aliyun, acs: or eci-cache-gateway:");
        }
    }
}

const ID_FORM: &str = "must be 1 to 64 letters, digits, dashes and underscores";

fn note_credentials(credentials: &[RegistryCredential], findings: &mut Findings) {
    use secrecy::ExposeSecret as _;
    let count = credentials.len() <= MAX_REGISTRY_CREDENTIALS;
    findings.require(count, "/registry_credentials", "out_of_range", "must have at most 20 logins");
    for (place, login) in credentials.iter().enumerate() {
        let at = |field: &str| format!("/registry_credentials/{place}/{field}");
        let host = is_text(&login.server, 255) && !login.server.contains("://");
        findings.require(host, at("server"), "invalid", "must be a host without http:// or https://");
        findings.require(is_text(&login.user_name, 255), at("user_name"), "invalid", "must be 1 to 255 characters");
        let password = login.password.expose_secret();
        let length = !password.is_empty() && password.chars().count() <= 4096;
        findings.require(length, at("password"), "invalid", "must be 1 to 4096 characters");
    }
}

fn is_text(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && !text.contains(char::is_control)
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
