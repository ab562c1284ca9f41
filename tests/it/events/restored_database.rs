//! A database that is restored from a dump into another server with other transaction ids: a client with an old cursor
//! gets everything that happens afterwards.
#![cfg(test)]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use eci_cache_gateway::domain::policy::Policy;
use eci_cache_gateway::localpg::{Durability, Server};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::support::folder::TempFolder;
use crate::support::process::{self, ServeProcess, stand_in};
use crate::support::server::options_for;

/// More transactions than a new server has had.
const MANY: &str = "DO $$ BEGIN FOR i IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";

/// A server with the gateway's database, and possibly a gateway.
struct RestoredSetup {
    folder: TempFolder,
    server: Server,
    cloud: String,
    gateway: Option<(ServeProcess, String)>,
}

impl RestoredSetup {
    async fn build(cloud: &str) -> Self {
        let folder = TempFolder::new("lives");
        let options = options_for(folder.path(), Durability::Throwaway);
        let (server, _) = process::server(Some(options)).await;
        Self { folder, server, cloud: cloud.to_owned(), gateway: None }
    }

    fn url(&self) -> String {
        self.server.database_url().replacen("/postgres?", "/restart?", 1)
    }

    async fn admin(&self, url: &str) -> PgConnection {
        PgConnection::connect(url).await.unwrap()
    }

    /// A new database on a server that has had many transactions.
    async fn prepare(&self) {
        process::database(&self.server).await;
        let mut admin = self.admin(&self.url()).await;
        admin.execute(MANY).await.unwrap();
        let sql = "INSERT INTO default_policy (policy, version, updated_at) VALUES ($1, 1, now())";
        sqlx::query(sql).bind(sqlx::types::Json(Policy::open())).execute(&mut admin).await.unwrap();
    }

    async fn serve(&mut self) {
        let url = self.url().replacen("user=eci&", "user=eci_runtime&", 1);
        let mut gateway = ServeProcess::start(&url, &self.cloud);
        let address = gateway.address().await;
        gateway.until(&format!("{address}/readyz"), 200).await;
        self.gateway = Some((gateway, address));
    }

    fn gateway(&self) -> &(ServeProcess, String) {
        self.gateway.as_ref().unwrap()
    }

    async fn create(&self, name: &str) {
        let (gateway, address) = self.gateway();
        let body = json!({"name": name, "region": "cn-beijing", "images": ["nginx:1.27"]});
        assert_eq!(gateway.post(&format!("{address}/v1/image-caches"), &body).await, 201);
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let (gateway, address) = self.gateway();
        let answer = gateway.http.get(format!("{address}{path}")).bearer_auth(&gateway.token).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The names of the caches that were created, read from the feed after the cursor, one event at a time, until there
    /// are this many and no more at the moment; and the cursor after the last one. Events are held up by running
    /// transactions, so the feed is read with a timeout.
    async fn read(&self, mut cursor: String, wanted: usize) -> (Vec<String>, String) {
        let mut names = Vec::new();
        loop {
            let wait = if names.len() < wanted { 55 } else { 0 };
            let path = format!("/v1/events?type=image_cache.created&limit=1&wait_seconds={wait}{cursor}");
            let (status, page) = self.get(&path).await;
            assert_eq!(status, 200, "{page}");
            let items = page["items"].as_array().unwrap();
            names.extend(items.iter().map(|event| event["data"]["image_cache"]["name"].as_str().unwrap().to_owned()));
            cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
            if page["has_more"] == false && names.len() >= wanted {
                return (names, cursor);
            }
        }
    }

    fn program(&self, name: &str) -> Command {
        let bin = options_for(self.folder.path(), Durability::Throwaway).pg_bin;
        let found = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut folders = bin.into_iter().chain(found.map(|version| version.path().join("bin")));
        let program = folders.find(|folder| folder.join(name).exists()).map_or(PathBuf::from(name), |it| it.join(name));
        let mut command = Command::new(program);
        command.arg("-h").arg(self.server.socket_dir()).args(["-U", self.server.user(), "-w", "-q"]);
        command
    }

    /// Restores `pg_dump`'s output into another server.
    async fn restore(&self, other: &Self) {
        let mut admin = self.admin(&other.server.database_url()).await;
        for sql in ["CREATE ROLE eci_runtime LOGIN", "CREATE DATABASE restart"] {
            admin.execute(sql).await.unwrap();
        }
        let mut dump = self.program("pg_dump");
        let args: Vec<_> = dump.get_args().filter(|arg| *arg != "-q").map(ToOwned::to_owned).collect();
        dump = Command::new(dump.get_program());
        let mut dump = dump.args(args).arg("restart").stdout(Stdio::piped()).spawn().unwrap();
        let mut restore = other.program("psql");
        restore.args(["-v", "ON_ERROR_STOP=1", "-d", "restart"]).stdout(Stdio::null());
        assert!(restore.stdin(dump.stdout.take().unwrap()).status().unwrap().success(), "it is restored");
        assert!(dump.wait().unwrap().success(), "it is dumped");
    }

    async fn end(self) {
        drop(self.gateway);
        let (server, folder) = (self.server, self.folder);
        tokio::task::spawn_blocking(move || (drop(server), drop(folder))).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_comes_with_a_cursor_from_before_a_restore_misses_nothing() {
    let cloud = stand_in().await;
    let (mut old, mut new) = (RestoredSetup::build(&cloud.url()).await, RestoredSetup::build(&cloud.url()).await);
    old.prepare().await;
    old.serve().await;
    old.create("first").await;
    let (told, middle) = old.read(String::new(), 1).await;
    assert_eq!(told, ["first"]);
    old.create("second").await;
    let (_, end) = old.read(middle.clone(), 1).await;
    old.gateway = None;
    old.restore(&new).await;
    new.serve().await;

    assert_eq!(new.read(String::new(), 2).await.0, ["first", "second"], "what was told is still there");
    assert_eq!(new.read(middle.clone(), 1).await.0, ["second"]);
    let (told, of_new) = new.read(end.clone(), 0).await;
    assert!(told.is_empty(), "{told:?}");
    // Somebody waits with the cursor of before, and is told of what comes now.
    let path = format!("/v1/events?type=image_cache.created&wait_seconds=55{end}");
    let (waited, ()) = tokio::join!(new.get(&path), new.create("third"));
    assert_eq!(waited.1["items"][0]["data"]["image_cache"]["name"], "third", "{waited:?}");
    assert_eq!(new.read(middle, 2).await.0, ["second", "third"]);
    assert_eq!(new.read(end.clone(), 1).await.0, ["third"]);
    assert_eq!(new.read(of_new.clone(), 1).await.0, ["third"]);

    // The old database does not know the other one's new identity, and continues with its own.
    old.serve().await;
    let (status, problem) = old.get(&format!("/v1/events?limit=1{of_new}")).await;
    assert_eq!((status, &problem["code"]), (410, &json!("events_no_longer_kept")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("a different database"), "{problem}");
    old.create("fourth").await;
    assert_eq!(old.read(end, 1).await.0, ["fourth"]);
    old.end().await;
    new.end().await;
}
