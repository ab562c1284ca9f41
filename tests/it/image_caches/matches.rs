//! The result of the automatic matching, through the door.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, TEAM, TestGateway};

/// A ready cache.
async fn ready(app: &TestGateway, body: &Value) -> Value {
    let made = app.post("/v1/image-caches", body).await.expect(201);
    app.until(made["id"].as_str().unwrap(), "ready").await
}

#[tokio::test]
async fn the_winner_is_named_with_what_to_paste() {
    let app = TestGateway::start().await;
    let images = ["nginx:1.27", "redis:7"];
    let old = ready(&app, &json!({"name": "old", "region": "cn-beijing", "images": images, "size_gib": 25})).await;
    let new = ready(&app, &json!({"name": "new", "region": "cn-beijing", "images": images, "size_gib": 25})).await;
    let part = ready(&app, &json!({"name": "part", "region": "cn-beijing", "images": ["nginx:1.27"]})).await;
    let large = ready(&app, &json!({"name": "large", "region": "cn-beijing", "images": images, "size_gib": 40})).await;

    let question = json!({"region": "cn-beijing", "images": ["docker.io/library/nginx:1.27", "redis:7"]});
    let found = app.post("/v1/matches", &question).await.expect(200);
    assert_eq!(found["winner_id"], new["id"]);
    let ids: Vec<&Value> = found["candidates"].as_array().unwrap().iter().map(|one| &one["image_cache_id"]).collect();
    assert_eq!(ids, [&new["id"], &old["id"], &part["id"], &large["id"]]);
    let best = json!({
        "image_cache_id": new["id"], "eci_cache_id": new["eci_cache_id"], "name": "new", "eligible": true, "fits": true,
        "exact_matches": 2, "repository_matches": 2, "size_difference_gib": 5, "created_at": new["created_at"],
    });
    assert_eq!(found["candidates"][0], best);
    assert_eq!(found["near_misses"], json!([]));
    let annotations = json!({
        "pin": {
            "current": {"k8s.aliyun.com/eci-imc-id": new["eci_cache_id"]},
            "older": {"k8s.aliyun.com/eci-image-snapshot-id": new["eci_cache_id"]},
        },
        "automatic": {
            "current": {"k8s.aliyun.com/eci-auto-imc": "true"},
            "older": {"k8s.aliyun.com/eci-image-cache": "true"},
        },
    });
    assert_eq!(found["annotations"], annotations);

    let mut roomy = question.clone();
    roomy["ephemeral_storage_gib"] = 40.into();
    assert_eq!(app.post("/v1/matches", &roomy).await.expect(200)["winner_id"], large["id"]);
}

#[tokio::test]
async fn what_misses_says_why() {
    let app = TestGateway::start().await;
    let vpc = "registry-vpc.cn-beijing.aliyuncs.com/ns/app:v1";
    let public = "registry.cn-beijing.aliyuncs.com/ns/app:v1";
    let cache = ready(&app, &json!({"name": "web", "region": "cn-beijing", "images": [vpc]})).await;
    let found = app.post("/v1/matches", &json!({"region": "cn-beijing", "images": [public]})).await.expect(200);
    assert_eq!(
        (found.get("winner_id"), &found["candidates"], found["annotations"].get("pin")),
        (None, &json!([]), None)
    );
    let advice = format!(
        "It contains {vpc}, which is not {public}: use that name in the pod, or add {public} to the image cache."
    );
    let miss = json!([{
        "image": public, "image_cache_id": cache["id"], "name": "web", "region": "cn-beijing", "status": "ready",
        "size_gib": 20, "held_image": vpc, "reasons": ["other_registry_host"], "advice": advice,
    }]);
    assert_eq!(found["near_misses"], miss);

    app.create("nginx:1").await.expect(201);
    let elsewhere = app.post("/v1/matches", &json!({"region": "cn-hangzhou", "images": ["nginx:1"]})).await.expect(200);
    assert_eq!(elsewhere["near_misses"][0]["reasons"], json!(["not_ready", "other_region"]));
    let other = app.bare(Method::POST, "/v1/matches").bearer_auth(app.token("other", &SCOPES));
    let other = Answer::of(other.json(&json!({"region": "cn-beijing", "images": [vpc]}))).await.expect(200);
    assert_eq!((&other["candidates"], &other["near_misses"]), (&json!([]), &json!([])), "of one's own team only");
}

#[tokio::test]
async fn as_many_as_asked_for_must_match() {
    let app = TestGateway::start().await;
    let cache = ready(&app, &json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1", "redis:6"]})).await;
    let ask = async |extra: Value| {
        let mut question = json!({"region": "cn-beijing", "images": ["nginx:1", "redis:7"]});
        question.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        app.post("/v1/matches", &question).await.expect(200)
    };
    assert_eq!(ask(json!({})).await["winner_id"], cache["id"]);
    assert_eq!(ask(json!({"minimum_matches": 1})).await["winner_id"], cache["id"]);
    let none = ask(json!({"minimum_matches": 2})).await;
    assert_eq!((none.get("winner_id"), &none["candidates"][0]["eligible"]), (None, &json!(false)));
    assert_eq!(ask(json!({"full_match": true})).await.get("winner_id"), None);
    assert_eq!(ask(json!({})).await["near_misses"][0]["reasons"], json!(["other_tag"]));
}

#[tokio::test]
async fn everything_wrong_is_named_and_reading_is_enough() {
    let app = TestGateway::start().await;
    let wrong = json!({"region": "X", "images": ["nginx", "Nginx"], "ephemeral_storage_gib": 0, "minimum_matches": 3});
    let problem = app.post("/v1/matches", &wrong).await.problem(422, "invalid_request");
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
    assert_eq!(fields, ["/region", "/images/1", "/ephemeral_storage_gib", "/minimum_matches"]);
    let none = json!({"region": "cn-beijing", "images": []});
    app.post("/v1/matches", &none).await.problem(422, "invalid_request");
    let request = app.bare(Method::POST, "/v1/matches").bearer_auth(app.token(TEAM, &[Scope::Read]));
    let answer = Answer::of(request.json(&json!({"region": "cn-beijing", "images": ["nginx"]}))).await;
    assert_eq!(answer.expect(200)["candidates"], json!([]));
    assert_eq!(app.items("/v1/audit-entries?action=match_image_caches").await.len(), 3);
}
