//! Never twice: whatever goes wrong between the gateway and the cloud, one request creates one cache.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::app::LONGEST_WAIT;
use eci_cache_gateway::worker;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::answer::Answer;
use crate::support::gate::Gate;
use crate::support::gateway::{SCOPES, Setup, TEAM, TestGateway, new_cache};

fn fault(kind: &str, apply: bool) -> Value {
    json!({"action": "CreateImageCache", "kind": kind, "apply": apply})
}

fn id_of(cache: &Value) -> &str {
    cache["id"].as_str().unwrap()
}

/// A create with its wait and its key.
async fn create(app: &TestGateway, wait: u32, key: &str, body: &Value) -> Answer {
    let request = app.request(Method::POST, "/v1/image-caches").json(body).header("prefer", format!("wait={wait}"));
    Answer::of(request.header("idempotency-key", key)).await
}

/// Expires the lease of every running operation, as if its gateway had been silent for too long.
async fn end_leases(app: &TestGateway) {
    let sql = "UPDATE operations SET lease_until = clock_timestamp() - interval '1 second' WHERE state = 'running'";
    assert_eq!(sqlx::query(sql).execute(app.sql()).await.unwrap().rows_affected(), 1);
}

#[tokio::test]
async fn every_fault_of_the_cloud_ends_in_one_creation() {
    let app = TestGateway::start().await;
    let mut expected = 0;
    for kind in ["error", "reset", "garbage", "throttle"] {
        for apply in [true, false] {
            // A throttled call was not carried out, by definition.
            app.fault(&fault(kind, apply && kind != "throttle")).await;
            let answer = app.create("nginx:1.27").await;
            let cache = answer.expect(202);
            assert_eq!(cache["status"], "pending", "{kind} {apply}");
            let operation = format!("/v1/operations/{}", cache["operation_id"].as_str().unwrap());
            assert_eq!(answer.header("location"), operation);
            assert_eq!(app.get(&operation).await.expect(200)["status"], "running");
            app.until(id_of(&cache), "ready").await;
            let ended = app.get(&operation).await.expect(200);
            assert_eq!((&ended["status"], &ended["attempts"]), (&json!("succeeded"), &json!(2)), "{kind} {apply}");
            expected += 1;
            assert_eq!(app.creations().await, expected, "{kind} {apply}");
        }
    }
}

#[tokio::test]
async fn a_cloud_that_hangs_ends_in_one_creation() {
    let setup = Setup { max_wait: Duration::from_millis(500), ..Setup::default() };
    let app = TestGateway::with(setup).await;
    for (apply, expected) in [(true, 1), (false, 2)] {
        app.fault(&fault("hang", apply)).await;
        let cache = app.create("nginx:1.27").await.expect(202);
        app.until(id_of(&cache), "ready").await;
        assert_eq!(app.creations().await, expected, "{apply}");
    }
}

