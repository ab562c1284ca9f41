//! A later version's value in one row of each table: that row is skipped, all others work.
#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::lists::{WordList, lists};
use crate::audit::forgery::freely;
use crate::platform::policy::admin;
use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, TestGateway, new_cache};
use crate::support::hook::Hook;

/// Replaces this version's constraints as another version would, and writes its values.
pub(super) async fn tomorrow(app: &TestGateway, sql: &str) {
    for WordList { relation, constraint, .. } in lists(app.sql()).await {
        let gone = format!("ALTER TABLE {relation} DROP CONSTRAINT {constraint}");
        sqlx::query(AssertSqlSafe(gone)).execute(app.sql()).await.unwrap();
    }
    freely(app.sql(), sql).await;
}

/// Creates an image cache with that name, which is building; returns its id.
pub(super) async fn named(app: &TestGateway, name: &str) -> String {
    let mut body = new_cache("nginx:1.27");
    body["name"] = json!(name);
    app.post("/v1/image-caches", &body).await.expect(201)["id"].as_str().unwrap().to_owned()
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

/// The response to a read of this row.
#[track_caller]
fn unknown(answer: &Answer) {
    let problem = answer.problem(503, "record_of_another_version");
    assert!(problem["retryable"] == true && answer.header("retry-after") == "30", "{problem}");
}

#[tokio::test]
async fn an_image_cache_with_an_unknown_status_stops_no_other() {
    let app = TestGateway::start().await;
    let one = named(&app, "one").await;
    app.advance(1);
    let two = named(&app, "two").await;
    app.advance(1);
    let three = named(&app, "three").await;
    tomorrow(&app, "UPDATE image_caches SET status = 'hibernating' WHERE name = 'two'").await;
    unknown(&app.get(&format!("/v1/image-caches/{two}")).await);
    unknown(&app.delete(&format!("/v1/image-caches/{two}")).await);
    assert_eq!(names(&app.items("/v1/image-caches").await), ["three", "one"]);
    // Page by page too: a skipped row does not end a list.
    let page = app.get("/v1/image-caches?limit=1").await.expect(200);
    let next = page["next_cursor"].as_str().unwrap();
    let rest = app.get(&format!("/v1/image-caches?limit=1&cursor={next}")).await.expect(200);
    assert_eq!(names(&[page["items"][0].clone(), rest["items"][0].clone()]), ["three", "one"]);
    // The tracker continues in the same region, then the reconciler.
    app.until(&one, "ready").await;
    app.until(&three, "ready").await;
    app.advance(700);
    while app.gateway.reconciler().reconcile().await.unwrap() {}
    app.gateway.upkeep().clean().await.unwrap();
    let matched = json!({"region": "cn-beijing", "images": ["nginx:1.27"]});
    app.post("/v1/matches", &matched).await.expect(200);
    let kept = "SELECT count(*) FROM image_caches WHERE status = 'hibernating' AND eci_cache_id IS NOT NULL";
    assert_eq!(app.count(kept).await, 1, "nothing was written to it");
}

#[tokio::test]
async fn an_unknown_status_that_is_observed_stops_no_pass() {
    let app = TestGateway::start().await;
    let (one, two) = (named(&app, "one").await, named(&app, "two").await);
    // A status that is tracked, and an unknown value elsewhere in the row.
    let other = r#"UPDATE image_caches SET spec = spec || '{"elimination_strategy": "by_weight"}' WHERE name = 'two'"#;
    tomorrow(&app, other).await;
    app.until(&one, "ready").await;
    unknown(&app.get(&format!("/v1/image-caches/{two}")).await);
    let ensure = app.post("/v1/image-caches/ensure", &new_cache("nginx:1.27")).await.json();
    assert_eq!(ensure["image_cache"]["id"], one.as_str(), "{ensure}");
    app.get("/v1/gate?region=cn-beijing&image=nginx:1.27").await.expect(200);
}

#[tokio::test]
async fn an_operation_of_an_unknown_kind_stops_no_claim() {
    let app = TestGateway::start().await;
    for name in ["one", "two", "three"] {
        let id = named(&app, name).await;
        app.until(&id, "ready").await;
        app.delete(&format!("/v1/image-caches/{id}")).await;
    }
    // As if their gateway had died: all are to be taken over.
    let due = "UPDATE operations SET state = 'running', lease_until = NULL, lease_token = NULL, due_at = '2026-01-01'
               WHERE kind = 'delete'";
    let kind = "UPDATE operations o SET kind = 'rebuild' FROM image_caches c
                WHERE c.id = o.image_cache AND c.name = 'one' AND o.kind = 'delete'";
    let held = "UPDATE operations o SET held = 'weighed' FROM image_caches c
                WHERE c.id = o.image_cache AND c.name = 'two' AND o.kind = 'delete'";
    tomorrow(&app, &format!("{due}; {kind}; {held}")).await;
    app.drain().await;
    let running = "SELECT count(*) FROM operations WHERE state = 'running'";
    assert_eq!(app.count(running).await, 2, "the one that is known has ended");
    let unsettled = "UPDATE operations SET unsettled_until = '2026-01-01', lease_until = NULL WHERE state <> 'running'";
    freely(app.sql(), unsettled).await;
    freely(app.sql(), "UPDATE operations SET kind = 'rebuild' WHERE id = (SELECT min(id::text)::uuid FROM operations)")
        .await;
    app.drain().await;
    let id: uuid::Uuid = sqlx::query_scalar("SELECT id FROM operations WHERE kind = 'rebuild' AND state = 'running'")
        .fetch_one(app.sql())
        .await
        .unwrap();
    let id = eci_cache_gateway::domain::ids::OperationId::from(id);
    unknown(&app.get(&format!("/v1/operations/{id}")).await);
}

#[tokio::test]
async fn operations_in_an_unknown_state_stop_no_other() {
    let app = TestGateway::start().await;
    let (one, two) = (named(&app, "one").await, named(&app, "two").await);
    let odd =
        "UPDATE operations o SET state = 'parked' FROM image_caches c WHERE c.id = o.image_cache AND c.name = 'one'";
    tomorrow(&app, odd).await;
    app.until(&two, "ready").await;
    app.until(&one, "ready").await;
    let id: uuid::Uuid =
        sqlx::query_scalar("SELECT id FROM operations WHERE state = 'parked'").fetch_one(app.sql()).await.unwrap();
    let id = eci_cache_gateway::domain::ids::OperationId::from(id);
    unknown(&app.get(&format!("/v1/operations/{id}")).await);
    app.get("/v1/operations").await.expect(200);
    assert_eq!(app.delete(&format!("/v1/image-caches/{two}")).await.status, 200);
    app.gateway.upkeep().clean().await.unwrap();
    assert_eq!(app.count("SELECT count(*) FROM operations WHERE state = 'parked'").await, 1);
}

#[tokio::test]
async fn what_is_told_goes_on_beside_unknown_words() {
    let app = TestGateway::start().await;
    let (good, odd) = (Hook::start().await, Hook::start().await);
    let (endpoint, _) = app.endpoint(&good.url()).await;
    let (other, _) = app.endpoint(&odd.url()).await;
    let strange = other.parse::<eci_cache_gateway::domain::ids::EndpointId>().unwrap().uuid();
    let sql = format!("UPDATE webhook_endpoints SET format = 'avro' WHERE id = '{strange}'");
    tomorrow(&app, &sql).await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    assert!(good.received().iter().any(|one| one.kind() == "image_cache.ready"));
    assert!(odd.received().is_empty(), "nobody here can make that form");
    let listed = app.items("/v1/webhook-endpoints").await;
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &json!(endpoint)));
    unknown(&app.get(&format!("/v1/webhook-endpoints/{other}")).await);

    let all = app.items("/v1/deliveries").await.len();
    let first = "(SELECT min(event) FROM webhook_deliveries WHERE state = 2)";
    freely(app.sql(), &format!("UPDATE webhook_deliveries SET state = 9 WHERE state = 2 AND event = {first}")).await;
    assert_eq!(app.items("/v1/deliveries").await.len(), all - 1);

    let moved = "UPDATE transitions SET to_status = 'hibernating' WHERE to_status = 'creating'";
    let body =
        r#"replace(replace(body, 'image_cache.ready', 'image_cache.moved'), '"status":"ready"', '"status":"resting"')"#;
    let events =
        format!("UPDATE events SET type = 'image_cache.moved', body = {body} WHERE type = 'image_cache.ready'");
    freely(app.sql(), &format!("{moved}; {events}")).await;
    let transitions = app.items(&format!("/v1/image-caches/{id}/transitions")).await;
    let to: Vec<&str> = transitions.iter().map(|one| one["to"].as_str().unwrap()).collect();
    assert_eq!(to.last(), Some(&"ready"), "{to:?}");
    assert!(!to.contains(&"hibernating"), "{to:?}");
    let told = app.events().await;
    let moved = told.iter().find(|event| event["type"] == "image_cache.moved").unwrap();
    assert_eq!(moved["data"]["image_cache"]["status"], "unknown");
    // A body that cannot be parsed at all.
    let kept = told.len();
    freely(app.sql(), r#"UPDATE events SET body = '{"form": 2}' WHERE type = 'image_cache.moved'"#).await;
    assert_eq!(app.events().await.len(), kept - 1);
}

