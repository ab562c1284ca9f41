//! A complete gateway on real sockets: PostgreSQL, the stand-in, the API, and workers that run on request.
//!
//! All of them share one clock and one seeded generator. Workers advance with [`TestGateway::drain`], the time with
//! [`TestGateway::advance`]: nothing sleeps. Leases use the database's clock; a test that needs an expired one sets its
//! end to the past.
#![cfg(test)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use eci_cache_gateway::app::{Gateway, Parts};
use eci_cache_gateway::assembly::{self, Overrides};
use eci_cache_gateway::auth::jwks::KeySource;
use eci_cache_gateway::auth::verify::{self, Verifier};
use eci_cache_gateway::domain::clock::{Clock, Instant, ManualClock};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::eci::{self, Client, CredentialSource};
use eci_cache_gateway::sim::StandIn;
use eci_cache_gateway::store::{PoolSizes, Store};
use eci_cache_gateway::webhook::sender::Sender;
use eci_cache_gateway::worker;
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::DropGuard;

use super::answer::Answer;
use super::cloud;
use super::database::TestDatabase;
pub(crate) use super::parts::{audit_keys, stamp};
use super::settings::{AUDIENCE, ISSUER};
pub(crate) use super::settings::{AUDIT_KEY, KEY_SECRET as CLOUD_SECRET, TOKEN_SECRET};
pub(crate) use super::setup::Setup;
use super::setup::further;
use super::{door, parts, stand_in, tokens};

/// The default team of a test.
pub(crate) const TEAM: &str = "web";
/// The scopes of a team that tests have by default.
pub(crate) const SCOPES: [Scope; 4] = [Scope::Read, Scope::Write, Scope::Webhooks, Scope::Audit];

/// What all gateways of a test share.
pub(super) struct TestWorld {
    clock: Arc<ManualClock>,
    entropy: Arc<Entropy>,
    pub(super) standin: StandIn,
    pool: PgPool,
    database: TestDatabase,
}

impl TestWorld {
    async fn new(setup: &Setup) -> Self {
        let clock = Arc::new(ManualClock::at(setup.start));
        let entropy = Arc::new(Entropy::from_seed(7));
        let standin = stand_in::start(1.0, further(), clock.clone(), entropy.clone()).await.unwrap();
        let database = TestDatabase::of(setup.database.clone()).await;
        let pool = database.with_open_policy(2).await;
        Self { clock, entropy, standin, pool, database }
    }

    pub(super) fn client(&self, setup: &Setup) -> Client {
        let credentials = setup.credentials();
        let endpoint = setup.cloud.clone().unwrap_or_else(|| self.standin.url());
        let cloud = eci::ClientSettings { egress: setup.egress.clone(), ..cloud::settings(endpoint, setup.max_wait) };
        let keys = match setup.role {
            Some(name) => CredentialSource::Assumed(credentials, setup.role(name, &self.standin.url())),
            None => CredentialSource::Own(credentials),
        };
        Client::new(cloud, keys, setup.clock(&self.clock), self.entropy.clone()).unwrap()
    }

    fn parts(&self, setup: &Setup) -> Parts {
        let (clock, standin) = (setup.clock(&self.clock), self.standin.url());
        let rules = verify::IssuerSettings::new(ISSUER, AUDIENCE).with_leeway(5);
        let keys = match &setup.jwks {
            Some(keys) => setup.issuer_keys(keys, &self.clock),
            None => KeySource::secret(&SecretString::from(TOKEN_SECRET)).unwrap(),
        };
        let verifier = Verifier::new(rules, keys, Arc::clone(&clock)).with_issuers(&setup.issuers).unwrap();
        let given = Overrides {
            cloud: Some(self.client(setup)),
            verifier: Some(verifier),
            sender: Some(Sender::new(setup.policy.clone(), setup.sending(), Arc::clone(&clock)).unwrap()),
            settings: Some(setup.settings(&standin)),
        };
        let ground = parts::ground(&self.database.as_runtime(), setup.sizes, clock, self.entropy.clone());
        assembly::parts(&setup.config(&standin), ground, given, &[]).unwrap()
    }
}

/// A running gateway.
pub(crate) struct TestGateway {
    /// The gateway itself, for calling its workers' methods.
    pub(crate) gateway: Gateway,
    /// The address of its API.
    pub(crate) address: SocketAddr,
    pub(super) http: reqwest::Client,
    pub(super) world: Arc<TestWorld>,
    _stop: DropGuard,
}

impl TestGateway {
    /// A gateway with its own database and stand-in.
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// The same with changes.
    pub(crate) async fn with(setup: Setup) -> Self {
        let world = TestWorld::new(&setup).await;
        Self::serve(Arc::new(world), setup).await
    }

    /// Another gateway on the same database and stand-in.
    pub(crate) async fn second_gateway(&self, setup: Setup) -> Self {
        Self::serve(Arc::clone(&self.world), setup).await
    }

    async fn serve(world: Arc<TestWorld>, setup: Setup) -> Self {
        let gateway = Gateway::new(world.parts(&setup));
        let opening = door::open(gateway.clone(), setup.http, setup.links.clone(), setup.limits);
        let (address, stop) = opening.await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { gateway, address, http, world, _stop: stop }
    }

