//! Many image caches in one request, with a verdict for each.
#![cfg(test)]

use std::collections::BTreeSet;

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, TEAM, TestGateway, new_cache};

const GET: &str = "/v1/image-caches/batch-get";
const DELETE: &str = "/v1/image-caches/batch-delete";
const ENSURE: &str = "/v1/image-caches/batch-ensure";
const NOBODYS: &str = "ic_00000000000000000000000001";

/// Of each verdict the index, the status and what `of` finds.
fn verdicts(batch: &Value, of: impl Fn(&Value) -> Value) -> Vec<(i64, i64, Value)> {
    let verdict = |one: &Value| (one["index"].as_i64().unwrap(), one["http_status"].as_i64().unwrap(), of(one).clone());
    batch["items"].as_array().unwrap().iter().map(verdict).collect()
}

/// What the audit has of each item under this action: outcome, status and resource.
async fn entries(app: &TestGateway, action: &str) -> BTreeSet<String> {
    let entries = app.items(&format!("/v1/audit-entries?action={action}")).await;
    entries.iter().map(|one| format!("{} {} {}", one["outcome"], one["http_status"], one["resource"])).collect()
}

#[tokio::test]
async fn each_id_that_is_asked_for_has_its_verdict() {
    let app = TestGateway::start().await;
    let (first, second) = (app.created().await, app.created().await);
    let asked = json!({"ids": [second, NOBODYS, first, "no-id-at-all", second]});
    let batch = app.post(GET, &asked).await.expect(200);
    let code = |one: &Value| {
        if one["problem"].is_null() { one["image_cache"]["id"].clone() } else { one["problem"]["code"].clone() }
    };
    let (second_id, first_id, absent) = (json!(second), json!(first), json!("not_found"));
    assert_eq!(
        verdicts(&batch, code),
        [
            (0, 200, second_id.clone()),
            (1, 404, absent.clone()),
            (2, 200, first_id),
            (3, 404, absent),
            (4, 200, second_id)
        ]
    );
    assert_eq!(batch["failed"], 2);
    assert_eq!(batch["items"][1]["id"], NOBODYS);
    let alone = app.get(&format!("/v1/image-caches/{first}")).await.expect(200);
    assert_eq!(batch["items"][2]["image_cache"], alone, "shown as it is alone");
    let told = entries(&app, "get_image_cache").await;
    assert_eq!(told.len(), 4, "an id that is repeated is read once: {told:?}");
    assert!(told.contains(&format!("\"refused\" 404 \"{NOBODYS}\"")), "{told:?}");
    assert_eq!(app.items("/v1/audit-entries?action=batch_get_image_caches").await.len(), 1);
    let other = app.bare(Method::POST, GET).bearer_auth(app.token("other", &Scope::TEAM)).json(&asked);
    assert_eq!(Answer::of(other).await.expect(200)["failed"], 5, "another team's are as if absent");
}

