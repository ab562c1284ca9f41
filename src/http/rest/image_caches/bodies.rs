//! Request bodies, and how they become the domain's words. Unknown fields are refused; a `null` counts as left out.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, Utc};
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

mod convert;

/// A time that the database keeps and RFC 3339 can say.
pub(in crate::http::rest) fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
    let at = DateTime::<Utc>::deserialize(from)?;
    let sane = (0..=9_999).contains(&at.year());
    if sane { Ok(at) } else { Err(D::Error::custom("must be a time of the years 0000 to 9999")) }
}

/// The same where it may be left out.
pub(in crate::http::rest) fn given_instant<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    #[derive(Deserialize)]
    struct At(#[serde(deserialize_with = "instant")] DateTime<Utc>);
    Ok(given::<D, At>(from)?.map(|At(at)| at))
}

/// What is given is not null: a `null` was taken out before ([`crate::http::extract::Json`]).
pub(in crate::http::rest) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// An image cache to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewImageCache)]
pub(in crate::http::rest) struct NewImageCacheBody {
    /// Its name (`ImageCacheName`): 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128, example = "web-2026-07")]
    name: String,
    /// The region (`RegionId`). It cannot be changed later.
    #[schema(example = "cn-hangzhou")]
    region: String,
    /// The images in it (`Image.N`): 1 to 20 references.
    #[schema(min_items = 1, max_items = 20)]
    images: Vec<String>,
    /// The cloud account. Where nothing is said: the only one that the team's policy allows, else the operator's own. It
    /// cannot be changed later.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    cloud_account: Option<String>,
    /// The vSwitches, of which the cloud picks one (`VSwitchId`): up to 10.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 10)]
    vswitch_ids: Option<Vec<String>>,
    /// The security group (`SecurityGroupId`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    security_group_id: Option<String>,
    /// The EIP for pulls over the public network (`EipInstanceId`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    eip_instance_id: Option<String>,
    /// The size in GiB (`ImageCacheSize`), 20 to 32768; the cloud takes 20 where none is given.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 20, maximum = 32768)]
    size_gib: Option<i32>,
    /// Days until it expires (`RetentionDays`), 1 to 65536; left out means never.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 65536)]
    retention_days: Option<i32>,
    /// Whether it is a Flash cache (`Flash`): usable sooner.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    flash: Option<bool>,
    /// Whether layers of existing caches are reused while building (`AutoMatchImageCache`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    reuse_layers: Option<bool>,
    /// Tags (`Tag.N`): up to 20.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    tags: Option<BTreeMap<String, String>>,
    /// The zone (`ZoneId`); the cloud picks one where none is given.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    zone_id: Option<String>,
    /// The resource group (`ResourceGroupId`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    resource_group_id: Option<String>,
    /// ACR Enterprise registries that are read without a login (`AcrRegistryInfo.N`): up to 20.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 20)]
    acr_registries: Option<Vec<AcrRegistryBody>>,
    /// Registries (host, or host:port) that are read over plain HTTP (`PlainHttpRegistry`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 20)]
    plain_http_registries: Option<Vec<String>>,
    /// Registries (host, or host:port) whose certificate is not checked (`InsecureRegistry`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 20)]
    insecure_registries: Option<Vec<String>>,
    /// A comment (`Annotations`): at most 1024 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 1024)]
    annotations: Option<String>,
    /// For which instances (`OsType`): `linux`, the default, or `windows`.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    os_type: Option<String>,
    /// How many regular snapshots (`StandardCopyCount`), 1 to 100: about one per 1,000 instances created at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    standard_copy_count: Option<i32>,
    /// How many temporary local snapshots (`FlashCopyCount`), 1 to 100; the same rule.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    flash_copy_count: Option<i32>,
    /// What happens at the quota (`EliminationStrategy`): `keep`, the default, or `lru`: the least recently used goes first.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    elimination_strategy: Option<String>,
    /// Logins to the registries (`ImageRegistryCredential.N`): used for this build, then forgotten.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 20)]
    registry_credentials: Option<Vec<RegistryCredentialBody>>,
}

