//! Processes of the gateway's binary with everything they need: a PostgreSQL server, a stand-in, settings, a token.
#![cfg(test)]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use eci_cache_gateway::auth::mint::{MintedClaims, mint};
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::domain::database::address::DatabaseAddress;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::localpg::{Durability, Options, Server, StartError};
use eci_cache_gateway::sim::{self, StandIn};
use eci_cache_gateway::store::{PoolSizes, Store};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::net::TcpListener;

use super::gateway::stamp;
use super::server::{options_for, tmp};

pub(crate) const KEY: &str = "restart-key";
const TOKENS: &str = "a secret for the tokens of tests, 32 bytes or more";
const MASTER: &str = "3a7c51e09f44d2b86e0b1f9d7c25a8436db1e7f00c9852ab47d3196e8f5a20c4";
/// The number of directories for processes that run tests at the same time.
const SLOTS: u32 = 64;

/// A server for one test, which may stop it.
pub(crate) async fn server(options: Option<Options>) -> (Server, Options) {
    let all = options.map_or_else(|| slots("restart"), |options| vec![options]);
    started(all).await
}

/// The possible directories of servers with that name, one for each process that runs tests.
pub(crate) fn slots(name: &str) -> Vec<Options> {
    (0..SLOTS).map(|slot| options_for(&tmp(&format!("{name}-{slot}")), Durability::Throwaway)).collect()
}

/// A server in the first of these directories that nobody uses.
pub(crate) async fn started(slots: Vec<Options>) -> (Server, Options) {
    let start = move || {
        for options in slots {
            match Server::start(&options, |line| eprintln!("{line}")) {
                Ok(server) => return (server, options),
                Err(StartError::Held(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("{SLOTS} test processes run already")
    };
    tokio::task::spawn_blocking(start).await.unwrap()
}

/// A migrated database with the runtime role.
pub(crate) async fn database(server: &Server) -> String {
    let mut admin = PgConnection::connect(&server.database_url()).await.unwrap();
    // The cluster is kept between runs.
    let role = "DO $$ BEGIN CREATE ROLE eci_runtime LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
    for sql in [role, "DROP DATABASE IF EXISTS restart WITH (FORCE)", "CREATE DATABASE restart"] {
        admin.execute(sql).await.unwrap();
    }
    let url = server.database_url().replacen("/postgres?", "/restart?", 1);
    let sizes = PoolSizes { requests: 1, workers: 1, acquire: Duration::from_mins(1) };
    let store = Store::at(&DatabaseAddress::parse(&url).unwrap(), sizes, stamp());
    store.migrate().await.unwrap();
    store.close().await;
    url.replacen("user=eci&", "user=eci_runtime&", 1)
}

/// A subcommand with all settings that `serve` requires; more can be added or changed.
pub(crate) fn command(name: &str, database: &str, cloud: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    command.arg(name).env_clear().envs(settings(database, cloud));
    command
}

fn settings<'a>(database: &'a str, cloud: &'a str) -> [(&'static str, &'a str); 13] {
    [
        ("ECG_DATABASE_URL", database),
        ("ECG_LISTEN", "127.0.0.1:0"),
        ("ECG_CLOUD_ACCESS_KEY_ID", KEY),
        ("ECG_CLOUD_ACCESS_KEY_SECRET", KEY),
        ("ECG_CLOUD_ENDPOINT", cloud),
        ("ECG_AUTH_ISSUER", "https://issuer.example"),
        ("ECG_AUTH_AUDIENCE", "eci-cache-gateway"),
        ("ECG_AUTH_HS256_SECRET", TOKENS),
        ("ECG_KEYS_MASTER", MASTER),
        ("ECG_KEYS_AUDIT", MASTER),
        ("ECG_WEBHOOK_ALLOW_HTTP", "true"),
        ("ECG_WEBHOOK_ALLOW_LOOPBACK", "true"),
        ("ECG_LIMITS_GRACE_SECONDS", "1"),
    ]
}

/// A running `serve` and its output.
pub(crate) struct ServeProcess {
    pub(crate) process: Child,
    lines: Arc<Mutex<Vec<String>>>,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

impl ServeProcess {
    pub(crate) fn start(database: &str, cloud: &str) -> Self {
        Self::start_with(database, cloud, &[])
    }

    /// The same with additional settings.
    pub(crate) fn start_with(database: &str, cloud: &str, more: &[(&str, &str)]) -> Self {
        let mut command = command("serve", database, cloud);
        command.envs(more.iter().copied());
        Self::of(command)
    }

    /// The same, started by this command.
    pub(crate) fn by(mut command: Command, database: &str, cloud: &str) -> Self {
        command.env_clear().envs(settings(database, cloud));
        Self::of(command)
    }

    /// A command that serves and has its settings.
    pub(crate) fn of(mut command: Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (lines, said) = (Arc::new(Mutex::new(Vec::new())), BufReader::new(process.stderr.take().unwrap()));
        let kept = Arc::clone(&lines);
        thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { process, lines, http, token: token() }
    }

    pub(crate) fn said(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The address on which it listens, once it does.
    pub(crate) async fn address(&mut self) -> String {
        loop {
            let lines = self.said();
            let mut told = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(address) = told.find_map(|line| line["address"].as_str().map(str::to_owned)) {
                return format!("http://{address}");
            }
            assert!(self.process.try_wait().unwrap().is_none(), "it ended by itself: {lines:#?}");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn post(&self, url: &str, body: &Value) -> u16 {
        let request = self.http.post(url).bearer_auth(&self.token).json(body);
        request.send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn until(&self, url: &str, status: u16) {
        while self.http.get(url).bearer_auth(&self.token).send().await.unwrap().status().as_u16() != status {}
    }
}

impl Drop for ServeProcess {
    fn drop(&mut self) {
        // It may have exited by itself.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A token with every scope, for processes with the settings of this module.
pub(crate) fn token() -> String {
    let claims = MintedClaims {
        subject: "test".into(),
        teams: vec!["web".parse().unwrap()],
        scopes: Scope::ALL.to_vec(),
        lifetime: chrono::Duration::hours(1),
        issuer: "https://issuer.example".into(),
        audience: "eci-cache-gateway".into(),
    };
    mint(&SecretString::from(TOKENS), &claims, SystemClock.now(), "restart").unwrap().expose_secret().to_owned()
}

pub(crate) async fn stand_in() -> StandIn {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = sim::StandInSettings {
        access_key_id: KEY.into(),
        access_key_secret: KEY.into(),
        further: Vec::new(),
        speed: 100.0,
        state_file: None,
        journal: None,
    };
    StandIn::start(listener, settings, Arc::new(SystemClock), Arc::new(Entropy::from_seed(1)))
}
