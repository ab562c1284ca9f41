//! Event streams: nothing is lost between two streams or between a stream and the feed, and no stream lives forever.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::app;
use eci_cache_gateway::http::server::ConnectionLimits;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, Setup, TEAM, TestGateway};
use crate::support::listener::Listener;

/// A gateway that sends frequent keep-alives, and allows a team this many streams.
fn lively(streams_per_team: usize) -> Setup {
    let stream_heartbeat = Duration::from_millis(10);
    let settings = app::GatewaySettings { stream_heartbeat, streams_per_team, ..app::GatewaySettings::default() };
    Setup { settings, ..Setup::default() }
}

fn stream(app: &TestGateway, path: &str, last_id: &str) -> RequestBuilder {
    app.request(Method::GET, path).header("last-event-id", last_id)
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_left_at_any_gateway_and_in_the_feed() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let mut listener = Listener::open(app.request(Method::GET, "/v1/events/stream")).await;
    assert_eq!(listener.headers["content-type"], "text/event-stream");
    assert_eq!(listener.headers["cache-control"], "no-store");
    assert_eq!(listener.headers["x-accel-buffering"], "no");
    let id = other.created().await;
    let created = listener.event().await;
    assert_eq!(created.event, "image_cache.created");
    assert_eq!(json!([created.data]), json!(app.events().await), "a stream shows what the feed shows");
    drop(listener);
    other.until(&id, "ready").await;
    // What happened meanwhile comes first, at whichever gateway.
    let mut again = Listener::open(stream(&other, "/v1/events/stream", &created.id)).await;
    let ready = again.event().await;
    assert_eq!(ready.event, "image_cache.ready");
    let fed = app.get(&format!("/v1/events?cursor={}", created.id)).await.expect(200);
    assert_eq!(fed["items"], json!([ready.data]));
    let end = fed["next_cursor"].as_str().unwrap();
    let mut from_feed = Listener::open(app.request(Method::GET, &format!("/v1/events/stream?cursor={end}"))).await;
    app.delete(&format!("/v1/image-caches/{id}")).await.expect(200);
    app.until(&id, "deleted").await;
    for listener in [&mut again, &mut from_feed] {
        assert_eq!(listener.event().await.event, "image_cache.deleted");
    }
}

#[tokio::test]
async fn who_comes_late_to_a_cache_has_missed_nothing_of_it() {
    let app = TestGateway::start().await;
    let (id, _another) = (app.created().await, app.created().await);
    app.until(&id, "ready").await;
    let path = format!("/v1/image-caches/{id}/stream");
    let mut listener = Listener::open(app.request(Method::GET, &path)).await;
    for kind in ["image_cache.created", "image_cache.ready"] {
        let message = listener.event().await;
        assert_eq!((message.event.as_str(), &message.data["data"]["image_cache"]["id"]), (kind, &json!(id)));
    }
    app.created().await;
    app.patch(&format!("/v1/image-caches/{id}"), &json!({"images": ["nginx:1.28"]})).await.expect(200);
    assert_eq!(listener.event().await.event, "image_cache.updating", "nothing of the others");
    let mut ready = Listener::open(stream(&app, "/v1/events/stream?type=image_cache.updated", &listener.last_id)).await;
    app.until(&id, "ready").await;
    assert_eq!(ready.event().await.event, "image_cache.updated");
}

#[tokio::test]
async fn a_stream_lives_as_long_as_its_token() {
    let app = TestGateway::with(lively(8)).await;
    let mut listener = Listener::open(app.request(Method::GET, "/v1/events/stream")).await;
    let quiet = listener.next().await.unwrap();
    assert_eq!((quiet.event.as_str(), quiet.id.as_str(), &quiet.data), ("", "", &Value::Null), "a sign of life");
    app.advance(3_600);
    while listener.next().await.is_some() {}
    Answer::of(app.bare(Method::GET, "/v1/events/stream")).await.problem(401, "token_missing");
}

#[tokio::test]
async fn a_stop_ends_streams_properly() {
    let app = TestGateway::start().await;
    let mut listener = Listener::open(app.request(Method::GET, "/v1/events/stream")).await;
    app.waiting(1).await;
    app.gateway.base().stop_waiting();
    assert_eq!(listener.next().await, None);
}

#[tokio::test]
async fn a_team_holds_a_bounded_number_of_streams() {
    let app = TestGateway::with(lively(1)).await;
    let request = || app.request(Method::GET, "/v1/events/stream");
    let listener = Listener::open(request()).await;
    let refused = Answer::of(request()).await;
    refused.problem(429, "too_many_streams");
    assert_eq!(refused.header("retry-after"), "30");
    let others = app.bare(Method::GET, "/v1/events/stream").bearer_auth(app.token("other", &SCOPES));
    let _others = Listener::open(others).await;
    drop(listener);
    while request().send().await.unwrap().status() != 200 {}
}

/// Creates `count` events of 60 kB each from the team's first one, numbered from 1.
async fn flood(app: &TestGateway, count: i32) {
    let sql = "INSERT INTO events (id, team, type, image_cache, dedupe_key, body, occurred_at)
        SELECT gen_random_uuid(), team, type, image_cache, 'flood' || n,
            jsonb_set(jsonb_set(body::jsonb, '{data,sequence}', to_jsonb(n)), '{data,image_cache,comment}',
                to_jsonb(repeat('x', 60000)))::text, occurred_at
        FROM generate_series(1, $1) n, (SELECT * FROM events ORDER BY seq LIMIT 1) first";
    sqlx::query(sql).bind(count).execute(app.sql()).await.unwrap();
}

#[tokio::test]
async fn who_falls_behind_misses_nothing() {
    let limits = ConnectionLimits { write_deadline: Duration::from_mins(5), ..ConnectionLimits::default() };
    let app = TestGateway::with(Setup { limits, ..Setup::default() }).await;
    app.created().await;
    assert_eq!(app.events().await.len(), 1);
    let listen = || Listener::open(app.request(Method::GET, "/v1/events/stream"));
    let (mut slow, mut quick) = (listen().await, listen().await);
    app.waiting(2).await;
    // More than memory and the sockets hold; once one stream has everything, the other one has been overrun.
    flood(&app, 400).await;
    for listener in [&mut quick, &mut slow] {
        for n in 1..=400 {
            assert_eq!(listener.event().await.data["data"]["sequence"], n);
        }
    }
}

#[tokio::test]
async fn who_does_not_read_is_left() {
    let limits = ConnectionLimits { write_deadline: Duration::from_millis(100), ..ConnectionLimits::default() };
    let app = TestGateway::with(Setup { limits, ..lively(1) }).await;
    let id = app.created().await;
    flood(&app, 400).await;
    let token = app.token(TEAM, &SCOPES);
    let path = format!("/v1/image-caches/{id}/stream");
    let mut client = TcpStream::connect(app.address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    client.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    // Its slot is given to another client once it is clear that it reads nothing more.
    let request = || app.request(Method::GET, &path);
    while request().send().await.unwrap().status() != 200 {}
}