#[tokio::test]
async fn a_cloud_that_cannot_be_reached_leaves_no_doubt() {
    let world = TestGateway::start().await;
    // Nothing listens on port 1.
    let setup = Setup { cloud: Some("http://127.0.0.1:1".into()), ..Setup::default() };
    let cut_off = world.second_gateway(setup).await;
    let cache = cut_off.create("nginx:1.27").await.expect(202);
    assert_eq!(world.count("SELECT count(*) FROM operations WHERE in_doubt").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM operation_attempts WHERE outcome = 'not_sent'").await, 1);
    // Much later, because nothing was sent: no window, no lookup, only the next attempt.
    world.advance(3_600);
    world.until(id_of(&cache), "ready").await;
    let calls = &world.ledger().await["calls"];
    assert_eq!(calls["CreateImageCache"], 1);
}

/// A create whose response was lost and whose token the cloud has forgotten.
async fn lost_and_forgotten(app: &TestGateway, apply: bool) -> Value {
    app.fault(&fault("error", apply)).await;
    let cache = app.create("nginx:1.27").await.expect(202);
    app.forget_tokens().await;
    app.advance(5 * 60);
    app.drain().await;
    assert_eq!(app.ledger().await["calls"]["CreateImageCache"], 1, "outside the window nothing is sent");
    cache
}

#[tokio::test]
async fn beyond_the_window_what_was_created_is_found_by_its_tag() {
    let app = TestGateway::start().await;
    let cache = lost_and_forgotten(&app, true).await;
    let ready = app.until(id_of(&cache), "ready").await;
    let ledger = app.ledger().await;
    assert_eq!(ledger["created"], json!([ready["eci_cache_id"]]), "adopted");
    assert_eq!(ledger["calls"]["CreateImageCache"], 1, "and not created again");
}

#[tokio::test]
async fn beyond_the_window_what_was_not_created_is_sent_again() {
    let app = TestGateway::start().await;
    let cache = lost_and_forgotten(&app, false).await;
    assert_eq!(
        app.ledger().await["calls"],
        json!({"CreateImageCache": 1, "DescribeImageCaches": 1, "GetCallerIdentity": 1}),
        "looked for"
    );
    app.advance(11 * 60 - 1);
    app.drain().await;
    assert_eq!(app.ledger().await["calls"]["CreateImageCache"], 1, "a copy may still come");
    for seconds in [1, 450, 449] {
        app.advance(seconds);
        app.drain().await;
        assert_eq!(app.ledger().await["calls"]["CreateImageCache"], 1, "what is not shown may be hidden");
    }
    app.advance(1);
    app.drain().await;
    let ready = app.until(id_of(&cache), "ready").await;
    let ledger = app.ledger().await;
    assert_eq!(ledger["created"], json!([ready["eci_cache_id"]]));
    assert_eq!(ledger["calls"]["CreateImageCache"], 2);
}

#[tokio::test]
async fn beyond_the_window_what_the_cloud_hides_for_a_while_is_not_created_again() {
    let app = TestGateway::start().await;
    // Others are always shown, so there is no other sign of wrong data.
    let other = app.created().await;
    app.until(&other, "ready").await;
    app.fault(&fault("error", true)).await;
    let cache = app.create("nginx:1.28").await.expect(202);
    app.forget_tokens().await;
    let hidden = app.ledger().await["created"][1].clone();
    for seconds in [5 * 60, 11 * 60, 450] {
        app.fault(&json!({"action": "DescribeImageCaches", "kind": "left_out", "id": hidden})).await;
        app.advance(seconds);
        app.drain().await;
        app.forget_faults().await;
        assert_eq!(app.cache(id_of(&cache)).await["status"], "pending", "after {seconds} s more");
    }
    app.advance(450);
    let ready = app.until(id_of(&cache), "ready").await;
    assert_eq!(ready["eci_cache_id"], hidden, "adopted once it is shown");
    assert_eq!(app.ledger().await["calls"]["CreateImageCache"], 2, "one for each");
}

#[tokio::test]
async fn a_refusal_ends_the_create_and_shreds_the_logins() {
    let app = TestGateway::start().await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "throttle"})).await;
    let refusal = json!({"action": "CreateImageCache", "kind": "error", "http": 403, "code": "QuotaExceeded.ImageCache",
                         "message": "The image cache quota is exceeded."});
    let mut body = new_cache("private.example.com/app:1");
    body["registry_credentials"] = json!([{"server": "private.example.com", "user_name": "u", "password": "p"}]);
    let cache = create(&app, 10, "first", &body).await.expect(202);
    let kept = "SELECT count(*) FROM operations WHERE credentials IS NOT NULL";
    assert_eq!(app.count(kept).await, 1, "needed for the next attempt");
    app.fault(&refusal).await;
    app.advance(2);
    app.drain().await;
    assert_eq!(app.count(kept).await, 0, "the outcome is known");
    let failed = app.cache(id_of(&cache)).await;
    let message = "The image cache quota is exceeded.";
    assert_eq!((&failed["status"], &failed["failure"]["code"]), (&json!("failed"), &json!("QuotaExceeded.ImageCache")));
    assert_eq!(app.events().await[0]["type"], "image_cache.failed");

    app.fault(&refusal).await;
    let refused = create(&app, 10, "second", &body).await;
    let problem = refused.problem(409, "cloud_refused");
    assert_eq!((&problem["provider_code"], &problem["detail"]), (&json!("QuotaExceeded.ImageCache"), &json!(message)));
    assert_eq!((&problem["cause"], &problem["retryable"]), (&json!("quota"), &json!(true)));
    let path = format!("/v1/operations/{}", problem["operation_id"].as_str().unwrap());
    let operation = app.get(&path).await.expect(200);
    assert_eq!(operation["failure"]["cause"], problem["cause"]);
    assert_eq!((&operation["status"], &operation["failure"]["code"]), (&json!("refused"), &problem["provider_code"]));
    assert_eq!(operation["failure"]["provider_request_id"], problem["provider_request_id"]);
    assert_eq!(app.count(kept).await, 0);
    let again = create(&app, 10, "second", &body).await;
    assert_eq!(again.problem(409, "cloud_refused")["operation_id"], problem["operation_id"], "the same answer");
    assert_eq!(app.creations().await, 0);
}

