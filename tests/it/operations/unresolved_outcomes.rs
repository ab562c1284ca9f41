//! Never twice, continued: refusals after an unknown outcome, late copies, mismatched tokens, and deletes while a
//! create is unresolved.
#![cfg(test)]

use eci_cache_gateway::domain::image_cache::spec::ImageCacheSpec;
use eci_cache_gateway::domain::operation::client_token;
use eci_cache_gateway::eci::Attempt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{TestGateway, new_cache};

/// When nothing that was signed before can be accepted any more, and everything that was done is listed.
const SETTLED: i64 = 16 * 60;

/// Half of the time for which reads must show nothing before that is believed.
const UNSEEN: i64 = 450;

/// The next create is answered with 503, carried out or not.
async fn lose(app: &TestGateway, apply: bool) {
    app.fault(&json!({"action": "CreateImageCache", "kind": "error", "apply": apply})).await;
}

async fn refuse(app: &TestGateway, action: &str, code: &str, apply: bool) {
    let fault = json!({"action": action, "kind": "error", "http": 400, "code": code, "message": "no", "apply": apply});
    app.fault(&fault).await;
}

fn path_of(cache: &Value) -> String {
    format!("/v1/image-caches/{}", cache["id"].as_str().unwrap())
}

/// Advances the time and does what is due.
async fn pass(app: &TestGateway, seconds: i64) {
    app.advance(seconds);
    app.drain().await;
}

/// The cache's newest operation at the time when `cache` was read.
async fn operation(app: &TestGateway, cache: &Value) -> Value {
    app.get(&format!("/v1/operations/{}", cache["operation_id"].as_str().unwrap())).await.expect(200)
}

/// How many caches were actually created and deleted.
async fn made_and_removed(app: &TestGateway) -> (usize, usize) {
    let ledger = app.ledger().await;
    let count = |name: &str| ledger[name].as_array().unwrap().len();
    (count("created"), count("deleted"))
}

/// A create with an unknown outcome that is then refused, and looked up at once.
async fn refused_after_doubt(app: &TestGateway, apply: bool) -> Value {
    lose(app, apply).await;
    let cache = app.create("nginx:1.27").await.expect(202);
    app.forget_tokens().await;
    refuse(app, "CreateImageCache", "QuotaExceeded.ImageCache", false).await;
    pass(app, 2).await;
    cache
}

/// The same for one that the cloud does not have.
async fn held(app: &TestGateway) -> Value {
    let cache = refused_after_doubt(app, false).await;
    let held = operation(app, &cache).await;
    assert_eq!((&held["status"], &held["attempts"]), (&json!("running"), &json!(2)), "the first may have been done");
    assert_eq!(held["failure"]["code"], "QuotaExceeded.ImageCache", "and what was said is shown");
    assert_eq!(app.cache(cache["id"].as_str().unwrap()).await["status"], "pending");
    cache
}

#[tokio::test]
async fn a_refusal_after_doubt_does_not_lose_what_was_created() {
    let app = TestGateway::start().await;
    let cache = refused_after_doubt(&app, true).await;
    let ended = operation(&app, &cache).await;
    assert_eq!((&ended["status"], &ended["failure"]), (&json!("succeeded"), &Value::Null));
    let ready = app.until(cache["id"].as_str().unwrap(), "ready").await;
    let ledger = app.ledger().await;
    assert_eq!(
        (&ledger["created"], &ledger["calls"]["CreateImageCache"]),
        (&json!([ready["eci_cache_id"]]), &json!(2))
    );
}

#[tokio::test]
async fn a_refusal_after_doubt_counts_once_nothing_can_come_any_more() {
    let app = TestGateway::start().await;
    let cache = held(&app).await;
    pass(&app, 60).await;
    pass(&app, SETTLED - 61).await;
    assert_eq!(operation(&app, &cache).await["status"], "running", "a copy may still come");
    pass(&app, 1).await;
    pass(&app, UNSEEN).await;
    assert_eq!(operation(&app, &cache).await["status"], "running", "what is not shown may be hidden");
    pass(&app, UNSEEN).await;
    let ended = operation(&app, &cache).await;
    assert_eq!((&ended["status"], &ended["failure"]["code"]), (&json!("refused"), &json!("QuotaExceeded.ImageCache")));
    let failed = app.cache(cache["id"].as_str().unwrap()).await;
    assert_eq!((&failed["status"], &failed["failure"]["code"]), (&json!("failed"), &ended["failure"]["code"]));
    assert_eq!(app.ledger().await["calls"]["CreateImageCache"], 2, "never sent again");
    assert_eq!(made_and_removed(&app).await, (0, 0));
}