    /// A token for `team` with these scopes, valid from now.
    pub(crate) fn token(&self, team: &str, scopes: &[Scope]) -> String {
        self.token_of_teams(&[team], scopes)
    }

    /// A token for any of these teams.
    pub(crate) fn token_of_teams(&self, teams: &[&str], scopes: &[Scope]) -> String {
        let id = format!("token-of-{}", teams.join("-"));
        tokens::token("alice", teams, scopes, self.now(), &id).unwrap()
    }

    /// A request without credentials.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    /// A request of [`TEAM`] with all scopes.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(self.token(TEAM, &SCOPES))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// The items of a list, which must fit on one page of 100.
    pub(crate) async fn items(&self, path: &str) -> Vec<Value> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let page = self.get(&format!("{path}{sign}limit=100")).await.expect(200);
        page["items"].as_array().unwrap().clone()
    }

    /// Waits until `count` requests and streams are waiting at this gateway.
    pub(crate) async fn waiting(&self, count: usize) {
        while self.gateway.events().waiting() != count {
            tokio::task::yield_now().await;
        }
    }

    /// Requests a cache of `image` and returns the response.
    pub(crate) async fn create(&self, image: &str) -> Answer {
        self.post("/v1/image-caches", &new_cache(image)).await
    }

    /// Creates a cache of `nginx` that the cloud has accepted, and returns its id.
    pub(crate) async fn created(&self) -> String {
        self.create("nginx:1.27").await.expect(201)["id"].as_str().unwrap().to_owned()
    }

    /// Creates an endpoint at `url` for all events, and returns its id and secret.
    pub(crate) async fn endpoint(&self, url: &str) -> (String, String) {
        let made = self.post("/v1/webhook-endpoints", &json!({"url": url, "skip_challenge": true})).await.expect(201);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    /// The current state of the cache.
    pub(crate) async fn cache(&self, id: &str) -> Value {
        self.get(&format!("/v1/image-caches/{id}")).await.expect(200)
    }

    /// The only cache of the team.
    pub(crate) async fn only_cache(&self) -> Value {
        let caches = self.items("/v1/image-caches").await;
        assert_eq!(caches.len(), 1, "{caches:?}");
        caches.into_iter().next().unwrap()
    }

    /// Repeatedly advances the time by two seconds and does what is due, until the cache has `status`.
    pub(crate) async fn until(&self, id: &str, status: &str) -> Value {
        for _ in 0..40 {
            let cache = self.cache(id).await;
            if cache["status"] == status {
                return cache;
            }
            self.advance(2);
            self.drain().await;
        }
        panic!("never {status}: {}", self.cache(id).await);
    }

    pub(crate) fn now(&self) -> Instant {
        self.world.clock.now()
    }

    /// Advances the shared clock.
    pub(crate) fn advance(&self, seconds: i64) {
        self.world.clock.advance(chrono::Duration::seconds(seconds));
    }

    /// Sets the shared clock.
    pub(crate) fn set_clock(&self, instant: Instant) {
        self.world.clock.set(instant);
    }

    /// Does all work that is due.
    pub(crate) async fn drain(&self) {
        worker::drain(&self.gateway).await.unwrap();
    }

    /// How to connect to the database with the runtime role.
    pub(crate) fn runtime_database(&self) -> sqlx::postgres::PgConnectOptions {
        self.world.database.as_runtime()
    }

    /// The database as its owner.
    pub(crate) fn sql(&self) -> &PgPool {
        &self.world.pool
    }

    /// The gateway's store, with the owner's role or the runtime role.
    pub(crate) fn store(&self, owner: bool) -> Store {
        let sizes = PoolSizes { requests: 1, workers: 2, acquire: Duration::from_secs(10) };
        let options = if owner { self.world.database.options.clone() } else { self.runtime_database() };
        Store::open(&options, sizes, stamp())
    }

    /// The database's URL, for a process.
    pub(crate) async fn database_url(&self) -> String {
        let sql = "SELECT current_database()::text, current_user::text, current_setting('unix_socket_directories'),
            current_setting('port')";
        let (name, user, folder, port): (String, String, String, String) =
            sqlx::query_as(sql).fetch_one(self.sql()).await.unwrap();
        let folder: String = url::form_urlencoded::byte_serialize(folder.as_bytes()).collect();
        format!("postgres://{user}@localhost:{port}/{name}?host={folder}")
    }

    /// Seals every entry. Sealing is held up by the oldest transaction of the whole server, on which other tests run.
    pub(crate) async fn seal(&self) {
        let open =
            "SELECT count(*) FROM audit_entries e WHERE NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry = e.id)";
        while self.count(open).await > 0 {
            self.gateway.audit().seal().await.unwrap();
            tokio::task::yield_now().await;
        }
    }

    /// A single number from the database.
    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.sql()).await.unwrap()
    }
}

/// The body of a request for a cache of `image`.
pub(crate) fn new_cache(image: &str) -> Value {
    json!({"name": "web", "region": "cn-beijing", "images": [image]})
}
