//! Any valid create or update that is encoded and decoded again is the same; nothing panics.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use secrecy::ExposeSecret as _;

use super::*;
use crate::domain::clock::Instant;
use crate::domain::entropy::Entropy;
use crate::domain::ids::OperationId;
use crate::domain::image_cache::spec::{EliminationStrategy, OPERATION_TAG, OsType};
use crate::domain::policy::team::TEAM_TAG;
use crate::domain::poll::bucket::BUCKET_TAG;
use crate::domain::property::holds;
use crate::eci::params;
use crate::eci::request::Attempt;
use crate::eci::usage;

/// One to `most` of these letters.
fn letters(from: &str, most: usize) -> impl Strategy<Value = String> + use<> {
    let from: Vec<char> = from.chars().collect();
    vec(select(from), 1..=most).prop_map(|letters| letters.into_iter().collect())
}

/// Anything that a name may contain, including blanks, quotes and commas.
fn text() -> impl Strategy<Value = String> {
    letters("aZ09 ,\"'&=+%*~/é键🚀._-", 21)
}

fn id() -> impl Strategy<Value = String> {
    letters("abcXYZ0189-_", 21)
}

fn host() -> impl Strategy<Value = String> {
    letters("abcz09.-:[]_", 21)
}

fn hosts() -> impl Strategy<Value = Vec<String>> {
    vec(host(), 0..=20)
}

/// Images with distinct names.
fn images() -> impl Strategy<Value = Vec<String>> {
    let one = (letters("abcz09", 21), 1..=65_535, letters("abcz09", 21));
    vec(one, 1..=20).prop_map(|images| {
        let full = |(place, (host, port, repository))| format!("{host}.example:{port}/{repository}:{place}");
        images.into_iter().enumerate().map(full).collect()
    })
}

fn acr(roles: bool) -> impl Strategy<Value = AcrRegistry> {
    let arn = move || option::of(id()).prop_map(move |id| Some(format!("acs:ram::{}:role/x", id?)).filter(|_| roles));
    (id(), option::of(text()), option::of(id()), hosts(), arn(), arn()).prop_map(
        |(instance_id, instance_name, region_id, domains, arn_service, arn_user)| AcrRegistry {
            instance_id,
            instance_name,
            region_id,
            domains,
            arn_service,
            arn_user,
        },
    )
}

fn strategy() -> impl Strategy<Value = EliminationStrategy> {
    select(&[EliminationStrategy::Keep, EliminationStrategy::Lru][..])
}

fn logins() -> impl Strategy<Value = Vec<RegistryCredential>> {
    let login = (host(), text(), text());
    vec(login, 0..=20).prop_map(|logins| {
        let full = |(server, user_name, password): (_, _, String)| RegistryCredential {
            server,
            user_name,
            password: password.into(),
        };
        logins.into_iter().map(full).collect()
    })
}

fn tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key = text().prop_map(|key| format!("k{key}"));
    btree_map(key, prop_oneof![Just(String::new()), text()], 0..=20)
}

fn size() -> impl Strategy<Value = Option<i32>> {
    option::of(20..=32_768)
}

fn copies() -> impl Strategy<Value = (Option<i32>, Option<i32>)> {
    (option::of(1..=100), option::of(1..=100))
}

fn spec() -> impl Strategy<Value = ImageCacheSpec> {
    let region = select(&["cn-beijing", "ap-southeast-1"][..]);
    let place = (region, vec(id(), 0..=10), option::of(id()), option::of(id()), option::of(id()), option::of(id()));
    let kept = (size(), option::of(1..=65_536), option::of(strategy()), tags(), option::of(text()));
    let built = (option::of(any::<bool>()), option::of(any::<bool>()), copies());
    let system = option::of(select(&[OsType::Linux, OsType::Windows][..]));
    let sources = (images(), vec(acr(true), 0..=20), hosts(), hosts());
    (text(), place, kept, built, system, sources).prop_map(|(name, place, kept, built, os_type, sources)| {
        let (region, vswitch_ids, security_group_id, eip_instance_id, zone_id, resource_group_id) = place;
        let (size_gib, retention_days, elimination_strategy, tags, comment) = kept;
        let (flash, reuse_layers, (standard_copy_count, flash_copy_count)) = built;
        let (images, acr_registries, plain_http_registries, insecure_registries) = sources;
        ImageCacheSpec {
            name,
            region: region.parse().expect("a region"),
            images,
            vswitch_ids,
            security_group_id,
            eip_instance_id,
            size_gib,
            retention_days,
            flash,
            reuse_layers,
            tags,
            zone_id,
            resource_group_id,
            acr_registries,
            plain_http_registries,
            insecure_registries,
            comment,
            os_type,
            standard_copy_count,
            flash_copy_count,
            elimination_strategy,
        }
    })
}

