//! Real failovers: a primary, its standby, a proxy as the address that is moved, and a gateway process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eci_cache_gateway::domain::database::address::DatabaseAddress;
use eci_cache_gateway::localpg::{Durability, Options};
use eci_cache_gateway::store::{PoolSizes, Store};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::task::JoinHandle;

use crate::chaos::proxy::{FaultProxy, ProxyTarget};
use crate::support::gateway::stamp;
use crate::support::hook::Hook;
use crate::support::pair::ServerPair;
use crate::support::process::{ServeProcess, stand_in};
use crate::support::server::{options_for, tmp};

/// One test at a time, because each has two servers.
static TURN: Mutex<()> = Mutex::const_new(());

/// Two servers, the proxy in front of them, and a gateway.
pub(super) struct StandbySetup {
    pub(super) pair: ServerPair,
    proxy: FaultProxy,
    pub(super) gateway: Arc<ServeProcess>,
    address: String,
    cloud: eci_cache_gateway::sim::StandIn,
    hook: Hook,
    _turn: MutexGuard<'static, ()>,
}

fn options(name: &str) -> Options {
    let process = std::process::id();
    let folder = tmp(&format!("failover-{process}-{name}"));
    // Data that must survive a crash, and that a standby can follow.
    options_for(&folder, Durability::Durable)
}

/// Creates the runtime role, and migrates the database.
async fn prepare(url: &str) {
    let mut admin = PgConnection::connect(url).await.unwrap();
    admin.execute("CREATE ROLE eci_runtime LOGIN").await.unwrap();
    let sizes = PoolSizes { requests: 1, workers: 1, acquire: Duration::from_mins(1) };
    let store = Store::at(&DatabaseAddress::parse(url).unwrap(), sizes, stamp());
    store.migrate().await.unwrap();
    store.close().await;
    let sql = "INSERT INTO default_policy (policy, version, updated_at) VALUES ($1, 1, now())";
    let open = sqlx::types::Json(eci_cache_gateway::domain::policy::Policy::open());
    sqlx::query(sql).bind(open).execute(&mut admin).await.unwrap();
}