/// What arrives if a request was delayed: the same token, tag and parameters.
async fn late_copy(app: &TestGateway, cache: &Value) {
    let spec: ImageCacheSpec = serde_json::from_value(new_cache("nginx:1.27")).unwrap();
    let operation = cache["operation_id"].as_str().unwrap().parse().unwrap();
    let attempt = Attempt {
        operation,
        client_token: client_token(operation, 1),
        signed_at: app.now(),
        bucket: None,
        marks: Vec::new(),
    };
    app.cloud_client().create(&spec, &[], &attempt).await.unwrap();
}

#[tokio::test]
async fn a_copy_that_comes_late_is_removed_again() {
    let app = TestGateway::start().await;
    lose(&app, false).await;
    let cache = app.create("nginx:1.27").await.expect(202);
    let ready = app.until(cache["id"].as_str().unwrap(), "ready").await;
    app.forget_tokens().await;
    late_copy(&app, &cache).await;
    assert_eq!(made_and_removed(&app).await, (2, 0));
    pass(&app, SETTLED).await;
    let ledger = app.ledger().await;
    assert_eq!(ledger["created"].as_array().unwrap().first(), Some(&ready["eci_cache_id"]));
    assert_eq!(ledger["deleted"], json!([ledger["created"][1]]), "the one that no row knows");
    let removals = app.items("/v1/audit-entries?action=remove_duplicate_image_cache").await;
    let told = |entry: &Value| (entry["outcome"].clone(), entry["parameters"]["eci_cache_id"].clone());
    let expected = |outcome: &str| (json!(outcome), ledger["deleted"][0].clone());
    assert_eq!(removals.iter().map(told).collect::<Vec<_>>(), [expected("succeeded"), expected("accepted")]);
    let unsettled = "SELECT count(*) FROM operations WHERE unsettled_until IS NOT NULL";
    assert_eq!(app.count(unsettled).await, 1, "looked for once more");
    pass(&app, 60).await;
    assert_eq!((app.count(unsettled).await, made_and_removed(&app).await), (0, (2, 1)));
    assert_eq!(app.cache(cache["id"].as_str().unwrap()).await["status"], "ready");
}

#[tokio::test]
async fn a_token_that_does_not_match_is_quarantined() {
    for apply in [true, false] {
        let app = TestGateway::start().await;
        refuse(&app, "CreateImageCache", "IdempotentParameterMismatch", apply).await;
        let cache = app.create("nginx:1.27").await.expect(202);
        // Looked up at once.
        app.drain().await;
        let (state, status) = if apply { ("succeeded", "preparing") } else { ("quarantined", "pending") };
        assert_eq!(operation(&app, &cache).await["status"], state);
        assert_eq!(app.cache(cache["id"].as_str().unwrap()).await["status"], status);
        for seconds in [SETTLED, UNSEEN, UNSEEN] {
            pass(&app, seconds).await;
        }
        let ended = operation(&app, &cache).await;
        let code = if apply { Value::Null } else { json!("IdempotentParameterMismatch") };
        assert_eq!(
            (&ended["status"], &ended["failure"]["code"]),
            (&json!(if apply { state } else { "refused" }), &code)
        );
        assert_eq!(app.ledger().await["calls"]["CreateImageCache"], 1, "never another attempt, whatever the token");
        assert_eq!(made_and_removed(&app).await, (usize::from(apply), 0));
    }
}

