//! The cloud's client with the stand-in, over real sockets, with a clock that only the tests advance.

mod accounts;
mod admin;
mod admin_guard;
mod faults;
mod hostile_requests;
mod identity;
mod lies;
mod life;
mod limits;
mod match_image;
mod refusals;
mod roles;
mod schemes;
mod state_file;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eci_cache_gateway::domain::clock::{Clock, Instant, ManualClock};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::failure::CallError;
use eci_cache_gateway::domain::ids::OperationId;
use eci_cache_gateway::domain::image_cache::observation::Observation;
use eci_cache_gateway::domain::image_cache::spec::{
    ImageCacheChanges, ImageCacheSpec, OPERATION_TAG, RegistryCredential,
};
use eci_cache_gateway::domain::region::Region;
use eci_cache_gateway::eci::{Attempt, Client, Created, Credentials, DescribeQuery, SeenPage, sign_v1};
use eci_cache_gateway::sim::{StandIn, StandInKey, StandInSettings};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::cloud::settings;

const KEY: &str = "canary-key-id";
const SECRET: &str = "canary-key-secret";
/// The key of another account.
const OTHER: (&str, &str) = ("canary-other-id", "canary-other-secret");

struct TestCloud {
    clock: Arc<ManualClock>,
    entropy: Arc<Entropy>,
    url: String,
    standin: StandIn,
    http: reqwest::Client,
}

impl TestCloud {
    async fn start() -> Self {
        let start = "2026-03-01T08:00:00Z".parse::<Instant>().expect("an instant");
        Self::start_with(Arc::new(ManualClock::at(start)), 42, None).await
    }

    async fn start_with(clock: Arc<ManualClock>, seed: u64, state_file: Option<PathBuf>) -> Self {
        let entropy = Arc::new(Entropy::from_seed(seed));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let settings = StandInSettings {
            access_key_id: KEY.into(),
            access_key_secret: SECRET.into(),
            further: vec![StandInKey {
                access_key_id: OTHER.0.into(),
                access_key_secret: OTHER.1.into(),
                account: "other".into(),
            }],
            speed: 1.0,
            state_file,
            journal: None,
        };
        let standin = StandIn::start(listener, settings, clock.clone(), entropy.clone());
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { clock, entropy, url: standin.url(), standin, http }
    }

    fn client(&self) -> Client {
        self.client_with(&self.url, SECRET, Duration::from_secs(30))
    }

    fn client_with(&self, endpoint: &str, secret: &str, timeout: Duration) -> Client {
        let settings = settings(endpoint.into(), timeout);
        let credentials = Credentials {
            access_key_id: KEY.into(),
            access_key_secret: secret.to_owned().into(),
            security_token: Some("canary-sts-token".into()),
        };
        Client::new(settings, credentials, self.clock.clone(), self.entropy.clone()).expect("a client")
    }

    fn operation(&self) -> OperationId {
        OperationId::new(self.clock.now(), &self.entropy)
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(chrono::Duration::seconds(seconds));
    }

    /// An attempt signed now.
    fn attempt(&self, operation: OperationId, client_token: &str) -> Attempt {
        Attempt {
            operation,
            client_token: client_token.into(),
            signed_at: self.clock.now(),
            bucket: None,
            marks: Vec::new(),
        }
    }

    async fn created(&self, spec: &ImageCacheSpec) -> String {
        let operation = self.operation();
        self.client()
            .create(spec, &[], &self.attempt(operation, &operation.to_string()))
            .await
            .expect("created")
            .eci_cache_id
    }

    async fn look(&self, id: &str) -> Option<Observation> {
        self.page(DescribeQuery { eci_cache_id: Some(id.into()), ..Default::default() }).await.caches.pop()
    }

    async fn seen(&self, id: &str) -> Observation {
        self.look(id).await.expect("the cache is listed")
    }

    async fn page(&self, query: DescribeQuery) -> SeenPage {
        self.client().describe(&region(), &query).await.expect("a page")
    }

    async fn fault(&self, fault: Value) {
        let answer = self.http.post(format!("{}/_admin/faults", self.url)).json(&fault).send().await.expect("sent");
        assert_eq!(answer.status(), 200, "{}", answer.text().await.expect("a text"));
    }

    /// Calls the admin API, which must succeed.
    async fn admin(&self, method: reqwest::Method, what: &str, body: Value) -> Value {
        let url = format!("{}/_admin/{what}", self.url);
        let answer = self.http.request(method, url).json(&body).send().await.expect("sent");
        let status = answer.status();
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(status, 200, "{what}: {body}");
        body
    }

    async fn set(&self, what: &str, body: Value) -> Value {
        self.admin(reqwest::Method::POST, what, body).await
    }

    /// Calls `action` in cn-beijing, with V1 in the form.
    async fn ask(&self, action: &str, extra: &[(&str, &str)]) -> (u16, Value) {
        self.post(&self.signed("POST", action, extra)).await
    }

    async fn ledger(&self) -> Value {
        let answer = self.http.get(format!("{}/_admin/calls", self.url)).send().await.expect("sent");
        answer.json().await.expect("JSON")
    }

    async fn creations(&self) -> usize {
        self.ledger().await["created"].as_array().expect("a list").len()
    }

    /// A call with these parameters and our key, signed for `method`; the caller may alter it.
    fn signed(&self, method: &str, action: &str, extra: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let mut params: Vec<_> = [
            ("Action", action),
            ("Version", "2018-08-08"),
            ("Format", "JSON"),
            ("AccessKeyId", KEY),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureType", ""),
            ("RegionId", "cn-beijing"),
        ]
        .iter()
        .chain(extra)
        .map(own)
        .collect();
        let mut default = |key: &str, value: String| {
            if params.iter().all(|(known, _)| known != key) {
                params.push((key.to_owned(), value));
            }
        };
        default("SignatureNonce", self.operation().to_string());
        default("Timestamp", self.clock.now().format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let text = sign_v1::string_to_sign(method, &params);
        params.push(("Signature".into(), sign_v1::signature(&SecretString::from(SECRET), &text)));
        params
    }

    async fn post(&self, form: &[(String, String)]) -> (u16, Value) {
        envelope(self.http.post(&self.url).form(form)).await
    }

    async fn get(&self, query: &[(String, String)]) -> (u16, Value) {
        envelope(self.http.get(&self.url).query(query)).await
    }
}

/// Any response must be JSON; an error must have the five strings.
async fn envelope(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    assert!(kind.starts_with("application/json"), "{status} {kind}");
    let body: Value = answer.json().await.expect("JSON");
    assert!(body["RequestId"].is_string(), "{body}");
    if status != 200 {
        for key in ["HostId", "Code", "Message", "Recommend"] {
            assert!(body[key].is_string(), "{key} in {body}");
        }
    }
    (status, body)
}

fn region() -> Region {
    "cn-beijing".parse().expect("a region")
}

/// The changes of an update to `spec`.
fn changes_to(spec: &ImageCacheSpec) -> ImageCacheChanges {
    ImageCacheChanges {
        name: Some(spec.name.clone()),
        images: Some(spec.images.clone()),
        ..ImageCacheChanges::default()
    }
}

fn spec(extra: &Value) -> ImageCacheSpec {
    let mut spec = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1.27"]});
    let fields = spec.as_object_mut().expect("an object");
    fields.extend(extra.as_object().expect("an object").clone());
    serde_json::from_value(spec).expect("a spec")
}

fn code(fault: CallError) -> String {
    match fault {
        CallError::Refused(error) => error.code,
        other => panic!("not refused: {other}"),
    }
}
