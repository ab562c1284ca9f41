//! A canary in every place that accepts a secret, a walk through all doors, then a search of all output.
//!
//! Whoever adds a place that accepts a secret adds it to [`canaries`], and to the walk.
#![cfg(test)]

mod echo;
mod keys;
pub(crate) mod sinks;
mod spellings;

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::keys::Made;
use self::sinks::{Meter, Tape};
use self::spellings::{Canary, search};
use crate::rpc::client::RpcKey;
use crate::support::answer::Answer;
use crate::support::gateway::{AUDIT_KEY, CLOUD_SECRET, SCOPES, Setup, TEAM, TOKEN_SECRET, TestGateway, new_cache};
use crate::support::hook::Hook;
use crate::support::receiver::{Manner, RawReceiver};
use crate::support::setup::{SECOND, SECOND_NEXT};

const PASSWORD: &str = "canary pass&word/+%\"31d0";
const HEADER: &str = "canary header&value/+%\"c2b7";
const TOKEN: &str = "canary-url-token-77c1";
const USERINFO: &str = "canary-userinfo-90ae";
const MISPLACED: &str = "canary misplaced&/+%\"5e77";
const EXTERNAL: &str = "canary-external/+%&7d31";
const MASTER: &[u8; 32] = b"canary-master-key-8d1f-0123456+/";

/// What is searched for. The walk returns those that are created on the way.
fn canaries(made: &Made) -> Vec<Canary> {
    vec![
        Canary::new("registry password", PASSWORD),
        Canary::new("webhook header", HEADER),
        Canary::new("user in a URL", USERINFO),
        Canary::new("token in a URL", TOKEN),
        Canary::new("misplaced", MISPLACED),
        Canary::new("master key", MASTER),
        Canary::new("audit key", AUDIT_KEY),
        Canary::new("cloud key", CLOUD_SECRET),
        Canary::new("session secret", echo::SESSION.0),
        Canary::new("session token", echo::SESSION.1),
        Canary::new("token secret", TOKEN_SECRET),
        Canary::new("bearer token", &made.bearer),
        Canary::new("access key secret", &made.access),
        Canary::new("webhook secret", &made.webhook),
        Canary::new("API key", &made.api),
        Canary::new("API key after its rotation", &made.rotated),
        Canary::new("cloud account secret", SECOND.1),
        Canary::new("cloud account secret after its rotation", SECOND_NEXT.1),
        Canary::new("external id", EXTERNAL),
    ]
}

/// A walk: the caller, and what records every response except those that show a secret once.
struct Walk<'a> {
    app: &'a TestGateway,
    heard: &'a Tape,
}

