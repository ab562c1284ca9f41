//! The row that an adopted cache gets.

use serde_json::json;

use super::*;
use crate::domain::entropy::Entropy;
use crate::domain::image_cache::observation::ProviderEvent;
use crate::domain::image_cache::spec::OPERATION_TAG;
use crate::domain::poll::bucket::BUCKET_TAG;

fn at(minute: i64) -> Instant {
    Instant::UNIX_EPOCH + chrono::Duration::minutes(minute)
}

fn seen(status: &str) -> Observation {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let event = |kind: &str, minute: i64| ProviderEvent {
        name: format!("{kind}.{minute}"),
        kind: kind.into(),
        reason: "Failed".into(),
        message: format!("at {minute}"),
        count: 1,
        first_at: Some(at(minute)),
        last_at: Some(at(minute)),
    };
    Observation {
        eci_cache_id: "imc-1".into(),
        status: status.into(),
        progress_percent: Some(60),
        container_group_id: Some("eci-1".into()),
        snapshot_id: Some("s-1".into()),
        flash_snapshot_id: None,
        created_at: Some(at(0)),
        expires_at: Some(at(7 * 24 * 60)),
        images: vec!["nginx:1".into(), "redis:7".into(), "nginx:1".into()],
        tags: vec![pair("env", "prod"), pair(OPERATION_TAG, "op_x"), pair(BUCKET_TAG, "b"), pair("acs:rm:x", "1")],
        name: "web".into(),
        size_gib: Some(40),
        resource_group_id: Some("rg-1".into()),
        elimination_strategy: Some("LRU".into()),
        last_matched_at: Some(at(9)),
        raw: json!({"ImageCacheId": "imc-1", "Novelty": 1}),
        events: vec![event("Warning", 3), event("Normal", 5)],
    }
}

fn row(seen: &Observation) -> ImageCache {
    let entropy = Entropy::from_seed(7);
    let adopter = Adopter {
        cache: CacheId::new(at(10), &entropy),
        operation: OperationId::new(at(10), &entropy),
        team: "web".parse().unwrap(),
        account: "main".into(),
        region: "cn-beijing".parse().unwrap(),
    };
    adopted(seen, &adopter, at(10))
}

#[test]
fn what_describe_shows_is_kept_and_nothing_is_guessed() {
    let cache = row(&seen("Ready"));
    assert_eq!((cache.status, cache.provider_status.as_deref()), (Status::Ready, Some("Ready")));
    assert_eq!((cache.generation, cache.version, cache.sequence), (1, 1, 1));
    assert_eq!((cache.created_at, cache.ready_at, cache.updated_at), (at(0), Some(at(5)), at(10)));
    assert_eq!((cache.last_matched_at, cache.expires_at), (Some(at(9)), Some(at(7 * 24 * 60))));
    assert_eq!(cache.provider.unwrap()["Novelty"], 1, "fields that we do not know survive");
    let spec = cache.spec;
    assert_eq!(
        (spec.name.as_str(), spec.region.as_str(), spec.images),
        ("web", "cn-beijing", vec!["nginx:1".to_owned(), "redis:7".into()])
    );
    assert_eq!(
        (spec.size_gib, spec.retention_days, spec.resource_group_id.as_deref()),
        (Some(40), Some(7), Some("rg-1"))
    );
    assert_eq!(spec.tags, BTreeMap::from([("env".to_owned(), "prod".to_owned())]));
    assert_eq!((spec.elimination_strategy, spec.flash), (Some(EliminationStrategy::Lru), None));
    assert_eq!((spec.vswitch_ids.len(), spec.security_group_id, spec.reuse_layers), (0, None, None));
}

#[test]
fn the_clouds_word_is_the_status() {
    let failed = row(&seen("Failed"));
    assert_eq!(
        (failed.status, failed.failure.unwrap().message.as_str(), failed.ready_at),
        (Status::Failed, "at 3", None)
    );
    let updating = row(&seen("Updating"));
    assert!(updating.evidence.build_seen, "the build that runs is the one that is meant");
    assert_eq!(updating.evidence.snapshot_before.as_deref(), Some("s-1"));
    assert_eq!(row(&seen("Warming")).status, Status::Unknown);
}

#[test]
fn an_adopted_cache_can_be_updated() {
    let bare = Observation {
        name: String::new(),
        created_at: None,
        images: vec!["nginx".into()],
        events: vec![],
        ..seen("Ready")
    };
    let cache = row(&bare);
    assert_eq!((cache.spec.name.as_str(), cache.spec.retention_days), ("imc-1", None));
    assert_eq!((cache.created_at, cache.ready_at), (at(10), Some(at(10))));
    let changes: crate::domain::image_cache::spec::ImageCacheChanges =
        serde_json::from_value(json!({"size_gib": 50})).unwrap();
    assert_eq!(changes.apply(&cache.spec).unwrap().size_gib, Some(50));
}

#[test]
fn everything_given_must_hold() {
    let lets = |name: Option<&str>, tag: Option<(&str, Option<&str>)>, image: Option<&str>| {
        let filter = AdoptionFilter {
            name: name.map(Into::into),
            tag: tag.map(|(key, value)| (key.into(), value.map(Into::into))),
            image: image.map(|image| image.parse().unwrap()),
        };
        filter.lets(&seen("Ready"))
    };
    assert!(lets(None, None, None));
    assert!(lets(Some("web"), Some(("env", Some("prod"))), Some("docker.io/library/nginx:1")));
    assert!(lets(None, Some(("env", None)), None));
    assert!(!lets(Some("we"), None, None));
    assert!(!lets(Some("web"), Some(("env", Some("test"))), None));
    assert!(!lets(None, Some(("other", None)), None));
    assert!(!lets(None, None, Some("nginx:2")));
}
