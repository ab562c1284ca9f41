//! The development receiver over real sockets: what it accepts, what it answers, what it reports.

use std::sync::{Arc, Mutex};

use eci_cache_gateway::domain::clock::{Instant, ManualClock};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::receiver::{MAX_BODY, Received, Receiver};
use eci_cache_gateway::webhook::secret::SigningSecret;
use eci_cache_gateway::webhook::sign::{self, VerifyError};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::gateway::TestGateway;

const READY: &str = r#"{"type":"image_cache.ready","data":{"name":"镜像"}}"#;

struct Fixture {
    receiver: Receiver,
    secret: SigningSecret,
    told: Arc<Mutex<Vec<Received>>>,
    http: reqwest::Client,
}

impl Fixture {
    async fn start() -> Self {
        Self::with(true).await
    }

    /// Whether the secret is known from the beginning.
    async fn with(known: bool) -> Self {
        let secret = SigningSecret::generate(&Entropy::from_seed(1));
        let told = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let clock = Arc::new(ManualClock::at(now()));
        let log = Arc::clone(&told);
        let tell = move |received: &Received| log.lock().expect("nobody panics with it").push(received.clone());
        let receiver = Receiver::start(listener, known.then(|| secret.clone()), clock, tell);
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { receiver, secret, told, http }
    }

    /// Sends a delivery that `secret` signed at `at`; returns status and body.
    async fn deliver(&self, secret: &SigningSecret, id: &str, at: Instant, body: &str) -> (u16, String) {
        let signed = sign::headers(std::slice::from_ref(secret), id, at, body);
        let request = self.http.post(format!("{}/any/path", self.receiver.url())).body(body.to_owned());
        send(signed.into_iter().fold(request, |request, (name, value)| request.header(name, value))).await
    }

    fn told(&self) -> Vec<Received> {
        std::mem::take(&mut *self.told.lock().expect("nobody panics with it"))
    }
}

async fn send(request: reqwest::RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}

fn now() -> Instant {
    "2026-03-01T08:00:00Z".parse().expect("an instant")
}

fn error(body: &str) -> Value {
    serde_json::from_str::<Value>(body).expect("JSON")["error"].clone()
}

#[tokio::test]
async fn a_signed_delivery_is_told_and_its_repeat_is_marked() {
    let fixture = Fixture::start().await;
    for _ in 0..2 {
        assert_eq!(fixture.deliver(&fixture.secret, "evt_1", now(), READY).await, (204, String::new()));
    }
    assert_eq!(fixture.deliver(&fixture.secret, "evt_2", now(), "no JSON").await.0, 204);
    let expected = |id: &str, kind: Option<&str>, repeat, body: &str| Received {
        id: id.to_owned(),
        event_type: kind.map(str::to_owned),
        verified: Ok(()),
        repeat,
        body: body.to_owned(),
        at: now(),
    };
    let kind = Some("image_cache.ready");
    let told = fixture.told();
    assert_eq!(told[0], expected("evt_1", kind, false, READY));
    assert_eq!(told[1], expected("evt_1", kind, true, READY));
    assert_eq!(told[2], expected("evt_2", None, false, "no JSON"));
    fixture.receiver.shutdown().await;
}

#[tokio::test]
async fn what_is_not_verified_gets_401_and_makes_nothing_a_repeat() {
    let fixture = Fixture::start().await;
    let stranger = SigningSecret::generate(&Entropy::from_seed(2));
    let (status, body) = fixture.deliver(&stranger, "evt_1", now(), READY).await;
    assert_eq!((status, error(&body)), (401, json!("no signature matches")));
    let late = now() - chrono::Duration::seconds(301);
    let (status, body) = fixture.deliver(&fixture.secret, "evt_1", late, READY).await;
    assert_eq!((status, error(&body)), (401, json!("the timestamp is too far from now")));
    let (status, body) = send(fixture.http.post(fixture.receiver.url()).body(READY)).await;
    assert_eq!((status, error(&body)), (401, json!("a signature header is missing")));
    assert_eq!(fixture.deliver(&fixture.secret, "evt_1", now(), READY).await.0, 204);

    let told: Vec<_> = fixture.told().into_iter().map(|told| (told.id, told.verified, told.repeat)).collect();
    let failed = |id: &str, error| (id.to_owned(), Err(error), false);
    let expected = [
        failed("evt_1", VerifyError::Signature),
        failed("evt_1", VerifyError::Timestamp),
        failed("", VerifyError::MissingHeader),
        ("evt_1".to_owned(), Ok(()), false),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_is_no_delivery_is_not_told() {
    let fixture = Fixture::start().await;
    assert_eq!(send(fixture.http.get(fixture.receiver.url())).await.0, 405);
    let largest = "x".repeat(MAX_BODY);
    assert_eq!(fixture.deliver(&fixture.secret, "evt_1", now(), &largest).await.0, 204);
    assert_eq!(fixture.told().len(), 1);
    let (status, body) = fixture.deliver(&fixture.secret, "evt_2", now(), &format!("{largest}x")).await;
    assert_eq!((status, error(&body)), (413, json!("the body may have 256 KiB")));
    assert_eq!(fixture.told(), []);
}

#[tokio::test]
async fn a_challenge_is_echoed_before_the_secret_is_known_and_only_if_signed_from_then_on() {
    let fixture = Fixture::with(false).await;
    let challenge = r#"{"type":"webhook_endpoint.challenge","data":{"challenge":"abc"}}"#;
    let echo = (200, r#"{"challenge":"abc"}"#.to_owned());
    assert_eq!(send(fixture.http.post(fixture.receiver.url()).body(challenge)).await, echo);
    let (status, body) = fixture.deliver(&fixture.secret, "evt_1", now(), READY).await;
    assert_eq!((status, error(&body)), (503, json!("the secret is not known yet")));
    assert_eq!(fixture.told(), [], "of what cannot be verified nothing is told");

    fixture.receiver.learn(fixture.secret.clone());
    assert_eq!(send(fixture.http.post(fixture.receiver.url()).body(challenge)).await.0, 401);
    assert_eq!(fixture.deliver(&fixture.secret, "evt_1", now(), challenge).await, echo);
    assert_eq!(fixture.deliver(&fixture.secret, "evt_2", now(), READY).await.0, 204);
    let told: Vec<_> = fixture.told().into_iter().map(|told| (told.id, told.verified.is_ok())).collect();
    assert_eq!(told, [(String::new(), false), ("evt_1".into(), true), ("evt_2".into(), true)]);
}

#[tokio::test]
async fn an_endpoint_is_saved_without_skipping_the_challenge() {
    let app = TestGateway::start().await;
    let told = Arc::new(Mutex::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let count = Arc::clone(&told);
    let tell = move |received: &Received| {
        received.verified.expect("signed with its secret");
        *count.lock().expect("nobody panics with it") += 1;
    };
    let receiver = Receiver::start(listener, None, Arc::new(ManualClock::at(app.now())), tell);
    let made = app.post("/v1/webhook-endpoints", &json!({"url": receiver.url()})).await.expect(201);
    receiver.learn(SigningSecret::parse(made["secret"].as_str().expect("a text")).expect("a secret"));
    app.created().await;
    app.drain().await;
    assert!(*told.lock().expect("nobody panics with it") > 0);
}
