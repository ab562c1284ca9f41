//! Why a database cannot be used is reported at once, in plain words and without a secret; a cause that only other
//! settings can fix ends the process.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use super::{NO_CLOUD, ended, run, told};
use crate::support::database::TestDatabase;
use crate::support::process::{ServeProcess, command, server, stand_in};

/// A port where nothing listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn what_only_other_settings_can_mend_ends_the_process() {
    let (postgres, _) = server(None).await;
    let url = postgres.database_url();
    let mut admin = PgConnection::connect(&url).await.unwrap();
    let role =
        "DO $$ BEGIN CREATE ROLE ecg_scram LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
    run(&mut admin, role).await;
    let file: String = sqlx::query_scalar("SHOW hba_file").fetch_one(&mut admin).await.unwrap();
    let rules = std::fs::read_to_string(&file).unwrap();
    let (line, mode) = ("local all ecg_scram scram-sha-256\n", std::fs::metadata(&file).unwrap().permissions().mode());
    if !rules.starts_with(line) {
        std::fs::write(&file, format!("{line}{rules}")).unwrap();
    }
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode(), mode);
    run(&mut admin, "SELECT pg_reload_conf()").await;

    let folder = postgres.socket_dir().display();
    let address = |user: &str, database: &str| format!("postgres://{user}@/{database}?host={folder}");
    // The rules are reloaded by a process of the server.
    let trusted = PgConnectOptions::new_without_pgpass().socket(postgres.socket_dir()).database("postgres");
    let trusted = trusted.username("ecg_scram").password("wrong");
    while PgConnection::connect_with(&trusted).await.is_ok() {}
    for (address, words) in [
        (address("ecg_scram:hush", "postgres"), "the password of the role ecg_scram is wrong or missing"),
        (address("ecg_scram", "postgres"), "the password of the role ecg_scram is wrong or missing"),
        (address("ecg_nobody:hush", "postgres"), "the server does not admit the role ecg_nobody"),
        (address("eci:hush", "ecg_nowhere"), "the database ecg_nowhere does not exist"),
    ] {
        for name in ["serve", "worker", "migrate", "rotate-keys"] {
            let (code, said) = ended(command(name, &address, NO_CLOUD)).await;
            assert_eq!(code, Some(4), "{name} {words}: {said}");
            assert!(said.contains(words) && !said.contains("hush"), "{name}: {said}");
            assert_eq!(said.matches(words).count(), 1, "{name}: {said}");
        }
    }
    tokio::task::spawn_blocking(|| postgres.stop()).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_may_pass_is_told_at_once_and_waited_for() {
    let cloud = stand_in().await;
    let port = closed_port();
    let web = cloud.url().replace("http://", "");
    for (address, words) in [
        (format!("postgres://u:hush@{web}/d"), "does not speak the PostgreSQL protocol".to_owned()),
        (format!("postgres://u:hush@127.0.0.1:{port}/d"), format!("nothing listens on port {port} of 127.0.0.1")),
        (format!("postgres://u:hush@[::1]:{port}/d"), "the database d at [::1]:".to_owned()),
        ("postgres://u:hush@db.invalid/d".to_owned(), "the name db.invalid does not resolve".to_owned()),
        ("postgres://u:hush@/d?host=/nowhere".to_owned(), "there is no socket .s.PGSQL.5432 in /nowhere".to_owned()),
    ] {
        let mut gateway = ServeProcess::start(&address, &cloud.url());
        let lines = told(&gateway, &words).await;
        assert!(lines[0].contains("\"WARN\"") && lines[0].contains("\"role\":\"u\""), "{lines:?}");
        // It is alive and reports that it is not ready, and serves nobody.
        let address = gateway.address().await;
        gateway.until(&format!("{address}/healthz"), 200).await;
        gateway.until(&format!("{address}/readyz"), 503).await;
        let cache = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1.27"]});
        let answer = gateway.http.post(format!("{address}/v1/image-caches")).bearer_auth(&gateway.token).json(&cache);
        let answer = answer.header("idempotency-key", "k");
        let answer: serde_json::Value = answer.send().await.unwrap().json().await.unwrap();
        assert_eq!((&answer["code"], &answer["retryable"]), (&json!("database_unavailable"), &json!(true)));
        let said = gateway.said().join("\n");
        assert!(!said.contains("hush") && !said.contains("Os {") && !said.contains("Some("), "{said}");
    }
}

#[tokio::test]
async fn migrate_says_the_cause_once() {
    let port = closed_port();
    let (code, said) = ended(command("migrate", &format!("postgres://u@127.0.0.1:{port}/d"), NO_CLOUD)).await;
    assert_eq!(code, Some(1), "{said}");
    let last = said.lines().last().unwrap();
    assert_eq!(last.matches("nothing listens").count(), 1, "{said}");
    assert!(!said.contains("pool timed out"), "{said}");
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_refused_with_the_right_spelling() {
    for (address, words) in [
        ("postgres://u:hu@sh@h/d", "%40"),
        ("postgres://u:hush@a,b/d", "names 2 hosts"),
        ("postgres://u:hush@h/d?sslmode=no-verify", "disable, allow, prefer, require, verify-ca, verify-full"),
        ("postgres://h/d?nonsense=1", "nonsense"),
    ] {
        let (code, said) = ended(command("migrate", address, NO_CLOUD)).await;
        assert!(code == Some(2) && said.contains("ECG_DATABASE_URL") && said.contains(words), "{address}: {said}");
        assert!(!said.contains("hu@") && !said.contains("hush"), "{said}");
    }
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_told_at_once() {
    let database = TestDatabase::create().await;
    let port = closed_port();
    let mut serve = command("serve", &super::address(&database, "eci_runtime").await, NO_CLOUD);
    serve.env("ECG_AUTH_HS256_SECRET", "").env("ECG_AUTH_JWKS_URL", format!("http://127.0.0.1:{port}/keys?token=hush"));
    let mut gateway = ServeProcess::of(serve);
    let lines = told(&gateway, "the issuer's keys could not be fetched").await;
    assert!(lines[0].contains("\"host\":\"127.0.0.1\"") && lines[0].contains("onnection refused"), "{lines:?}");
    let ready = format!("{}/readyz", gateway.address().await);
    let deadline = tokio::time::Instant::now() + super::DEADLINE;
    loop {
        let answer = gateway.http.get(&ready).send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        if status == 503 && text.contains("not in order: issuer_keys") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{text}");
    }
    assert!(!gateway.said().join("\n").contains("hush"));
}