#[tokio::test]
async fn a_key_is_good_for_one_request() {
    let app = TestGateway::start().await;
    let body = new_cache("nginx:1.27");
    let first = create(&app, 10, "k", &body).await;
    let again = create(&app, 10, "k", &body).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
    assert_eq!((&again.text, again.header("etag")), (&first.text, first.header("etag")));
    create(&app, 10, "k", &new_cache("nginx:1.28")).await.problem(422, "idempotency_key_reused");
    let other_team = app.bare(Method::POST, "/v1/image-caches").bearer_auth(app.token("other", &SCOPES));
    Answer::of(other_team.json(&body).header("idempotency-key", "k")).await.expect(201);
    create(&app, 10, "another", &body).await.expect(201);
    assert_eq!(app.creations().await, 3);
}

#[tokio::test]
async fn a_key_in_flight_is_refused_until_its_answer_is_known() {
    let world = TestGateway::start().await;
    let gate = Gate::before(&world.cloud()).await;
    let app = world.second_gateway(Setup { cloud: Some(gate.url.clone()), ..Setup::default() }).await;
    let body = new_cache("nginx:1.27");
    let (first, ()) = tokio::join!(create(&app, 55, "k", &body), async {
        gate.answered(1).await;
        let second = create(&app, 55, "k", &body).await;
        assert_eq!(second.problem(409, "idempotency_in_flight")["retryable"], true);
        assert_eq!(second.header("retry-after"), "2");
        gate.open();
    });
    let replayed = create(&app, 55, "k", &body).await;
    assert_eq!((first.expect(201), replayed.header("idempotent-replayed")), (replayed.expect(201), "true"));
    assert_eq!(app.creations().await, 1);
}

#[tokio::test]
async fn an_answer_before_the_end_is_what_the_key_stands_for() {
    let world = TestGateway::start().await;
    let gate = Gate::before(&world.cloud()).await;
    let app = world.second_gateway(Setup { cloud: Some(gate.url.clone()), ..Setup::default() }).await;
    let body = new_cache("nginx:1.27");
    let first = create(&app, 0, "k", &body).await;
    assert_eq!(first.header("preference-applied"), "wait=0");
    assert_eq!(create(&app, 55, "k", &body).await.expect(202), first.expect(202));
    gate.open();
    app.gateway.base().drain().await;
    assert_eq!(create(&app, 55, "k", &body).await.expect(202), first.expect(202), "the same answer, also afterwards");
    // Another way to 202: the cloud's response was unusable.
    world.fault(&fault("error", true)).await;
    let first = create(&app, 55, "l", &body).await;
    assert_eq!(create(&app, 55, "l", &body).await.expect(202), first.expect(202));
    world.until(id_of(&first.json()), "ready").await;
    assert_eq!(create(&app, 55, "l", &body).await.expect(202), first.expect(202));
    assert_eq!(app.creations().await, 2);
}

