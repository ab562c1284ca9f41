//! An owed answer in a state that only a later version knows is neither given up nor treated as told.

use serde_json::{Value, json};
use uuid::Uuid;

use super::words::{named, tomorrow};
use crate::rpc::client::{RpcKey, error};
use crate::secrets::canary::sinks::{Meter, logs};
use crate::support::gate::Gate;
use crate::support::gateway::{Setup, TestGateway};

/// Whether the callers of these creates were told is unknown, in a later version's words.
const OWE: &str = "
    INSERT INTO owed_answers (image_cache, operation, state, created_at)
    SELECT c.id, o.id, CASE c.name WHEN 'one' THEN 'unsent' WHEN 'two' THEN 'withheld' ELSE 'sending' END, c.created_at
    FROM image_caches c JOIN operations o ON o.image_cache = c.id";

async fn owed(app: &TestGateway) -> Vec<(String, String, bool)> {
    let sql = "SELECT c.name::text, w.state::text, w.reported FROM owed_answers w
        JOIN image_caches c ON c.id = w.image_cache ORDER BY c.name";
    sqlx::query_as(sql).fetch_all(app.sql()).await.unwrap()
}

async fn pass(app: &TestGateway) {
    for _ in 0..10 {
        app.advance(60);
        app.drain().await;
        app.gateway.upkeep().clean().await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_owed_by_an_unknown_word_is_left_alone() {
    let meter = Meter::new();
    let _heard = meter.listen();
    let (tape, _told) = logs();
    let app = TestGateway::start().await;
    for name in ["one", "two", "three"] {
        named(&app, name).await;
    }
    tomorrow(&app, OWE).await;
    pass(&app).await;
    let left = [("three".to_owned(), "sending".to_owned(), true), ("two".to_owned(), "withheld".to_owned(), false)];
    assert_eq!(owed(&app).await, left);
    let gone = "SELECT count(*) FROM image_caches WHERE status = 'deleted' AND name = 'one'";
    assert_eq!(app.count(gone).await, 1, "what surely was not told is given up all the same");
    let kept = "SELECT count(*) FROM image_caches WHERE status = 'ready'";
    assert_eq!(app.count(kept).await, 2);
    // Logged once, counted each time.
    let id: Uuid = sqlx::query_scalar("SELECT operation FROM owed_answers WHERE state = 'withheld'")
        .fetch_one(app.sql())
        .await
        .unwrap();
    let id = eci_cache_gateway::domain::ids::OperationId::from(id).to_string();
    let said = String::from_utf8(tape.bytes()).unwrap();
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |line: &&Value| line["fields"]["table"] == "owed_answers" && line["fields"]["row"] == id.as_str();
    assert_eq!(lines.iter().filter(told).count(), 1, "{said}");
    let metrics = String::from_utf8(meter.text()).unwrap();
    let counted = metrics.lines().find(|line| line.contains("ecg_rows_unreadable_total{table=\"owed_answers\"}"));
    assert!(counted.is_some_and(|line| !line.ends_with(" 1")), "{metrics}");
}

#[tokio::test]
async fn nobody_is_told_what_another_version_keeps_back() {
    let first = TestGateway::start().await;
    let gate = Gate::before(&first.cloud()).await;
    let app = first.second_gateway(Setup { cloud: Some(gate.url.clone()), ..Setup::default() }).await;
    let key = RpcKey::new(&app).await;
    let new = [("RegionId", "cn-beijing"), ("ImageCacheName", "web"), ("Image.1", "nginx:1.27")];
    let meanwhile = async {
        gate.answered(1).await;
        tomorrow(&first, "UPDATE owed_answers SET state = 'withheld'").await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(key.get(&app, "CreateImageCache", &new), meanwhile);
    error(&answer, 503, "ServiceUnavailable");
    app.gateway.base().drain().await;
    pass(&first).await;
    assert_eq!(owed(&first).await, [("web".to_owned(), "withheld".to_owned(), false)]);
    assert_eq!(first.only_cache().await["status"], json!("ready"), "nor is it given up");
}