impl Walk<'_> {
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = self.app.bare(method, path).bearer_auth(self.app.token(TEAM, &Scope::ALL));
        let request = if let Some(body) = body { request.json(body) } else { request };
        self.heard.hear(Answer::of(request).await)
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    /// Creates that succeed, are refused, fail and are found again: always with a login.
    async fn caches(&self) {
        let faults = [
            json!({"kind": "throttle"}),
            json!({"kind": "error", "http": 503, "message": format!("bad {PASSWORD}"), "apply": true}),
            json!({"kind": "error", "http": 400, "code": "InvalidParameter", "message": format!("no login {PASSWORD}")}),
            json!({"kind": "status", "http": 502, "body": format!("<html>{PASSWORD}</html>")}),
            json!({"kind": "garbage"}),
        ];
        let made = self.post("/v1/image-caches", &with_login("private.example.com/a:1")).await.expect(201);
        let path = format!("/v1/image-caches/{}", made["id"].as_str().unwrap());
        self.app.until(made["id"].as_str().unwrap(), "ready").await;
        let login = with_login("")["registry_credentials"].clone();
        let update = json!({"images": ["private.example.com/b:1"], "registry_credentials": login});
        self.ask(Method::PATCH, &path, Some(&update)).await.expect(200);
        for fault in faults {
            let mut fault = fault;
            fault["action"] = json!("CreateImageCache");
            self.app.fault(&fault).await;
            self.post("/v1/image-caches", &with_login("private.example.com/c:1")).await;
            self.post("/v1/image-caches/ensure", &with_login("private.example.com/d:1")).await;
        }
        self.settle(self.app).await;
        for path in
            ["/v1/image-caches", "/v1/events", &path, &format!("{path}/transitions"), &format!("{path}/provider")]
        {
            self.get(path).await;
        }
        self.ask(Method::DELETE, &path, None).await;
    }

    async fn settle(&self, app: &TestGateway) {
        for _ in 0..30 {
            app.advance(40);
            app.drain().await;
        }
        app.gateway.reconciler().reconcile().await.unwrap();
        app.gateway.upkeep().clean().await.unwrap();
    }

    /// Secrets in wrong places.
    async fn misplaced(&self) {
        for (field, value) in [
            ("password", json!(MISPLACED)),
            ("size_gib", json!(MISPLACED)),
            ("registry_credentials", json!(MISPLACED)),
            ("registry_credentials", json!([{"server": "a", "user_name": "u", "password": [MISPLACED]}])),
            (
                "registry_credentials",
                json!([{"server": format!("https://u:{USERINFO}@a"), "user_name": "u", "password": PASSWORD}]),
            ),
        ] {
            let mut body = new_cache("nginx:1.27");
            body[field] = value;
            assert_eq!(self.post("/v1/image-caches", &body).await.status, 422, "{field}");
        }
        let asked =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("access_token", MISPLACED).finish();
        self.get(&format!("/v1/image-caches?{asked}")).await;
        self.get(&format!("/v1/{}", eci_cache_gateway::eci::sign_v1::encode(MISPLACED))).await;
        for token in [MISPLACED, "a.b.c"] {
            let request = self.app.bare(Method::GET, "/v1/me").header("authorization", format!("Bearer {token}"));
            self.heard.hear(Answer::of(request).await);
        }
        let request = self.app.bare(Method::GET, "/v1/me").header("authorization", format!("Basic {MISPLACED}"));
        self.heard.hear(Answer::of(request).await);
        let hook = json!({"url": format!("https://u:{USERINFO}@example.com/"), "skip_challenge": true});
        assert_eq!(self.post("/v1/webhook-endpoints", &hook).await.status, 422);
    }

    /// An endpoint with its own header, which fails sometimes; returns its secret.
    async fn webhooks(&self, hook: &Hook) -> String {
        let body = json!({"url": hook.url(), "headers": {"x-own": HEADER}});
        let made = self.app.post("/v1/webhook-endpoints", &body).await.expect(201);
        let path = format!("/v1/webhook-endpoints/{}", made["id"].as_str().unwrap());
        // A chat bot. Only those who manage the endpoints see its URL.
        let (robot, _) = self.app.endpoint(&format!("{}?access_token={TOKEN}", hook.url())).await;
        self.ask(Method::POST, &format!("/v1/webhook-endpoints/{robot}/test"), None).await;
        self.app.delete(&format!("/v1/webhook-endpoints/{robot}")).await;
        hook.script(&["500 Oops", "410 Gone", "302 Found\r\nlocation: http://127.0.0.1:9/"]);
        for what in ["test", "pause", "resume"] {
            self.ask(Method::POST, &format!("{path}/{what}"), None).await;
        }
        self.get(&path).await;
        self.get("/v1/webhook-endpoints").await;
        // This one echoes what it was sent.
        let told = format!("you said {HEADER}");
        let head = format!("HTTP/1.1 500 Oops\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", told.len());
        let echoing = RawReceiver::start(Manner::Says(head + &told)).await;
        let body = json!({"url": echoing.url(), "headers": {"x-own": HEADER}, "skip_challenge": true});
        let parrot = self.app.post("/v1/webhook-endpoints", &body).await.expect(201);
        let test = format!("/v1/webhook-endpoints/{}/test", parrot["id"].as_str().unwrap());
        let tested = self.ask(Method::POST, &test, None).await.expect(200);
        assert_eq!(tested["response"], "you said ***");
        made["secret"].as_str().unwrap().to_owned()
    }

    /// The cloud's own API: valid requests, wrong signatures, nonsense.
    async fn rpc(&self) -> String {
        let key = RpcKey::new(self.app).await;
        let login = [
            ("RegionId", "cn-beijing"),
            ("ImageCacheName", "web"),
            ("Image.1", "private.example.com/rpc:1"),
            ("ImageRegistryCredential.1.Server", "private.example.com"),
            ("ImageRegistryCredential.1.UserName", "u"),
            ("ImageRegistryCredential.1.Password", PASSWORD),
        ];
        self.heard.hear(key.post(self.app, "CreateImageCache", &login).await);
        self.heard.hear(key.get(self.app, "CreateImageCache", &login).await);
        let mut bad = login.to_vec();
        bad.push(("Flash", MISPLACED));
        self.heard.hear(key.get(self.app, "CreateImageCache", &bad).await);
        let wrong = RpcKey { id: key.id.clone(), secret: MISPLACED.into() };
        self.heard.hear(wrong.get(self.app, "CreateImageCache", &login).await);
        let unknown = RpcKey { id: "LTAIunknown".into(), secret: MISPLACED.into() };
        self.heard.hear(unknown.post(self.app, "CreateImageCache", &login).await);
        secrecy::ExposeSecret::expose_secret(&key.secret).to_owned()
    }

    /// The same with a cloud that echoes everything.
    async fn echoed(&self, echoing: &TestGateway) {
        let walk = Walk { app: echoing, heard: self.heard };
        for number in 0..8 {
            let mut body = with_login("private.example.com/e:1");
            body["name"] = json!(format!("echo-{number}"));
            walk.post("/v1/image-caches", &body).await;
            walk.get("/v1/usage?region=cn-beijing").await;
            walk.post("/v1/image-caches/adopt", &json!({"region": "cn-beijing", "filter": {}})).await;
        }
        self.settle(echoing).await;
    }

    async fn audit(&self) {
        self.app.seal().await;
        self.get("/v1/audit-entries?limit=100").await.expect(200);
        for format in ["ndjson", "csv"] {
            let export = self.get(&format!("/v1/audit-export?format={format}")).await;
            assert!(export.status == 200 && export.text.contains("create_image_cache"), "{export:?}");
        }
    }
}