impl StandbySetup {
    pub(super) async fn build(name: &str) -> Self {
        let turn = TURN.lock().await;
        let pair = ServerPair::start(options(&format!("{name}-a")), options(&format!("{name}-b"))).await.unwrap();
        prepare(&pair.primary().unwrap().database_url()).await;
        let proxy = FaultProxy::before(ProxyTarget::Postgres(pair.socket().unwrap())).await;
        let (cloud, hook) = (stand_in().await, Hook::start().await);
        let url = format!("postgres://eci_runtime@{}/postgres?sslmode=disable", proxy.address);
        // Longer than a server takes to start on a busy machine.
        let max_wait = [("ECG_DATABASE_ACQUIRE_SECONDS", "30")];
        let mut gateway = ServeProcess::start_with(&url, &cloud.url(), &max_wait);
        let address = gateway.address().await;
        gateway.until(&format!("{address}/readyz"), 200).await;
        Self { pair, proxy, gateway: Arc::new(gateway), address, cloud, hook, _turn: turn }
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    async fn subscribe(&self) {
        let endpoint = json!({"url": self.hook.url(), "event_types": ["image_cache.created"]});
        assert_eq!(self.gateway.post(&self.at("/v1/webhook-endpoints"), &endpoint).await, 201);
    }

    /// Until the readiness page says in these words that the database cannot be written.
    async fn until_told(&self, words: &str) {
        loop {
            let page = self.gateway.http.get(self.at("/readyz")).send().await.unwrap();
            if page.status() == 503 && page.text().await.unwrap().contains(words) {
                return;
            }
        }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.gateway.http.get(self.at(path)).bearer_auth(&self.gateway.token).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The ids of all image caches that were created in the cloud.
    async fn made(&self) -> Vec<String> {
        let calls = self.gateway.http.get(format!("{}/_admin/calls", self.cloud.url())).send().await.unwrap();
        let calls: Value = calls.json().await.unwrap();
        calls["created"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// From now on the standby receives no commits, and the primary does not wait for it.
    async fn fall_behind(&self) {
        self.pair.set("synchronous_standby_names = ''").await.unwrap();
        let (socket, primary) = (self.pair.standby_socket().unwrap(), self.pair.primary().unwrap());
        let options = PgConnectOptions::new_without_pgpass().socket(socket.parent().unwrap());
        let mut standby = options.username(primary.user()).database("postgres").connect().await.unwrap();
        standby.execute("ALTER SYSTEM SET primary_conninfo = ''").await.unwrap();
        standby.execute("SELECT pg_reload_conf()").await.unwrap();
        let follows = "SELECT count(*) FROM pg_stat_wal_receiver";
        while sqlx::query_scalar::<_, i64>(follows).fetch_one(&mut standby).await.unwrap() > 0 {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn end(self) {
        let Self { pair, gateway, .. } = self;
        drop(gateway);
        tokio::task::spawn_blocking(|| drop(pair)).await.unwrap();
    }
}

/// Creates caches one after another, each until it is acknowledged.
struct Creates {
    stop: Arc<AtomicBool>,
    acknowledged: watch::Receiver<BTreeMap<String, String>>,
    task: JoinHandle<()>,
}

impl Creates {
    fn begin(house: &StandbySetup) -> Self {
        let (gateway, url) = (Arc::clone(&house.gateway), house.at("/v1/image-caches"));
        let stop = Arc::new(AtomicBool::new(false));
        let (told, acknowledged) = watch::channel(BTreeMap::new());
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            for number in 0.. {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let name = format!("cache-{number}");
                let id = create(&gateway, &url, &name).await;
                told.send_modify(|all: &mut BTreeMap<_, _>| drop(all.insert(name, id)));
            }
        });
        Self { stop, acknowledged, task }
    }

    /// Until this many more are acknowledged.
    async fn more(&mut self, count: usize) {
        let wanted = self.acknowledged.borrow().len() + count;
        self.acknowledged.wait_for(|all| all.len() >= wanted).await.unwrap();
    }

    /// The acknowledged ids by name.
    async fn end(self) -> BTreeMap<String, String> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.acknowledged.borrow().clone()
    }
}

/// Repeats the create with one key until there is a cache.
pub(super) async fn create(gateway: &ServeProcess, url: &str, name: &str) -> String {
    let body = json!({"name": name, "region": "cn-beijing", "images": ["nginx:1.27"]});
    loop {
        let request = gateway.http.post(url).bearer_auth(&gateway.token).header("idempotency-key", name);
        let answer = request.json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(status < 400 || status == 503 || status == 409, "{status}: {}", answer.text().await.unwrap());
        if status == 201 {
            return answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned();
        }
    }
}

#[tokio::test]
async fn a_standby_that_takes_over_has_all_that_was_acknowledged_once() {
    let mut house = StandbySetup::build("promoted").await;
    house.subscribe().await;
    house.pair.attach().await.unwrap();
    let mut creates = Creates::begin(&house);
    creates.more(5).await;
    house.pair.crash().await.unwrap();
    // The address is moved before the standby is promoted: for a while it is read-only.
    house.proxy.lead_to(ProxyTarget::Postgres(house.pair.standby_socket().unwrap()));
    house.until_told("in recovery").await;
    house.pair.promote().await.unwrap();
    house.gateway.until(&house.at("/readyz"), 200).await;
    creates.more(5).await;
    let acknowledged = creates.end().await;
    let mut known = BTreeSet::new();
    for id in acknowledged.values() {
        let (status, cache) = house.get(&format!("/v1/image-caches/{id}")).await;
        assert!(status == 200 && cache["id"] == id.as_str(), "{status} {cache}");
        known.insert(cache["eci_cache_id"].as_str().unwrap().to_owned());
    }
    let made = house.made().await;
    assert_eq!(made.len(), acknowledged.len(), "nothing is doubled: {made:?}");
    assert_eq!(made.into_iter().collect::<BTreeSet<_>>(), known);
    // A delivery may arrive twice, with the same id.
    let told = |house: &StandbySetup| -> BTreeSet<(String, String)> {
        let one = |hook: &crate::support::hook::ReceivedWebhook| {
            let cache = hook.json()["data"]["image_cache"]["id"].as_str().unwrap().to_owned();
            (cache, hook.header("webhook-id").to_owned())
        };
        house.hook.received().iter().filter(|hook| hook.kind() == "image_cache.created").map(one).collect()
    };
    while told(&house).len() < acknowledged.len() {
        tokio::task::yield_now().await;
    }
    let told: Vec<String> = told(&house).into_iter().map(|(cache, _)| cache).collect();
    assert_eq!(told.len(), acknowledged.len(), "one event each: {told:?}");
    assert_eq!(told.iter().collect::<BTreeSet<_>>(), acknowledged.values().collect());
    house.end().await;
}

#[tokio::test]
async fn a_create_that_a_standby_lacks_is_repeated_and_made_once() {
    let mut house = StandbySetup::build("behind").await;
    house.pair.attach().await.unwrap();
    let url = house.at("/v1/image-caches");
    create(&house.gateway, &url, "before").await;
    house.fall_behind().await;
    let lost = create(&house.gateway, &url, "acknowledged").await;
    house.pair.crash().await.unwrap();
    house.proxy.lead_to(ProxyTarget::Postgres(house.pair.standby_socket().unwrap()));
    house.pair.promote().await.unwrap();
    house.gateway.until(&house.at("/readyz"), 200).await;
    assert_eq!(house.get(&format!("/v1/image-caches/{lost}")).await.0, 404, "it was acknowledged, and is lost");
    let again = create(&house.gateway, &url, "acknowledged").await;
    let (_, cache) = house.get(&format!("/v1/image-caches/{again}")).await;
    let made = house.made().await;
    assert_eq!(made.len(), 2, "one for each key: {made:?}");
    assert_eq!(cache["eci_cache_id"], made[1].as_str());
    house.end().await;
}

#[tokio::test]
async fn whoever_has_read_what_a_standby_lacks_hears_what_comes_after() {
    let mut house = StandbySetup::build("events").await;
    house.pair.attach().await.unwrap();
    let url = house.at("/v1/image-caches");
    create(&house.gateway, &url, "before").await;
    house.fall_behind().await;
    for number in 0..20 {
        create(&house.gateway, &url, &format!("lost-{number}")).await;
    }
    let (mut told, mut cursor) = (0, String::new());
    // Events are held up by running transactions.
    while told < 21 {
        let path = format!("/v1/events?type=image_cache.created&limit=100&wait_seconds=20{cursor}");
        let (_, page) = house.get(&path).await;
        told += page["items"].as_array().unwrap().len();
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
    }
    house.pair.crash().await.unwrap();
    house.proxy.lead_to(ProxyTarget::Postgres(house.pair.standby_socket().unwrap()));
    house.pair.promote().await.unwrap();
    house.gateway.until(&house.at("/readyz"), 200).await;
    create(&house.gateway, &url, "after").await;
    let (_, page) = house.get(&format!("/v1/events?type=image_cache.created&wait_seconds=20{cursor}")).await;
    assert_eq!(page["items"][0]["data"]["image_cache"]["name"], "after", "{page}");
    house.end().await;
}

#[tokio::test]
async fn connections_to_a_standby_are_given_up_once_the_address_leads_back() {
    let mut house = StandbySetup::build("spell").await;
    house.pair.attach().await.unwrap();
    let url = house.at("/v1/image-caches");
    create(&house.gateway, &url, "before").await;
    house.proxy.lead_to(ProxyTarget::Postgres(house.pair.standby_socket().unwrap()));
    house.proxy.storm();
    house.until_told("in recovery").await;
    // The gateway's connections to the standby stay open: it must close them by itself.
    house.proxy.lead_to(ProxyTarget::Postgres(house.pair.socket().unwrap()));
    house.gateway.until(&house.at("/readyz"), 200).await;
    for number in 0..10 {
        let body = json!({"name": format!("after-{number}"), "region": "cn-beijing", "images": ["nginx:1.27"]});
        assert_eq!(house.gateway.post(&url, &body).await, 201);
        let (status, list) = house.get("/v1/image-caches").await;
        assert_eq!(status, 200, "{list}");
    }
    // The same if the primary itself becomes read-only for open sessions, and then writable again.
    house.pair.set("default_transaction_read_only = on").await.unwrap();
    house.until_told("default_transaction_read_only is on").await;
    house.pair.set("default_transaction_read_only = off").await.unwrap();
    create(&house.gateway, &url, "afterwards").await;
    let (status, _) = house.get("/v1/image-caches").await;
    assert_eq!(status, 200);
    house.end().await;
}

#[tokio::test]
async fn a_restart_fails_nobody_and_who_comes_meanwhile_waits() {
    let mut house = StandbySetup::build("restarted").await;
    let url = house.at("/v1/image-caches");
    create(&house.gateway, &url, "first").await;
    for round in 0..3 {
        house.pair.crash().await.unwrap();
        let body = json!({"name": format!("during-{round}"), "region": "cn-beijing", "images": ["nginx:1.27"]});
        let (gateway, url) = (Arc::clone(&house.gateway), url.clone());
        let meanwhile = tokio::spawn(async move {
            let read = gateway.http.get(&url).bearer_auth(&gateway.token).send();
            let (created, read) = tokio::join!(gateway.post(&url, &body), read);
            (created, read.unwrap().status().as_u16())
        });
        house.pair.start_again().await.unwrap();
        for number in 0..10 {
            let (status, list) = house.get("/v1/image-caches").await;
            assert_eq!(status, 200, "{list}");
            let body =
                json!({"name": format!("after-{round}-{number}"), "region": "cn-beijing", "images": ["nginx:1.27"]});
            assert_eq!(house.gateway.post(&house.at("/v1/image-caches"), &body).await, 201);
        }
        assert_eq!(meanwhile.await.unwrap(), (201, 200));
    }
    house.end().await;
}
