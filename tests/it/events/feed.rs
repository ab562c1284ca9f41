//! The event feed: pages, filters, and waiting for the next event.
#![cfg(test)]

use serde_json::{Value, json};

use crate::support::gateway::{Setup, TestGateway};

fn kinds(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn cursor(page: &Value) -> &str {
    page["next_cursor"].as_str().unwrap()
}

#[tokio::test]
async fn a_poll_is_answered_by_the_first_event_of_any_gateway() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let work = async {
        other.waiting(1).await;
        app.created().await
    };
    let (polled, id) = tokio::join!(other.get("/v1/events?wait_seconds=55"), work);
    let page = polled.expect(200);
    assert_eq!((kinds(&page), &page["has_more"]), (vec!["image_cache.created"], &json!(false)));
    assert_eq!(page["items"][0]["data"]["image_cache"]["id"], id.as_str());
    assert_eq!(page["items"], json!(app.events().await), "a poll shows what the feed shows");
    assert!(polled.header("link").contains(cursor(&page)), "{polled:?}");
    // The same cursor goes on, here and there.
    let path = format!("/v1/events?wait_seconds=55&cursor={}", cursor(&page));
    let work = async {
        app.waiting(1).await;
        other.until(&id, "ready").await
    };
    let (polled, _) = tokio::join!(app.get(&path), work);
    assert_eq!(kinds(&polled.expect(200)), ["image_cache.ready"]);
}

#[tokio::test]
async fn a_poll_waits_for_what_it_asks_for() {
    let app = TestGateway::start().await;
    let (first, second) = (app.created().await, app.created().await);
    let failing = app.create("example.com/does-not-exist:1").await.expect(201)["id"].as_str().unwrap().to_owned();
    let by_type = "/v1/events?wait_seconds=55&type=image_cache.ready&type=image_cache.updated".to_owned();
    let by_cache = format!("/v1/events?wait_seconds=55&image_cache_id={failing}&type=image_cache.failed");
    let work = async {
        app.waiting(2).await;
        app.until(&failing, "failed").await;
        app.until(&first, "ready").await;
        app.until(&second, "ready").await
    };
    let (by_type, by_cache, _) = tokio::join!(app.get(&by_type), app.get(&by_cache), work);
    let (by_type, by_cache) = (by_type.expect(200), by_cache.expect(200));
    assert!(kinds(&by_type).iter().all(|kind| *kind == "image_cache.ready"), "{by_type}");
    assert_eq!(kinds(&by_cache), ["image_cache.failed"]);
    assert_eq!(by_cache["items"][0]["data"]["image_cache"]["id"], failing.as_str());
    assert_eq!(app.events().await.len(), 6);
    let of_one = app.get(&format!("/v1/events?image_cache_id={first}")).await.expect(200);
    assert_eq!(kinds(&of_one), ["image_cache.created", "image_cache.ready"]);
}

#[tokio::test]
async fn pages_follow_each_other_whatever_the_filter() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    app.delete(&format!("/v1/image-caches/{id}")).await.expect(200);
    app.until(&id, "deleted").await;
    let all = app.events().await;
    let mut page = app.get("/v1/events?limit=1").await.expect(200);
    for (place, event) in all.iter().enumerate() {
        assert_eq!((&page["items"], &page["has_more"]), (&json!([event]), &json!(place + 1 < all.len())));
        page = app.get(&format!("/v1/events?limit=1&cursor={}", cursor(&page))).await.expect(200);
    }
    assert_eq!((&page["items"], &page["has_more"]), (&json!([]), &json!(false)));
    // A cursor is a position: it also works with another filter.
    let first = app.get("/v1/events?limit=1").await.expect(200);
    let path = format!("/v1/events?type=image_cache.deleted&cursor={}", cursor(&first));
    let deleted = app.get(&path).await.expect(200);
    assert_eq!(kinds(&deleted), ["image_cache.deleted"]);
    let none = app.get(&format!("/v1/events?type=image_cache.ready&cursor={}", cursor(&deleted))).await.expect(200);
    assert_eq!(none["items"], json!([]), "what was passed over is passed");
}

#[tokio::test]
async fn a_poll_that_cannot_be_taken_says_why() {
    let app = TestGateway::start().await;
    for (query, field) in [
        ("wait_seconds=soon", "wait_seconds"),
        ("wait_seconds=-1", "wait_seconds"),
        ("type=image_cache.nonsense", "type"),
        ("image_cache_id=nonsense", "image_cache_id"),
        ("cursor=nonsense", "cursor"),
    ] {
        let problem = app.get(&format!("/v1/events?{query}")).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["parameter"], field, "{problem}");
    }
    assert_eq!(app.get("/v1/events").await.expect(200)["items"], json!([]), "no wait where none is asked");
}
