//! Adopting caches that were created outside the gateway.
#![cfg(test)]

use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::ids::OperationId;
use eci_cache_gateway::eci::Attempt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, Setup, TEAM, TestGateway, new_cache};

/// A cache created outside the gateway; returns the cloud's id.
async fn made_outside(app: &TestGateway, spec: &Value) -> String {
    let operation = OperationId::new(app.now(), &Entropy::from_os());
    let attempt = Attempt {
        operation,
        client_token: operation.to_string(),
        signed_at: app.now(),
        bucket: None,
        marks: Vec::new(),
    };
    let spec = serde_json::from_value(spec.clone()).unwrap();
    app.cloud_client().create(&spec, &[], &attempt).await.unwrap().eci_cache_id
}

fn spec(name: &str, image: &str) -> Value {
    json!({"name": name, "region": "cn-beijing", "images": [image], "tags": {"env": name}, "size_gib": 25})
}

async fn adopt(app: &TestGateway, team: &str, body: &Value) -> Answer {
    let token = app.token(team, &Scope::PLATFORM);
    Answer::of(app.bare(Method::POST, "/v1/image-caches/adopt").bearer_auth(token).json(body)).await
}

#[tokio::test]
async fn a_cache_is_taken_over_and_lives_on() {
    let app = TestGateway::start().await;
    let imc = made_outside(&app, &spec("outside", "nginx:1.27")).await;
    let mut order = json!({"region": "cn-beijing", "eci_cache_id": imc, "dry_run": true});

    let tried = adopt(&app, TEAM, &order).await.expect(200);
    let shown = json!({"eci_cache_id": imc, "name": "outside", "images": ["nginx:1.27"], "status": "preparing"});
    assert_eq!(tried, json!({"dry_run": true, "adopted": [shown], "skipped": [], "has_more": false}));
    assert_eq!(app.count("SELECT count(*) FROM image_caches").await, 0, "nothing was changed");

    order["dry_run"] = false.into();
    let done = adopt(&app, TEAM, &order).await.expect(200);
    let id = done["adopted"][0]["image_cache_id"].as_str().unwrap();
    let cache = app.cache(id).await;
    assert_eq!(
        (&cache["eci_cache_id"], &cache["team"], &cache["status"]),
        (&json!(imc), &json!(TEAM), &json!("preparing"))
    );
    assert_eq!(
        (&cache["tags"], &cache["size_gib"], &cache["generation"]),
        (&json!({"env": "outside"}), &json!(25), &json!(1))
    );
    let operation = app.get(&format!("/v1/operations/{}", cache["operation_id"].as_str().unwrap())).await.expect(200);
    assert_eq!(
        (&operation["kind"], &operation["status"], &operation["attempts"]),
        (&json!("create"), &json!("succeeded"), &json!(0))
    );
    let again = adopt(&app, TEAM, &order).await.expect(200);
    let skipped = json!([{"eci_cache_id": imc, "reason": "already_managed"}]);
    assert_eq!((&again["adopted"], &again["skipped"]), (&json!([]), &skipped));
    let other = adopt(&app, "other", &order).await.expect(200);
    assert_eq!(other, again, "whose it is stays hidden");

    lives_on(&app, id).await;
    assert_eq!(app.creations().await, 1, "nothing was created");
}

/// Tracked, updated and deleted like any other; every step is reported and recorded.
async fn lives_on(app: &TestGateway, id: &str) {
    let path = format!("/v1/image-caches/{id}");
    app.until(id, "ready").await;
    app.patch(&path, &json!({"images": ["nginx:1.28"]})).await.expect(200);
    app.until(id, "ready").await;
    app.delete(&path).await.expect(200);
    app.until(id, "deleted").await;
    let reasons: Vec<Value> = app.items(&format!("{path}/transitions")).await;
    let first = &reasons[0];
    assert_eq!((&first["reason"], &first["to"], first.get("from")), (&json!("adopted"), &json!("preparing"), None));
    let kinds: Vec<Value> = app.events().await.into_iter().map(|event| event["type"].clone()).collect();
    let expected =
        ["adopted", "ready", "updating", "updated", "deleted"].map(|kind| json!(format!("image_cache.{kind}")));
    assert_eq!(kinds, expected);
    let entries = app.items("/v1/audit-entries?action=adopt_image_caches").await;
    let about: Vec<&Value> = entries.iter().filter(|entry| entry["resource"] == id).collect();
    assert_eq!((about.len(), &about[0]["outcome"]), (1, &json!("succeeded")), "{entries:?}");
    assert!(about[0]["provider_request_id"].is_string() && about[0]["operation_id"].is_string(), "{about:?}");
}

