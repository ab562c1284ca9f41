//! A name that moves to another network after it answered its challenge is challenged again before anything else is
//! sent.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use eci_cache_gateway::webhook::lookup::Lookup;
use futures_util::future::BoxFuture;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{deliver, unasked};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};

/// Resolves every name to a given address.
#[derive(Clone)]
struct Compass(Arc<Mutex<Vec<&'static str>>>);

impl Compass {
    fn to(address: &'static str) -> Self {
        Self(Arc::new(Mutex::new(vec![address])))
    }

    fn turn(&self, addresses: &[&'static str]) {
        *self.0.lock().unwrap() = addresses.to_vec();
    }
}

impl Lookup for Compass {
    fn lookup(&self, _host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let found = self.0.lock().unwrap().iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), port)).collect();
        Box::pin(async move { Ok(found) })
    }
}

/// One server on all loopback addresses, which records what was sent to which of them. It answers challenges if it is
/// told to.
#[derive(Clone, Default)]
struct Town {
    heard: Arc<Mutex<Vec<(String, String)>>>,
    echoes: Arc<Mutex<bool>>,
    /// Whether it keeps connections open.
    keeps: Arc<Mutex<bool>>,
}

impl Town {
    async fn start() -> (Self, u16) {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let town = Self::default();
        *town.echoes.lock().unwrap() = true;
        let all = town.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(all.clone().answer(stream));
            }
        });
        (town, port)
    }

    async fn answer(self, mut stream: tokio::net::TcpStream) {
        let place = stream.local_addr().unwrap().ip().to_string();
        let mut bytes = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let whole = text.split_once("\r\n\r\n").filter(|(head, body)| {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                length.is_some_and(|length| length.parse() == Ok(body.len()))
            });
            if let Some((_, body)) = whole {
                let body: Value = serde_json::from_str(body).unwrap();
                let kind = body["type"].as_str().unwrap().to_owned();
                self.heard.lock().unwrap().push((place.clone(), kind));
                let echo =
                    if *self.echoes.lock().unwrap() { body["data"]["challenge"].to_string() } else { "ok".into() };
                let close = if *self.keeps.lock().unwrap() { "" } else { "connection: close\r\n" };
                let answer = format!("HTTP/1.1 200 OK\r\n{close}content-length: {}\r\n\r\n{echo}", echo.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
                bytes.clear();
                if !close.is_empty() {
                    return;
                }
            } else if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        }
    }

    /// What was received since the last call: address and content.
    fn heard(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

fn came(place: &str, kind: &str) -> (String, String) {
    (place.to_owned(), kind.to_owned())
}

const CHALLENGE: &str = "webhook_endpoint.challenge";
const CREATED: &str = "image_cache.created";

async fn town(compass: &Compass) -> (TestGateway, Town, String) {
    let (town, port) = Town::start().await;
    let app = TestGateway::with(Setup { lookup: Some(Arc::new(compass.clone())), ..Setup::default() }).await;
    (app, town, format!("http://hooks.test:{port}/hook"))
}

#[tokio::test]
async fn a_name_that_moved_to_another_network_is_asked_again_and_gets_nothing_until_it_echoes() {
    let compass = Compass::to("127.0.0.1");
    let (app, town, url) = town(&compass).await;
    let body = json!({"url": url, "event_types": [CREATED]});
    let made = app.post("/v1/webhook-endpoints", &body).await.expect(201);
    let path = format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
    app.created().await;
    deliver(&app).await;
    assert_eq!(town.heard(), [came("127.0.0.1", CHALLENGE), came("127.0.0.1", CREATED)]);
    // Within its network it may change its address.
    compass.turn(&["127.0.0.77"]);
    app.created().await;
    deliver(&app).await;
    let near = town.heard();
    assert!(near.len() == 1 && near[0].1 == CREATED, "{near:?}");
    // In another one, somebody else may own it.
    compass.turn(&["127.0.9.1"]);
    *town.echoes.lock().unwrap() = false;
    app.created().await;
    deliver(&app).await;
    assert_eq!(town.heard(), [came("127.0.9.1", CHALLENGE)]);
    let delivery = app.items("/v1/deliveries").await.remove(0);
    assert_eq!((&delivery["status"], &delivery["last_error"]), (&json!("waiting"), &json!("not_verified")));
    let tested = Answer::of(app.request(Method::POST, &format!("{path}/test"))).await.expect(200);
    assert_eq!((&tested["error"], &tested["response"]), (&json!("not_verified"), &Value::Null), "{tested}");
    assert!(tested["explanation"].as_str().unwrap().contains("different network"), "{tested}");
    assert_eq!(town.heard(), [came("127.0.9.1", CHALLENGE)]);
    // Once it answers, everything continues, and it is not challenged a third time.
    *town.echoes.lock().unwrap() = true;
    app.advance(60);
    deliver(&app).await;
    assert_eq!(town.heard(), [came("127.0.9.1", CHALLENGE), came("127.0.9.1", CREATED)]);
    app.created().await;
    deliver(&app).await;
    assert_eq!(town.heard(), [came("127.0.9.1", CREATED)]);
}

#[tokio::test]
async fn among_several_addresses_those_that_echoed_are_used() {
    let compass = Compass::to("127.0.0.1");
    let (app, town, url) = town(&compass).await;
    app.post("/v1/webhook-endpoints", &json!({"url": url, "event_types": [CREATED]})).await.expect(201);
    compass.turn(&["127.0.9.1", "127.0.0.5"]);
    town.heard();
    app.created().await;
    deliver(&app).await;
    assert!(town.heard().iter().all(|(place, kind)| place.starts_with("127.0.0.") && kind == CREATED));
}

#[tokio::test]
async fn who_was_never_asked_is_not_asked_later() {
    let compass = Compass::to("127.0.0.1");
    let (app, town, url) = town(&compass).await;
    *town.echoes.lock().unwrap() = false;
    unasked(&app, &url, json!({"event_types": [CREATED]})).await;
    compass.turn(&["127.0.9.1"]);
    app.created().await;
    deliver(&app).await;
    assert_eq!(town.heard(), [came("127.0.9.1", CREATED)]);
}

#[tokio::test]
async fn a_connection_that_somebody_else_keeps_open_to_the_new_place_is_not_used() {
    let compass = Compass::to("127.0.0.1");
    let (app, town, url) = town(&compass).await;
    *town.keeps.lock().unwrap() = true;
    app.post("/v1/webhook-endpoints", &json!({"url": url, "event_types": [CREATED]})).await.expect(201);
    compass.turn(&["127.0.9.1"]);
    // With the same origin, and never challenged: the other endpoint was verified at the new address, and its
    // connection is in the pool.
    let unasked = unasked(&app, &url, json!({"event_types": ["image_cache.deleted"]})).await;
    Answer::of(app.request(Method::POST, &format!("{unasked}/test"))).await.expect(200);
    *town.echoes.lock().unwrap() = false;
    town.heard();
    for _ in 0..2 {
        app.created().await;
    }
    deliver(&app).await;
    let heard = town.heard();
    assert!(!heard.is_empty() && heard.iter().all(|one| one.0 == "127.0.0.1" || one.1 == CHALLENGE), "{heard:?}");
}
