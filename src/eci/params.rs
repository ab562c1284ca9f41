//! Encodes our types as the API's flat parameters: lists as `Image.1`, objects as `Tag.1.Key`.
//!
//! Only given values are sent, so that the cloud's own defaults apply. The same input always gives the same parameters
//! in the same order: a repeated call with the same `ClientToken` must not differ.
//!
//! Called by the client. It neither adds the system parameters nor signs.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::ExposeSecret as _;

use super::action::PAGE;
use super::credentials::Role;
use super::request::{Attempt, DescribeQuery};
use crate::domain::image_cache::spec::fields::objects::{LOGIN, Member};
use crate::domain::image_cache::spec::fields::{FIELDS, Field};
use crate::domain::image_cache::spec::values::FieldValue;
use crate::domain::image_cache::spec::{
    AcrRegistry, ImageCacheChanges, ImageCacheSpec, MAX_TAGS, OPERATION_TAG, RegistryCredential,
};
use crate::domain::poll::bucket::{BUCKET_TAG, has_room};
use crate::domain::region::Region;

pub mod known;
mod probe;
pub mod read;

pub use probe::probe;

/// Parameters to be sent. They may contain registry passwords, so `Debug` shows only the keys.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// The pairs in the order in which they were added.
    pub fn as_slice(&self) -> &[(String, String)] {
        &self.0
    }

    /// The pairs, by value.
    pub fn into_inner(self) -> Vec<(String, String)> {
        self.0
    }

    pub(super) fn put(&mut self, key: impl Into<String>, value: &(impl ToString + ?Sized)) {
        self.0.push((key.into(), value.to_string()));
    }

    fn put_some(&mut self, key: &str, value: Option<&impl ToString>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }
}

impl Params {
    /// `AssumeRole` of STS.
    pub fn assume_role(role: &Role) -> Self {
        let mut params = Self::default();
        params.put("RoleArn", &role.arn);
        params.put("RoleSessionName", &role.session);
        params.put("DurationSeconds", &role.lasts.as_secs());
        params.put_some("ExternalId", role.external_id.as_ref().map(secrecy::ExposeSecret::expose_secret).as_ref());
        params
    }

    /// `Name.1`, `Name.2`, …
    fn put_list<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a String>) {
        for (place, value) in (1..).zip(values) {
            self.put(format!("{name}.{place}"), value);
        }
    }

    /// One parameter with comma-separated values.
    fn put_joined<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a String>) {
        let values: Vec<&str> = values.into_iter().map(String::as_str).collect();
        if !values.is_empty() {
            self.put(name, &values.join(","));
        }
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(key, _)| key)).finish()
    }
}

/// `CreateImageCache`. The operation's id is added as a tag, by which the image cache is found if the response is lost.
pub fn create(spec: &ImageCacheSpec, logins: &[RegistryCredential], attempt: &Attempt) -> Params {
    let mut params = Params::default();
    put_fields(&mut params, &spec.given(), attempt);
    put_logins(&mut params, logins);
    params.put("ClientToken", &attempt.client_token);
    params
}

/// `UpdateImageCache`, with only what is to change.
pub fn update(
    region: &Region,
    eci_cache_id: &str,
    changes: &ImageCacheChanges,
    logins: &[RegistryCredential],
    attempt: &Attempt,
) -> Params {
    let mut params = Params::default();
    params.put("RegionId", region);
    params.put("ImageCacheId", eci_cache_id);
    put_fields(&mut params, &changes.given(), attempt);
    put_logins(&mut params, logins);
    params.put("ClientToken", &attempt.client_token);
    params
}

/// `DeleteImageCache`.
pub fn delete(region: &Region, eci_cache_id: &str, attempt: &Attempt) -> Params {
    let mut params = Params::default();
    params.put("RegionId", region);
    params.put("ImageCacheId", eci_cache_id);
    params.put("ClientToken", &attempt.client_token);
    params
}

