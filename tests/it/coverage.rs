//! Every operation of the document against those who may not: without a credential, with a bad one, without its
//! scope, and from another team. An operation without a case here fails the test.
#![cfg(test)]

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use eci_cache_gateway::domain::api_key::Presented;
use eci_cache_gateway::domain::caller::Scope;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::ids::ApiKeyId;
use eci_cache_gateway::http::openapi::document_3_1;
use reqwest::{Method, RequestBuilder};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::accounts::account;
use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, TEAM, TestGateway, new_cache};
use crate::support::setup::SECOND;

mod having;
mod walk;

pub(crate) use walk::walk;

use having::{accounted, api_key, blanked, entry, issuer, made, profiled, registered, trusted};

/// Ids that look right and are nobody's.
const NOBODYS: &str = "00000000000000000000000001";
/// Ids of what belongs to the platform: its administrators see it whichever team they act for.
const PLATFORMS: [&str; 5] = ["revocation_id", "team_id", "region_profile_id", "cloud_account_name", "issuer_name"];
/// Operations that may say "not now" to the team itself.
const SAYS_NO: [&str; 2] = ["check_gate", "resend_delivery"];

/// One operation of the document.
#[derive(Debug)]
struct Operation {
    id: String,
    method: Method,
    path: String,
    /// The name of the id in its path.
    id_name: Option<String>,
    /// Of which one is enough; none where any credential is.
    scopes: Vec<Scope>,
}

/// Every operation under `/v1` that needs a credential.
fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&document_3_1()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|_| path.starts_with("/v1/")) {
            // What is exchanged is itself the credential.
            if operation["security"] == json!([]) {
                assert_eq!(operation["operationId"], "exchange_token", "{operation}");
                continue;
            }
            let scopes = operation["x-required-scopes"].as_array().unwrap();
            let name = path.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(name, _)| name.to_owned());
            found.push(Operation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                id_name: name,
                scopes: scopes.iter().map(|scope| Scope::from_word(scope.as_str().unwrap()).unwrap()).collect(),
            });
        }
    }
    found
}

impl Operation {
    /// A body that would be taken. No default: a new operation must be thought of.
    fn body(&self) -> Option<Value> {
        match self.id.as_str() {
            "create_image_cache" | "ensure_image_cache" | "dry_run_image_cache" => Some(new_cache("nginx:1.27")),
            "update_image_cache" => Some(json!({"images": ["nginx:1.28"]})),
            "create_access_key"
            | "rotate_webhook_secret"
            | "rotate_api_key"
            | "rotate_access_key"
            | "put_team_policy"
            | "put_default_policy"
            | "put_region_profile" => Some(json!({})),
            "put_cloud_account" => Some(account(SECOND)),
            "put_issuer" => Some(issuer()),
            "explain_token" => Some(json!({"token": "no token"})),
            "create_api_key" => Some(json!({"name": "ci", "scopes": ["read"]})),
            "create_revocation" => Some(json!({"jti": "nobodys"})),
            "create_team" => Some(json!({"id": "web", "display_name": "Web"})),
            "update_team" => Some(json!({"display_name": "Other"})),
            "match_image_caches" => Some(json!({"region": "cn-beijing", "images": ["nginx:1.27"]})),
            "adopt_image_caches" => Some(json!({"region": "cn-beijing", "filter": {}})),
            "create_webhook_endpoint" => Some(json!({"url": "http://127.0.0.1:9/hook", "skip_challenge": true})),
            "update_webhook_endpoint" => Some(json!({"description": "theirs"})),
            "recover_webhook_endpoint" | "replay_webhook_endpoint" => Some(json!({"since": "2026-03-01T00:00:00Z"})),
            "list_image_caches"
            | "get_image_cache"
            | "delete_image_cache"
            | "wait_for_image_cache"
            | "list_transitions"
            | "get_operation"
            | "list_operations"
            | "list_team_costs"
            | "get_provider_record"
            | "list_usage"
            | "list_found_image_caches"
            | "list_events"
            | "stream_events"
            | "stream_image_cache_events"
            | "check_gate"
            | "list_webhook_endpoints"
            | "get_webhook_endpoint"
            | "delete_webhook_endpoint"
            | "test_webhook_endpoint"
            | "verify_webhook_endpoint"
            | "pause_webhook_endpoint"
            | "resume_webhook_endpoint"
            | "list_deliveries"
            | "get_delivery"
            | "list_delivery_attempts"
            | "resend_delivery"
            | "list_audit_entries"
            | "get_audit_entry"
            | "get_audit_proof"
            | "export_audit_entries"
            | "list_audit_checkpoints"
            | "get_audit_consistency"
            | "list_access_keys"
            | "revoke_access_key"
            | "list_api_keys"
            | "get_api_key"
            | "revoke_api_key"
            | "list_revocations"
            | "delete_revocation"
            | "get_policy"
            | "list_teams"
            | "get_team"
            | "get_team_policy"
            | "delete_team_policy"
            | "get_default_policy"
            | "list_region_profiles"
            | "get_region_profile"
            | "delete_region_profile"
            | "list_issuers"
            | "get_issuer"
            | "delete_issuer"
            | "list_cloud_accounts"
            | "get_cloud_account"
            | "delete_cloud_account"
            | "get_me" => None,
            other => panic!("{other} has no case: give it one"),
        }
    }