/// A list of an update; `None` if it is empty.
fn given<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn changes() -> impl Strategy<Value = ImageCacheChanges> {
    let lists = (vec(id(), 0..=10), vec(acr(false), 0..=20), logins(), tags());
    let all = (option::of(text()), option::of(images()), size(), option::of(strategy()), lists);
    all.prop_map(|(name, images, size_gib, elimination_strategy, lists)| ImageCacheChanges {
        name,
        images,
        vswitch_ids: given(lists.0),
        size_gib,
        elimination_strategy,
        acr_registries: given(lists.1),
        registry_credentials: lists.2,
        tags: Some(lists.3).filter(|tags| !tags.is_empty()),
        ..ImageCacheChanges::default()
    })
}

fn attempt() -> impl Strategy<Value = Attempt> {
    (any::<u64>(), option::of(id()), any::<bool>(), id()).prop_map(|(seed, bucket, marked, client_token)| Attempt {
        operation: OperationId::new(Instant::UNIX_EPOCH, &Entropy::from_seed(seed)),
        client_token,
        signed_at: Instant::UNIX_EPOCH,
        bucket,
        marks: marked.then(|| (TEAM_TAG.to_owned(), "web".to_owned())).into_iter().collect(),
    })
}

fn bare(logins: &[RegistryCredential]) -> Vec<(&str, &str, &str)> {
    logins
        .iter()
        .map(|login| (login.server.as_str(), login.user_name.as_str(), login.password.expose_secret()))
        .collect()
}

#[test]
fn any_valid_create_reads_back_as_itself() {
    holds(1_000, (spec(), logins(), attempt()), |(spec, logins, attempt)| {
        let new = NewImageCache { cloud_account: None, spec, registry_credentials: logins };
        prop_assert_eq!(new.check(), Ok(()));
        let params = params::create(&new.spec, &new.registry_credentials, &attempt).into_inner();
        let (mut read, token) = read_create(&params).map_err(|refused| TestCaseError::fail(refused.to_string()))?;
        let own = read.spec.tags.remove(OPERATION_TAG);
        prop_assert_eq!(own.is_some(), new.spec.tags.len() < MAX_TAGS);
        let bucket = read.spec.tags.remove(BUCKET_TAG);
        let before = new.spec.tags.len() + 1 + usize::from(attempt.bucket.is_some());
        let mark = read.spec.tags.remove(TEAM_TAG);
        prop_assert_eq!(mark.is_some(), !attempt.marks.is_empty() && before < MAX_TAGS);
        prop_assert_eq!(bucket, attempt.bucket.filter(|_| new.spec.tags.len() + 2 <= MAX_TAGS));
        prop_assert_eq!(&read.spec, &new.spec);
        prop_assert_eq!(bare(&read.registry_credentials), bare(&new.registry_credentials));
        prop_assert_eq!(token, Some(attempt.client_token));
        Ok(())
    });
}

#[test]
fn any_update_reads_back_as_itself() {
    holds(1_000, (changes(), attempt(), id()), |(changes, attempt, id)| {
        let region: Region = "cn-beijing".parse().expect("a region");
        let params = params::update(&region, &id, &changes, &changes.registry_credentials, &attempt).into_inner();
        let (target, _, mut read, _) =
            read_update(&params).map_err(|refused| TestCaseError::fail(refused.to_string()))?;
        if let Some(tags) = &mut read.tags {
            tags.remove(OPERATION_TAG);
            tags.remove(BUCKET_TAG);
            tags.remove(TEAM_TAG);
        }
        prop_assert_eq!(target, id);
        let plain = |changes| serde_json::to_value(changes).expect("JSON");
        prop_assert_eq!(plain(&read), plain(&changes));
        prop_assert_eq!(bare(&read.registry_credentials), bare(&changes.registry_credentials));
        Ok(())
    });
}

#[test]
fn nothing_panics() {
    let names = ["Image", "Tag", "AcrRegistryInfo", "ImageRegistryCredential", "MatchImage", "Limit", "ImageCacheSize"];
    let one = (select(names.to_vec()), letters("0123456789..DomainKeyValue-é+ ", 13), text());
    holds(5_000, vec(one, 0..=30), |drawn| {
        let drawn = drawn.into_iter().map(|(name, tail, value)| (format!("{name}.{tail}"), value));
        let least = [("RegionId", "cn-beijing"), ("ImageCacheName", "web"), ("Image.1", "x"), ("ImageCacheId", "y")];
        let params: Vec<_> = drawn.chain(least.map(|(key, value)| (key.to_owned(), value.to_owned()))).collect();
        // Only that they return.
        let _read = (read_create(&params), read_update(&params), read_describe(&params), usage::read(&params));
        Ok(())
    });
}
