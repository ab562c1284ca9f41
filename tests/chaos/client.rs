//! Clients: each runs one scenario after another, and repeats requests until they are answered, as real clients must.
//!
//! What must stay true: a request is recorded before its first attempt, and a response before it is used.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::check::evidence::ClientFact;
use crate::ledger::Ledger;
use crate::retry_limit::{RetryLimit, UncertainTime};
use crate::settings;
use crate::testbed::Testbed;

/// How long to wait for an end before the request is repeated.
const AGAIN: Duration = Duration::from_secs(25);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// The teams of the clients.
pub(crate) const TEAMS: [&str; 2] = ["red", "blue"];

/// What all clients share.
pub(crate) struct Clients {
    /// The gateways and their database.
    pub(crate) testbed: Arc<Testbed>,
    /// Where facts are recorded.
    pub(crate) ledger: Arc<Ledger>,
    /// Whether to start no further scenario.
    pub(crate) stop: AtomicBool,
    /// The number of scenarios.
    pub(crate) count: AtomicU64,
    /// Locked for reading by each scenario, and for writing by whoever needs that none runs.
    pub(crate) turn: RwLock<()>,
    /// When the cloud returned wrong data.
    pub(crate) doubt: UncertainTime,
}

/// A response with a status below 500.
pub(crate) struct Heard {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body if it was JSON.
    pub(crate) json: Value,
}

impl Heard {
    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A request that is sent repeatedly.
pub(crate) struct Wish {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    pub(crate) key: Option<String>,
    pub(crate) action: &'static str,
}

impl Wish {
    pub(crate) fn read(path: String) -> Self {
        Self { method: Method::GET, path, body: None, key: None, action: "read" }
    }
}

impl Clients {
    /// Runs scenarios until told to stop.
    pub(crate) async fn run(&self, seed: u64, team: &str) -> anyhow::Result<()> {
        let mut dice = StdRng::seed_from_u64(seed);
        while !self.stop.load(Ordering::Relaxed) {
            let _turn = self.turn.read().await;
            self.story(&mut dice, team).await?;
        }
        Ok(())
    }

    async fn story(&self, dice: &mut StdRng, team: &str) -> anyhow::Result<()> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let (in_haste, update, delete) = (dice.random_bool(0.15), dice.random_bool(0.4), dice.random_bool(0.5));
        let region = ["cn-hangzhou", "cn-beijing"][dice.random_range(0..2)];
        let body =
            json!({"name": format!("chaos-{number}"), "region": region, "images": [format!("nginx:1.{number}")]});
        let Some(id) = self.create(team, &format!("story-{number}"), body).await? else { return Ok(()) };
        if in_haste {
            return self.delete(team, &id).await;
        }
        if !self.until(team, &id, |cache| cache["status"] == "ready").await? {
            return Ok(());
        }
        if update && !self.update(team, &id, number).await? {
            return Ok(());
        }
        if delete { self.delete(team, &id).await } else { Ok(()) }
    }