#[tokio::test]
async fn what_is_deleted_together_is_deleted_once() {
    let app = TestGateway::start().await;
    let (first, second) = (app.created().await, app.created().await);
    app.until(&first, "ready").await;
    app.until(&second, "ready").await;
    let asked = json!({"ids": [first, second, NOBODYS, first]});
    let statuses = |batch: &Value| verdicts(batch, |one| one["image_cache"]["status"].clone());
    let (ready, deleting) = (json!("ready"), json!("deleting"));
    let dry = app.post(DELETE, &json!({"ids": [first, NOBODYS], "dry_run": true})).await.expect(200);
    assert_eq!(statuses(&dry), [(0, 200, ready), (1, 404, Value::Null)]);
    assert_eq!(app.count("SELECT count(*) FROM operations WHERE kind = 'delete'").await, 0);
    for _ in 0..2 {
        let batch = app.post(DELETE, &asked).await.expect(200);
        let none = (2, 404, Value::Null);
        let of = |place| (place, 200, deleting.clone());
        assert_eq!(statuses(&batch), [of(0), of(1), none, of(3)], "a repeat finds the same");
        assert_eq!(batch["failed"], 1);
        assert_eq!(app.count("SELECT count(*) FROM operations WHERE kind = 'delete'").await, 2);
    }
    let by = format!("/v1/audit-entries?resource={first}&action=delete_image_cache");
    let told: Vec<String> =
        app.items(&by).await.iter().map(|one| format!("{} {}", one["outcome"], one["parameters"]["dry_run"])).collect();
    // The dry run, the delete, its end, and the repeat.
    let each = [r#""succeeded" null"#, r#""succeeded" null"#, r#""accepted" null"#, r#""succeeded" "true""#];
    assert_eq!(told, each);
}

#[tokio::test]
async fn what_is_ensured_together_is_made_once_for_each_content() {
    let app = TestGateway::start().await;
    let mut unknown_region = new_cache("nginx:1.27");
    unknown_region["region"] = json!("X");
    let mut named = new_cache("nginx:1.27");
    named["name"] = json!("other");
    let items = json!({"items": [new_cache("nginx:1.27"), unknown_region, named, new_cache("redis:7")]});
    let batch = app.post(ENSURE, &items).await.expect(200);
    let told = verdicts(&batch, |one| one["outcome"].clone());
    assert_eq!((told[1].1, &told[3]), (422, &(3, 201, json!("created"))), "{batch}");
    let twice = BTreeSet::from([told[0].2.to_string(), told[2].2.to_string()]);
    assert_eq!(twice, BTreeSet::from([r#""created""#.to_owned(), r#""joined""#.to_owned()]));
    assert_eq!(batch["items"][0]["id"], batch["items"][2]["id"]);
    assert_eq!((&batch["items"][2]["name"], &batch["failed"]), (&json!("other"), &json!(1)));
    assert_eq!(batch["items"][1]["problem"]["errors"][0]["pointer"], "/region");
    assert_eq!(app.creations().await, 2);
    assert_eq!(app.items("/v1/audit-entries?action=ensure_image_cache").await.len(), 4);
    assert_eq!(app.items("/v1/audit-entries?action=batch_ensure_image_caches").await.len(), 1);
}

#[tokio::test]
async fn a_repeat_with_the_key_joins_what_each_item_did() {
    let app = TestGateway::start().await;
    let ask = async |items: Value| {
        let request = app.request(Method::POST, ENSURE).header("idempotency-key", "k".repeat(255));
        Answer::of(request.json(&json!({"items": items}))).await
    };
    let both = json!([new_cache("nginx:1.27"), new_cache("redis:7")]);
    let first = ask(both.clone()).await.expect(200);
    app.until(first["items"][0]["id"].as_str().unwrap(), "ready").await;
    let again = ask(both.clone()).await;
    assert_eq!((again.header("idempotent-replayed"), again.expect(200)), ("true", first.clone()));
    ask(json!([new_cache("nginx:1.27"), new_cache("busybox:1")])).await.problem(422, "idempotency_key_reused");
    // As if the gateway had been killed before it could keep the response.
    sqlx::query("DELETE FROM idempotent_responses").execute(app.sql()).await.unwrap();
    let joined = ask(both).await.expect(200);
    assert_eq!(verdicts(&joined, |one| one["replayed"].clone()), [(0, 201, json!(true)), (1, 201, json!(true))]);
    assert_eq!(joined["items"][0]["image_cache"], first["items"][0]["image_cache"], "as it was told then");
    assert_eq!(app.creations().await, 2);
}

#[tokio::test]
async fn what_is_wrong_as_a_whole_is_refused_before_anything_is_done() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    let mut unknown = new_cache("redis:7");
    unknown["colour"] = json!("red");
    for (path, body, pointer) in [
        (GET, json!({"ids": []}), "/ids"),
        (DELETE, json!({"ids": vec![id.clone(); 101]}), "/ids"),
        (DELETE, json!({"ids": [id], "force": true}), "/force"),
        (DELETE, json!({"ids": [id, 7]}), "/ids/1"),
        (ENSURE, json!({"items": []}), "/items"),
        (ENSURE, json!({"items": vec![new_cache("redis:7"); 101]}), "/items"),
        (ENSURE, json!({"items": [new_cache("redis:7"), unknown]}), "/items/1/colour"),
    ] {
        let problem = app.post(path, &body).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path} {problem}");
    }
    assert_eq!(app.creations().await, 1);
    assert_eq!(app.count("SELECT count(*) FROM operations").await, 1);
}

#[tokio::test]
async fn a_batch_counts_as_its_items() {
    let app = TestGateway::start().await;
    let left = |answer: &Answer| {
        let (_, left) = answer.header("ratelimit").split_once("r=").unwrap();
        left.split_once(';').unwrap().0.parse::<i64>().unwrap()
    };
    let before = left(&app.get("/v1/me").await);
    let token = app.token(TEAM, &SCOPES);
    let request = app.bare(Method::POST, GET).bearer_auth(token).json(&json!({"ids": vec![NOBODYS; 40]}));
    assert_eq!(left(&Answer::of(request).await), before - 40);
    assert_eq!(left(&app.get("/v1/me").await), before - 41);
}