#[tokio::test]
async fn all_that_match_are_taken_over_across_pages() {
    let app = TestGateway::start().await;
    for number in 0..22 {
        made_outside(&app, &spec(&format!("web-{number}"), "nginx:1")).await;
    }
    made_outside(&app, &spec("batch", "redis:7")).await;
    let own = app.created().await;
    let filter = |filter: Value| json!({"region": "cn-beijing", "filter": filter, "dry_run": true});
    let count = async |body: Value| {
        let found = adopt(&app, TEAM, &body).await.expect(200);
        (found["adopted"].as_array().unwrap().len(), found["skipped"].as_array().unwrap().len())
    };
    assert_eq!(count(filter(json!({}))).await, (23, 1), "ours is left alone");
    assert_eq!(count(filter(json!({"name": "web-3"}))).await, (1, 0));
    assert_eq!(count(filter(json!({"tag": "env=batch"}))).await, (1, 0));
    assert_eq!(count(filter(json!({"image": "docker.io/library/nginx:1"}))).await, (22, 0));
    assert_eq!(count(filter(json!({"image": "nginx:1", "tag": "env=batch"}))).await, (0, 0));
    assert_eq!(count(json!({"region": "cn-hangzhou", "filter": {}})).await, (0, 0), "another region");
    let all = json!({"region": "cn-beijing", "filter": {"image": "nginx:1"}});
    assert_eq!(count(all.clone()).await, (22, 0));
    assert_eq!(count(all).await, (0, 22));
    assert_eq!(app.items("/v1/image-caches?image=nginx:1").await.len(), 22);
    assert_eq!(app.items("/v1/image-caches").await.len(), 23);
    app.until(&own, "ready").await;
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_keeps_its_cache() {
    let app = TestGateway::start().await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "reset", "apply": true})).await;
    let answer = app.create("nginx:1.27").await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(app.creations().await, 1, "the cloud has it");
    let order = json!({"region": "cn-beijing", "filter": {}});
    let found = adopt(&app, "other", &order).await.expect(200);
    assert_eq!((&found["adopted"], &found["skipped"][0]["reason"]), (&json!([]), &json!("create_in_progress")));
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    app.until(&id, "ready").await;
    assert_eq!(adopt(&app, "other", &order).await.expect(200)["skipped"][0]["reason"], "already_managed");
}

#[tokio::test]
async fn of_two_teams_one_gets_it() {
    let app = TestGateway::start().await;
    let second = app.second_gateway(Setup::default()).await;
    for round in 0..5 {
        made_outside(&app, &spec(&format!("round-{round}"), "nginx:1")).await;
        let order = json!({"region": "cn-beijing", "filter": {"name": format!("round-{round}")}});
        let (one, other) = tokio::join!(adopt(&app, TEAM, &order), adopt(&second, "other", &order));
        let mut outcomes: Vec<String> = Vec::new();
        for answer in [one, other] {
            let found = answer.expect(200);
            let reason = found["skipped"][0]["reason"].as_str().unwrap_or("-");
            outcomes.push(format!("{} {reason}", found["adopted"].as_array().unwrap().len()));
        }
        outcomes.sort();
        assert_eq!(outcomes, ["0 already_managed", "1 -"]);
    }
    for table in [
        "SELECT count(*) FROM image_caches",
        "SELECT count(*) FROM operations",
        "SELECT count(*) FROM transitions",
        "SELECT count(*) FROM events",
    ] {
        assert_eq!(app.count(table).await, 5, "{table}");
    }
}

#[tokio::test]
async fn only_an_admin_may_and_only_what_is_there() {
    let app = TestGateway::start().await;
    let order = json!({"region": "cn-beijing", "eci_cache_id": "imc-nobodys"});
    let without = app.bare(Method::POST, "/v1/image-caches/adopt").bearer_auth(app.token(TEAM, &SCOPES));
    Answer::of(without.json(&order)).await.problem(403, "scope_missing");
    let found = adopt(&app, TEAM, &order).await.expect(200);
    assert_eq!(found["skipped"], json!([{"eci_cache_id": "imc-nobodys", "reason": "not_found"}]));
    for (body, pointer) in [
        (json!({"region": "cn-beijing"}), ""),
        (json!({"region": "cn-beijing", "eci_cache_id": "imc-1", "filter": {}}), ""),
        (json!({"region": "X", "filter": {}}), "/region"),
        (json!({"region": "cn-beijing", "eci_cache_id": "a b"}), "/eci_cache_id"),
        (json!({"region": "cn-beijing", "filter": {"image": "Nginx"}}), "/filter/image"),
        (json!({"region": "cn-beijing", "filter": {"colour": "red"}}), "/filter"),
    ] {
        let problem = adopt(&app, TEAM, &body).await.problem(422, "invalid_request");
        assert!(problem["errors"][0]["pointer"].as_str().unwrap().starts_with(pointer), "{problem}");
    }
    app.fault(&json!({"action": "DescribeImageCaches", "kind": "error"})).await;
    adopt(&app, TEAM, &order).await.problem(503, "cloud_unavailable");
    app.post("/v1/image-caches", &new_cache("nginx")).await.expect(201);
}
