//! The limits of CreateImageCache and UpdateImageCache, checked before the cloud is called. Every error names the
//! field, as REST spells it, and what is allowed; all errors are reported at once.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;

use super::fields::objects::{ACR_REGISTRY, LOGIN, Member};
use super::fields::{FIELDS, Field, ValueForm};
use super::values::FieldValue;
use super::{AcrRegistry, GATEWAY_TAGS, ImageCacheSpec, NewImageCache, RegistryCredential};
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::image_ref::ImageRef;

const ID_FORM: &str = "must be 1 to 64 letters, digits, dashes and underscores";
const HOST_FORM: &str = "must be a host, or host:port";

impl NewImageCache {
    /// Checks every documented limit and reports all errors at once.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut findings = Findings::default();
        note_spec(&self.spec, true, &mut findings);
        note_credentials(&self.registry_credentials, &mut findings);
        findings.into_result()
    }
}

/// Checks every field, in the order of the table; the images only if they are newly requested.
pub(super) fn note_spec(spec: &ImageCacheSpec, with_images: bool, findings: &mut Findings) {
    for (field, given) in spec.given() {
        if with_images || field.form != ValueForm::Images {
            note(field, given, findings);
        }
    }
}

/// Checks one field; an unset field has no errors.
pub(in crate::domain) fn note(field: &Field, given: FieldValue<'_>, findings: &mut Findings) {
    match (field.form, given) {
        (ValueForm::Text, FieldValue::Text(text)) => {
            let most = field.schema.max_length.unwrap_or(usize::MAX);
            let told = || format!("must be 1 to {most} printable characters");
            findings.allow(is_text(text, most), || field.pointer(), FieldCode::Invalid, told);
        }
        (ValueForm::Id, FieldValue::Text(id)) => {
            findings.allow(is_id(id), || field.pointer(), FieldCode::Invalid, || ID_FORM);
        }
        (ValueForm::Number { .. }, FieldValue::Number(number)) => {
            findings.allow(
                field.range().contains(&number),
                || field.pointer(),
                FieldCode::OutOfRange,
                || field.in_range(),
            );
        }
        (ValueForm::Images, FieldValue::Texts(images)) => note_images(field, images, findings),
        (ValueForm::Ids { of }, FieldValue::Texts(ids)) => {
            note_count(field, ids.len(), of, findings);
            for (place, id) in ids.iter().enumerate() {
                findings.allow(is_id(id), || field.at(place), FieldCode::Invalid, || ID_FORM);
            }
        }
        (ValueForm::Hosts { of }, FieldValue::Texts(hosts)) => {
            note_count(field, hosts.len(), of, findings);
            for (place, host) in hosts.iter().enumerate() {
                findings.allow(is_host(host), || field.at(place), FieldCode::Invalid, || HOST_FORM);
            }
        }
        (ValueForm::Tags { .. }, FieldValue::Tags(tags)) => note_tags(field, tags, findings),
        (ValueForm::Objects { of }, FieldValue::AcrRegistries(registries)) => {
            note_count(field, registries.len(), of, findings);
            for (place, registry) in registries.iter().enumerate() {
                note_acr(registry, &field.at(place), findings);
            }
        }
        _ => {}
    }
}

fn note_count(field: &Field, count: usize, of: &str, findings: &mut Findings) {
    let told = || format!("must have at most {} {of}", field.most());
    findings.allow(count <= field.most(), || field.pointer(), FieldCode::OutOfRange, told);
}

fn note_images(field: &Field, images: &[String], findings: &mut Findings) {
    let (least, most) = (field.schema.min_items.unwrap_or(0), field.most());
    let told = || format!("must have {least} to {most} images");
    findings.allow((least..=most).contains(&images.len()), || field.pointer(), FieldCode::OutOfRange, told);
    for (place, image) in images.iter().enumerate() {
        let at = || field.at(place);
        if let Err(error) = image.parse::<ImageRef>() {
            findings.allow(false, at, FieldCode::Invalid, || error.to_string());
        }
        let first = images.iter().position(|other| other == image) == Some(place);
        findings.allow(first, at, FieldCode::Duplicate, || "is listed more than once");
    }
}

fn note_tags(field: &Field, tags: &BTreeMap<String, String>, findings: &mut Findings) {
    note_count(field, tags.len(), field.name, findings);
    for (key, value) in tags {
        let at = || format!("/{}/{}", field.name, key.replace('~', "~0").replace('/', "~1"));
        let length = is_text(key, 128) && value.chars().count() <= 128 && !value.contains(char::is_control);
        findings.allow(length, at, FieldCode::TooLong, || "key 1 to 128 and value 0 to 128 printable characters");
        let free = !["aliyun", "acs:", GATEWAY_TAGS].iter().any(|prefix| key.starts_with(prefix));
        findings.allow(free, at, FieldCode::Reserved, || "must not begin with aliyun, acs: or eci-cache-gateway:");
    }
}

