//! Which contents count as the same, and which cache will do.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::*;
use crate::domain::entropy::Entropy;
use crate::domain::ids::{CacheId, OperationId};
use crate::domain::image_cache::drift::Drift;
use crate::domain::image_cache::observation::Observation;
use crate::domain::image_cache::spec::fields::sample;
use crate::domain::property::holds;
use crate::domain::reconcile::adoption::{Adopter, adopted};

fn at(minute: i64) -> Instant {
    Instant::UNIX_EPOCH + Duration::minutes(minute)
}

fn spec(more: &Value) -> ImageCacheSpec {
    let mut spec = json!({"name": "web", "region": "cn-hangzhou", "images": ["nginx", "redis:7"]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

#[test]
fn spelling_order_and_what_it_is_called_do_not_matter() {
    let plain = fingerprint(&spec(&json!({})));
    for same in [
        json!({"images": ["redis:7", "docker.io/library/nginx:latest", "index.docker.io/nginx"]}),
        json!({"name": "other", "tags": {"a": "b"}, "retention_days": 3, "elimination_strategy": "lru"}),
        json!({"size_gib": 20, "os_type": "linux", "flash": false, "reuse_layers": true, "vswitch_ids": ["vsw-1"]}),
    ] {
        assert_eq!(fingerprint(&spec(&same)), plain, "{same}");
    }
    for other in [
        json!({"images": ["nginx"]}),
        json!({"images": ["nginx:1.27", "redis:7"]}),
        json!({"images": ["registry.example.com/nginx", "redis:7"]}),
        json!({"size_gib": 21}),
        json!({"os_type": "windows"}),
        json!({"flash": true}),
        json!({"standard_copy_count": 2}),
        json!({"flash_copy_count": 2}),
    ] {
        assert_ne!(fingerprint(&spec(&other)), plain, "{other}");
    }
}

#[test]
fn a_field_counts_where_the_table_says_so() {
    let plain = fingerprint(&sample::of(None));
    for field in sample::fields() {
        let other = sample::of(Some(field));
        assert_eq!(fingerprint(&other) != plain, field.in_content, "{}: {other:?}", field.name);
    }
}

#[test]
fn what_was_asked_for_before_keeps_its_fingerprint() {
    let spec = spec(&json!({"size_gib": 40, "flash": true, "os_type": "windows", "standard_copy_count": 2}));
    assert_eq!(fingerprint(&spec)[..4], [0xa1, 0x26, 0x7b, 0x7d]);
}

#[test]
fn a_digest_says_more_than_the_tag_beside_it() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let of = |image: String| fingerprint(&spec(&json!({"images": [image]})));
    assert_eq!(of(format!("nginx:1.27@{digest}")), of(format!("docker.io/library/nginx@{digest}")));
    assert_ne!(of(format!("nginx@{digest}")), of("nginx".into()));
    assert_eq!(plain("not a reference"), "not a reference");
}

fn cache(status: &str, expires: Option<i64>, number: u64) -> ImageCache {
    let seen: Observation = Observation {
        eci_cache_id: "imc-1".into(),
        status: status.into(),
        progress_percent: None,
        container_group_id: None,
        snapshot_id: None,
        flash_snapshot_id: None,
        created_at: None,
        expires_at: expires.map(at),
        images: vec!["nginx".into()],
        tags: vec![],
        name: "web".into(),
        size_gib: None,
        resource_group_id: None,
        elimination_strategy: None,
        last_matched_at: None,
        raw: Value::Null,
        events: vec![],
    };
    let entropy = Entropy::from_seed(number);
    let adopter = Adopter {
        cache: CacheId::new(at(0), &entropy),
        operation: OperationId::new(at(0), &entropy),
        team: "web".parse().unwrap(),
        account: "default".into(),
        region: "cn-hangzhou".parse().unwrap(),
    };
    adopted(&seen, &adopter, at(0))
}

#[test]
fn only_what_is_usable_for_a_while_or_being_built_will_do() {
    let does = |cache: &ImageCache| serves(cache, at(0), Duration::hours(1));
    for (status, how) in [
        ("Ready", Some(Ensured::Reused)),
        ("Preparing", Some(Ensured::Joined)),
        ("Creating", Some(Ensured::Joined)),
        ("Updating", Some(Ensured::Joined)),
        ("Failed", None),
        ("UpdateFailed", None),
        ("Warming", None),
    ] {
        assert_eq!(does(&cache(status, None, 1)), how, "{status}");
    }
    assert_eq!(does(&cache("Ready", Some(60), 1)), None, "it ends within the margin");
    assert_eq!(does(&cache("Ready", Some(61), 1)), Some(Ensured::Reused));
    let mut drifted = cache("Ready", None, 1);
    let drift = |field: &str| vec![Drift { field: field.into(), expected: vec![], seen: vec![] }];
    drifted.reconciled.drift = drift("name");
    assert_eq!(does(&drifted), Some(Ensured::Reused), "another name serves as well");
    drifted.reconciled.drift = drift("images");
    assert_eq!(does(&drifted), None);
}

#[test]
fn a_usable_one_comes_first_and_the_one_that_lasts() {
    let caches =
        [cache("Creating", None, 1), cache("Ready", Some(500), 2), cache("Ready", None, 3), cache("Failed", None, 4)];
    let chosen = |caches: &[ImageCache]| choose(caches, at(0), Duration::hours(1));
    assert_eq!(chosen(&caches), Some((2, Ensured::Reused)));
    assert_eq!(chosen(&caches[..2]), Some((1, Ensured::Reused)));
    assert_eq!(chosen(&caches[..1]), Some((0, Ensured::Joined)));
    assert_eq!(chosen(&caches[3..]), None);
}

#[test]
fn neither_the_order_of_images_nor_one_that_stands_twice_changes_the_content() {
    let image = prop_oneof!["[a-c]{1,2}(:[12])?", "h\\.x/[ab](:[12])?"];
    holds(1_000, (vec(image, 1..8), any::<Index>(), "[d-f]{1,3}"), |(images, again, another)| {
        let of = |images: &[String]| fingerprint(&spec(&json!({"images": images})));
        let one = of(&images);
        let mut others: Vec<String> = images.iter().rev().cloned().collect();
        prop_assert_eq!(of(&others), one, "the other way round");
        others.push(images[again.index(images.len())].clone());
        prop_assert_eq!(of(&others), one, "one stands there twice");
        let full: Vec<String> = images.iter().map(|image| plain(image)).collect();
        prop_assert_eq!(of(&full), one, "in full");
        others.push(another);
        prop_assert_ne!(of(&others), one, "one more");
        Ok(())
    });
}
