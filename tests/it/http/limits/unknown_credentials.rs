//! A flood of unknown credentials delays nobody with known ones, and costs next to no queries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eci_cache_gateway::domain::clock::Instant;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::api_key::PresentedKey;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::ids::ApiKeyId;
use eci_cache_gateway::domain::limits::bucket::Rate;
use eci_cache_gateway::domain::limits::queue::Capacity;
use futures_util::future::join_all;
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{patient, setup};
use crate::rpc::client::RpcKey;
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway};

/// The default number of slots, and a shorter queue than callers would tolerate.
fn small() -> Setup {
    let mut small = setup(|limits| {
        limits.unauthenticated = Rate { per_second: 1, burst: 5 };
        limits.room = Capacity { running: 1, lists: 1, queue: 8, ..patient(8).settings.limits.room };
    });
    small.http.rpc_deadline = std::time::Duration::from_mins(1);
    small
}

fn unknown(number: u32) -> RpcKey {
    RpcKey { id: format!("LTAI{number:020}"), secret: SecretString::from("no such key") }
}

#[tokio::test]
async fn every_signed_call_passes_during_a_flood_of_unknown_access_keys() {
    let app = TestGateway::with(small()).await;
    let key = RpcKey::new(&app).await;
    let place = [("RegionId", "cn-beijing")];
    let (over, sent) = (AtomicBool::new(false), AtomicU32::new(0));
    let flood = join_all((0..16).map(|_| async {
        let mut answered = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let stranger = unknown(sent.fetch_add(1, Ordering::Relaxed));
            answered.push(stranger.get(&app, "DescribeImageCaches", &place).await.status);
        }
        answered
    }));
    let good = async {
        while sent.load(Ordering::Relaxed) < 200 {
            tokio::task::yield_now().await;
        }
        let mut answered = Vec::new();
        for _ in 0..34 {
            answered.push(key.get(&app, "DescribeImageCaches", &place).await.status);
        }
        over.store(true, Ordering::Relaxed);
        answered
    };
    let (flooded, answered) = tokio::join!(flood, good);
    assert_eq!(answered, [200; 34]);
    let all: Vec<u16> = flooded.into_iter().flatten().collect();
    assert!(all.iter().all(|status| [400, 403, 404].contains(status)), "none is told that all is busy: {all:?}");
}

#[tokio::test]
async fn the_bucket_is_asked_before_a_query_whatever_the_credential() {
    let app = TestGateway::with(small()).await;
    let key = RpcKey::new(&app).await;
    let place = [("RegionId", "cn-beijing")];
    key.get(&app, "DescribeImageCaches", &place).await.expect(200);
    let made = Answer::of(
        app.bare(Method::POST, "/v1/api-keys")
            .bearer_auth(app.token(TEAM, &Scope::ALL))
            .json(&json!({"name": "ci", "scopes": ["read"]})),
    )
    .await
    .expect(201);
    let own = made["key"].as_str().unwrap();
    let good = || Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(own));
    good().await.expect(200);
    for number in 0..5 {
        unknown(number).get(&app, "DescribeImageCaches", &place).await.expect_error();
    }
    // The bucket is empty: no table is queried any more, and known callers are not delayed.
    let renamed = ["ALTER TABLE access_keys RENAME TO away_a", "ALTER TABLE api_keys RENAME TO away_b"];
    for sql in renamed {
        sqlx::query(sql).execute(app.sql()).await.unwrap();
    }
    for number in 0..20 {
        let refused = unknown(100 + number).get(&app, "DescribeImageCaches", &place).await;
        assert_eq!(refused.expect(400)["Code"], "Throttling.User", "{refused:?}");
        let stranger = strange_key(number);
        let refused = Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(stranger)).await;
        refused.problem(429, "too_many_refused");
    }
    for sql in ["ALTER TABLE away_a RENAME TO access_keys", "ALTER TABLE away_b RENAME TO api_keys"] {
        sqlx::query(sql).execute(app.sql()).await.unwrap();
    }
    key.get(&app, "DescribeImageCaches", &place).await.expect(200);
    good().await.expect(200);
}

/// An issuer's keys, and how often they were fetched.
async fn issuer() -> (String, Arc<AtomicU32>) {
    const KEYS: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let fetched = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&fetched);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", KEYS.len());
            stream.write_all((head + KEYS).as_bytes()).await.unwrap();
        }
    });
    (url, fetched)
}

#[tokio::test]
async fn an_unknown_key_id_of_the_issuer_is_counted_before_its_keys_are_fetched() {
    let (url, fetched) = issuer().await;
    let app = TestGateway::with(Setup { jwks: Some(url), ..small() }).await;
    assert!(app.gateway.identity().prepare_tokens().await);
    let token = |kid: u32| {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"EdDSA","kid":"made-up-{kid}"}}"#));
        format!(
            "{header}.{}.{}",
            URL_SAFE_NO_PAD.encode(r#"{"iss":"https://issuer.example"}"#),
            URL_SAFE_NO_PAD.encode("no signature")
        )
    };
    let ask = |kid| Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(token(kid)));
    for kid in 0..5 {
        assert_eq!(ask(kid).await.status, 401);
    }
    // A minute later, the next unknown one might cause another fetch.
    app.advance(60);
    for kid in 5..10 {
        assert_eq!(ask(kid).await.status, 401);
    }
    let before = fetched.load(Ordering::Relaxed);
    for kid in 10..30 {
        ask(kid).await.problem(429, "too_many_refused");
    }
    assert_eq!((before, fetched.load(Ordering::Relaxed)), (3, 3), "at first, and once for each time");
}

/// A well-formed key that does not exist.
fn strange_key(number: u32) -> String {
    let entropy = Entropy::from_seed(u64::from(number) + 1_000);
    let presented = PresentedKey::fresh(ApiKeyId::new(Instant::UNIX_EPOCH, &entropy), &entropy);
    presented.text.expose_secret().to_owned()
}
