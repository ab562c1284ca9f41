//! Quota, rate limit, usage, what is returned, and what an update ignores.

use super::*;

const NAMED: [(&str, &str); 2] = [("ImageCacheName", "web"), ("Image.1", "nginx")];

#[tokio::test]
async fn at_the_quota_the_idlest_one_goes_or_the_new_one_is_refused() {
    let cloud = TestCloud::start().await;
    cloud.set("settings", json!({"quota": 3})).await;
    let lru = json!({"elimination_strategy": "lru"});
    let (kept, first) = (cloud.created(&spec(&json!({}))).await, cloud.created(&spec(&lru)).await);
    cloud.pass(1);
    let second = cloud.created(&spec(&lru)).await;
    cloud.pass(1);
    cloud.set("use", json!({"image_cache_id": first})).await;
    let used = cloud.seen(&first).await;
    assert_eq!((used.last_matched_at, used.elimination_strategy.as_deref()), (Some(cloud.clock.now()), Some("LRU")));
    let third = cloud.created(&spec(&json!({}))).await;
    assert_eq!(cloud.look(&second).await, None, "never used since its creation");
    let fourth = cloud.created(&spec(&json!({}))).await;
    assert_eq!(cloud.look(&first).await, None);
    let (status, body) = cloud.ask("CreateImageCache", &NAMED).await;
    assert_eq!((status, body["Code"].as_str()), (403, Some("QuotaExceeded")));
    let ledger = cloud.ledger().await;
    assert_eq!((&ledger["evicted"], &ledger["deleted"]), (&json!([second, first]), &json!([])));
    for id in [kept, third, fourth] {
        cloud.seen(&id).await;
    }
    let elsewhere: ImageCacheSpec = spec(&json!({"region": "cn-hangzhou"}));
    cloud.created(&elsewhere).await;
}

#[tokio::test]
async fn two_hundred_creates_a_minute() {
    let cloud = TestCloud::start().await;
    cloud.set("settings", json!({"creates_per_minute": 2})).await;
    for _ in 0..2 {
        assert_eq!(cloud.ask("CreateImageCache", &NAMED).await.0, 200);
    }
    let (status, body) = cloud.ask("CreateImageCache", &NAMED).await;
    assert_eq!((status, body["Code"].as_str()), (400, Some("Throttling.User")));
    assert_eq!(cloud.ask("DescribeImageCaches", &[]).await.0, 200);
    cloud.pass(60);
    assert_eq!(cloud.ask("CreateImageCache", &NAMED).await.0, 200);
    let settings = cloud.set("settings", json!({})).await;
    assert_eq!(
        settings,
        json!({"quota": 500, "creates_per_minute": 200, "list_lag_seconds": 0, "build_median_seconds": 0.0, "build_spread": 0.3}),
        "the documented limits"
    );
}

#[tokio::test]
async fn usage_counts_the_region() {
    let cloud = TestCloud::start().await;
    cloud.created(&spec(&json!({}))).await;
    cloud.created(&spec(&json!({"name": "auto-create-for-eci-1"}))).await;
    cloud.created(&spec(&json!({"region": "cn-hangzhou"}))).await;
    let usage = cloud.client().list_usage(&region()).await.expect("the usage");
    assert_eq!((&usage["UsedCpu"], &usage["MaxImageCacheCount"]), (&json!(16.5), &json!(500)));
    assert_eq!((&usage["UsedImageCacheCount"], &usage["UsedAutoImageCacheCount"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn what_was_asked_for_is_told_and_an_update_takes_its_own() {
    let cloud = TestCloud::start().await;
    let full = [
        &NAMED[..],
        &[
            ("ImageCacheSize", "40"),
            ("ResourceGroupId", "rg-1"),
            ("EliminationStrategy", "LRU"),
            ("ZoneId", "cn-beijing-g"),
            ("RetentionDays", "2"),
            ("AcrRegistryInfo.1Domain.1", "d1"),
            ("AcrRegistryInfo.1.InstanceId", "cri-1"),
            ("Tag.1.Key", "imc"),
        ],
    ]
    .concat();
    let (_, created) = cloud.ask("CreateImageCache", &full).await;
    let id = created["ImageCacheId"].as_str().expect("an id");
    let shown = async || cloud.ask("DescribeImageCaches", &[("ImageCacheId", id)]).await.1["ImageCaches"][0].clone();
    let cache = shown().await;
    for (field, value) in [
        ("ImageCacheSize", json!(40)),
        ("ResourceGroupId", json!("rg-1")),
        ("EliminationStrategy", json!("LRU")),
        ("Tags", json!([{"Key": "imc", "Value": ""}])),
        ("ExpireDateTime", json!("2026-03-03T08:00:00Z")),
        ("RegionId", json!("cn-beijing")),
    ] {
        assert_eq!(cache[field], value, "{field}");
    }
    cloud.pass(10);
    let changes = [("ImageCacheId", id), ("EliminationStrategy", ""), ("ZoneId", "\u{1}"), ("OsType", "Plan9")];
    let (status, body) = cloud.ask("UpdateImageCache", &changes).await;
    assert_eq!(status, 200, "{body}");
    let cache = shown().await;
    assert_eq!((cache.get("EliminationStrategy"), &cache["ImageCacheSize"]), (None, &json!(40)));
    cloud.pass(10);
    let (status, body) = cloud.ask("UpdateImageCache", &[("ImageCacheId", id), ("ImageCacheSize", "19")]).await;
    assert_eq!((status, body["Code"].as_str()), (400, Some("InvalidParameter")));
    assert!(body["Message"].as_str().is_some_and(|text| text.contains("ImageCacheSize")), "{body}");
}

#[tokio::test]
async fn images_fill_the_cache_and_reuse_is_faster() {
    let cloud = TestCloud::start().await;
    let images = json!({"images": ["a/x:30gib", "a/y:30gib"], "size_gib": 50});
    let (small, reused) =
        (cloud.created(&spec(&images)).await, cloud.created(&spec(&json!({"reuse_layers": true}))).await);
    let plain = cloud.created(&spec(&json!({}))).await;
    cloud.pass(7);
    assert_eq!(
        (cloud.seen(&reused).await.status, cloud.seen(&plain).await.status),
        ("Ready".into(), "Creating".into())
    );
    cloud.pass(10);
    let failed = cloud.seen(&small).await;
    assert!(failed.status == "Failed" && failed.events.last().is_some_and(|event| event.message.contains("a/y:30gib")));
}
