//! pgbouncer with Debian's configuration, without any changes for the gateway.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::{DEADLINE, NO_CLOUD, address, ended};
use crate::support::database::TestDatabase;
use crate::support::folder::TempFolder;
use crate::support::process::{ServeProcess, command, stand_in};

/// A running pgbouncer in front of a test's database.
struct Bouncer {
    process: Child,
    folder: TempFolder,
}

impl Bouncer {
    async fn start(database: &TestDatabase, mode: &str) -> Self {
        let folder = TempFolder::new("pgbouncer");
        let socket = address(database, "eci_runtime").await;
        let socket = socket.split("host=").nth(1).unwrap().split('&').next().unwrap();
        let users = folder.path().join("users");
        fs::write(&users, "\"eci_runtime\" \"\"\n\"eci\" \"\"\n").unwrap();
        let text = format!(
            "[databases]\n* = host={socket} port=5432\n[pgbouncer]\npool_mode = {mode}\nunix_socket_dir = {folder}\n\
             listen_port = 6432\nauth_type = trust\nauth_file = {users}\nadmin_users = eci\ndefault_pool_size = 60\n",
            folder = folder.path().display(),
            users = users.display(),
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, text).unwrap();
        let mut command = Command::new("pgbouncer");
        // It refuses to run as root, and only the server's own account may use the server's socket.
        let owner = fs::metadata(socket).unwrap().uid();
        if fs::metadata(folder.path()).unwrap().uid() == 0 {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
            command.arg("-u").arg(name_of(owner));
        }
        command.arg(&file).env("PATH", "/usr/sbin:/usr/bin:/bin:/usr/local/bin").stderr(Stdio::null());
        let process = command.spawn().expect("pgbouncer is needed: apt-get install pgbouncer");
        let bouncer = Self { process, folder };
        bouncer.listens().await;
        bouncer
    }

    /// Changes the mode while clients are connected, as an operator may do.
    fn switch(&self, from: &str, to: &str) {
        let file = self.folder.path().join("pgbouncer.ini");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(&format!("pool_mode = {from}"), &format!("pool_mode = {to}"))).unwrap();
        let mut console = Command::new("psql");
        console.args(["-qp", "6432", "-U", "eci", "-d", "pgbouncer", "-c", "RELOAD", "-h"]).arg(self.folder.path());
        assert!(console.status().unwrap().success());
    }

    fn address(&self, database: &TestDatabase, role: &str) -> String {
        format!("postgres://{role}@/{}?host={}&port=6432", database.name, self.folder.path().display())
    }

    async fn listens(&self) {
        let (socket, deadline) = (self.folder.path().join(".s.PGSQL.6432"), Instant::now() + DEADLINE);
        while tokio::net::UnixStream::connect(&socket).await.is_err() {
            assert!(Instant::now() < deadline, "pgbouncer does not listen at {}", socket.display());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        // It may have exited by itself.
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn name_of(account: u32) -> String {
    let accounts = fs::read_to_string(Path::new("/etc/passwd")).unwrap();
    let mut names = accounts.lines().filter(|line| line.split(':').nth(2) == Some(&account.to_string()));
    names.next().and_then(|line| line.split(':').next()).expect("the account has a name").to_owned()
}

#[tokio::test]
async fn in_session_mode_everything_works() {
    let database = TestDatabase::create().await;
    database.with_open_policy(1).await.close().await;
    let (bouncer, cloud) = (Bouncer::start(&database, "session").await, stand_in().await);
    let (code, said) = ended(command("migrate", &bouncer.address(&database, "eci"), NO_CLOUD)).await;
    assert_eq!(code, Some(0), "{said}");
    let mut gateway = ServeProcess::start(&bouncer.address(&database, "eci_runtime"), &cloud.url());
    let address = gateway.address().await;
    gateway.until(&format!("{address}/readyz"), 200).await;
    let cache = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1.27"]});
    assert_eq!(gateway.post(&format!("{address}/v1/image-caches"), &cache).await, 201);
    // The sessions have the same limits as without a pooler.
    comes_true(&database, "EXISTS (SELECT FROM image_caches WHERE status = 'ready')", &gateway).await;
}

/// Waits until the condition holds in the database.
async fn comes_true(database: &TestDatabase, condition: &str, gateway: &ServeProcess) {
    let mut admin = PgConnection::connect_with(&database.options).await.unwrap();
    let (question, deadline) = (format!("SELECT {condition}"), Instant::now() + DEADLINE);
    while !sqlx::query_scalar::<_, bool>(AssertSqlSafe(&*question)).fetch_one(&mut admin).await.unwrap() {
        assert!(Instant::now() < deadline, "{condition} never holds: {:#?}", gateway.said());
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_mode_that_kept_no_session_for_a_while_is_told_and_leaves_nothing_behind() {
    let database = TestDatabase::create().await;
    database.with_open_policy(1).await.close().await;
    let (bouncer, cloud) = (Bouncer::start(&database, "session").await, stand_in().await);
    let mut gateway = ServeProcess::start(&bouncer.address(&database, "eci_runtime"), &cloud.url());
    let address = gateway.address().await;
    gateway.until(&format!("{address}/readyz"), 200).await;
    let (url, cache) = (
        format!("{address}/v1/image-caches"),
        json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1.27"]}),
    );
    let burst = || join_all((0..20).map(|_| gateway.post(&url, &cache)));
    assert_eq!(burst().await, [201; 20]);
    bouncer.switch("session", "transaction");
    let told = |gateway: &ServeProcess| gateway.said().iter().any(|line| line.contains("a session was not preserved"));
    let deadline = Instant::now() + DEADLINE;
    while !told(&gateway) {
        assert!(Instant::now() < deadline, "{:#?}", gateway.said());
        // 202: the cloud's response could not be recorded; the next holder of the lease finds it in the cloud.
        let answers = burst().await;
        assert!(answers.iter().all(|status| [201, 202, 503].contains(status)), "{answers:?}");
    }
    bouncer.switch("transaction", "session");
    let deadline = Instant::now() + DEADLINE;
    let mut good = 0;
    while good < 5 {
        assert!(Instant::now() < deadline, "it never comes to itself: {:#?}", gateway.said());
        good = if burst().await == [201; 20] { good + 1 } else { 0 };
    }
    let open = "NOT EXISTS (SELECT FROM image_caches WHERE status = 'pending')";
    comes_true(&database, open, &gateway).await;
}

#[tokio::test]
async fn a_mode_that_keeps_no_session_is_refused_by_name() {
    let database = TestDatabase::create().await;
    for mode in ["transaction", "statement"] {
        let bouncer = Bouncer::start(&database, mode).await;
        for (name, role) in [("serve", "eci_runtime"), ("worker", "eci_runtime"), ("migrate", "eci")] {
            let (code, said) = ended(command(name, &bouncer.address(&database, role), NO_CLOUD)).await;
            assert_eq!(code, Some(4), "{name}: {said}");
            assert!(said.contains(&format!("a pooler in {mode} mode")), "{name}: {said}");
        }
    }
}
