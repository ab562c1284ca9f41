//! Requests that wait for an image cache, at any gateway, as long as the client stays connected.
#![cfg(test)]

use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, Setup, TEAM, TestGateway};

/// More than the gateway's database connections.
const MANY: usize = 40;

#[tokio::test]
async fn a_wait_ends_with_the_transition_whichever_gateway_makes_it() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let id = app.created().await;
    let path = format!("/v1/image-caches/{id}?wait_seconds=55");
    let work = async {
        other.waiting(1).await;
        app.until(&id, "ready").await
    };
    let (waited, ready) = tokio::join!(other.get(&path), work);
    assert_eq!(waited.expect(200), ready);
    assert_eq!(waited.header("etag"), format!("\"v{}\"", ready["version"]));
    let sql = "SELECT count(*) FROM audit_entries WHERE action = 'get_image_cache' AND duration_ms >= 10000";
    assert_eq!(app.count(sql).await, 1, "it waited for all of the build");
}

#[tokio::test]
async fn many_waits_hold_no_connection_and_end_together() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    let path = format!("/v1/image-caches/{id}/wait?wait_seconds=55");
    let waits = futures_util::future::join_all((0..MANY).map(|_| app.get(&path)));
    let work = async {
        app.waiting(MANY).await;
        // There is a free connection for all of this while they wait.
        app.until(&id, "ready").await
    };
    let (waited, ready) = tokio::join!(waits, work);
    for answer in waited {
        assert_eq!(answer.expect(200), json!({"condition_met": true, "done": true, "image_cache": ready}));
    }
}

#[tokio::test]
async fn a_wait_for_what_will_never_be_ends_when_that_is_known() {
    let app = TestGateway::start().await;
    let id = app.create("example.com/does-not-exist:1").await.expect(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/image-caches/{id}?wait_seconds=55");
    let work = async {
        app.waiting(1).await;
        app.until(&id, "failed").await
    };
    let (waited, failed) = tokio::join!(app.get(&path), work);
    assert_eq!(waited.expect(200), failed);
    assert_eq!(app.get(&path).await.expect(200), failed, "at once");
    let leaving = app.created().await;
    app.delete(&format!("/v1/image-caches/{leaving}")).await.expect(200);
    let waited = app.get(&format!("/v1/image-caches/{leaving}/wait?wait_seconds=55")).await.expect(200);
    assert_eq!((&waited["condition_met"], &waited["done"]), (&json!(false), &json!(true)), "no reason to ask again");
    assert_eq!(waited["image_cache"]["status"], "deleting");
}

#[tokio::test]
async fn a_wait_whose_time_is_over_shows_the_cache_as_it_is() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    let path = format!("/v1/image-caches/{id}?wait_seconds=0");
    assert_eq!(app.get(&path).await.expect(200)["status"], "preparing");
    let unchanged = Answer::of(app.request(Method::GET, &path).header("if-none-match", "\"v2\"")).await;
    assert_eq!(unchanged.status, 304);
    for (query, field) in
        [("wait_seconds=-1", "wait_seconds"), ("wait_seconds=", "wait_seconds"), ("wait_seconds=soon", "wait_seconds")]
    {
        let problem = app.get(&format!("/v1/image-caches/{id}?{query}")).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["parameter"], field, "{problem}");
    }
}

#[tokio::test]
async fn a_stop_answers_those_who_wait() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    let (wait, events) = (format!("/v1/image-caches/{id}/wait?wait_seconds=55"), end_of_feed(&app).await);
    let events = format!("/v1/events?wait_seconds=55&cursor={events}");
    let gate = "/v1/gate?image=nginx:1.27&region=cn-beijing&wait_seconds=55";
    let stop = async {
        app.waiting(3).await;
        app.gateway.base().stop_waiting();
    };
    let (waited, fed, gated, ()) = tokio::join!(app.get(&wait), app.get(&events), app.get(gate), stop);
    assert_eq!(waited.expect(200)["condition_met"], false);
    assert_eq!(fed.expect(200)["items"], json!([]));
    gated.problem(425, "image_cache_not_ready");
}

/// The cursor after the last event.
async fn end_of_feed(app: &TestGateway) -> String {
    app.events().await;
    app.get("/v1/events?limit=100").await.expect(200)["next_cursor"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_wait_and_is_in_the_audit_trail() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    let token = app.token(TEAM, &SCOPES);
    let mut client = TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "GET /v1/image-caches/{id}/wait?wait_seconds=55 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await.unwrap();
    app.waiting(1).await;
    drop(client);
    app.waiting(0).await;
    let written = "SELECT count(*) FROM audit_entries WHERE action = 'wait_for_image_cache' AND http_status = 200";
    while app.count(written).await != 1 {
        tokio::task::yield_now().await;
    }
}
