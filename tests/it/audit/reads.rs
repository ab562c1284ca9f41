//! The audit over HTTP: entries, search, export, checkpoints and proofs.
#![cfg(test)]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eci_cache_gateway::crypto::merkle::{Hash, includes, is_consistent, leaf_hash};
use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{TestGateway, audit_keys, new_cache};

fn hash(value: &Value) -> Hash {
    BASE64_STANDARD.decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(hash).collect()
}

#[tokio::test]
async fn an_entry_tells_what_was_asked_and_no_secret() {
    let app = TestGateway::start().await;
    let mut body = new_cache("nginx:1.27");
    body["registry_credentials"] = json!([{"server": "r.example.com", "user_name": "u", "password": "canary"}]);
    body["canary"] = json!("canary");
    app.post("/v1/image-caches", &body).await.problem(422, "invalid_request");
    app.get("/v1/image-caches?name=web&name=canary&limit=5").await.problem(422, "invalid_request");
    app.created().await;
    let entries = app.items("/v1/audit-entries").await;
    let of = |action: &str, outcome: &str| {
        let found = entries.iter().find(|entry| entry["action"] == action && entry["outcome"] == outcome);
        found.unwrap_or_else(|| panic!("{action} {outcome}: {entries:#?}"))
    };
    let refused = &of("create_image_cache", "refused")["parameters"];
    assert_eq!((&refused["name"], &refused["images"]), (&json!("web"), &json!("nginx:1.27")));
    for hashed in ["registry_credentials", "other"] {
        let text = refused[hashed].as_str().unwrap();
        assert!(text.starts_with("hmac:") && text.len() == 37, "{text}");
    }
    assert_eq!(of("list_image_caches", "refused")["parameters"]["name"], "web canary");
    let done = of("create_image_cache", "succeeded");
    assert_eq!((&done["duration_ms"], &done["cloud_ms"]), (&json!(0), &json!(0)));
    assert!(done["provider_request_id"].is_string());
    assert!(
        !entries
            .iter()
            .filter(|entry| entry["action"] == "create_image_cache")
            .any(|e| e.to_string().contains("canary"))
    );
}

#[tokio::test]
async fn the_search_narrows_by_time_and_all_else() {
    let app = TestGateway::start().await;
    app.get("/v1/me").await.expect(200);
    app.advance(10);
    app.get("/v1/me").await.expect(200);
    app.get("/v1/image-caches/ic_1").await.problem(404, "not_found");
    let found = async |query: &str| app.items(&format!("/v1/audit-entries?{query}")).await.len();
    assert_eq!(found("action=get_me").await, 2);
    assert_eq!(found("action=get_me&recorded_before=2026-03-01T08:00:10Z").await, 1);
    assert_eq!(found("action=get_me&recorded_after=2026-03-01T08:00:10Z").await, 1);
    assert_eq!(found("resource=ic_1&outcome=refused&subject=alice").await, 1);
    assert_eq!(found("resource=ic_1&outcome=failed").await, 0);
}

#[tokio::test]
async fn an_export_is_whole_and_the_teams_own() {
    let app = TestGateway::start().await;
    let others = app.bare(Method::GET, "/v1/me").bearer_auth(app.token("other", &Scope::ALL));
    Answer::of(others).await.expect(200);
    for _ in 0..3 {
        app.get("/v1/me").await.expect(200);
    }
    let many = "INSERT INTO audit_entries (id, at, team, subject, door, request_id, action, outcome, parameters, stamp)
        SELECT gen_random_uuid(), now(), 'web', '=cmd()', 'rest', 'r' || n, 'many', 'succeeded', '{}', 'x' FROM generate_series(1, 1200) n";
    sqlx::query(many).execute(app.sql()).await.unwrap();
    let lines = app.get("/v1/audit-export").await;
    assert_eq!((lines.status, lines.header("content-type")), (200, "application/x-ndjson"));
    let entries: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 1_203);
    assert!(entries.iter().all(|entry| entry["credential_id"] != "token-of-other"));
    assert_eq!((&entries[0]["action"], &entries[1_202]["request_id"]), (&json!("get_me"), &json!("r1200")));
    let csv = app.get("/v1/audit-export?format=csv&action=many").await;
    assert_eq!((csv.header("content-type"), csv.text.lines().count()), ("text/csv; charset=utf-8", 1_201));
    assert!(csv.text.lines().skip(1).all(|line| line.contains(",\"'=cmd()\",")));
    let problem = app.get("/v1/audit-export?format=xml").await.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["parameter"], "format");
}

#[tokio::test]
async fn an_entry_is_proved_to_be_in_the_tree_and_the_tree_to_grow() {
    let app = TestGateway::start().await;
    app.get("/v1/me").await.expect(200);
    let entry = app.items("/v1/audit-entries?action=get_me").await[0]["id"].as_str().unwrap().to_owned();
    app.get(&format!("/v1/audit-entries/{entry}/proof")).await.problem(409, "audit_entry_not_sealed");
    app.get("/v1/audit-consistency?first_size=1").await.problem(409, "audit_entry_not_sealed");
    app.seal().await;
    let first = app.items("/v1/audit-checkpoints").await;
    app.created().await;
    app.seal().await;
    let all = app.items("/v1/audit-checkpoints").await;
    assert_eq!(all[all.len() - 1], first[first.len() - 1]);
    for checkpoint in &all {
        let size = checkpoint["tree_size"].as_i64().unwrap();
        let proof = app.get(&format!("/v1/audit-entries/{entry}/proof?tree_size={size}")).await.expect(200);
        assert_eq!(&proof["checkpoint"], checkpoint);
        let leaf = leaf_hash(&BASE64_STANDARD.decode(proof["leaf_data"].as_str().unwrap()).unwrap());
        assert_eq!(leaf, hash(&proof["leaf_hash"]));
        let (index, root) = (proof["leaf_index"].as_i64().unwrap(), hash(&checkpoint["root_hash"]));
        assert!(includes(index, size, &leaf, &hashes(&proof["hashes"]), &root), "{proof}");
        let note = checkpoint["note"].as_str().unwrap();
        assert!(audit_keys().verifiers()[0].open(note).is_some_and(|text| text.contains(&format!("\n{size}\n"))));
        let path = format!("/v1/audit-consistency?first_size={}&second_size={size}", first[0]["tree_size"]);
        if size >= first[0]["tree_size"].as_i64().unwrap() {
            let proof = app.get(&path).await.expect(200);
            let (one, two) = (hash(&first[0]["root_hash"]), hash(&checkpoint["root_hash"]));
            let first = first[0]["tree_size"].as_i64().unwrap();
            assert!(is_consistent((first, &one), (size, &two), &hashes(&proof["hashes"])), "{proof}");
        }
    }
    for query in ["first_size=0", "first_size=1000", "first_size=1&second_size=1000", "second_size=1", "first_size=x"] {
        app.get(&format!("/v1/audit-consistency?{query}")).await.problem(422, "invalid_request");
    }
    app.get(&format!("/v1/audit-entries/{entry}/proof?tree_size=0")).await.problem(422, "invalid_request");
}
