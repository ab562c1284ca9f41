//! The main use case from end to end, over real sockets: one cache, its webhooks, its audit trail.
#![cfg(test)]

use eci_cache_gateway::domain::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::support::gateway::{Setup, TestGateway, new_cache};
use crate::support::hook::Hook;

/// The second within the first minute: every test begins at 08:00:00.
fn second(time: &Value) -> &str {
    let time = time.as_str().unwrap();
    let seconds = time.strip_prefix("2026-03-01T08:00:").and_then(|rest| rest.strip_suffix('Z'));
    seconds.unwrap_or_else(|| panic!("{time}"))
}

/// Sequence, from, to, reason, generation and second of each transition.
async fn transitions(app: &TestGateway, id: &str) -> Vec<String> {
    let all = app.items(&format!("/v1/image-caches/{id}/transitions")).await;
    let line = |one: &Value| {
        let from = one["from"].as_str().unwrap_or("-");
        let (to, reason) = (one["to"].as_str().unwrap(), one["reason"].as_str().unwrap());
        format!("{} {from} {to} {reason} {} :{}", one["sequence"], one["generation"], second(&one["created_at"]))
    };
    all.iter().map(line).collect()
}

/// Action, outcome, door and status of each audit entry that the team sees, sorted, because entries of one instant have
/// no order.
async fn trail(app: &TestGateway) -> Vec<String> {
    let mut all: Vec<String> = app.items("/v1/audit-entries").await.iter().map(entry).collect();
    all.sort();
    all
}

fn entry(one: &Value) -> String {
    let text = |name: &str| one[name].as_str().unwrap_or("-").to_owned();
    let to = one["parameters"]["to"].as_str().map(|to| format!(" to {to}")).unwrap_or_default();
    let status = one["http_status"].as_i64().map(|status| format!(" {status}")).unwrap_or_default();
    format!(":{} {} {} {}{status}{to}", second(&one["recorded_at"]), text("action"), text("outcome"), text("door"))
}

#[tokio::test]
async fn a_cache_lives_and_everybody_hears_of_it() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let (endpoint, secret) = app.endpoint(&hook.url()).await;

    let answer = app.create("nginx:1.27").await;
    let cache = answer.expect(201);
    let id = cache["id"].as_str().unwrap();
    let path = format!("/v1/image-caches/{id}");
    assert_eq!((answer.header("etag"), answer.header("location")), ("\"v2\"", path.as_str()));
    assert_eq!(
        (&cache["status"], &cache["generation"], &cache["team"]),
        (&json!("preparing"), &json!(1), &json!("web"))
    );
    assert!(cache["eci_cache_id"].as_str().unwrap().starts_with("imc-2ze"), "{cache}");
    assert_eq!(app.cache(id).await, cache, "what the create answered is what a read shows");

    // Somebody waits while it is built.
    let waiting = format!("{path}/wait?wait_seconds=55");
    let (waited, _) = tokio::join!(app.get(&waiting), app.until(id, "ready"));
    let waited = waited.expect(200);
    assert_eq!(waited["condition_met"], true);
    let ready = &waited["image_cache"];
    assert_eq!((&ready["status"], second(&ready["ready_at"])), (&json!("ready"), "10"));
    assert_eq!(ready["progress_percent"], 100);

    let changes = json!({"images": ["nginx:1.28"]});
    let updating = app.patch(&path, &changes).await.expect(200);
    assert_eq!((&updating["status"], &updating["generation"]), (&json!("updating"), &json!(2)));
    assert_eq!((&updating["images"], &updating["ready_at"]), (&json!(["nginx:1.28"]), &Value::Null));
    let updated = app.until(id, "ready").await;
    assert_ne!(updated["snapshot_id"], ready["snapshot_id"], "a new build has a new snapshot");

    let deleting = app.delete(&path).await.expect(200);
    assert_eq!(deleting["status"], "deleting");
    assert_eq!(app.delete(&path).await.expect(200)["status"], "deleting", "asking twice is no error");
    app.until(id, "deleted").await;
    assert_eq!(app.items("/v1/image-caches").await, [] as [Value; 0], "what is gone is not listed");
    assert_eq!(app.items("/v1/image-caches?status=deleted").await.len(), 1);

    let expected = [
        "1 - pending requested 1 :00",
        "2 pending preparing accepted 1 :00",
        "3 preparing creating observed 1 :04",
        "4 creating ready observed 1 :10",
        "5 ready updating accepted 2 :10",
        "6 updating ready observed 2 :18",
        "7 ready deleting accepted 2 :18",
        "8 deleting deleted vanished 2 :22",
    ];
    assert_eq!(transitions(&app, id).await, expected);
    webhooks_are_complete(&app, &hook, &endpoint, &secret).await;
    let ledger = app.ledger().await;
    for list in ["created", "updated", "deleted"] {
        assert_eq!(ledger[list], json!([cache["eci_cache_id"]]), "{list}");
    }
}

