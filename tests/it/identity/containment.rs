//! What remains after a credential was stolen, and how much its revocation covers.
#![cfg(test)]

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use super::api_keys::made;
use crate::platform::policy::{admin, register};
use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway};

async fn with(app: &TestGateway, credential: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let request = app.bare(method, path).bearer_auth(credential);
    Answer::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

async fn key_of(app: &TestGateway, credential: &str, scopes: &[&str]) -> (String, String) {
    let body = json!({"name": "ci", "scopes": scopes});
    let made = with(app, credential, Method::POST, "/v1/api-keys", Some(&body)).await.expect(201);
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

async fn me(app: &TestGateway, credential: &str) -> Answer {
    with(app, credential, Method::GET, "/v1/me", None).await
}

const KEYS: [Scope; 3] = [Scope::Read, Scope::Write, Scope::Keys];

#[tokio::test]
async fn a_key_ends_no_later_than_what_it_is_made_with() {
    let app = TestGateway::start().await;
    let token = app.token(TEAM, &KEYS);
    let create = async |path: &str, body: Value| with(&app, &token, Method::POST, path, Some(&body)).await;
    let end = app.now() + chrono::Duration::hours(1);
    for (path, body) in [("/v1/api-keys", json!({"name": "ci", "scopes": ["read"]})), ("/v1/access-keys", json!({}))] {
        let with_end = |end: chrono::DateTime<chrono::Utc>| {
            let mut body = body.clone();
            body["expires_at"] = json!(end);
            body
        };
        let made = create(path, body.clone()).await.expect(201);
        assert_eq!(made["expires_at"], json!(end), "{path}: as the token");
        let earlier = end - chrono::Duration::minutes(1);
        assert_eq!(create(path, with_end(earlier)).await.expect(201)["expires_at"], json!(earlier));
        let later = create(path, with_end(end + chrono::Duration::seconds(1))).await.problem(422, "invalid_request");
        assert_eq!(later["errors"][0]["pointer"], "/expires_at", "{later}");
        assert!(later["errors"][0]["detail"].as_str().unwrap().contains("max_key_life_days"), "{later}");
    }
    // The platform's security role may create one without an end; the policy may allow days.
    let platform = app.token(TEAM, &[Scope::Read, Scope::Keys, Scope::PlatformSecurity]);
    let body = json!({"name": "ci", "scopes": ["read"]});
    let made = with(&app, &platform, Method::POST, "/v1/api-keys", Some(&body)).await.expect(201);
    assert_eq!(made.get("expires_at"), None, "{made}");
    register(&app, &json!({"max_key_life_days": 30})).await;
    let made = create("/v1/api-keys", body.clone()).await.expect(201);
    assert_eq!(made["expires_at"], json!(end), "who wants more says so");
    let most = app.now() + chrono::Duration::days(30);
    let long = json!({"name": "ci", "scopes": ["read"], "expires_at": most});
    assert_eq!(create("/v1/api-keys", long).await.expect(201)["expires_at"], json!(most));
    let far = json!({"name": "ci", "scopes": ["read"], "expires_at": app.now() + chrono::Duration::days(31)});
    let problem = create("/v1/api-keys", far).await.problem(422, "invalid_request");
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("30 days"), "{problem}");
}

#[tokio::test]
async fn nobody_takes_over_a_key_that_may_do_more() {
    let app = TestGateway::start().await;
    let (id, _) = made(&app, TEAM, &["read", "write", "webhooks"]).await;
    let access = with(&app, &app.token(TEAM, &KEYS), Method::POST, "/v1/access-keys", Some(&json!({}))).await;
    let access = access.expect(201)["id"].as_str().unwrap().to_owned();
    let token = app.token(TEAM, &[Scope::Read, Scope::Keys]);
    for path in [format!("/v1/api-keys/{id}/rotate"), format!("/v1/access-keys/{access}/rotate")] {
        let refused = with(&app, &token, Method::POST, &path, Some(&json!({}))).await;
        let problem = refused.problem(403, "key_has_more_scopes");
        assert!(problem["detail"].as_str().unwrap().contains("write"), "{problem}");
    }
    let more = with(&app, &token, Method::POST, "/v1/access-keys", Some(&json!({"scopes": ["read", "write"]}))).await;
    assert_eq!(more.problem(422, "invalid_request")["errors"][0]["pointer"], "/scopes/1");
    let all = app.token(TEAM, &Scope::TEAM);
    with(&app, &all, Method::POST, &format!("/v1/api-keys/{id}/rotate"), Some(&json!({}))).await.expect(200);
    // Revoking is not taking over.
    assert_eq!(with(&app, &token, Method::DELETE, &format!("/v1/api-keys/{id}"), None).await.status, 204);
}

/// A token was stolen, and used for everything that a thief would do with it.
#[tokio::test]
async fn a_stolen_token_takes_what_was_made_with_it_along() {
    let app = TestGateway::start().await;
    let second = app.second_gateway(Setup::default()).await;
    let (own, own_key) = made(&app, "other", &["read"]).await;
    let (turned, _) = made(&app, TEAM, &["read"]).await;
    let token = app.token(TEAM, &KEYS);
    let sql = "UPDATE api_keys SET created_by = 'somebody else', made_with = '{another}'";
    sqlx::query(sql).execute(app.sql()).await.unwrap();
    // A key, a key created with that key, an access key, and somebody else's key whose secret it replaced.
    let (first, first_key) = key_of(&app, &token, &["read", "keys"]).await;
    let (child, child_key) = key_of(&app, &first_key, &["read"]).await;
    let access = with(&app, &token, Method::POST, "/v1/access-keys", Some(&json!({}))).await.expect(201);
    let rotated = with(&app, &token, Method::POST, &format!("/v1/api-keys/{turned}/rotate"), Some(&json!({}))).await;
    let turned_key = rotated.expect(200)["key"].as_str().unwrap().to_owned();
    for key in [&first_key, &child_key, &turned_key, &own_key] {
        me(&second, key).await.expect(200);
    }
    app.advance(1);
    let revoked = admin(&app, Method::POST, "/v1/revocations", Some(&json!({"subject": "alice"}))).await.expect(201);
    let mut gone: Vec<&str> =
        revoked["revoked_api_keys"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let mut expected = vec![first.as_str(), child.as_str(), turned.as_str()];
    gone.sort_unstable();
    expected.sort_unstable();
    assert_eq!(gone, expected, "{own} stays");
    assert_eq!(revoked["revoked_access_keys"], json!([access["id"]]));
    for path in [format!("/v1/api-keys?team={TEAM}"), format!("/v1/access-keys?team={TEAM}")] {
        let keys = admin(&app, Method::GET, &path, None).await.expect(200);
        assert!(keys["items"].as_array().unwrap().iter().all(|key| key["revoked_with"] == revoked["id"]), "{keys}");
    }
    app.advance(1);
    for gateway in [&app, &second] {
        for key in [&first_key, &child_key, &turned_key] {
            me(gateway, key).await.problem(401, "api_key_revoked");
        }
        me(gateway, &own_key).await.expect(200);
        me(gateway, &token).await.problem(401, "token_revoked");
    }
    let sql = "SELECT parameters->>'revoked_keys' FROM audit_entries WHERE action = 'create_revocation'";
    let named: String = sqlx::query_scalar(sql).fetch_one(app.sql()).await.unwrap();
    assert!(expected.iter().all(|id| named.contains(id)), "{named}");
    assert_eq!(app.count("SELECT count(*) FROM access_keys WHERE secret = '' AND revoked_at IS NOT NULL").await, 1);
}

#[tokio::test]
async fn the_keys_may_be_kept_and_one_token_takes_its_own_only() {
    let app = TestGateway::start().await;
    let token = app.token(TEAM, &KEYS);
    let (_, key) = key_of(&app, &token, &["read"]).await;
    let keep = json!({"subject": "alice", "keep_keys": true});
    let revoked = admin(&app, Method::POST, "/v1/revocations", Some(&keep)).await.expect(201);
    assert_eq!(revoked["revoked_api_keys"], json!([]));
    me(&app, &key).await.expect(200);
    let other = json!({"jti": "token-of-nobody"});
    admin(&app, Method::POST, "/v1/revocations", Some(&other)).await.expect(201);
    me(&app, &key).await.expect(200);
    let jti = json!({"jti": format!("token-of-{TEAM}")});
    let revoked = admin(&app, Method::POST, "/v1/revocations", Some(&jti)).await.expect(201);
    assert_eq!(revoked["revoked_api_keys"].as_array().unwrap().len(), 1, "{revoked}");
    me(&app, &key).await.problem(401, "api_key_revoked");
    // A key is a subject too: it revokes itself.
    let (id, key) = made(&app, "other", &["read"]).await;
    let subject = json!({"subject": format!("api_key:{id}")});
    let revoked = admin(&app, Method::POST, "/v1/revocations", Some(&subject)).await.expect(201);
    assert_eq!(revoked["revoked_api_keys"], json!([id]));
    me(&app, &key).await.problem(401, "api_key_revoked");
}

#[tokio::test]
async fn a_team_withdraws_its_own_and_cannot_undo_the_platforms() {
    let app = TestGateway::start().await;
    let token = app.token_of_teams(&[TEAM, "other"], &KEYS);
    let as_team = |team: &'static str| {
        let request = app.bare(Method::GET, "/v1/me").bearer_auth(&token).header("x-team", team);
        async move { Answer::of(request).await }
    };
    let keeper = app.token("web", &[Scope::Keys]);
    let revoke = async |body: Value| with(&app, &keeper, Method::POST, "/v1/revocations", Some(&body)).await;
    let foreign = revoke(json!({"jti": "token-of-web-other", "team": "other"})).await.problem(422, "invalid_request");
    assert_eq!(foreign["errors"][0]["pointer"], "/team", "{foreign}");
    let own = revoke(json!({"jti": "token-of-web-other"})).await.expect(201);
    assert_eq!(own["team"], TEAM);
    as_team(TEAM).await.problem(401, "token_revoked");
    as_team("other").await.expect(200);
    let path = format!("/v1/revocations/{}", own["id"].as_str().unwrap());
    let others = app.token("other", &[Scope::Keys]);
    with(&app, &others, Method::DELETE, &path, None).await.problem(404, "not_found");
    assert_eq!(with(&app, &keeper, Method::DELETE, &path, None).await.status, 204);
    as_team(TEAM).await.expect(200);
    let platforms = json!({"jti": "token-of-web-other", "team": TEAM});
    let made = admin(&app, Method::POST, "/v1/revocations", Some(&platforms)).await.expect(201);
    let path = format!("/v1/revocations/{}", made["id"].as_str().unwrap());
    let seen = with(&app, &keeper, Method::GET, "/v1/revocations", None).await.expect(200);
    assert_eq!(seen["items"][0]["id"], made["id"], "the team sees it");
    with(&app, &keeper, Method::DELETE, &path, None).await.problem(404, "not_found");
    as_team(TEAM).await.problem(401, "token_revoked");
}

#[tokio::test]
async fn the_platform_sees_and_revokes_the_keys_of_any_team() {
    let app = TestGateway::start().await;
    let (id, key) = made(&app, TEAM, &["read"]).await;
    let security = app.token("platform", &[Scope::PlatformSecurity]);
    let get = async |path: &str| with(&app, &security, Method::GET, path, None).await;
    assert_eq!(get("/v1/api-keys").await.expect(200)["items"], json!([]), "its own team's");
    assert_eq!(get(&format!("/v1/api-keys?team={TEAM}")).await.expect(200)["items"][0]["id"], json!(id));
    get(&format!("/v1/api-keys/{id}")).await.expect(200);
    get("/v1/access-keys?team=other").await.expect(200);
    get("/v1/api-keys?team=No").await.problem(422, "invalid_request");
    let keeper = app.token("other", &[Scope::Keys]);
    for path in ["/v1/api-keys?team=web", "/v1/access-keys?team=web"] {
        with(&app, &keeper, Method::GET, path, None).await.problem(403, "scope_missing");
    }
    let path = format!("/v1/api-keys/{id}");
    with(&app, &keeper, Method::DELETE, &path, None).await.problem(404, "not_found");
    assert_eq!(with(&app, &security, Method::DELETE, &path, None).await.status, 204);
    me(&app, &key).await.problem(401, "api_key_revoked");
}

#[tokio::test]
async fn whoever_is_of_a_disabled_team_cannot_undo_it() {
    let app = TestGateway::start().await;
    admin(&app, Method::POST, "/v1/teams", Some(&json!({"id": TEAM, "display_name": "Web"}))).await.expect(201);
    let (_, key) = made(&app, TEAM, &["read", "write", "webhooks", "audit", "keys"]).await;
    let revoked = json!({"jti": "nobodys", "team": TEAM});
    let made = admin(&app, Method::POST, "/v1/revocations", Some(&revoked)).await.expect(201);
    let path = format!("/v1/teams/{TEAM}");
    admin(&app, Method::PATCH, &path, Some(&json!({"disabled": true}))).await.expect(200);
    let enable = json!({"disabled": false});
    for credential in [app.token(TEAM, &Scope::TEAM), key] {
        with(&app, &credential, Method::PATCH, &path, Some(&enable)).await.problem(403, "scope_missing");
        let delete = format!("/v1/revocations/{}", made["id"].as_str().unwrap());
        with(&app, &credential, Method::DELETE, &delete, None).await.problem(403, "team_disabled");
        with(&app, &credential, Method::POST, "/v1/api-keys", Some(&json!({"name": "x", "scopes": ["read"]})))
            .await
            .problem(403, "team_disabled");
    }
    // With a scope of the platform, the platform's operations still work, but none of the team's.
    let both = app.token(TEAM, &Scope::ALL);
    with(&app, &both, Method::GET, "/v1/image-caches", None).await.problem(403, "team_disabled");
    with(&app, &both, Method::PATCH, &path, Some(&enable)).await.expect(200);
    with(&app, &both, Method::GET, "/v1/image-caches", None).await.expect(200);
}

#[tokio::test]
async fn the_audit_of_all_teams_is_a_right_of_its_own() {
    let app = TestGateway::start().await;
    app.created().await;
    let own = app.token("platform", &[Scope::Audit]);
    let all = app.token("platform", &[Scope::PlatformAudit]);
    let teams = async |credential: &str, query: &str| {
        let page = with(&app, credential, Method::GET, &format!("/v1/audit-entries?limit=100{query}"), None).await;
        let page = page.expect(200);
        let teams = page["items"].as_array().unwrap().iter().map(|entry| entry["team"].to_string());
        teams.collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    me(&app, &own).await.expect(200);
    assert_eq!(teams(&own, "").await, ["\"platform\""]);
    for query in ["?team=web", "?team=*"] {
        for path in ["/v1/audit-entries", "/v1/audit-export"] {
            let refused = with(&app, &own, Method::GET, &format!("{path}{query}"), None).await;
            assert!(refused.problem(403, "scope_missing")["detail"].as_str().unwrap().contains("platform:audit"));
        }
    }
    assert_eq!(teams(&all, "&team=web").await, ["\"web\""]);
    let everybody = teams(&all, "&team=*").await;
    assert!(["\"platform\"", "\"web\""].iter().all(|team| everybody.contains(&(*team).to_owned())), "{everybody:?}");
    let page = with(&app, &all, Method::GET, "/v1/audit-entries?team=web", None).await.expect(200);
    let path = format!("/v1/audit-entries/{}", page["items"][0]["id"].as_str().unwrap());
    with(&app, &all, Method::GET, &path, None).await.expect(200);
    with(&app, &own, Method::GET, &path, None).await.problem(404, "not_found");
    let export = app.bare(Method::GET, "/v1/audit-export?team=*").bearer_auth(&all);
    let lines = export.send().await.unwrap().text().await.unwrap();
    assert!(lines.contains("\"team\":\"web\"") && lines.contains("\"team\":\"platform\""), "{lines}");
}

#[tokio::test]
async fn neither_a_deleted_link_nor_a_later_rotation_cuts_the_chain() {
    let app = TestGateway::start().await;
    let token = app.token(TEAM, &KEYS);
    let (first, first_key) = key_of(&app, &token, &["read", "keys"]).await;
    let (_, second_key) = key_of(&app, &first_key, &["read", "keys"]).await;
    let (_, third_key) = key_of(&app, &second_key, &["read"]).await;
    // The link between the token and what depends on it is deleted before the token is.
    let path = format!("/v1/api-keys/{first}");
    assert_eq!(with(&app, &second_key, Method::DELETE, &path, None).await.status, 204);
    // Somebody else's key that the token rotated, then the key itself, and then its owner.
    let (turned, _) = made(&app, TEAM, &["read", "keys"]).await;
    let sql = "UPDATE api_keys SET created_by = 'bob', made_with = '{bobs}' WHERE created_by = 'alice' AND revoked_at IS NULL";
    sqlx::query(sql).execute(app.sql()).await.unwrap();
    let rotate = format!("/v1/api-keys/{turned}/rotate");
    let stolen = with(&app, &token, Method::POST, &rotate, Some(&json!({}))).await.expect(200);
    let stolen = stolen["key"].as_str().unwrap().to_owned();
    let by_itself = with(&app, &stolen, Method::POST, &rotate, Some(&json!({"keep_old_hours": 0}))).await.expect(200);
    let last = by_itself["key"].as_str().unwrap().to_owned();
    me(&app, &last).await.expect(200);
    app.advance(1);
    let revoked = admin(&app, Method::POST, "/v1/revocations", Some(&json!({"subject": "alice"}))).await.expect(201);
    assert_eq!(revoked["revoked_api_keys"].as_array().unwrap().len(), 3, "{revoked}");
    for key in [&second_key, &third_key, &last] {
        me(&app, key).await.problem(401, "api_key_revoked");
    }
}

#[tokio::test]
async fn no_team_uses_up_the_platforms_revocations() {
    let app = TestGateway::start().await;
    let sql = "INSERT INTO revocations (id, jti, created_by, created_at, kept_until, team, by_platform)
        SELECT gen_random_uuid(), number::text, 'x', $1, $1 + interval '8 days', 'team-' || number % 20, false
        FROM generate_series(1, 10000) AS number";
    sqlx::query(sql).bind(app.now()).execute(app.sql()).await.unwrap();
    let (team, body) = (app.token("other", &[Scope::Keys]), json!({"jti": "a"}));
    let full = with(&app, &team, Method::POST, "/v1/revocations", Some(&body)).await;
    full.problem(409, "too_many_revocations");
    admin(&app, Method::POST, "/v1/revocations", Some(&json!({"jti": "a"}))).await.expect(201);
}

#[tokio::test]
async fn nobody_lets_an_issuer_give_scopes_of_the_platform_that_they_lack() {
    let app = TestGateway::start().await;
    let issuer = |scopes: Value| {
        let rule = json!({"name": "one", "match": {"/sub": ["one"]}, "team": {"fixed": TEAM}, "scopes": scopes});
        json!({"name": "added", "issuer": "https://added.example", "audiences": ["eci-cache-gateway"], "rules": [rule]})
    };
    let security = app.token("platform", &[Scope::PlatformSecurity]);
    for scopes in [
        json!({"fixed": ["read", "platform:accounts"]}),
        json!({"claims": ["/roles"], "table": {"root": ["platform:audit"]}}),
        json!({"claims": ["/scope"], "prefix": "eci:"}),
    ] {
        let put = with(&app, &security, Method::PUT, "/v1/issuers/added", Some(&issuer(scopes))).await;
        let problem = put.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/rules/0/scopes", "{problem}");
    }
    let own = issuer(json!({"fixed": ["read", "platform:security"]}));
    with(&app, &security, Method::PUT, "/v1/issuers/added", Some(&own)).await.expect(200);
}

#[tokio::test]
async fn times_that_no_database_keeps_are_refused_by_name() {
    let app = TestGateway::start().await;
    let all = app.token(TEAM, &Scope::ALL);
    let far = "-5000-01-01T00:00:00Z";
    for (path, body) in [
        ("/v1/revocations", json!({"subject": "x", "issued_before": far})),
        ("/v1/api-keys", json!({"name": "x", "scopes": ["read"], "expires_at": "+262142-12-31T00:00:00Z"})),
        ("/v1/webhook-endpoints/we_00000000000000000000000001/recover", json!({"created_after": far})),
        ("/v1/webhook-endpoints/we_00000000000000000000000001/replay", json!({"created_after": far})),
    ] {
        let refused = with(&app, &all, Method::POST, path, Some(&body)).await;
        assert!([400, 422].contains(&refused.status), "{path} {refused:?}");
    }
}