fn with_login(image: &str) -> Value {
    let mut body = new_cache(image);
    body["registry_credentials"] = json!([{"server": "private.example.com", "user_name": "u", "password": PASSWORD}]);
    body
}

fn setup(cloud: Option<String>) -> Setup {
    Setup { master: (("k1", *MASTER), None), role: Some("caches"), cloud, ..Setup::default() }
}

#[tokio::test]
async fn no_secret_comes_out_anywhere() {
    let (logs, _logging) = sinks::logs();
    let meter = Meter::new();
    let _metering = meter.listen();
    let app = TestGateway::with(setup(None)).await;
    let (hook, heard) = (Hook::start().await, Tape::default());
    let walk = Walk { app: &app, heard: &heard };
    let webhook = walk.webhooks(&hook).await;
    walk.misplaced().await;
    walk.caches().await;
    let access = walk.rpc().await;
    let (api, rotated) = walk.api_keys().await;
    walk.accounts(EXTERNAL).await;
    let echoing = app.second_gateway(setup(Some(echo::serve().await))).await;
    walk.echoed(&echoing).await;
    Walk { app: &echoing, heard: &heard }.accounts(EXTERNAL).await;
    app.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap();
    walk.audit().await;
    walk.get("/v1/deliveries").await;

    let bodies: String = hook.received().iter().map(|received| received.body.clone()).collect();
    assert!(bodies.contains("image_cache.created"), "{bodies}");
    let mut found = vec![
        ("the logs", logs.bytes()),
        ("the metrics", meter.text()),
        ("the answers", heard.bytes()),
        ("the webhooks", bodies.into_bytes()),
        ("the database", sinks::dump(app.sql()).await),
    ];
    let made = Made { bearer: app.token(TEAM, &SCOPES), access, webhook, api, rotated };
    for (sink, bytes) in &found {
        assert!(bytes.len() > 500, "{sink} has nothing in it: {}", String::from_utf8_lossy(bytes));
    }
    let hits = search(&canaries(&made), &found);
    assert!(hits.is_empty(), "{} hits:\n{}", hits.len(), hits.join("\n"));

    // The control: each planted canary is found, in each encoding and in each sink.
    for canary in canaries(&made) {
        for (spelling, bytes) in canary.spellings() {
            for (sink, text) in &mut found {
                let was = text.len();
                text.extend(&bytes);
                let hits = search(std::slice::from_ref(&canary), &[(*sink, text[was.saturating_sub(9)..].to_vec())]);
                assert!(!hits.is_empty(), "{} as {spelling} in {sink} is not found", canary.place);
                text.truncate(was);
            }
        }
    }
}

