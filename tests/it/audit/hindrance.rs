//! Whatever the runtime role adds to the audit stops nothing and deceives nobody: the sealer continues, what no gateway
//! wrote is marked, and the operator is told.
#![cfg(test)]

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::{newest, verified};
use crate::support::answer::Answer;
use crate::support::gateway::TestGateway;

/// A checkpoint with an impossible size, as it could be added before the database refused it.
const IMPOSSIBLE: &str = "INSERT INTO audit_checkpoints VALUES (9000000000000000000, 'x')";

async fn runtime(app: &TestGateway) -> PgConnection {
    PgConnection::connect_with(&app.runtime_database()).await.unwrap()
}

/// The server's error message to the runtime role; empty if there was none.
async fn told(app: &TestGateway, sql: &str) -> String {
    let done = runtime(app).await.execute(AssertSqlSafe(sql.to_owned())).await;
    done.err().map(|error| error.to_string()).unwrap_or_default()
}

/// What readiness reports as degraded.
async fn degraded(app: &TestGateway) -> Vec<String> {
    app.gateway.upkeep().beat("a test").await.unwrap();
    let ready = app.get("/readyz").await.expect(200);
    let told = ready.get("degraded").unwrap_or(&Value::Null).as_array().cloned().unwrap_or_default();
    told.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_role_adds_nothing_that_does_not_continue_the_tree() {
    let app = TestGateway::start().await;
    for _ in 0..3 {
        app.get("/v1/me").await.expect(200);
    }
    app.seal().await;
    app.get("/v1/me").await.expect(200);
    let open = "(SELECT id FROM audit_entries e WHERE NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry = e.id))";
    for (sql, refused) in [
        (IMPOSSIBLE.to_owned(), "a checkpoint covers the leaves that there are"),
        ("INSERT INTO audit_checkpoints VALUES (4, 'x')".to_owned(), "a checkpoint covers the leaves that there are"),
        (format!("INSERT INTO audit_leaves VALUES (9, {open}, sha256('x'))"), "leaves have no gaps"),
        (format!("INSERT INTO audit_leaves VALUES (3, {open}, 'x')"), "a hash has 32 bytes"),
        ("INSERT INTO audit_nodes VALUES (3, 2, sha256('x'))".to_owned(), "not the hash of its two halves"),
        ("INSERT INTO audit_nodes VALUES (2, 1, sha256('x'))".to_owned(), "not the hash of its two halves"),
        ("INSERT INTO audit_nodes VALUES (7, 3, sha256('x'))".to_owned(), "not the hash of its two halves"),
        ("INSERT INTO audit_nodes VALUES (9223372036854775807, 62, sha256('x'))".to_owned(), "not the hash of"),
        ("INSERT INTO audit_nodes VALUES (-1, 1, sha256('x'))".to_owned(), "not the hash of its two halves"),
        ("INSERT INTO audit_nodes VALUES (0, 32767, sha256('x'))".to_owned(), "not the hash of its two halves"),
    ] {
        let said = told(&app, &sql).await;
        assert!(said.contains(refused), "{sql}: {said:?}");
    }
    app.seal().await;
    let report = verified(&app.store(true), None).await;
    assert!(report.is_clean() && report.size >= 4, "{report:?}");
    assert_eq!(degraded(&app).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_checkpoint_that_no_gateway_signed_is_passed_over_and_told() {
    let app = TestGateway::start().await;
    app.get("/v1/me").await.expect(200);
    app.seal().await;
    // With the triggers disabled, as before they existed.
    super::forgery::freely(app.sql(), IMPOSSIBLE).await;
    app.get("/v1/me").await.expect(200);
    app.seal().await;
    let checkpoints = app.items("/v1/audit-checkpoints").await;
    assert!(checkpoints.len() >= 2 && checkpoints[0]["tree_size"].as_i64() < Some(100), "{checkpoints:?}");
    let told = degraded(&app).await;
    assert!(told.len() == 1 && told[0].contains("9000000000000000000"), "{told:?}");
    assert!(told[0].contains("no key of this gateway signed") && told[0].contains("skipping"), "{told:?}");
    // Proofs use the newest valid one, and another gateway starts.
    let entries = app.items("/v1/audit-entries").await;
    let proof = format!("/v1/audit-entries/{}/proof", entries.last().unwrap()["id"].as_str().unwrap());
    assert!(app.get(&proof).await.expect(200)["checkpoint"]["tree_size"].as_i64() < Some(100));
    app.gateway.upkeep().keys_fit().await.unwrap();
    app.seal().await;
    let report = verified(&app.store(true), None).await;
    let kinds: Vec<_> = report.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, ["checkpoint_altered"], "{report:?}");
}

#[tokio::test]
async fn a_log_of_another_key_is_still_another_log() {
    let app = TestGateway::start().await;
    app.get("/v1/me").await.expect(200);
    app.seal().await;
    super::forgery::freely(app.sql(), "UPDATE audit_checkpoints SET note = 'x' || note").await;
    let unfit = app.gateway.upkeep().keys_fit().await.unwrap_err();
    assert!(unfit.to_string().contains("was not signed with ECG_KEYS_AUDIT"), "{unfit}");
}

#[tokio::test]
async fn sealing_that_cannot_go_on_is_told_with_its_cause() {
    let app = TestGateway::start().await;
    app.get("/v1/me").await.expect(200);
    app.seal().await;
    app.get("/v1/me").await.expect(200);
    // The next leaf with a wrong hash, which no signature covers.
    let stray = "INSERT INTO audit_leaves SELECT (SELECT max(leaf) + 1 FROM audit_leaves), id, sha256('x')
        FROM audit_entries e WHERE NOT EXISTS (SELECT FROM audit_leaves l WHERE l.entry = e.id) LIMIT 1";
    assert_eq!(told(&app, stray).await, "");
    let size = newest(&app.store(true)).await.size;
    app.get("/v1/me").await.expect(200);
    let refused = app.gateway.audit().seal().await.unwrap_err();
    let cause = std::error::Error::source(&refused).unwrap().to_string();
    assert!(cause.contains("no valid checkpoint covers") && cause.contains("audit verify"), "{cause}");
    let told = degraded(&app).await;
    assert!(told.len() == 1 && told[0].contains("no valid checkpoint covers"), "{told:?}");
    assert_eq!(newest(&app.store(true)).await.size, size);
    let report = verified(&app.store(true), None).await;
    assert!(report.findings.iter().any(|finding| finding.kind == "leaf_uncovered"), "{report:?}");
}

/// Rows that the role could add: without a stamp, and with a made-up one.
const FORGED: [(&str, &str); 3] = [
    ("unstamped", "NULL, 0"),
    ("random", "sha256('mallory'), DEFAULT"),
    ("borrowed", "(SELECT stamp FROM audit_entries WHERE stamp IS NOT NULL LIMIT 1), DEFAULT"),
];

#[tokio::test]
async fn a_row_that_no_gateway_wrote_is_shown_as_that() {
    let app = TestGateway::start().await;
    app.get("/v1/me").await.expect(200);
    for (subject, values) in FORGED {
        let sql = format!(
            "INSERT INTO audit_entries (id, at, team, subject, door, request_id, action, outcome, parameters, stamp, txid)
             VALUES (gen_random_uuid(), now(), 'web', '{subject}', 'rest', 'r', 'delete_image_cache', 'succeeded', '{{}}', {values})"
        );
        assert_eq!(told(&app, &sql).await, "");
    }
    let genuine = |entry: &Value| entry["subject"] == "alice";
    let entries = app.items("/v1/audit-entries").await;
    assert_eq!(entries.iter().filter(|entry| !genuine(entry)).count(), 3);
    for entry in &entries {
        assert_eq!(entry["verified"], json!(genuine(entry)), "{entry:#}");
        let one = app.get(&format!("/v1/audit-entries/{}", entry["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(one["verified"], entry["verified"]);
    }
    let export = app.request(reqwest::Method::GET, "/v1/audit-export").send().await.unwrap().text().await.unwrap();
    let lines: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines.iter().filter(|line| line.get("subject").is_some()).all(|line| line["verified"] == json!(genuine(line))),
        "{export}"
    );
    assert!(lines.len() >= 4);
}

#[tokio::test]
async fn rows_from_before_there_were_stamps_are_genuine_once_they_are_sealed() {
    let app = TestGateway::start().await;
    let before =
        "INSERT INTO audit_entries (id, at, team, subject, door, request_id, action, outcome, parameters, txid)
        VALUES (gen_random_uuid(), now(), 'web', 'old', 'rest', 'r', 'get_me', 'succeeded', '{}', 0)";
    sqlx::query(before).execute(app.sql()).await.unwrap();
    let of_old = async || {
        let entries = app.items("/v1/audit-entries?subject=old").await;
        entries[0]["verified"].clone()
    };
    assert_eq!(of_old().await, json!(false));
    app.seal().await;
    assert_eq!(of_old().await, json!(true));
    Answer::of(app.request(reqwest::Method::GET, "/v1/me")).await.expect(200);
}
