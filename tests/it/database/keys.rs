//! A process with an audit key or master key that is not the database's exits before it serves or writes anything.

use std::time::Duration;

use eci_cache_gateway::domain::ids::ApiKeyId;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use super::{DEADLINE, NO_CLOUD, address, count, ended, run, told};
use crate::support::database::TestDatabase;
use crate::support::hook::Hook;
use crate::support::process::{ServeProcess, command, stand_in};

const OTHER: &str = "5b7c51e09f44d2b86e0b1f9d7c25a8436db1e7f00c9852ab47d3196e8f5a20c4";
const ENTRIES: &str = "SELECT count(*) FROM audit_entries";

/// The URL of a database with a sealed audit and an encrypted secret, which no process uses any more.
async fn used() -> (TestDatabase, String, String) {
    let database = TestDatabase::create().await;
    database.with_open_policy(1).await.close().await;
    let (address, cloud, hook) = (address(&database, "eci_runtime").await, stand_in().await, Hook::start().await);
    let mut gateway = ServeProcess::start(&address, &cloud.url());
    let door = gateway.address().await;
    gateway.until(&format!("{door}/readyz"), 200).await;
    let endpoint = json!({"url": hook.url(), "event_types": ["image_cache.created"]});
    assert_eq!(gateway.post(&format!("{door}/v1/webhook-endpoints"), &endpoint).await, 201);
    let sealed = "SELECT count(*) FROM audit_checkpoints";
    let deadline = Instant::now() + DEADLINE;
    while count(&database, sealed).await == 0 {
        assert!(Instant::now() < deadline, "nothing is sealed: {:#?}", gateway.said());
        sleep(Duration::from_millis(50)).await;
    }
    gateway.process.kill().unwrap();
    gateway.process.wait().unwrap();
    (database, address, cloud.url())
}

#[tokio::test]
async fn another_audit_key_ends_the_process_before_anything_is_written() {
    let (database, address, cloud) = used().await;
    let before = count(&database, ENTRIES).await;
    for words in [
        &["serve"][..],
        &["worker"],
        &["rotate-keys"],
        &["api-key", "--team", "web", "--scope", "keys"],
        &["audit", "drop", "--keep-months", "1"],
    ] {
        let mut wrong = command(words[0], &address, NO_CLOUD);
        wrong.args(&words[1..]).env("ECG_KEYS_AUDIT", OTHER);
        let (code, said) = ended(wrong).await;
        assert!(code == Some(5) && said.contains("was not signed with ECG_KEYS_AUDIT"), "{words:?}: {code:?} {said}");
        assert!(!said.contains(OTHER), "{said}");
    }
    let mut renamed = command("serve", &address, NO_CLOUD);
    let (code, said) = ended({
        renamed.env("ECG_AUDIT_ORIGIN", "another.example/audit");
        renamed
    })
    .await;
    assert!(code == Some(5) && said.contains("ECG_AUDIT_ORIGIN"), "{said}");
    assert_eq!(count(&database, ENTRIES).await, before);

    // Changed on purpose: the old one is configured as the previous one.
    let first = command("serve", &address, &cloud);
    let old = first.get_envs().find(|(name, _)| *name == "ECG_KEYS_AUDIT").unwrap().1.unwrap().to_owned();
    let mut changed = command("serve", &address, &cloud);
    changed.env("ECG_KEYS_AUDIT", OTHER).env("ECG_KEYS_AUDIT_PREVIOUS", old);
    let mut gateway = ServeProcess::of(changed);
    let door = gateway.address().await;
    gateway.until(&format!("{door}/readyz"), 200).await;
}

#[tokio::test]
async fn another_master_key_ends_the_process() {
    let (database, address, cloud) = used().await;
    let before = count(&database, ENTRIES).await;
    for name in ["serve", "worker", "rotate-keys"] {
        let mut wrong = command(name, &address, NO_CLOUD);
        wrong.env("ECG_KEYS_MASTER", OTHER);
        let (code, said) = ended(wrong).await;
        assert!(code == Some(5) && said.contains("webhook secrets, that of we_"), "{name}: {code:?} {said}");
        assert!(said.contains("is not the one that encrypted it") && !said.contains(OTHER), "{name}: {said}");
    }
    let mut unknown = command("serve", &address, NO_CLOUD);
    unknown.env("ECG_KEYS_MASTER", OTHER).env("ECG_KEYS_MASTER_ID", "new");
    let (code, said) = ended(unknown).await;
    assert!(code == Some(5) && said.contains("ECG_KEYS_MASTER_PREVIOUS_ID"), "{said}");
    assert_eq!(count(&database, ENTRIES).await, before);

    // During a rotation: the former key decrypts what it encrypted.
    let first = command("serve", &address, &cloud);
    let old = first.get_envs().find(|(name, _)| *name == "ECG_KEYS_MASTER").unwrap().1.unwrap().to_owned();
    let mut rotating = command("serve", &address, &cloud);
    rotating.env("ECG_KEYS_MASTER", OTHER).env("ECG_KEYS_MASTER_ID", "new");
    rotating.env("ECG_KEYS_MASTER_PREVIOUS", old).env("ECG_KEYS_MASTER_PREVIOUS_ID", "k1");
    let mut gateway = ServeProcess::of(rotating);
    let door = gateway.address().await;
    gateway.until(&format!("{door}/readyz"), 200).await;
}

#[tokio::test]
async fn keys_with_a_scope_that_is_gone_are_named_at_the_start() {
    let database = TestDatabase::create().await;
    database.with_open_policy(1).await.close().await;
    let address = address(&database, "eci_runtime").await;
    let mut owner = PgConnection::connect_with(&database.options).await.unwrap();
    for team in ["old", "ended", "new"] {
        let mut make = command("api-key", &address, NO_CLOUD);
        make.args(["--team", team, "--scope", "read platform:read"]);
        assert_eq!(ended(make).await.0, Some(0));
    }
    run(&mut owner, "UPDATE api_keys SET scopes = '{read,admin}' WHERE team <> 'new'").await;
    run(&mut owner, "UPDATE api_keys SET revoked_at = now() WHERE team = 'ended'").await;
    let id = |id: uuid::Uuid| ApiKeyId::from(id).to_string();
    let old = id(sqlx::query_scalar("SELECT id FROM api_keys WHERE team = 'old'").fetch_one(&mut owner).await.unwrap());
    let gateway = ServeProcess::start(&address, NO_CLOUD);
    let lines = told(&gateway, "scopes that this version does not know").await;
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!((&line["keys"], &line["level"]), (&json!(old), &json!("WARN")), "{line}");
    assert!(lines[0].contains("the scope admin was removed; platform:read,"), "{line}");
}