#[tokio::test]
async fn a_delete_waits_for_an_unresolved_create() {
    let app = TestGateway::start().await;
    lose(&app, true).await;
    let cache = app.create("nginx:1.27").await.expect(202);
    let request = app.request(Method::DELETE, &path_of(&cache)).header("idempotency-key", "d");
    let answer = Answer::of(request).await;
    let deleting = answer.expect(202);
    let location = format!("/v1/operations/{}", deleting["operation_id"].as_str().unwrap());
    assert_eq!(answer.header("location"), location);
    assert_ne!(deleting["operation_id"], cache["operation_id"]);
    let waiting = operation(&app, &deleting).await;
    assert_eq!((&waiting["kind"], &waiting["status"]), (&json!("delete"), &json!("waiting")));
    let again = app.delete(&path_of(&cache)).await.expect(202);
    assert_eq!(again["operation_id"], deleting["operation_id"], "asked twice for the same end");
    app.until(cache["id"].as_str().unwrap(), "deleted").await;
    assert_eq!(operation(&app, &cache).await["status"], "succeeded");
    assert_eq!(operation(&app, &deleting).await["status"], "succeeded");
    let calls = &app.ledger().await["calls"];
    assert_eq!(calls["CreateImageCache"], 1, "a create that nobody wants is looked for, not sent again");
    assert_eq!(made_and_removed(&app).await, (1, 1));
}

#[tokio::test]
async fn a_delete_ends_when_the_create_never_happened() {
    let app = TestGateway::start().await;
    lose(&app, false).await;
    let cache = app.create("nginx:1.27").await.expect(202);
    let deleting = app.delete(&path_of(&cache)).await.expect(202);
    pass(&app, 2).await;
    assert_eq!(operation(&app, &deleting).await["status"], "waiting", "a copy may still come");
    pass(&app, SETTLED).await;
    let withdrawn = operation(&app, &cache).await;
    assert_eq!((&withdrawn["status"], &withdrawn["failure"]["code"]), (&json!("refused"), &json!("withdrawn")));
    assert_eq!(operation(&app, &deleting).await["status"], "succeeded");
    assert_eq!(app.cache(cache["id"].as_str().unwrap()).await["status"], "deleted");
    assert_eq!(made_and_removed(&app).await, (0, 0));
}

#[tokio::test]
async fn a_delete_withdraws_a_create_that_was_never_done() {
    let app = TestGateway::start().await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "throttle"})).await;
    let key = |request: reqwest::RequestBuilder| Answer::of(request.header("idempotency-key", "c"));
    let body = new_cache("nginx:1.27");
    let first = key(app.request(Method::POST, "/v1/image-caches").json(&body)).await;
    let cache = first.expect(202);
    let deleted = app.delete(&path_of(&cache)).await.expect(200);
    assert_eq!(deleted["status"], "deleted", "at once");
    pass(&app, SETTLED).await;
    assert_eq!(made_and_removed(&app).await, (0, 0));
    assert_eq!(operation(&app, &cache).await["failure"]["code"], "withdrawn");
    let again = key(app.request(Method::POST, "/v1/image-caches").json(&body)).await;
    assert_eq!(again.expect(202), cache, "the key stands for what the first request was told");
    let events: Vec<Value> = app.events().await.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(events, ["image_cache.deleted"], "nothing failed");
}

#[tokio::test]
async fn a_delete_that_was_done_unheard_is_no_loss() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.fault(&json!({"action": "DeleteImageCache", "kind": "reset", "apply": true})).await;
    app.fault(&json!({"action": "DeleteImageCache", "kind": "throttle", "times": 4})).await;
    let deleting = app.delete(&format!("/v1/image-caches/{id}")).await.expect(202);
    // The tracker misses the cache long before the delete is answered.
    for _ in 0..10 {
        pass(&app, 2).await;
    }
    assert_eq!(operation(&app, &deleting).await["status"], "running");
    app.until(&id, "deleted").await;
    let events: Vec<Value> = app.events().await.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(events.last(), Some(&json!("image_cache.deleted")), "{events:?}");
    assert!(!events.contains(&json!("image_cache.lost")), "it was our doing");
}

#[tokio::test]
async fn an_update_in_doubt_is_looked_for_not_built_twice() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    app.fault(&json!({"action": "UpdateImageCache", "kind": "reset", "apply": true})).await;
    let path = format!("/v1/image-caches/{id}");
    let updating = app.patch(&path, &json!({"images": ["nginx:1.28"]})).await.expect(202);
    app.forget_tokens().await;
    pass(&app, 5 * 60).await;
    assert_eq!(operation(&app, &updating).await["status"], "succeeded", "the new snapshot shows it");
    let ready = app.until(&id, "ready").await;
    assert_eq!((&ready["generation"], &ready["images"]), (&json!(2), &json!(["nginx:1.28"])));
    assert_eq!(app.ledger().await["updated"].as_array().unwrap().len(), 1);
}