    /// The path with this id, whatever the id is of.
    fn path_of(&self, id: &str) -> String {
        match &self.id_name {
            Some(name) => self.path.replace(&format!("{{{name}}}"), id),
            None if self.id == "get_audit_consistency" => format!("{}?first_size=1", self.path),
            None if self.id == "list_usage" => format!("{}?region=cn-beijing", self.path),
            None if self.id == "check_gate" => format!("{}?region=cn-beijing&image=nginx", self.path),
            None => self.path.clone(),
        }
    }

    fn request(&self, app: &TestGateway, id: &str) -> RequestBuilder {
        let request = app.bare(self.method.clone(), &self.path_of(id));
        match self.body() {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    /// The prefix of the ids in the path.
    fn prefix(&self) -> &'static str {
        match self.id_name.as_deref() {
            Some("image_cache_id") => "ic_",
            Some("operation_id") => "op_",
            Some("webhook_endpoint_id") => "we_",
            Some("delivery_id") => "dl_",
            Some("audit_entry_id") => "ae_",
            Some("access_key_id") => "LTAI",
            Some("api_key_id") => "ak_",
            Some("revocation_id") => "rv_",
            // The platform's, whatever the team: nobody's id is another team's.
            Some("team_id" | "region_profile_id" | "cloud_account_name" | "issuer_name") | None => "",
            Some(other) => panic!("{other} has no case: give it one"),
        }
    }

    /// Whether it is about the platform, which has no teams in it.
    fn is_platforms(&self) -> bool {
        self.id_name.as_ref().is_some_and(|name| PLATFORMS.contains(&&**name))
    }

    /// Something that [`TEAM`] really has.
    async fn owned(&self, app: &TestGateway) -> String {
        let list = match self.id_name.as_deref() {
            Some("access_key_id") => return made(app, "/v1/access-keys", &json!({})).await,
            Some("api_key_id") => return made(app, "/v1/api-keys", &json!({"name": "ci", "scopes": ["read"]})).await,
            Some("revocation_id") => return made(app, "/v1/revocations", &json!({"jti": "nobodys"})).await,
            Some("team_id") => return registered(app).await,
            Some("region_profile_id") => return profiled(app).await,
            Some("cloud_account_name") => return accounted(app).await,
            Some("issuer_name") => return trusted(app).await,
            Some("operation_id") => {
                return app.items("/v1/image-caches").await[0]["operation_id"].as_str().unwrap().to_owned();
            }
            Some("image_cache_id") => "/v1/image-caches",
            Some("webhook_endpoint_id") => "/v1/webhook-endpoints",
            Some("delivery_id") => "/v1/deliveries",
            Some("audit_entry_id") => "/v1/audit-entries",
            _ => return String::new(),
        };
        app.items(list).await[0]["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn nobody_gets_in_without_a_good_credential() {
    let app = TestGateway::start().await;
    let stale = app.token(TEAM, &SCOPES);
    app.advance(2 * 3_600);
    let good = app.token(TEAM, &SCOPES);
    let other = app.token("other", &SCOPES);
    // The claims of one token under the signature of another.
    let forged = format!("{}.{}", good.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    let entropy = Entropy::from_seed(9);
    let unknown = Presented::fresh(ApiKeyId::new(app.now(), &entropy), &entropy);
    for operation in operations() {
        let id = format!("{}{NOBODYS}", operation.prefix());
        let refused = async |request: RequestBuilder, code: &str| {
            let answer = Answer::of(request).await;
            answer.problem(401, code);
            assert!(answer.header("www-authenticate").starts_with("Bearer realm="), "{answer:?}");
            // Of these only a token of our issuer is somebody's.
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
                // A stream that is let in would go on.
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
    assert!(tried >= 800, "{tried}");
}

async fn is_refused(app: &TestGateway, operation: &Operation, answer: &Answer) {
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
    assert!(tried >= 80, "{tried}");
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
    let of_teams = |operation: &&Operation| operation.id_name.is_some() && !operation.is_platforms();
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
    assert_eq!(tried.len(), 7, "{tried:?}");
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
    // Usage is the account's, and no list in spite of its name; accounts are the platform's, one of them the operator's.
    let others = ["list_audit_entries", "list_usage", "list_cloud_accounts", "list_issuers"];
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