#[tokio::test]
async fn what_is_planted_in_a_sink_is_found_there() {
    let (logs, _logging) = sinks::logs();
    let meter = Meter::new();
    let _metering = meter.listen();
    let app = TestGateway::start().await;
    let canary = Canary::new("planted", PASSWORD);
    tracing::trace!(target: "eci_cache_gateway::canary", secret = PASSWORD, "planted");
    metrics::counter!("ecg_canary_total", "secret" => PASSWORD.to_owned()).increment(1);
    let sql = "INSERT INTO access_keys (id, team, secret, scopes, description, created_at)
        VALUES ('LTAIcanary', 'web', convert_to($1, 'UTF8'), '{read}', $2, now())";
    sqlx::query(sql).bind(PASSWORD).bind(reversed(PASSWORD)).execute(app.sql()).await.unwrap();
    let sinks = [("logs", logs.bytes()), ("metrics", meter.text()), ("database", sinks::dump(app.sql()).await)];
    let hits = search(&[canary], &sinks).join("\n");
    for hit in ["as json in logs", "as plain in database", "as hex in database", "as reversed in database"] {
        assert!(hits.contains(hit), "{hit} is not among {hits}");
    }
    assert!(hits.contains("in metrics"), "{hits}");
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

/// Fields that are named like a secret but are plain strings, in a struct that derives `Debug`.
fn printed(source: &str) -> Vec<String> {
    let (mut found, mut derives) = (Vec::new(), false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[derive(") {
            derives = line.contains("Debug");
        } else if line.ends_with('{') && (line.contains("fn ") || line.starts_with("impl")) || line == "}" {
            derives = false;
        }
        let Some((name, kind)) = line.split_once(": ") else { continue };
        let name = name.rsplit(' ').next().unwrap_or_default();
        let secret = ["secret", "password", "security_token", "master"].iter().any(|word| name.contains(word));
        let text = ["String,", "Option<String>,", "&'a str,"].contains(&kind);
        if derives && secret && text && !name.ends_with("_id") {
            found.push(line.to_owned());
        }
    }
    found
}

#[test]
fn no_struct_prints_a_secret() {
    let sample = "#[derive(Debug, Clone)]\npub struct A {\n    pub(super) password: String,\n}\n#[derive(Clone)]\nstruct B {\n    secret: String,\n}";
    assert_eq!(printed(sample), ["pub(super) password: String,"]);
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            // What a test makes up may be printed.
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            assert_eq!(printed(code), Vec::<String>::new(), "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 100, "{read} files");
}
