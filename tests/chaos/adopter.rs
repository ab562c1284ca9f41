//! Creates image caches directly in the cloud, and adopts some of them; the others remain findings.
//!
//! What must stay true: nobody deletes what was adopted; whoever is told that a cache already has an owner has adopted
//! it earlier, because nobody else knows of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};

use crate::check::evidence::ClientFact;
use crate::client::{Clients, Wish};
use crate::retry_limit::RetryLimit;
use crate::settings;

/// The pause between two of them.
const PAUSE: Duration = Duration::from_secs(4);
/// The duration in seconds of a build that was started directly in the cloud.
const BUILD: i64 = 2;

impl Clients {
    /// Creates image caches in the cloud and adopts some of them, until told to stop.
    pub(crate) async fn adopt_some(&self, seed: u64, team: &str) -> anyhow::Result<()> {
        let mut dice = StdRng::seed_from_u64(seed);
        while !self.stop.load(Ordering::Relaxed) {
            let turn = self.turn.read().await;
            let number = self.count.fetch_add(1, Ordering::Relaxed);
            let region = ["cn-hangzhou", "cn-beijing"][dice.random_range(0..2)];
            let (adopts, waits) = (dice.random_bool(0.6), dice.random_range(0..4_000));
            let id = self.put(number, region).await?;
            if adopts {
                tokio::time::sleep(Duration::from_millis(waits)).await;
                self.adopt(team, &id, region).await?;
            }
            drop(turn);
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Creates an image cache in the cloud and returns the cloud's id.
    async fn put(&self, number: u64, region: &str) -> anyhow::Result<String> {
        let ready_at = SystemClock.now() + TimeDelta::seconds(BUILD);
        let put = json!({"region": region, "name": format!("found-{number}"), "build_seconds": BUILD});
        let request = settings::http()?.post(format!("{}/_admin/caches", self.testbed.standin));
        let answer: Value = request.json(&json!({"put": [put]})).send().await?.json().await?;
        let id = answer["put"][0].as_str().with_context(|| format!("an id in {answer}"))?.to_owned();
        self.ledger.note(&ClientFact::Put { eci_cache_id: id.clone(), ready_at });
        Ok(id)
    }

    /// Repeats the request until the cache is adopted.
    async fn adopt(&self, team: &str, id: &str, region: &str) -> anyhow::Result<()> {
        let wish = Wish {
            method: Method::POST,
            path: "/v1/image-caches/adopt".into(),
            body: Some(json!({"region": region, "eci_cache_id": id})),
            key: None,
            action: "adopt",
        };
        let mut limit = RetryLimit::new();
        while limit.lasts(&self.doubt) {
            let heard = self.ask(team, &wish, None).await?.filter(|heard| heard.status == 200);
            let ours = |json: &Value| {
                json["adopted"][0]["eci_cache_id"] == id || json["skipped"][0]["reason"] == "already_managed"
            };
            if heard.is_some_and(|heard| ours(&heard.json)) {
                self.ledger.note(&ClientFact::Told { eci_cache_id: id.to_owned() });
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.ledger.note(&ClientFact::GaveUp { key: format!("adopt {id}") });
        Ok(())
    }
}