/// Received, signed, in the feed, and marked as delivered: the same five events everywhere.
async fn webhooks_are_complete(app: &TestGateway, hook: &Hook, endpoint: &str, secret: &str) {
    let kinds = ["created", "ready", "updating", "updated", "deleted"].map(|kind| format!("image_cache.{kind}"));
    assert_eq!(hook.kinds(), kinds);
    let reference = standardwebhooks::Webhook::new(secret).unwrap();
    let events = app.events().await;
    assert_eq!(events.len(), 5);
    for (received, event) in hook.received().iter().zip(&events) {
        let (id, timestamp) = (received.header("webhook-id"), received.header("webhook-timestamp"));
        let signature = reference.sign(id, timestamp.parse().unwrap(), received.body.as_bytes()).unwrap();
        assert_eq!(received.header("webhook-signature"), signature);
        received.verify(secret, app.now());
        let mut body = received.json();
        assert_eq!(
            (&body["data"]["image_cache"]["name"], &body["data"]["image_cache"]["secret"]),
            (&json!("web"), &Value::Null)
        );
        body["id"] = id.into();
        assert_eq!(&body, event, "the feed shows what the webhook carries");
    }
    let sequences: Vec<i64> = events.iter().map(|event| event["data"]["sequence"].as_i64().unwrap()).collect();
    assert_eq!(sequences, [2, 4, 5, 6, 8]);
    let deliveries = app.items("/v1/deliveries").await;
    for (delivery, event) in deliveries.iter().zip(events.iter().rev()) {
        assert_eq!((&delivery["event_id"], &delivery["webhook_endpoint_id"]), (&event["id"], &json!(endpoint)));
        assert_eq!(
            (&delivery["status"], &delivery["attempts"], &delivery["last_http_status"]),
            (&json!("delivered"), &json!(1), &json!(204))
        );
    }
    assert_eq!(deliveries.len(), 5);
}

#[tokio::test]
async fn the_audit_trail_is_complete() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    let path = format!("/v1/image-caches/{id}");
    for second in [4, 10] {
        app.set_clock(format!("2026-03-01T08:00:{second:02}Z").parse().unwrap());
        app.drain().await;
    }
    app.get(&path).await.expect(200);
    app.get("/v1/image-caches/ic_nonsense").await.problem(404, "not_found");
    app.patch(&path, &json!({"name": "next"})).await.expect(200);
    app.set_clock("2026-03-01T08:00:30Z".parse().unwrap());
    app.drain().await;
    app.delete(&path).await.expect(200);
    let expected = [
        ":00 create_image_cache accepted rest",
        ":00 create_image_cache succeeded worker",
        ":04 observe_image_cache succeeded worker to creating",
        ":10 get_image_cache refused rest 404",
        ":10 get_image_cache succeeded rest 200",
        ":10 observe_image_cache succeeded worker to ready",
        ":10 update_image_cache accepted rest",
        ":10 update_image_cache succeeded worker",
        ":30 delete_image_cache accepted rest",
        ":30 delete_image_cache succeeded worker",
        ":30 observe_image_cache succeeded worker to ready",
    ];
    assert_eq!(trail(&app).await, expected);
    requests_and_outcomes_belong_together(&app, &id).await;
}

/// The entry for the outcome names the request, the caller, the operation and the cloud's RequestId.
async fn requests_and_outcomes_belong_together(app: &TestGateway, id: &str) {
    let entries = app.items(&format!("/v1/audit-entries?resource={id}&action=create_image_cache")).await;
    let with = |outcome: &str| entries.iter().find(|entry| entry["outcome"] == outcome).unwrap();
    let (accepted, succeeded) = (with("accepted"), with("succeeded"));
    for name in ["request_id", "subject", "credential_id", "operation_id", "resource"] {
        assert!(accepted[name].is_string() && accepted[name] == succeeded[name], "{name}: {accepted} {succeeded}");
    }
    assert_eq!((&accepted["subject"], &accepted["address"]), (&json!("alice"), &json!("127.0.0.1")));
    assert_eq!(accepted["parameters"]["images"], "nginx:1.27");
    assert!(succeeded["provider_request_id"].as_str().is_some_and(|id| !id.is_empty()), "{succeeded}");
    let path = format!("/v1/audit-entries/{}", accepted["id"].as_str().unwrap());
    assert_eq!(&app.get(&path).await.expect(200), accepted);
    let changed = sqlx::query("UPDATE audit_entries SET subject = 'mallory'").execute(app.sql()).await;
    assert!(changed.is_err(), "nobody changes an entry");
}

