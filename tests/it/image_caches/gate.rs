//! The gate for pipelines: each of its results, and waiting for a better one.
#![cfg(test)]

use serde_json::json;

use crate::support::gateway::{Setup, TestGateway, new_cache};

const GATE: &str = "/v1/gate?region=cn-beijing&image=nginx:1.27";

#[tokio::test]
async fn the_gate_opens_with_the_cache_on_any_gateway() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let nothing = app.get(GATE).await.problem(404, "nothing_cached");
    assert!(nothing["hint"].as_str().unwrap().contains("POST /v1/image-caches"), "{nothing}");
    app.get(&format!("{GATE}&wait_seconds=55")).await.problem(404, "nothing_cached");
    let id = app.created().await;
    let answer = app.get(GATE).await;
    let problem = answer.problem(425, "image_cache_not_ready");
    assert_eq!((&problem["image_cache_id"], &problem["retryable"]), (&json!(id), &json!(true)));
    assert_eq!((&problem["image_cache_status"], answer.header("retry-after")), (&json!("preparing"), "60"));
    assert_eq!(problem["expected_at"], "2026-03-01T08:03:00Z", "nothing is known of builds yet");
    let work = async {
        other.waiting(1).await;
        app.until(&id, "ready").await
    };
    let path = format!("{GATE}&wait_seconds=55");
    let (gate, ready) = tokio::join!(other.get(&path), work);
    let open = gate.expect(200);
    assert_eq!(open["image_cache"], ready);
    let pin = json!({"k8s.aliyun.com/eci-imc-id": ready["eci_cache_id"]});
    assert_eq!(open["annotations"]["pin"]["current"], pin);
    let other_spelling = app.get("/v1/gate?region=cn-beijing&image=docker.io/library/nginx:1.27").await;
    assert_eq!(other_spelling.expect(200)["image_cache"]["id"], id.as_str());
    app.get("/v1/gate?region=cn-hangzhou&image=nginx:1.27").await.problem(404, "nothing_cached");
}

#[tokio::test]
async fn a_build_that_fails_shuts_the_gate_with_its_reason() {
    let app = TestGateway::start().await;
    let id = app.create("example.com/does-not-exist:1").await.expect(201)["id"].as_str().unwrap().to_owned();
    let path = "/v1/gate?region=cn-beijing&image=example.com/does-not-exist:1&wait_seconds=55";
    let work = async {
        app.waiting(1).await;
        app.until(&id, "failed").await
    };
    let (gate, failed) = tokio::join!(app.get(path), work);
    let problem = gate.problem(409, "image_cache_failed");
    let failure = &failed["failure"];
    assert_eq!((&problem["image_cache_id"], &problem["image_cache_status"]), (&json!(id), &json!("failed")));
    for (member, of_failure) in
        [("cause", "cause"), ("explanation", "explanation"), ("hint", "hint"), ("detail", "message")]
    {
        assert_eq!(problem[member], failure[of_failure], "{problem}");
    }
    // A second attempt overrides the failure.
    app.create("example.com/does-not-exist:1").await.expect(201);
    app.get(path.strip_suffix("&wait_seconds=55").unwrap()).await.problem(425, "image_cache_not_ready");
}

#[tokio::test]
async fn one_cache_must_hold_all_images_and_fit() {
    let app = TestGateway::start().await;
    let mut body = new_cache("nginx:1.27");
    body["images"] = json!(["nginx:1.27", "redis:7"]);
    body["size_gib"] = json!(40);
    let id = app.post("/v1/image-caches", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    app.until(&id, "ready").await;
    for (more, status) in [
        ("", 200),
        ("&image=redis:7", 200),
        ("&image=redis:8", 404),
        ("&image=redis:7&ephemeral_storage_gib=40", 200),
        ("&ephemeral_storage_gib=39", 404),
    ] {
        app.get(&format!("{GATE}{more}")).await.expect(status);
    }
    let removed = app.delete(&format!("/v1/image-caches/{id}")).await.expect(200);
    assert_eq!(removed["status"], "deleting");
    app.get(GATE).await.problem(404, "nothing_cached");
}

#[tokio::test]
async fn what_builds_took_tells_when_to_come_back() {
    let app = TestGateway::start().await;
    for tag in ["a", "b", "c"] {
        let id = app.create(&format!("nginx:{tag}")).await.expect(201)["id"].as_str().unwrap().to_owned();
        app.until(&id, "ready").await;
    }
    app.created().await;
    let answer = app.get(GATE).await;
    let problem = answer.problem(425, "image_cache_not_ready");
    assert_eq!((&problem["expected_at"], answer.header("retry-after")), (&json!("2026-03-01T08:00:40Z"), "10"));
}

#[tokio::test]
async fn a_question_that_cannot_be_answered_says_why() {
    let app = TestGateway::start().await;
    for (query, field) in [
        ("region=cn-beijing", "image"),
        ("image=nginx", "region"),
        ("region=Mars&image=nginx", "region"),
        ("region=cn-beijing&image=NGINX", "image"),
        ("region=cn-beijing&image=nginx&ephemeral_storage_gib=0", "ephemeral_storage_gib"),
        ("region=cn-beijing&image=nginx&wait_seconds=-1", "wait_seconds"),
    ] {
        let problem = app.get(&format!("/v1/gate?{query}")).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["parameter"], field, "{problem}");
    }
}