/// `DescribeImageCaches`, one page.
pub fn describe(region: &Region, query: &DescribeQuery) -> Params {
    let mut params = Params::default();
    params.put("RegionId", region);
    params.put_some("ImageCacheId", query.eci_cache_id.as_ref());
    params.put_some("ImageCacheName", query.name.as_ref());
    if let Some(operation) = query.operation_tag {
        put_tag(&mut params, 1, OPERATION_TAG, &operation.to_string());
    }
    if let Some(bucket) = &query.bucket {
        put_tag(&mut params, if query.operation_tag.is_some() { 2 } else { 1 }, BUCKET_TAG, bucket);
    }
    params.put("Limit", PAGE);
    params.put_some("NextToken", query.next_token.as_ref());
    params
}

/// Adds the given fields under their names on the wire.
fn put_fields(params: &mut Params, given: &[(&'static Field, FieldValue<'_>)], attempt: &Attempt) {
    for (field, given) in given {
        match given {
            FieldValue::Unset => {}
            FieldValue::Text(text) => params.put(field.wire, text),
            FieldValue::Word(word) => params.put(field.wire, word),
            FieldValue::Number(number) => params.put(field.wire, number),
            FieldValue::Flag(flag) => params.put(field.wire, flag),
            FieldValue::Texts(texts) if field.is_numbered() => params.put_list(field.parameter(), *texts),
            FieldValue::Texts(texts) => params.put_joined(field.wire, *texts),
            FieldValue::Tags(tags) => put_tags(params, tags, attempt),
            FieldValue::AcrRegistries(registries) => put_acr(params, field.parameter(), registries),
        }
    }
}

/// The team's tags, then as many of ours as fit: the cloud accepts 20. The operation's tag comes first, then the
/// bucket's, then those that name the owner.
fn put_tags(params: &mut Params, tags: &BTreeMap<String, String>, attempt: &Attempt) {
    for (place, (key, value)) in (1..).zip(tags) {
        put_tag(params, place, key, value);
    }
    if tags.len() < MAX_TAGS {
        put_tag(params, tags.len() + 1, OPERATION_TAG, &attempt.operation.to_string());
    }
    let mut places = tags.len() + 2..=MAX_TAGS;
    if let Some(bucket) = attempt.bucket.as_ref().filter(|_| has_room(tags.len())) {
        places.next();
        put_tag(params, tags.len() + 2, BUCKET_TAG, bucket);
    }
    for (place, (key, value)) in places.zip(&attempt.marks) {
        put_tag(params, place, key, value);
    }
}

fn put_acr(params: &mut Params, list: &str, registries: &[AcrRegistry]) {
    for (place, registry) in (1..).zip(registries) {
        for (member, given) in registry.given() {
            let name = format!("{list}.{place}.{}", member.parameter());
            match given {
                FieldValue::Text(text) => params.put(name, text),
                FieldValue::Texts(texts) => params.put_list(&name, texts),
                _ => {}
            }
        }
    }
}

fn put_logins(params: &mut Params, logins: &[RegistryCredential]) {
    let list = FIELDS.registry_credentials.parameter();
    for (place, login) in (1..).zip(logins) {
        let at = |member: &Member| format!("{list}.{place}.{}", member.wire);
        params.put(at(&LOGIN.server), &login.server);
        params.put(at(&LOGIN.user_name), &login.user_name);
        params.put(at(&LOGIN.password), login.password.expose_secret());
    }
}