fn note_acr(registry: &AcrRegistry, field: &str, findings: &mut Findings) {
    let at = |member: &Member| format!("{field}/{}", member.name);
    let members = &ACR_REGISTRY;
    findings.allow(is_id(&registry.instance_id), || at(&members.instance_id), FieldCode::Invalid, || ID_FORM);
    let name = registry.instance_name.as_ref().is_none_or(|name| is_text(name, 128));
    findings.allow(name, || at(&members.instance_name), FieldCode::Invalid, || "must be 1 to 128 printable characters");
    let region = registry.region_id.as_deref().is_none_or(is_id);
    findings.allow(region, || at(&members.region_id), FieldCode::Invalid, || ID_FORM);
    for (member, arn) in [(&members.arn_service, &registry.arn_service), (&members.arn_user, &registry.arn_user)] {
        let role = arn.as_ref().is_none_or(|arn| is_text(arn, 256) && arn.starts_with("acs:"));
        findings.allow(
            role,
            || at(member),
            FieldCode::Invalid,
            || "must be an ARN such as acs:ram::1234567890:role/name",
        );
    }
    let most = members.domains.most();
    let told = || format!("must have at most {most} {}", members.domains.name);
    findings.allow(registry.domains.len() <= most, || at(&members.domains), FieldCode::OutOfRange, told);
    for (place, domain) in registry.domains.iter().enumerate() {
        findings.allow(
            is_host(domain),
            || format!("{}/{place}", at(&members.domains)),
            FieldCode::Invalid,
            || HOST_FORM,
        );
    }
}

pub(super) fn note_credentials(credentials: &[RegistryCredential], findings: &mut Findings) {
    let list = &FIELDS.registry_credentials;
    if let ValueForm::Objects { of } = list.form {
        note_count(list, credentials.len(), of, findings);
    }
    for (place, login) in credentials.iter().enumerate() {
        let at = |member: &Member| format!("{}/{}", list.at(place), member.name);
        let host = is_text(&login.server, 255) && !login.server.contains("://");
        findings.allow(host, || at(&LOGIN.server), FieldCode::Invalid, || "must be a host without http:// or https://");
        let user = is_text(&login.user_name, 255);
        findings.allow(user, || at(&LOGIN.user_name), FieldCode::Invalid, || "must be 1 to 255 characters");
        let password = login.password.expose_secret();
        let length = !password.is_empty() && password.chars().count() <= 4096;
        findings.allow(length, || at(&LOGIN.password), FieldCode::Invalid, || "must be 1 to 4096 characters");
    }
}

fn is_text(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && !text.contains(char::is_control)
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// A host or host:port, including an IPv6 address in brackets; no scheme, no path, no comma or quote.
fn is_host(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'_' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn refused(extra: &Value) -> Vec<(String, &'static str)> {
        let mut spec = json!({"name": "web", "region": "cn-hangzhou", "images": ["nginx"]});
        spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let new = NewImageCache {
            cloud_account: None,
            spec: serde_json::from_value(spec).unwrap(),
            registry_credentials: Vec::new(),
        };
        new.check().err().unwrap_or_default().into_iter().map(|error| (error.field, error.code.as_str())).collect()
    }

    #[test]
    fn every_limit_names_its_field() {
        let many = |count: usize| (0..count).map(|n| format!("x-{n}")).collect::<Vec<_>>();
        let tags = |count: usize| (0..count).map(|n| (format!("k{n}"), json!("v"))).collect::<serde_json::Map<_, _>>();
        for (extra, field) in [
            (json!({"name": ""}), "/name"),
            (json!({"images": []}), "/images"),
            (json!({"images": many(21)}), "/images"),
            (json!({"images": ["a b"]}), "/images/0"),
            (json!({"images": ["a", "a"]}), "/images/1"),
            (json!({"vswitch_ids": many(11)}), "/vswitch_ids"),
            (json!({"vswitch_ids": ["a,b"]}), "/vswitch_ids/0"),
            (json!({"zone_id": ""}), "/zone_id"),
            (json!({"size_gib": 19}), "/size_gib"),
            (json!({"size_gib": 32_769}), "/size_gib"),
            (json!({"retention_days": 0}), "/retention_days"),
            (json!({"flash_copy_count": 0}), "/flash_copy_count"),
            (json!({"tags": tags(21)}), "/tags"),
            (json!({"tags": {"acs:x": ""}}), "/tags/acs:x"),
            (json!({"plain_http_registries": ["http://x"]}), "/plain_http_registries/0"),
            (json!({"insecure_registries": many(21)}), "/insecure_registries"),
            (json!({"acr_registries": [{"instance_id": ""}]}), "/acr_registries/0/instance_id"),
            (json!({"acr_registries": [{"instance_id": "cri-1", "domains": ["a/b"]}]}), "/acr_registries/0/domains/0"),
            (json!({"acr_registries": [{"instance_id": "cri-1", "arn_user": "x"}]}), "/acr_registries/0/arn_user"),
            (json!({"comment": ""}), "/comment"),
        ] {
            assert_eq!(refused(&extra).first().map(|(field, _)| field.as_str()), Some(field), "{extra}");
        }
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let tags: serde_json::Map<_, _> = (0..20).map(|n| (format!("k{n}"), json!(""))).collect();
        let images: Vec<String> = (0..20).map(|n| format!("nginx:{n}")).collect();
        assert_eq!(refused(&json!({"tags": tags, "images": images, "size_gib": 32_768, "retention_days": 65_536})), []);
    }
}
