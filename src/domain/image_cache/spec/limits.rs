//! The limits of CreateImageCache and UpdateImageCache, checked before the cloud is called. Every refusal
//! names the field, as REST spells it, and what is allowed; all of them are reported at once.

use secrecy::ExposeSecret as _;

use super::{
    AcrRegistry, COPY_COUNT, ImageCacheSpec, MAX_ACR_DOMAINS, MAX_ACR_REGISTRIES, MAX_ANNOTATIONS, MAX_IMAGES,
    MAX_REGISTRIES, MAX_REGISTRY_CREDENTIALS, MAX_TAGS, MAX_VSWITCHES, NewImageCache, RETENTION_DAYS,
    RegistryCredential, SIZE_GIB,
};
use crate::domain::field::{FieldError, Findings};
use crate::domain::image_ref::ImageRef;

const ID_FORM: &str = "must be 1 to 64 letters, digits, dashes and underscores";

impl NewImageCache {
    /// Checks every documented limit and reports all refusals at once.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut findings = Findings::default();
        note_spec(&self.spec, Some(&self.spec.images[..]), &mut findings);
        note_credentials(&self.registry_credentials, &mut findings);
        findings.into_result()
    }
}

/// All of it; of its images only these, which are asked for now.
pub(super) fn note_spec(spec: &ImageCacheSpec, images: Option<&[String]>, findings: &mut Findings) {
    findings.require(is_text(&spec.name, 128), "/name", "invalid", "must be 1 to 128 printable characters");
    if let Some(images) = images {
        note_images(images, findings);
    }
    note_network(spec, findings);
    let size = spec.size_gib.is_none_or(|size| SIZE_GIB.contains(&size));
    findings.require(size, "/size_gib", "out_of_range", "must be 20 to 32768 (GiB)");
    let days = spec.retention_days.is_none_or(|days| RETENTION_DAYS.contains(&days));
    findings.require(days, "/retention_days", "out_of_range", "must be 1 to 65536 (days)");
    note_copies(spec, findings);
    note_tags(spec, findings);
    note_registries(spec, findings);
    let comment = spec.annotations.as_ref().is_none_or(|text| is_text(text, MAX_ANNOTATIONS));
    findings.require(comment, "/annotations", "invalid", "must be 1 to 1024 printable characters");
}

fn note_images(images: &[String], findings: &mut Findings) {
    let count = (1..=MAX_IMAGES).contains(&images.len());
    findings.require(count, "/images", "out_of_range", "must have 1 to 20 images");
    for (place, image) in images.iter().enumerate() {
        let field = format!("/images/{place}");
        if let Err(error) = image.parse::<ImageRef>() {
            findings.require(false, &field, "invalid", error.to_string());
        }
        let first = images.iter().position(|other| other == image) == Some(place);
        findings.require(first, &field, "duplicate", "stands in the list more than once");
    }
}

fn note_network(spec: &ImageCacheSpec, findings: &mut Findings) {
    let count = spec.vswitch_ids.len() <= MAX_VSWITCHES;
    findings.require(count, "/vswitch_ids", "out_of_range", "must have at most 10 vSwitches");
    for (place, id) in spec.vswitch_ids.iter().enumerate() {
        findings.require(is_id(id), format!("/vswitch_ids/{place}"), "invalid", ID_FORM);
    }
    let ids = [
        ("/security_group_id", &spec.security_group_id),
        ("/eip_instance_id", &spec.eip_instance_id),
        ("/resource_group_id", &spec.resource_group_id),
        ("/zone_id", &spec.zone_id),
    ];
    for (field, id) in ids {
        findings.require(id.as_deref().is_none_or(is_id), field, "invalid", ID_FORM);
    }
}

fn note_copies(spec: &ImageCacheSpec, findings: &mut Findings) {
    let counts = [("/standard_copy_count", spec.standard_copy_count), ("/flash_copy_count", spec.flash_copy_count)];
    for (field, count) in counts {
        let fits = count.is_none_or(|count| COPY_COUNT.contains(&count));
        findings.require(fits, field, "out_of_range", "must be 1 to 100");
    }
}

fn note_tags(spec: &ImageCacheSpec, findings: &mut Findings) {
    findings.require(spec.tags.len() <= MAX_TAGS, "/tags", "out_of_range", "must have at most 20 tags");
    for (key, value) in &spec.tags {
        let field = format!("/tags/{}", key.replace('~', "~0").replace('/', "~1"));
        let length = is_text(key, 128) && value.chars().count() <= 128 && !value.contains(char::is_control);
        findings.require(length, &field, "too_long", "key 1 to 128 and value 0 to 128 printable characters");
        let free = !["aliyun", "acs:", "eci-cache-gateway:"].iter().any(|prefix| key.starts_with(prefix));
        findings.require(free, &field, "reserved", "must not begin with aliyun, acs: or eci-cache-gateway:");
    }
}

fn note_registries(spec: &ImageCacheSpec, findings: &mut Findings) {
    let lists =
        [("/plain_http_registries", &spec.plain_http_registries), ("/insecure_registries", &spec.insecure_registries)];
    for (field, hosts) in lists {
        findings.require(hosts.len() <= MAX_REGISTRIES, field, "out_of_range", "must have at most 20 registries");
        for (place, host) in hosts.iter().enumerate() {
            findings.require(is_host(host), format!("{field}/{place}"), "invalid", "must be a host, or host:port");
        }
    }
    let count = spec.acr_registries.len() <= MAX_ACR_REGISTRIES;
    findings.require(count, "/acr_registries", "out_of_range", "must have at most 20 registries");
    for (place, registry) in spec.acr_registries.iter().enumerate() {
        note_acr(registry, &format!("/acr_registries/{place}"), findings);
    }
}

fn note_acr(registry: &AcrRegistry, field: &str, findings: &mut Findings) {
    let at = |name: &str| format!("{field}/{name}");
    findings.require(is_id(&registry.instance_id), at("instance_id"), "invalid", ID_FORM);
    let name = registry.instance_name.as_ref().is_none_or(|name| is_text(name, 128));
    findings.require(name, at("instance_name"), "invalid", "must be 1 to 128 printable characters");
    let region = registry.region_id.as_deref().is_none_or(is_id);
    findings.require(region, at("region_id"), "invalid", ID_FORM);
    for (name, arn) in [("arn_service", &registry.arn_service), ("arn_user", &registry.arn_user)] {
        let role = arn.as_ref().is_none_or(|arn| is_text(arn, 256) && arn.starts_with("acs:"));
        findings.require(role, at(name), "invalid", "must be an ARN such as acs:ram::1234567890:role/name");
    }
    let count = registry.domains.len() <= MAX_ACR_DOMAINS;
    findings.require(count, at("domains"), "out_of_range", "must have at most 20 domains");
    for (place, domain) in registry.domains.iter().enumerate() {
        let domain = is_host(domain);
        findings.require(domain, format!("{field}/domains/{place}"), "invalid", "must be a host, or host:port");
    }
}

pub(super) fn note_credentials(credentials: &[RegistryCredential], findings: &mut Findings) {
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

/// A host or host:port, an IPv6 address in brackets among them; no scheme, no path, no comma or quote.
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
        new.check().err().unwrap_or_default().into_iter().map(|error| (error.field, error.code)).collect()
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
            (json!({"annotations": ""}), "/annotations"),
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