fn put_tag(params: &mut Params, place: usize, key: &str, value: &str) {
    let list = FIELDS.tags.parameter();
    params.put(format!("{list}.{place}.Key"), key);
    params.put(format!("{list}.{place}.Value"), value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Instant;
    use crate::domain::entropy::Entropy;
    use crate::domain::ids::OperationId;

    fn operation() -> OperationId {
        OperationId::new(Instant::UNIX_EPOCH, &Entropy::from_seed(1))
    }

    fn spec(extra: &str) -> ImageCacheSpec {
        serde_json::from_str(&format!(
            r#"{{"name":"web","region":"cn-beijing","images":["nginx:1","redis:7"]{extra}}}"#
        ))
        .expect("the test's own JSON")
    }

    fn text(params: &Params) -> Vec<String> {
        params.as_slice().iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    fn attempt(operation: OperationId) -> Attempt {
        Attempt {
            operation,
            client_token: "token".into(),
            signed_at: chrono::DateTime::UNIX_EPOCH,
            bucket: None,
            marks: Vec::new(),
        }
    }

    #[test]
    fn a_create_sends_only_what_was_given() {
        let op = operation();
        let expected = [
            "ImageCacheName=web".to_owned(),
            "RegionId=cn-beijing".to_owned(),
            "Image.1=nginx:1".to_owned(),
            "Image.2=redis:7".to_owned(),
            format!("Tag.1.Key={OPERATION_TAG}"),
            format!("Tag.1.Value={op}"),
            "ClientToken=token".to_owned(),
        ];
        assert_eq!(text(&create(&spec(""), &[], &attempt(op))), expected);
    }

    #[test]
    fn every_field_has_its_name_on_the_wire() {
        let full = spec(
            r#","vswitch_ids":["vsw-a","vsw-b"],"security_group_id":"sg-1","eip_instance_id":"eip-1","size_gib":30,
            "retention_days":7,"flash":true,"reuse_layers":false,"tags":{"team":"web"}"#,
        );
        let login = RegistryCredential {
            server: "private.example".into(),
            user_name: "robot".into(),
            password: "canary-password".into(),
        };
        let params = create(&full, &[login], &attempt(operation()));
        let lines = text(&params);
        for line in [
            "VSwitchId=vsw-a,vsw-b",
            "SecurityGroupId=sg-1",
            "EipInstanceId=eip-1",
            "ImageCacheSize=30",
            "RetentionDays=7",
            "Flash=true",
            "AutoMatchImageCache=false",
            "ImageRegistryCredential.1.Server=private.example",
            "ImageRegistryCredential.1.UserName=robot",
            "ImageRegistryCredential.1.Password=canary-password",
            "Tag.1.Key=team",
            "Tag.1.Value=web",
        ] {
            assert!(lines.iter().any(|sent| sent == line), "{line} in {lines:?}");
        }
        assert!(!format!("{params:?}").contains("canary"), "Debug shows keys alone");
    }

    #[test]
    fn a_look_asks_for_pages_of_twenty() {
        let region: Region = "cn-beijing".parse().expect("a region");
        assert_eq!(text(&describe(&region, &DescribeQuery::default())), ["RegionId=cn-beijing", "Limit=20"]);
        let op = operation();
        let query = DescribeQuery { operation_tag: Some(op), next_token: Some("n".into()), ..Default::default() };
        assert_eq!(
            text(&describe(&region, &query))[1..3],
            [format!("Tag.1.Key={OPERATION_TAG}"), format!("Tag.1.Value={op}")]
        );
    }

    #[test]
    fn our_tags_stand_behind_the_teams_and_only_where_there_is_room() {
        let bucket = Some("b1".to_owned());
        let attempt = Attempt { bucket: bucket.clone(), ..attempt(operation()) };
        for (team, ours) in [(0, 2), (18, 2), (19, 1), (20, 0)] {
            let tags: BTreeMap<_, _> = (0..team).map(|number| (format!("k{number:02}"), String::new())).collect();
            let spec = ImageCacheSpec { tags, ..spec("") };
            let lines = text(&create(&spec, &[], &attempt));
            let keys: Vec<_> = lines.iter().filter(|line| line.contains(".Key=")).collect();
            assert_eq!(keys.len(), team + ours);
            let own: Vec<_> = keys.iter().filter_map(|line| line.split_once("=eci-cache-gateway:")).collect();
            assert_eq!(own.iter().map(|(_, own)| *own).collect::<Vec<_>>(), ["operation", "bucket"][..ours]);
        }
        let region: Region = "cn-beijing".parse().expect("a region");
        let look = describe(&region, &DescribeQuery { bucket, ..Default::default() });
        assert_eq!(text(&look)[1..3], [format!("Tag.1.Key={BUCKET_TAG}"), "Tag.1.Value=b1".to_owned()]);
    }
}
