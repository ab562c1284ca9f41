//! Remote keys, with a real server: one fetch at a time, rotation, the limit for floods, and failures.
#![cfg(test)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use eci_cache_gateway::auth::jwks::{JwksSettings, KeySource, Unavailable};
use eci_cache_gateway::domain::clock::{Instant, ManualClock};
use futures_util::future::{join, join_all};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// An issuer that publishes a given document, counts requests, and holds responses back while its gate is closed.
struct TestIssuer {
    url: String,
    answer: Mutex<String>,
    hits: AtomicUsize,
    arrived: Semaphore,
    gate: Semaphore,
}

impl TestIssuer {
    async fn start(kids: &[&str]) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Arc::new(Self {
            url: format!("http://{}/keys", listener.local_addr().unwrap()),
            answer: Mutex::new(ok(&document(kids))),
            hits: AtomicUsize::new(0),
            arrived: Semaphore::new(0),
            gate: Semaphore::new(1_000),
        });
        let server = Arc::clone(&issuer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&server).serve(stream));
            }
        });
        issuer
    }

    async fn serve(self: Arc<Self>, mut stream: TcpStream) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        self.hits.fetch_add(1, Ordering::SeqCst);
        self.arrived.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        let answer = self.answer.lock().unwrap().clone();
        // A client that has read enough may disconnect.
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }

    fn publish(&self, kids: &[&str]) {
        self.say(&ok(&document(kids)));
    }

    fn say(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().unwrap());
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

fn document(kids: &[&str]) -> String {
    let key = |kid: &&str| {
        let pair = Ed25519KeyPair::generate().unwrap();
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": URL_SAFE_NO_PAD.encode(pair.public_key().as_ref())})
    };
    json!({"keys": kids.iter().map(key).collect::<Vec<_>>()}).to_string()
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn source(issuer: &TestIssuer) -> (KeySource, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Instant::UNIX_EPOCH + Duration::days(20_000)));
    (KeySource::url(&issuer.url, &JwksSettings::default(), clock.clone()).unwrap(), clock)
}

async fn knows(source: &KeySource, kid: &str) -> Result<bool, Unavailable> {
    source.keys_for(Some(kid)).await.map(|keys| keys.find(Some(kid)).is_some())
}

#[tokio::test]
async fn many_at_once_cause_one_fetch() {
    let issuer = TestIssuer::start(&["a"]).await;
    issuer.gate.forget_permits(1_000);
    let (source, _) = source(&issuer);
    let open = async {
        issuer.arrived.acquire().await.unwrap().forget();
        issuer.gate.add_permits(1_000);
    };
    let (known, ()) = join(join_all((0..50).map(|_| knows(&source, "a"))), open).await;
    assert!(known.into_iter().all(|known| known == Ok(true)));
    assert_eq!(issuer.hits(), 1);
}

#[tokio::test]
async fn keys_are_kept_for_five_minutes() {
    let issuer = TestIssuer::start(&["a"]).await;
    let (source, clock) = source(&issuer);
    assert_eq!(knows(&source, "a").await, Ok(true));
    clock.advance(Duration::seconds(299));
    assert_eq!(knows(&source, "a").await, Ok(true));
    assert_eq!(issuer.hits(), 1);
    clock.advance(Duration::seconds(1));
    issuer.publish(&["b"]);
    assert_eq!(knows(&source, "a").await, Ok(false), "withdrawn keys are gone");
    assert_eq!(issuer.hits(), 2);
}

#[tokio::test]
async fn a_new_key_is_found_at_once() {
    let issuer = TestIssuer::start(&["a"]).await;
    let (source, _) = source(&issuer);
    assert_eq!(knows(&source, "a").await, Ok(true));
    issuer.publish(&["a", "b"]);
    assert_eq!(knows(&source, "b").await, Ok(true));
    assert_eq!(issuer.hits(), 2);
}

#[tokio::test]
async fn unknown_key_ids_cannot_flood_the_issuer() {
    let issuer = TestIssuer::start(&["a"]).await;
    let (source, clock) = source(&issuer);
    assert_eq!(knows(&source, "a").await, Ok(true));
    for round in 0..3 {
        let kids: Vec<String> = (0..200).map(|n| format!("made-up-{round}-{n}")).collect();
        let known = join_all(kids.iter().map(|kid| knows(&source, kid))).await;
        assert!(known.into_iter().all(|known| known == Ok(false)));
        assert_eq!(issuer.hits(), 2 + round, "one more in each 30 s");
        clock.advance(Duration::seconds(30));
    }
}

#[tokio::test]
async fn a_failing_refresh_keeps_the_old_keys() {
    let issuer = TestIssuer::start(&["a"]).await;
    let (source, clock) = source(&issuer);
    assert_eq!(knows(&source, "a").await, Ok(true));
    let long = format!("{{\"keys\":[],\"pad\":\"{}\"}}", "x".repeat(1024 * 1024));
    let failures = [
        "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
        format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", issuer.url),
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{\"keys".to_owned(),
        "no HTTP at all\r\n\r\n".to_owned(),
        ok("{}"),
        ok(r#"{"keys":[]}"#),
        ok(r#"{"keys":[{"kty":"oct","kid":"a","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}"#),
        ok(&long),
    ];
    for (failed, failure) in failures.iter().enumerate() {
        clock.advance(Duration::minutes(6));
        issuer.say(failure);
        assert_eq!(knows(&source, "a").await, Ok(true), "{failure:.80}");
        assert_eq!(issuer.hits(), failed + 2, "{failure:.80}");
        assert_eq!(knows(&source, "a").await, Ok(true), "not tried again at once");
        assert_eq!(issuer.hits(), failed + 2, "{failure:.80}");
    }
    issuer.publish(&["b"]);
    clock.advance(Duration::seconds(5));
    assert_eq!(knows(&source, "b").await, Ok(true), "and it recovers");
}

#[tokio::test]
async fn without_any_keys_it_says_so_and_recovers() {
    let issuer = TestIssuer::start(&["a"]).await;
    let (source, clock) = source(&issuer);
    issuer.say("HTTP/1.1 503 Later\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    for _ in 0..3 {
        assert_eq!(knows(&source, "a").await, Err(Unavailable));
    }
    assert_eq!(issuer.hits(), 1);
    issuer.publish(&["a"]);
    clock.advance(Duration::seconds(5));
    assert_eq!(knows(&source, "a").await, Ok(true));
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_abort_the_fetch() {
    let issuer = TestIssuer::start(&["a"]).await;
    issuer.gate.forget_permits(1_000);
    let (source, _) = source(&issuer);
    let source = Arc::new(source);
    let theirs = Arc::clone(&source);
    let impatient = tokio::spawn(async move { knows(&theirs, "a").await });
    issuer.arrived.acquire().await.unwrap().forget();
    impatient.abort();
    assert!(impatient.await.unwrap_err().is_cancelled());
    let open = async { issuer.gate.add_permits(1_000) };
    let (known, ()) = join(knows(&source, "a"), open).await;
    assert_eq!(known, Ok(true));
    assert_eq!(issuer.hits(), 1);
}
