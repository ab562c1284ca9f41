//! Request bodies, and how they become the domain's words. Unknown fields and nulls are refused.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::app::input::NewEndpoint;
use crate::domain::event::EventType;
use crate::domain::field::FieldError;
use crate::domain::region::Region;
use crate::domain::spec::{ImageCacheChanges, ImageCacheSpec, NewImageCache, RegistryCredential};

/// What is given is not null: leaving a field out is the way to say nothing.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// An image cache to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewImageCache)]
pub(super) struct NewImageCacheBody {
    /// Its name (`ImageCacheName`): 1 to 128 characters.
    #[schema(min_length = 1, max_length = 128, example = "web-2026-07")]
    name: String,
    /// The region (`RegionId`). It cannot be changed later.
    #[schema(example = "cn-hangzhou")]
    region: String,
    /// The images in it (`Image.N`): 1 to 20 references.
    #[schema(min_items = 1, max_items = 20)]
    images: Vec<String>,
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
    /// Tags (`Tag.N`): up to 19.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    tags: Option<BTreeMap<String, String>>,
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

/// What to change of an image cache; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImageCacheChanges)]
pub(super) struct ImageCacheChangesBody {
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
    /// Logins for the new build.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 20)]
    registry_credentials: Option<Vec<RegistryCredentialBody>>,
}

/// A webhook endpoint to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewWebhookEndpoint)]
pub(super) struct NewWebhookEndpointBody {
    /// Where events are sent: https, or http where the gateway allows it; at most 2048 characters.
    #[schema(max_length = 2048, example = "https://hooks.example.com/eci")]
    url: String,
    /// For people: at most 256 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 256)]
    description: Option<String>,
    /// Which types of events; left out or empty means all.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    event_types: Option<Vec<String>>,
}

fn logins(bodies: Option<Vec<RegistryCredentialBody>>) -> Vec<RegistryCredential> {
    let bodies = bodies.unwrap_or_default().into_iter();
    let login = |body: RegistryCredentialBody| RegistryCredential {
        server: body.server,
        user_name: body.user_name,
        password: body.password,
    };
    bodies.map(login).collect()
}

fn any_region() -> Region {
    "cn-hangzhou".parse().expect("the form is right")
}

impl TryFrom<NewImageCacheBody> for NewImageCache {
    type Error = Vec<FieldError>;

    fn try_from(body: NewImageCacheBody) -> Result<Self, Vec<FieldError>> {
        let (region, mut errors) = match body.region.parse::<Region>() {
            Ok(region) => (region, Vec::new()),
            // Any region does for checking the rest, so that the caller hears of everything at once.
            Err(error) => (any_region(), vec![FieldError::new("/region", "invalid", error.to_string())]),
        };
        let spec = ImageCacheSpec {
            name: body.name,
            region,
            images: body.images,
            vswitch_ids: body.vswitch_ids.unwrap_or_default(),
            security_group_id: body.security_group_id,
            eip_instance_id: body.eip_instance_id,
            size_gib: body.size_gib,
            retention_days: body.retention_days,
            flash: body.flash,
            reuse_layers: body.reuse_layers,
            tags: body.tags.unwrap_or_default(),
        };
        let new = Self { spec, registry_credentials: logins(body.registry_credentials) };
        if errors.is_empty() {
            return Ok(new);
        }
        errors.extend(new.check().err().into_iter().flatten());
        Err(errors)
    }
}

impl From<ImageCacheChangesBody> for ImageCacheChanges {
    fn from(body: ImageCacheChangesBody) -> Self {
        Self {
            name: body.name,
            images: body.images,
            vswitch_ids: body.vswitch_ids,
            security_group_id: body.security_group_id,
            eip_instance_id: body.eip_instance_id,
            size_gib: body.size_gib,
            retention_days: body.retention_days,
            flash: body.flash,
            reuse_layers: body.reuse_layers,
            tags: body.tags,
            registry_credentials: logins(body.registry_credentials),
        }
    }
}

impl TryFrom<NewWebhookEndpointBody> for NewEndpoint {
    type Error = Vec<FieldError>;

    fn try_from(body: NewWebhookEndpointBody) -> Result<Self, Vec<FieldError>> {
        let (mut event_types, mut errors) = (Vec::new(), Vec::new());
        for (place, name) in body.event_types.unwrap_or_default().iter().enumerate() {
            match EventType::from_name(name) {
                Some(kind) if event_types.contains(&kind) => {}
                Some(kind) => event_types.push(kind),
                None => {
                    let field = format!("/event_types/{place}");
                    errors.push(FieldError::new(field, "unknown_event_type", "is no type of event"));
                }
            }
        }
        let new = Self { url: body.url, description: body.description, event_types };
        if errors.is_empty() { Ok(new) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn types_of_events_are_known_and_counted_once() {
        let body = |types: &str| {
            serde_json::from_str::<NewWebhookEndpointBody>(&format!(
                r#"{{"url":"https://x.example","event_types":{types}}}"#
            ))
            .unwrap()
        };
        let new = NewEndpoint::try_from(body(r#"["image_cache.ready","image_cache.ready"]"#)).unwrap();
        assert_eq!(new.event_types, [EventType::Ready]);
        let errors = NewEndpoint::try_from(body(r#"["image_cache.ready","nonsense"]"#)).unwrap_err();
        assert_eq!(errors[0].field, "/event_types/1");
    }
}