#[tokio::test]
async fn an_unknown_image_ends_in_failed_with_the_clouds_reason() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    let (_, secret) = app.endpoint(&hook.url()).await;
    let id = app.create("example.com/does-not-exist:1").await.expect(201)["id"].as_str().unwrap().to_owned();
    let failed = app.until(&id, "failed").await;
    let message = "Failed to pull image \"example.com/does-not-exist:1\": rpc error: code = NotFound desc = failed to \
                   resolve reference \"example.com/does-not-exist:1\": manifest unknown: manifest unknown";
    let failure = &failed["failure"];
    assert_eq!((&failure["code"], &failure["message"]), (&json!("Failed"), &json!(message)));
    assert_eq!((&failure["cause"], &failure["retryable"]), (&json!("image_not_found"), &json!(false)));
    assert_eq!(hook.kinds(), ["image_cache.created", "image_cache.failed"]);
    let received = &hook.received()[1];
    received.verify(&secret, app.now());
    assert_eq!(received.json()["data"]["image_cache"], failed);
    assert_eq!(app.events().await.len(), 2);
    let expected = [
        "1 - pending requested 1 :00",
        "2 pending preparing accepted 1 :00",
        "3 preparing creating observed 1 :04",
        "4 creating failed observed 1 :06",
    ];
    assert_eq!(transitions(&app, &id).await, expected);
    let waited = app.get(&format!("/v1/image-caches/{id}/wait")).await.expect(200);
    assert_eq!(waited["condition_met"], false, "a wait for what will never be ends at once");
    app.patch(&format!("/v1/image-caches/{id}"), &new_cache("nginx")).await.problem(422, "invalid_request");
    let refused = app.patch(&format!("/v1/image-caches/{id}"), &json!({"images": ["nginx:1"]})).await;
    refused.problem(409, "image_cache_not_updatable");
}

#[tokio::test]
async fn each_failed_build_says_why_and_what_to_do() {
    let app = TestGateway::start().await;
    for (image, cause, hint, retryable) in [
        ("example.com/does-not-exist:1", "image_not_found", "check the repository and the tag", false),
        ("private.example.com/app:1", "registry_login", "pass registry_credentials", false),
        ("unreachable.example.com/app:1", "network", "an EIP", true),
        ("example.com/model:50gib", "image_too_large", "try 40", false),
    ] {
        let id = app.create(image).await.expect(201)["id"].as_str().unwrap().to_owned();
        let failure = &app.until(&id, "failed").await["failure"];
        assert_eq!((&failure["cause"], &failure["retryable"]), (&json!(cause), &json!(retryable)), "{failure}");
        assert!(failure["hint"].as_str().unwrap().contains(hint), "{failure}");
        assert!(failure["explanation"].as_str().unwrap().ends_with('.'), "{failure}");
    }
}

#[tokio::test]
async fn the_reference_library_accepts_our_webhooks() {
    // The library reads the wall clock, so this gateway's clock starts there.
    let app = TestGateway::with(Setup { start: SystemClock.now(), ..Setup::default() }).await;
    let hook = Hook::start().await;
    let (_, secret) = app.endpoint(&hook.url()).await;
    app.created().await;
    app.drain().await;
    let received = &hook.received()[0];
    let reference = standardwebhooks::Webhook::new(&secret).unwrap();
    reference.verify(received.body.as_bytes(), &received.headers).unwrap();
    let other = standardwebhooks::Webhook::new("whsec_QfpjaalvSaUiRUpzhUqfP3kf7s6gQvcJ/Esgnc5Ebc4=").unwrap();
    assert!(other.verify(received.body.as_bytes(), &received.headers).is_err());
}

#[tokio::test]
async fn an_update_that_fails_can_be_tried_again() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    let id = app.created().await;
    let path = format!("/v1/image-caches/{id}");
    let ready = app.until(&id, "ready").await;
    app.patch(&path, &json!({"images": ["nginx:missing"]})).await.expect(200);
    let failed = app.until(&id, "update_failed").await;
    assert_eq!(failed["snapshot_id"], ready["snapshot_id"], "the old build is still there");
    assert!(failed["failure"]["message"].as_str().unwrap().contains("manifest unknown"), "{failed}");
    app.patch(&path, &json!({"images": ["nginx:1.29"]})).await.expect(200);
    let updated = app.until(&id, "ready").await;
    assert_eq!((&updated["generation"], &updated["failure"]), (&json!(3), &Value::Null));
    let kinds = ["created", "ready", "updating", "update_failed", "updating", "updated"];
    assert_eq!(hook.kinds(), kinds.map(|kind| format!("image_cache.{kind}")));
}

#[tokio::test]
async fn a_cache_whose_retention_ends_is_expired() {
    let app = TestGateway::start().await;
    let mut body = new_cache("nginx:1.27");
    body["retention_days"] = json!(1);
    let id = app.post("/v1/image-caches", &body).await.expect(201)["id"].as_str().unwrap().to_owned();
    let ready = app.until(&id, "ready").await;
    assert_eq!(ready["expires_at"], "2026-03-02T08:00:00Z");
    app.set_clock("2026-03-02T08:00:00Z".parse().unwrap());
    for status in ["ready", "expired"] {
        // The janitor wakes the tracker. A single read that does not find it is not enough.
        app.gateway.upkeep().clean().await.unwrap();
        app.drain().await;
        assert_eq!(app.cache(&id).await["status"], status);
    }
    let kinds: Vec<Value> = app.events().await.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["image_cache.created", "image_cache.ready", "image_cache.expired"]);
    let deleted = app.delete(&format!("/v1/image-caches/{id}")).await.expect(200);
    assert_eq!(deleted["status"], "expired", "it is gone already");
    assert_eq!(app.ledger().await["deleted"], json!([]));
}
