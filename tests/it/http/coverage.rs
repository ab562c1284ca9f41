//! Every operation of the document, called by those who must not: without credentials, with invalid ones, without its
//! scope, and from another team. An operation without a case here fails the test.
#![cfg(test)]

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::api_key::PresentedKey;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::ids::ApiKeyId;
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, TEAM, TestGateway, new_cache};

mod facts;
mod fixtures;
mod operation;
mod repeats;
mod walk;

pub(crate) use operation::DocumentedOperation;
pub(crate) use walk::{in_order, walk};

use fixtures::{api_key, blanked, entry};
use operation::operations;

/// Well-formed ids that do not exist.
const NOBODYS: &str = "00000000000000000000000001";
/// Operations that may answer "not now" to the team itself.
const SAYS_NO: [&str; 2] = ["check_gate", "resend_delivery"];

#[tokio::test]
async fn nobody_gets_in_without_a_good_credential() {
    let app = TestGateway::start().await;
    let stale = app.token(TEAM, &SCOPES);
    app.advance(2 * 3_600);
    let good = app.token(TEAM, &SCOPES);
    let other = app.token("other", &SCOPES);
    // The claims of one token with the signature of another.
    let forged = format!("{}.{}", good.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    let entropy = Entropy::from_seed(9);
    let unknown = PresentedKey::fresh(ApiKeyId::new(app.now(), &entropy), &entropy);
    for operation in operations() {
        let id = format!("{}{NOBODYS}", operation.prefix());
        let refused = async |request: RequestBuilder, code: &str| {
            let answer = Answer::of(request).await;
            answer.problem(401, code);
            assert!(answer.header("www-authenticate").starts_with("Bearer realm="), "{answer:?}");
            // Of these, only a token of our issuer identifies anybody.
            let whose = if code == "token_expired" { "web " } else { "" };
            assert_eq!(entry(&app, &answer).await, format!("{whose}{} refused 401 {code}", operation.id));
        };
        let request = || operation.request(&app, &id);
        refused(request(), "token_missing").await;
        refused(request().basic_auth("alice", Some("secret")), "token_missing").await;
        refused(request().bearer_auth("nonsense"), "token_malformed").await;
        refused(request().bearer_auth(&forged), "token_bad_signature").await;
        refused(request().bearer_auth(&stale), "token_expired").await;
        refused(request().bearer_auth("ecg_nonsense"), "api_key_malformed").await;
        refused(request().bearer_auth(unknown.text.expose_secret()), "api_key_unknown").await;
    }
    assert_eq!(app.creations().await, 0);
}

#[tokio::test]
async fn each_scope_alone_opens_what_the_table_says_and_nothing_else() {
    let app = TestGateway::start().await;
    let mut keys = HashMap::new();
    for scope in Scope::ALL {
        keys.insert(scope, api_key(&app, TEAM, &[scope]).await);
    }
    let mut tried = 0;
    for operation in operations() {
        let id = format!("{}{NOBODYS}", operation.prefix());
        for scope in Scope::ALL {
            let opens = operation.scopes.is_empty() || operation.scopes.contains(&scope);
            for credential in [&app.token(TEAM, &[scope]), &keys[&scope]] {
                let request = operation.request(&app, &id).bearer_auth(credential);
                // A stream that was accepted would not end.
                let stopped = Answer::of(request.header("last-event-id", "nonsense")).await;
                if opens {
                    assert!(![401, 403].contains(&stopped.status), "{} {scope:?} {stopped:?}", operation.id);
                } else {
                    is_refused(&app, &operation, &stopped).await;
                }
            }
            tried += 1;
        }
    }
    assert!(tried >= 790, "{tried}");
}

async fn is_refused(app: &TestGateway, operation: &DocumentedOperation, answer: &Answer) {
    let problem = answer.problem(403, "scope_missing");
    let detail = problem["detail"].as_str().unwrap();
    assert!(operation.scopes.iter().all(|scope| detail.contains(scope.as_str())), "{problem}");
    assert!(answer.header("www-authenticate").contains("insufficient_scope"), "{answer:?}");
    assert_eq!(entry(app, answer).await, format!("{TEAM} {} refused 403 scope_missing", operation.id));
}

#[tokio::test]
async fn nobody_gets_far_without_the_scope() {
    let app = TestGateway::start().await;
    let mut tried = 0;
    let mut keys: HashMap<Vec<Scope>, String> = HashMap::new();
    for operation in operations().into_iter().filter(|operation| !operation.scopes.is_empty()) {
        let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| !operation.scopes.contains(other)).collect();
        let id = format!("{}{NOBODYS}", operation.prefix());
        let mut key_of_others = async || match keys.entry(operation.scopes.clone()) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(none) => none.insert(api_key(&app, TEAM, &others).await).clone(),
        };
        for credential in [app.token(TEAM, &others), key_of_others().await] {
            let answer = Answer::of(operation.request(&app, &id).bearer_auth(credential)).await;
            is_refused(&app, &operation, &answer).await;
        }
        tried += 1;
    }
    assert!(tried >= 78, "{tried}");
    assert_eq!(app.creations().await, 0);
}