/// A login to a registry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegistryCredential)]
struct RegistryCredentialBody {
    /// The registry's host, without `https://`.
    #[schema(example = "registry.example.com")]
    server: String,
    /// The user.
    user_name: String,
    /// The password. It is never shown, logged or kept longer than the build's start needs.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// An ACR Enterprise registry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAcrRegistry)]
struct AcrRegistryBody {
    /// The instance (`InstanceId`).
    #[schema(example = "cri-nwj395hgf6f3****")]
    instance_id: String,
    /// Its name (`InstanceName`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    instance_name: Option<String>,
    /// Its region (`RegionId`); the image cache's own where left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    region_id: Option<String>,
    /// Its domains (`Domain.M`); all of them where left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 20)]
    domains: Option<Vec<String>>,
    /// The role that reads it for the service (`ArnService`). Not in an update.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    arn_service: Option<String>,
    /// The role of the account that owns it (`ArnUser`). Not in an update.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    arn_user: Option<String>,
}

/// What to change of an image cache; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImageCacheChanges)]
pub(in crate::http::rest) struct ImageCacheChangesBody {
    /// A new name.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 1, max_length = 128)]
    name: Option<String>,
    /// New images, all of them.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_items = 1, max_items = 20)]
    images: Option<Vec<String>>,
    /// Other vSwitches, all of them.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 10)]
    vswitch_ids: Option<Vec<String>>,
    /// Another security group.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    security_group_id: Option<String>,
    /// Another EIP.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    eip_instance_id: Option<String>,
    /// Another size in GiB.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 20, maximum = 32768)]
    size_gib: Option<i32>,
    /// Another retention in days.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 65536)]
    retention_days: Option<i32>,
    /// Flash on or off.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    flash: Option<bool>,
    /// Layer reuse on or off.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    reuse_layers: Option<bool>,
    /// New tags, all of them.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    tags: Option<BTreeMap<String, String>>,
    /// Another resource group.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    resource_group_id: Option<String>,
    /// Other ACR Enterprise registries, all of them; their roles cannot be changed.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 20)]
    acr_registries: Option<Vec<AcrRegistryBody>>,
    /// Another count of regular snapshots.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    standard_copy_count: Option<i32>,
    /// Another count of local snapshots.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    flash_copy_count: Option<i32>,
    /// Another strategy at the quota.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    elimination_strategy: Option<String>,
    /// Logins for the new build.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 20)]
    registry_credentials: Option<Vec<RegistryCredentialBody>>,
}

/// An access key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccessKey)]
pub(in crate::http::rest) struct NewAccessKeyBody {
    /// For people: at most 256 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 256)]
    description: Option<String>,
    /// What it may do: `read`, `write`, and only what you may; both where nothing is said.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    scopes: Option<Vec<String>>,
    /// Until when it is good. As for API keys: no later than your own credential, unless the team's policy names
    /// `longest_key_life_days` or you have the scope `platform:security`; the earlier of the two ends where nothing is said.
    #[serde(default, deserialize_with = "given_instant")]
    #[schema(nullable = false)]
    expires_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::image_cache::spec::NewImageCache;

    fn read(body: &str) -> Result<NewImageCacheBody, serde_json::Error> {
        serde_json::from_str(body)
    }

    #[test]
    fn a_body_of_the_required_fields_alone_is_enough() {
        let body = read(r#"{"name":"web","region":"cn-hangzhou","images":["nginx:1"]}"#).unwrap();
        let new = NewImageCache::try_from(body).unwrap();
        assert_eq!((new.spec.name.as_str(), new.spec.region.as_str()), ("web", "cn-hangzhou"));
        assert_eq!((new.spec.size_gib, new.spec.tags.len(), new.registry_credentials.len()), (None, 0, 0));
        new.check().unwrap();
    }

    #[test]
    fn null_and_unknown_fields_are_refused() {
        for field in [r#""size_gib":null"#, r#""tags":null"#, r#""imageCacheName":"x""#] {
            let body = format!(r#"{{"name":"web","region":"cn-hangzhou","images":["nginx:1"],{field}}}"#);
            assert!(read(&body).is_err(), "{field}");
        }
        assert!(serde_json::from_str::<ImageCacheChangesBody>(r#"{"retention_days":null}"#).is_err());
    }

    #[test]
    fn a_wrong_region_hides_nothing_else_that_is_wrong() {
        let body = read(r#"{"name":"","region":"X","images":[]}"#).unwrap();
        let errors = NewImageCache::try_from(body).unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["/region", "/name", "/images"]);
    }

    #[test]
    fn a_password_is_not_printed() {
        let login = r#"{"server":"r.example","user_name":"u","password":"hunter2"}"#;
        let body = format!(r#"{{"name":"a","region":"cn-hangzhou","images":["a"],"registry_credentials":[{login}]}}"#);
        let body = read(&body).unwrap();
        assert!(!format!("{body:?}").contains("hunter2"));
        assert_eq!(NewImageCache::try_from(body).unwrap().registry_credentials[0].server, "r.example");
    }
}