#[tokio::test]
async fn what_is_kept_of_teams_and_requests_is_listed_beside_unknown_words() {
    let app = TestGateway::start().await;
    for id in ["one", "two"] {
        admin(&app, Method::POST, "/v1/teams", Some(&json!({"id": id, "display_name": id}))).await.expect(201);
    }
    let id = app.created().await;
    let entries = app.items("/v1/audit-entries").await;
    let entry = entries.iter().find(|entry| entry["action"] == "create_image_cache").unwrap();
    let policy = r#"UPDATE teams SET policy = '{"weights": 1}' WHERE id = 'one'"#;
    let outcome = "UPDATE audit_entries SET outcome = 'half_done' WHERE action = 'create_image_cache'";
    tomorrow(&app, &format!("{policy}; {outcome}")).await;
    let teams = admin(&app, Method::GET, "/v1/teams", None).await.expect(200);
    assert_eq!((teams["items"].as_array().unwrap().len(), &teams["items"][0]["id"]), (1, &json!("two")));
    unknown(&admin(&app, Method::GET, "/v1/teams/one", None).await);
    let left = app.items("/v1/audit-entries").await;
    assert!(left.iter().all(|entry| entry["action"] != "create_image_cache"), "{left:?}");
    assert!(!left.is_empty());
    unknown(&app.get(&format!("/v1/audit-entries/{}", entry["id"].as_str().unwrap())).await);
    // The team with that policy is refused; everybody else can work.
    let create = app
        .bare(Method::POST, "/v1/image-caches")
        .bearer_auth(app.token("one", &SCOPES))
        .header("idempotency-key", "1");
    unknown(&Answer::of(create.json(&new_cache("nginx:1"))).await);
    app.until(&id, "ready").await;
}
