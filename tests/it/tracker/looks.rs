//! Reads: by which call, what a list proves, what is written, and when nothing is read.

use eci_cache_gateway::domain::poll::bucket::BUCKET_TAG;
use eci_cache_gateway::eci::DescribeQuery;
use serde_json::{Value, json};

use crate::support::gateway::{Setup, TestGateway, new_cache};

/// How many reads the cloud has counted.
async fn looks(app: &TestGateway) -> u64 {
    app.ledger().await["calls"]["DescribeImageCaches"].as_u64().unwrap_or(0)
}

async fn created(app: &TestGateway, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(app.created().await);
    }
    ids
}

/// A create whose team uses all of its tags.
fn full_of_tags() -> Value {
    let tags: serde_json::Map<_, _> = (0..20).map(|number| (format!("k{number}"), json!("v"))).collect();
    let mut body = new_cache("nginx:1.27");
    body["tags"] = tags.into();
    body
}

/// The cache's row, as far as a read could change it.
async fn row(app: &TestGateway, id: &str) -> (Value, Value, Value) {
    let cache = app.cache(id).await;
    (cache["status"].clone(), cache["version"].clone(), cache["progress_percent"].clone())
}

#[tokio::test]
async fn builds_that_began_together_are_shown_by_one_list() {
    let app = TestGateway::start().await;
    let ids = created(&app, 3).await;
    app.advance(4);
    app.drain().await;
    assert_eq!(looks(&app).await, 1, "three builds, one call");
    for id in &ids {
        assert_eq!(app.cache(id).await["status"], "creating");
    }
    let (bucket,): (String,) =
        sqlx::query_as("SELECT DISTINCT poll_bucket FROM image_caches").fetch_one(app.sql()).await.unwrap();
    let query = DescribeQuery { bucket: Some(bucket.clone()), ..DescribeQuery::default() };
    let page = app.cloud_client().describe(&"cn-beijing".parse().unwrap(), &query).await.unwrap();
    assert_eq!(page.caches.len(), 3);
    assert!(page.caches[0].tags.contains(&(BUCKET_TAG.into(), bucket)));
    assert_eq!(app.cache(&ids[0]).await["tags"], json!({}), "the team sees its own tags");
}

#[tokio::test]
async fn a_single_build_is_asked_for_by_its_id_and_untagged_ones_by_the_full_list() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    let before = looks(&app).await;
    for _ in 0..3 {
        app.post("/v1/image-caches", &full_of_tags()).await.expect(201);
    }
    assert_eq!(app.count("SELECT count(*) FROM image_caches WHERE poll_bucket IS NULL").await, 3);
    app.advance(4);
    app.drain().await;
    assert_eq!(looks(&app).await, before + 1, "four caches on one page");
    assert_eq!(app.items("/v1/image-caches?status=creating").await.len(), 3);
}

#[tokio::test]
async fn a_list_that_leaves_a_cache_out_proves_nothing() {
    let app = TestGateway::start().await;
    let ids = created(&app, 3).await;
    let missed = app.cache(&ids[1]).await["eci_cache_id"].clone();
    app.advance(4);
    app.fault(&json!({"action": "DescribeImageCaches", "kind": "left_out", "id": missed})).await;
    app.drain().await;
    assert_eq!(looks(&app).await, 2, "the list, and the one that it left out by its id");
    assert_eq!(app.cache(&ids[1]).await["status"], "creating");
    assert_eq!(app.count("SELECT count(*) FROM image_caches WHERE misses > 0").await, 0);
    // What is really gone is missed twice, both times by its id.
    let client = app.cloud_client();
    let operation = eci_cache_gateway::domain::ids::OperationId::from(uuid::Uuid::nil());
    let attempt = eci_cache_gateway::eci::Attempt {
        operation,
        client_token: "elsewhere".into(),
        signed_at: app.now(),
        bucket: None,
        marks: Vec::new(),
    };
    client.delete(&"cn-beijing".parse().unwrap(), missed.as_str().unwrap(), &attempt).await.unwrap();
    // The first miss counts once the lag since the create is over, the second as long after that.
    app.advance(60);
    app.until(&ids[1], "lost").await;
    app.until(&ids[0], "ready").await;
}

#[tokio::test]
async fn progress_is_written_in_steps_and_nothing_is_written_twice() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.advance(4);
    app.drain().await;
    let first = row(&app, &id).await;
    let calls = looks(&app).await;
    app.advance(2);
    app.drain().await;
    let second = row(&app, &id).await;
    assert_eq!(second.2, json!(42), "{first:?}");
    app.advance(1);
    app.drain().await;
    assert!(looks(&app).await > calls + 1, "it was looked at");
    assert_eq!(row(&app, &id).await, second, "57 is not 20 more than 42");
}

#[tokio::test]
async fn a_word_of_tomorrow_is_shown_and_followed() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.advance(4);
    app.fault(&json!({"action": "DescribeImageCaches", "kind": "word", "id": "Warming"})).await;
    app.drain().await;
    assert_eq!(app.cache(&id).await["status"], "unknown");
    let ready = app.until(&id, "ready").await;
    assert_eq!(ready["generation"], 1);
    let kinds: Vec<_> = app.events().await.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["image_cache.created", "image_cache.ready"], "once, and the unknown word tells nobody");
}

/// All builds took three minutes so far: bin 59 begins at 166 s and ends at 181 s.
const THREE_MINUTES: &str = "INSERT INTO build_history (account, region, class, counts)
    VALUES ('default', 'cn-beijing', 'create/1', array_fill(0, ARRAY[59]) || 100)";

#[tokio::test]
async fn nobody_looks_while_history_tells_that_nothing_has_ended() {
    let app = TestGateway::start().await;
    sqlx::query(THREE_MINUTES).execute(app.sql()).await.unwrap();
    let id = app.created().await;
    for _ in 0..8 {
        app.advance(1);
        app.drain().await;
    }
    assert!(looks(&app).await <= 1, "without a history it would be one a second");
    app.until(&id, "ready").await;
    let builds = "SELECT sum(count) FROM build_history, unnest(counts) AS count";
    assert_eq!(app.count(builds).await, 101, "this build is learned from");
}

#[tokio::test]
async fn a_round_that_the_budget_cuts_short_is_ended_later() {
    let app = TestGateway::start().await;
    for _ in 0..45 {
        app.post("/v1/image-caches", &full_of_tags()).await.expect(201);
    }
    let mut slow = Setup::default();
    slow.settings.calls.calls_per_second = 0.2;
    let slow = app.second_gateway(slow).await;
    app.advance(5);
    slow.drain().await;
    assert_eq!(app.count("SELECT count(*) FROM image_caches WHERE status = 'creating'").await, 20, "one page");
    assert_eq!(app.count("SELECT count(*) FROM tracker_groups WHERE cursor LIKE 'l:%'").await, 1);
    for _ in 0..5 {
        app.advance(12);
        slow.drain().await;
    }
    assert_eq!(app.count("SELECT count(*) FROM image_caches WHERE status = 'preparing'").await, 0, "the rest");
    assert_eq!(app.count("SELECT count(*) FROM tracker_groups WHERE cursor IS NULL").await, 1);
}