#[tokio::test]
async fn what_is_another_teams_is_as_if_it_were_absent() {
    let app = TestGateway::start().await;
    app.endpoint("http://127.0.0.1:9/hook").await;
    app.created().await;
    let other = app.token("other", &Scope::TEAM);
    let mut tried = BTreeSet::new();
    lists_are_empty_for_others(&app, &app.token("other", &Scope::ALL)).await;
    let credentials = [other, api_key(&app, "other", &Scope::TEAM).await];
    let of_teams = |operation: &&DocumentedOperation| operation.id_name.is_some() && !operation.is_platforms();
    for operation in operations().iter().filter(of_teams) {
        let owned = operation.owned(&app).await;
        let absent = format!("{}{NOBODYS}", operation.prefix());
        assert!(owned.starts_with(operation.prefix()) && owned != absent, "{owned}");
        let mut answers = Vec::new();
        for credential in &credentials {
            for id in [owned.as_str(), absent.as_str(), "no-id-at-all"] {
                let answer = Answer::of(operation.request(&app, id).bearer_auth(credential)).await;
                answer.problem(404, "not_found");
                assert_eq!(entry(&app, &answer).await, format!("other {} refused 404 not_found", operation.id));
                answers.push(blanked(&answer));
            }
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        tried.extend(operation.id_name.clone());
    }
    assert_eq!(tried.len(), 7, "a kind of id that is new is counted here: {tried:?}");
    assert_eq!(app.only_cache().await["version"], 2, "nothing has moved");
}

#[tokio::test]
async fn the_team_itself_gets_in_with_a_token_and_with_a_key() {
    for by_key in [false, true] {
        let app = TestGateway::start().await;
        let (url, skip) = ("http://127.0.0.1:9/hook", "skip_challenge");
        app.post("/v1/webhook-endpoints", &json!({"url": url, skip: true})).await.expect(201);
        let id = app.created().await;
        app.until(&id, "ready").await;
        let credential = if by_key { api_key(&app, TEAM, &Scope::ALL).await } else { app.token(TEAM, &Scope::ALL) };
        for (operation, status) in walk(&app, &credential).await {
            assert!(status < 400 || SAYS_NO.contains(&&*operation), "{operation} {status}");
            assert!(![401, 403].contains(&status), "{operation} {status}");
        }
    }
}

async fn lists_are_empty_for_others(app: &TestGateway, other: &str) {
    let lists =
        operations().into_iter().filter(|operation| operation.id_name.is_none() && operation.id.starts_with("list_"));
    // The usage is the account's, and not a list despite its name; accounts belong to the platform, and one of them to
    // the operator; regions and types of events belong to nobody.
    let others = [
        "list_audit_entries",
        "list_usage",
        "list_team_costs",
        "list_cloud_accounts",
        "list_issuers",
        "list_regions",
        "list_event_types",
    ];
    for list in lists.filter(|list| !others.contains(&list.id.as_str())) {
        let page = Answer::of(list.request(app, "").bearer_auth(other)).await.expect(200);
        assert_eq!(page["items"], json!([]), "{}", list.id);
    }
    let request = app.bare(Method::GET, "/v1/audit-entries?limit=100").bearer_auth(other);
    let page = Answer::of(request).await.expect(200);
    let entries = page["items"].as_array().unwrap();
    assert!(!entries.is_empty());
    assert!(entries.iter().all(|entry| entry["credential_id"] == "token-of-other"), "{entries:?}");
}

#[tokio::test]
async fn a_token_of_several_teams_says_for_which() {
    let app = TestGateway::start().await;
    let token = app.token_of_teams(&[TEAM, "other"], &[Scope::Read, Scope::Write]);
    let request = |method, path: &str| app.bare(method, path).bearer_auth(&token);
    Answer::of(request(Method::GET, "/v1/me")).await.problem(401, "team_required");
    Answer::of(request(Method::GET, "/v1/me").header("x-team", "third")).await.problem(401, "wrong_team");
    let me = Answer::of(request(Method::GET, "/v1/me").header("x-team", TEAM)).await.expect(200);
    let scopes = json!(["read", "write"]);
    assert_eq!(me, json!({"team": TEAM, "subject": "alice", "credential_id": "token-of-web-other", "scopes": scopes}));
    let create = request(Method::POST, "/v1/image-caches").header("x-team", "other").json(&new_cache("nginx"));
    assert_eq!(Answer::of(create).await.expect(201)["team"], "other");
    assert_eq!(app.items("/v1/image-caches").await.len(), 0);
}
