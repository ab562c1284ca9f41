//! The filters of the list of image caches, each through the door.
#![cfg(test)]

use serde_json::{Value, json};

use crate::support::gateway::TestGateway;

async fn make(app: &TestGateway, name: &str, extra: &Value) -> String {
    let mut body = json!({"name": name, "region": "cn-beijing", "images": ["nginx:1"]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    app.post("/v1/image-caches", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

/// The names in the list, sorted.
async fn names(app: &TestGateway, query: &str) -> Vec<String> {
    let items = app.items(&format!("/v1/image-caches?{query}")).await;
    let mut names: Vec<String> = items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

const NONE: [&str; 0] = [];

#[tokio::test]
async fn tags_must_all_hold() {
    let app = TestGateway::start().await;
    make(&app, "both", &json!({"tags": {"env": "prod", "team": "a=b"}})).await;
    make(&app, "one", &json!({"tags": {"env": "prod"}})).await;
    make(&app, "none", &json!({})).await;
    assert_eq!(names(&app, "").await, ["both", "none", "one"]);
    assert_eq!(names(&app, "tag=env").await, ["both", "one"]);
    assert_eq!(names(&app, "tag=env%3Dprod&tag=team").await, ["both"]);
    assert_eq!(names(&app, "tag=team%3Da%3Db").await, ["both"], "a value may have an equals sign");
    assert_eq!(names(&app, "tag=env%3Dprod&tag=env%3Dtest").await, NONE);
    assert_eq!(names(&app, "tag=env%3D").await, NONE);
    let many = vec!["tag=a"; 21].join("&");
    app.get(&format!("/v1/image-caches?{many}")).await.problem(422, "invalid_request");
}

#[tokio::test]
async fn free_text_means_itself() {
    let app = TestGateway::start().await;
    make(&app, "Web_100%", &json!({"images": ["registry.example.com/team:v1", "redis:7"]})).await;
    make(&app, "webX100a", &json!({"images": ["nginx:1"]})).await;
    assert_eq!(names(&app, "q=WEB").await, ["Web_100%", "webX100a"]);
    assert_eq!(names(&app, "q=b_1").await, ["Web_100%"], "no wildcard");
    assert_eq!(names(&app, "q=100%25").await, ["Web_100%"], "none either");
    assert_eq!(names(&app, "q=REDIS").await, ["Web_100%"], "images, too");
    assert_eq!(names(&app, "q=v1redis").await, NONE, "not across two images");
    assert_eq!(names(&app, "q=%5C").await, NONE);
    assert_eq!(names(&app, "q=%27%20OR%201%3D1--").await, NONE);
    for bad in ["q=", "q=%00", &format!("q={}", "a".repeat(129)), "name=%00", "tag=%00", "snapshot_id=a%0A"] {
        app.get(&format!("/v1/image-caches?{bad}")).await.problem(422, "invalid_request");
    }
    assert_eq!(names(&app, &format!("q={}", "%C3%A9".repeat(128))).await, NONE, "characters are counted, not bytes");
}

#[tokio::test]
async fn expiry_idleness_snapshot_and_resource_group() {
    let app = TestGateway::start().await;
    let week = make(&app, "week", &json!({"retention_days": 7, "resource_group_id": "rg-a"})).await;
    let day = make(&app, "day", &json!({"retention_days": 1})).await;
    make(&app, "never", &json!({})).await;
    app.until(&week, "ready").await;
    let snapshot = app.until(&day, "ready").await["snapshot_id"].as_str().unwrap().to_owned();
    assert_eq!(names(&app, "expires_before=2026-03-03T00:00:00Z").await, ["day"]);
    assert_eq!(names(&app, "expires_after=2026-03-03T00:00:00Z").await, ["week"]);
    assert_eq!(names(&app, &format!("snapshot_id={snapshot}")).await, ["day"]);
    assert_eq!(names(&app, "resource_group_id=rg-a").await, ["week"]);
    assert_eq!(names(&app, "resource_group_id=rg-a&q=day").await, NONE, "everything given must hold");

    assert_eq!(names(&app, "idle_since=2026-03-01T08:00:00Z").await, NONE);
    assert_eq!(names(&app, "idle_since=2026-03-02T00:00:00Z").await, ["day", "never", "week"]);
    let used = "UPDATE image_caches SET last_matched_at = '2026-03-05T00:00:00Z' WHERE name = 'week'";
    sqlx::query(used).execute(app.sql()).await.unwrap();
    assert_eq!(names(&app, "idle_since=2026-03-02T00:00:00Z").await, ["day", "never"]);
    make(&app, "building", &json!({})).await;
    assert_eq!(names(&app, "idle_since=2026-03-09T00:00:00Z").await, ["day", "never", "week"], "not what is not ready");
}

#[tokio::test]
async fn a_cursor_is_bound_to_every_filter() {
    let app = TestGateway::start().await;
    for name in ["web-1", "web-2"] {
        make(&app, name, &json!({})).await;
        // Ids are sorted by millisecond.
        app.advance(1);
    }
    let first = app.get("/v1/image-caches?q=web&limit=1").await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/image-caches?q=web&limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!((&second["items"][0]["name"], &second["has_more"]), (&json!("web-1"), &json!(false)));
    app.get(&format!("/v1/image-caches?q=we&limit=1&cursor={cursor}")).await.problem(422, "invalid_request");
}

#[tokio::test]
async fn region_image_and_account_match_any_of_their_values() {
    let app = TestGateway::start().await;
    make(&app, "north", &json!({})).await;
    make(&app, "east", &json!({"region": "cn-hangzhou", "images": ["redis:7", "nginx:1"]})).await;
    make(&app, "south", &json!({"region": "cn-shenzhen", "images": ["busybox:1"]})).await;
    assert_eq!(names(&app, "region=cn-beijing&region=cn-shenzhen").await, ["north", "south"]);
    assert_eq!(names(&app, "image=redis:7&image=busybox:1").await, ["east", "south"]);
    assert_eq!(names(&app, "image=nginx:1").await, ["east", "north"]);
    assert_eq!(names(&app, "image=nginx:1&image=redis:7&region=cn-hangzhou").await, ["east"]);
    assert_eq!(names(&app, "cloud_account=default&cloud_account=other").await, ["east", "north", "south"]);
    assert_eq!(names(&app, "cloud_account=other").await, NONE);
    let many = vec!["region=cn-beijing"; 21].join("&");
    for bad in [many.as_str(), "region=X&region=cn-beijing", "image=a%00&image=b"] {
        app.get(&format!("/v1/image-caches?{bad}")).await.problem(422, "invalid_request");
    }
    let page = app.get("/v1/image-caches?region=cn-beijing&region=cn-hangzhou&limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    app.get(&format!("/v1/image-caches?region=cn-beijing&cursor={cursor}")).await.problem(422, "invalid_request");
}