    /// The id of the cache once the create is acknowledged. The create is then repeated, and must give the same
    /// response.
    pub(crate) async fn create(&self, team: &str, key: &str, body: Value) -> anyhow::Result<Option<String>> {
        let wish = Wish {
            method: Method::POST,
            path: "/v1/image-caches".into(),
            body: Some(body),
            key: Some(key.to_owned()),
            action: "create",
        };
        self.ledger.note(&ClientFact::Asked { key: key.to_owned(), action: "create".into() });
        let mut limit = RetryLimit::new();
        while limit.lasts(&self.doubt) {
            if let Some(heard) = self.ask(team, &wish, None).await?
                && heard.is_success()
            {
                self.ask(team, &wish, None).await?;
                return Ok(heard.json["id"].as_str().map(str::to_owned));
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.ledger.note(&ClientFact::GaveUp { key: key.to_owned() });
        Ok(None)
    }

    /// Repeats deletes of caches that still exist long after they should be gone, as an owner would who looks through
    /// the list: the cloud may have acknowledged a delete without carrying it out. (The gateway itself repeats it after
    /// five minutes.)
    pub(crate) async fn ask_again(&self) -> anyhow::Result<()> {
        for team in TEAMS {
            let list = Wish::read("/v1/image-caches?status=deleting&limit=100".into());
            let Some(heard) = self.ask(team, &list, None).await? else { continue };
            let ids = heard.json["items"].as_array().into_iter().flatten().filter_map(|cache| cache["id"].as_str());
            for id in ids {
                self.ask(team, &Wish { method: Method::DELETE, action: "delete", ..of(id) }, None).await?;
            }
        }
        Ok(())
    }

    /// Returns whether the new build became ready.
    async fn update(&self, team: &str, id: &str, number: u64) -> anyhow::Result<bool> {
        let changes = json!({"images": [format!("nginx:2.{number}")]});
        let wish = Wish { method: Method::PATCH, body: Some(changes), action: "update", ..of(id) };
        self.insist(team, id, wish, |cache| cache["generation"].as_i64() >= Some(2)).await?;
        let done = |cache: &Value| cache["generation"].as_i64() >= Some(2) && cache["status"] == "ready";
        self.until(team, id, done).await
    }

    /// Repeats the delete if it has no effect: the cloud may have acknowledged it without carrying it out.
    async fn delete(&self, team: &str, id: &str) -> anyhow::Result<()> {
        let mut limit = RetryLimit::new();
        while limit.lasts(&self.doubt) {
            let wish = Wish { method: Method::DELETE, action: "delete", ..of(id) };
            self.insist(team, id, wish, |cache| ["deleting", "deleted"].map(Value::from).contains(&cache["status"]))
                .await?;
            let asked = Instant::now();
            while asked.elapsed() < AGAIN {
                if self.ask(team, &of(id), None).await?.is_some_and(|heard| heard.json["status"] == "deleted") {
                    return Ok(());
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.ledger.note(&ClientFact::GaveUp { key: format!("wait for the end of {id}") });
        Ok(())
    }

    /// Repeats the request until it is acknowledged or the cache shows its effect: changes have no key.
    async fn insist(&self, team: &str, id: &str, wish: Wish, done: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
        let mut limit = RetryLimit::new();
        while limit.lasts(&self.doubt) {
            let acknowledged = self.ask(team, &wish, None).await?.is_some_and(|heard| heard.is_success());
            if acknowledged || self.ask(team, &of(id), None).await?.is_some_and(|heard| done(&heard.json)) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.ledger.note(&ClientFact::GaveUp { key: format!("{} {id}", wish.action) });
        Ok(())
    }

    /// Polls until the cache is as expected; `false` if it never was.
    async fn until(&self, team: &str, id: &str, done: impl Fn(&Value) -> bool) -> anyhow::Result<bool> {
        let mut limit = RetryLimit::new();
        while limit.lasts(&self.doubt) {
            if self.ask(team, &of(id), None).await?.is_some_and(|heard| done(&heard.json)) {
                return Ok(true);
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.ledger.note(&ClientFact::GaveUp { key: format!("wait {id}") });
        Ok(false)
    }

    /// One attempt, at `door` or any gateway; `None` without a response, or if the response asks to retry later.
    pub(crate) async fn ask(&self, team: &str, wish: &Wish, door: Option<SocketAddr>) -> anyhow::Result<Option<Heard>> {
        let doors = self.testbed.doors();
        let turn = usize::try_from(self.count.fetch_add(1, Ordering::Relaxed))? % doors.len();
        let url = format!("http://{}{}", door.unwrap_or(doors[turn]), wish.path);
        let mut request = settings::http()?.request(wish.method.clone(), url).bearer_auth(settings::token(team)?);
        if let Some(key) = &wish.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = &wish.body {
            request = request.json(body);
        }
        let Ok(answer) = request.send().await else { return Ok(None) };
        let status = answer.status().as_u16();
        let request_id = answer.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let Ok(body) = answer.bytes().await else { return Ok(None) };
        let (Some(request_id), true) = (request_id, status < 500) else { return Ok(None) };
        let json: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |name: &str| json[name].as_str().map(str::to_owned);
        self.ledger.note(&ClientFact::Answered {
            key: wish.key.clone(),
            action: wish.action.to_owned(),
            status,
            request_id,
            image_cache: text("id"),
            eci_cache_id: text("eci_cache_id"),
        });
        Ok(Some(Heard { status, json }))
    }
}

fn of(id: &str) -> Wish {
    Wish::read(format!("/v1/image-caches/{id}"))
}
