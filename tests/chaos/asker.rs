//! Callers without a `ClientToken`, through the cloud's own API, and without a key, through REST. Each sends one
//! request and waits for a random time, often not long enough. Nobody retries: a cache that nobody was told of belongs
//! to nobody, unless somebody else joins it meanwhile.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::eci::{Product, sign_v1};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::check::evidence::{ASKED, ClientFact};
use crate::client::{Clients, Wish};
use crate::settings;

/// The pause between two creates.
const PAUSE: Duration = Duration::from_millis(700);
/// The longest wait of a caller in milliseconds.
const LONGEST: u64 = 6_000;

/// The proportion of requests through REST, and of those that are joined.
const BY_REST: f64 = 0.25;
const JOINED: f64 = 0.4;

/// An access key of the gateway.
pub(crate) struct GatewayKey {
    team: &'static str,
    id: String,
    secret: SecretString,
}

impl Clients {
    /// Creates an access key for `team`.
    pub(crate) async fn key(&self, team: &'static str) -> anyhow::Result<GatewayKey> {
        let wish = Wish {
            method: reqwest::Method::POST,
            path: "/v1/access-keys".into(),
            body: Some(json!({})),
            key: None,
            action: "key",
        };
        let made = self.ask(team, &wish, None).await?.context("a key is made")?.json;
        let text = |name: &str| made[name].as_str().map(str::to_owned).context("a key has an id and a secret");
        Ok(GatewayKey { team, id: text("id")?, secret: text("access_key_secret")?.into() })
    }

    /// Sends creates until told to stop.
    pub(crate) async fn ask_without_tokens(&self, seed: u64, key: GatewayKey) -> anyhow::Result<()> {
        let mut dice = StdRng::seed_from_u64(seed);
        while !self.stop.load(std::sync::atomic::Ordering::Relaxed) {
            let begun = Instant::now();
            let turn = self.turn.read().await;
            self.asked_once(&mut dice, &key).await?;
            drop(turn);
            tokio::time::sleep(PAUSE.saturating_sub(begun.elapsed())).await;
        }
        Ok(())
    }

    /// One caller who may disconnect, and perhaps another one who joins.
    async fn asked_once(&self, dice: &mut StdRng, key: &GatewayKey) -> anyhow::Result<()> {
        let wait = Duration::from_millis(if dice.random_bool(0.5) { 0 } else { dice.random_range(0..LONGEST) });
        let (by_rest, joined) = (dice.random_bool(BY_REST), dice.random_bool(JOINED));
        let delay = Duration::from_millis(dice.random_range(0..600));
        let number = self.count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let content = json!({"region": "cn-beijing", "images": [format!("nginx:0.{number}")]});
        let ask = async {
            if by_rest {
                return tokio::time::timeout(wait, self.create_by_rest(key, number, &content)).await.unwrap_or(Ok(()));
            }
            if let Ok(Some(id)) = tokio::time::timeout(wait, self.create_once(key, number)).await {
                self.ledger.note(&ClientFact::Told { eci_cache_id: id });
            }
            Ok(())
        };
        let join = async { if joined { self.join(key.team, number, &content, delay).await } else { Ok(()) } };
        tokio::try_join!(ask, join)?;
        Ok(())
    }

    /// Without a key: whoever is told of the cache owns it.
    async fn create_by_rest(&self, key: &GatewayKey, number: u64, content: &Value) -> anyhow::Result<()> {
        let mut body = content.clone();
        body["name"] = json!(format!("{ASKED}{number}"));
        let (method, path) = (reqwest::Method::POST, "/v1/image-caches".to_owned());
        let wish = Wish { method, path, body: Some(body), key: None, action: "create" };
        let heard = self.ask(key.team, &wish, None).await?.filter(|heard| (200..300).contains(&heard.status));
        if let Some(id) = heard.and_then(|heard| heard.json["id"].as_str().map(str::to_owned)) {
            self.ledger.note(&ClientFact::Yours { image_cache: id, outcome: "created".into() });
        }
        Ok(())
    }

    /// The id, if the caller was told it.
    async fn create_once(&self, key: &GatewayKey, number: u64) -> Option<String> {
        let (name, image) = (format!("{ASKED}{number}"), format!("nginx:0.{number}"));
        let now = SystemClock.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let nonce = format!("{name}-{now}");
        let pairs = [
            ("Action", "CreateImageCache"),
            ("RegionId", "cn-beijing"),
            ("ImageCacheName", &name),
            ("Image.1", &image),
            ("Version", Product::Eci.version()),
            ("AccessKeyId", &key.id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", &now),
        ];
        let mut pairs: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let signature = sign_v1::signature(&key.secret, &sign_v1::string_to_sign("POST", &pairs));
        pairs.push((sign_v1::SIGNATURE.to_owned(), signature));
        let doors = self.testbed.doors();
        let door = doors[usize::try_from(number).ok()? % doors.len()];
        let request = settings::http().ok()?.post(format!("http://{door}/")).form(&pairs);
        let answer: Value = request.send().await.ok()?.json().await.ok()?;
        answer["ImageCacheId"].as_str().map(str::to_owned)
    }
}