#[tokio::test]
async fn requests_that_race_with_one_key_make_one_cache() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let body = new_cache("nginx:1.27");
    let racing = (0..8).map(|n| create(if n % 2 == 0 { &app } else { &other }, 10, "k", &body));
    let answers = futures_util::future::join_all(racing).await;
    let fresh = answers.iter().filter(|answer| answer.status == 201 && answer.header("idempotent-replayed").is_empty());
    assert_eq!(fresh.count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "idempotency_in_flight");
    }
    assert_eq!((app.creations().await, app.items("/v1/image-caches").await.len()), (1, 1));
}

/// The first gateway falls silent after the cloud has carried it out; a second one takes over; then the first resumes.
#[tokio::test]
async fn a_worker_whose_lease_was_lost_writes_nothing() {
    let world = TestGateway::start().await;
    let gate = Gate::before(&world.cloud()).await;
    let silent = world.second_gateway(Setup { cloud: Some(gate.url.clone()), ..Setup::default() }).await;
    let cache = create(&silent, 0, "k", &new_cache("nginx:1.27")).await.expect(202);
    gate.answered(1).await;
    assert_eq!(
        world.gateway.operations().resume_operations(10, &CancellationToken::new()).await.unwrap(),
        0,
        "in good hands"
    );
    end_leases(&world).await;
    worker::drain(&world.gateway).await.unwrap();
    let id = id_of(&cache);
    let before = world.cache(id).await;
    assert_eq!(before["status"], "preparing");
    let rows = "SELECT (SELECT count(*) FROM audit_entries WHERE action = 'create_image_cache')
        + (SELECT count(*) FROM events) + (SELECT count(*) FROM transitions)";
    let written = world.count(rows).await;
    gate.open();
    silent.gateway.base().drain().await;
    assert_eq!((world.cache(id).await, world.count(rows).await), (before, written));
    world.until(id, "ready").await;
    assert_eq!(world.creations().await, 1);
    assert_eq!(world.ledger().await["calls"]["CreateImageCache"], 2, "the same token, so the same cache");
}

#[tokio::test]
async fn a_client_that_leaves_stops_nothing() {
    let world = TestGateway::start().await;
    let gate = Gate::before(&world.cloud()).await;
    let app = world.second_gateway(Setup { cloud: Some(gate.url.clone()), ..Setup::default() }).await;
    let body = new_cache("nginx:1.27").to_string();
    let head = format!(
        "POST /v1/image-caches HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nprefer: wait={}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        app.token(TEAM, &SCOPES),
        LONGEST_WAIT.as_secs(),
        body.len(),
    );
    let mut client = TcpStream::connect(app.address).await.unwrap();
    client.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    gate.answered(1).await;
    client.set_zero_linger().unwrap();
    drop(client);
    gate.open();
    app.gateway.base().drain().await;
    let cache = world.only_cache().await;
    assert_eq!(cache["status"], "preparing");
    world.until(id_of(&cache), "ready").await;
    assert_eq!(world.creations().await, 1);
}

#[tokio::test]
async fn updates_and_deletes_are_repeated_until_the_cloud_has_done_them() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    let path = format!("/v1/image-caches/{id}");
    for (action, apply) in [("UpdateImageCache", true), ("UpdateImageCache", false)] {
        app.fault(&json!({"action": action, "kind": "reset", "apply": apply})).await;
        let answer = app.patch(&path, &json!({"images": ["nginx:1.28"]})).await;
        let status = answer.expect(202)["status"].clone();
        assert_eq!(status, "ready", "nothing is known yet");
        app.patch(&path, &json!({"name": "next"})).await.problem(409, "operation_in_progress");
        app.until(&id, "updating").await;
        app.until(&id, "ready").await;
        // A copy of this update could undo the next one, which therefore waits.
        app.advance(16 * 60);
    }
    assert_eq!(app.ledger().await["updated"].as_array().unwrap().len(), 2);
    app.fault(&json!({"action": "DeleteImageCache", "kind": "reset", "apply": true})).await;
    app.forget_tokens().await;
    app.delete(&path).await.expect(202);
    app.until(&id, "deleted").await;
    let sql = "SELECT count(*) FROM operations WHERE state = 'succeeded'";
    assert_eq!((app.count(sql).await, app.ledger().await["deleted"].as_array().unwrap().len()), (4, 1));
}
