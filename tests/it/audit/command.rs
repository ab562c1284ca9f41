//! The `audit` commands with their sentences, JSON and exit codes, for the database and for a file.
#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::forgery::freely;
use crate::support::folder::TempFolder;
use crate::support::gateway::{TestGateway, audit_keys};

/// Runs `audit` with these arguments on the test's database.
async fn audit(app: &TestGateway, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    command.arg("audit").args(words).env_clear();
    // The tests' key consists of 32 equal bytes, which settings refuse, so it is passed with --key.
    command.env("ECG_DATABASE_URL", app.database_url().await);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn key() -> String {
    audit_keys().verifiers()[0].to_string()
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn verify_says_what_it_found_and_exits_by_it() {
    let app = TestGateway::start().await;
    app.created().await;
    app.seal().await;
    let folder = TempFolder::new("audit");
    let (saved, export) = (folder.path().join("checkpoint"), folder.path().join("audit.ndjson"));
    let key = key();
    let verify = ["verify", "--key", &key];

    let (code, sentences) = told(&audit(&app, &verify).await);
    assert_eq!(code, Some(0), "{sentences}");
    assert!(sentences.contains("The audit is intact up to the checkpoint of size 2."), "{sentences}");

    std::fs::write(&saved, audit(&app, &["checkpoint"]).await.stdout).unwrap();
    std::fs::write(&export, audit(&app, &["export"]).await.stdout).unwrap();
    let file = ["verify", "--key", &key, "--file", text(&export), "--checkpoint", text(&saved)];
    assert_eq!(told(&audit(&app, &file).await).0, Some(0));
    let altered = std::fs::read_to_string(&export).unwrap().replacen("alice", "mallory", 1);
    std::fs::write(&export, altered).unwrap();
    let (code, sentences) = told(&audit(&app, &file).await);
    assert!(code == Some(1) && sentences.contains("entry_altered: the entry ae_"), "{sentences}");

    freely(app.sql(), "DELETE FROM audit_entries WHERE seq = (SELECT max(seq) FROM audit_entries)").await;
    let output = audit(&app, &[&verify[..], &["--json", "--checkpoint", text(&saved)]].concat()).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["findings"][0]["kind"]), (Some(1), &"entry_missing".into()));
    assert!(report["findings"][0]["entry"].as_str().unwrap().starts_with("ae_"), "{report}");
}

#[tokio::test]
async fn wrong_use_and_a_database_that_is_away_are_told_apart_from_alterations() {
    let app = TestGateway::start().await;
    let key = key();
    assert_eq!(audit(&app, &["verify"]).await.status.code(), Some(2), "no key");
    assert_eq!(audit(&app, &["verify", "--key", "nonsense"]).await.status.code(), Some(2));
    assert_eq!(audit(&app, &["verify", "--key", &key, "--checkpoint", "/nowhere"]).await.status.code(), Some(2));
    assert_eq!(audit(&app, &["verify", "--key", &key, "--file", "/nowhere"]).await.status.code(), Some(3));
    let empty = audit(&app, &["verify", "--key", &key]).await;
    assert_eq!(empty.status.code(), Some(0), "nothing is sealed, and nothing is there: {empty:?}");
}
