//! The lifecycle of an API key: created, used, rotated, revoked, at this and another gateway.
#![cfg(test)]

use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::api_key::PresentedKey;
use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway, new_cache};

/// A request of `team`'s administrator.
pub(crate) async fn admin(app: &TestGateway, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let request = app.bare(method, path).bearer_auth(app.token(TEAM, &Scope::ALL));
    Answer::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

/// Creates a key of `team`; returns its id and the key itself.
pub(crate) async fn made(app: &TestGateway, team: &str, scopes: &[&str]) -> (String, String) {
    let create = app.bare(Method::POST, "/v1/api-keys").bearer_auth(app.token(team, &Scope::ALL));
    let made = Answer::of(create.json(&json!({"name": "ci", "scopes": scopes}))).await.expect(201);
    (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned())
}

async fn me(app: &TestGateway, key: &str) -> Answer {
    Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(key)).await
}

#[tokio::test]
async fn a_key_acts_for_its_team_with_its_scopes() {
    let app = TestGateway::start().await;
    let (id, key) = made(&app, TEAM, &["read", "write"]).await;
    assert!(id.starts_with("ak_") && key.starts_with("ecg_") && key.len() == 68, "{id}");
    let seen = me(&app, &key).await.expect(200);
    let subject = format!("api_key:{id}");
    assert_eq!(seen, json!({"team": TEAM, "subject": subject, "credential_id": id, "scopes": ["read", "write"]}));
    let create = app.bare(Method::POST, "/v1/image-caches").bearer_auth(&key).json(&new_cache("nginx"));
    Answer::of(create).await.expect(201);
    let refused = Answer::of(app.bare(Method::GET, "/v1/audit-entries").bearer_auth(&key)).await;
    refused.problem(403, "scope_missing");
    let with_team = |team: &str| app.bare(Method::GET, "/v1/me").bearer_auth(&key).header("x-team", team);
    Answer::of(with_team(TEAM)).await.expect(200);
    Answer::of(with_team("other")).await.problem(401, "wrong_team");
    let sql = "SELECT string_agg(DISTINCT credential, ' ') FROM audit_entries WHERE subject LIKE 'api\\_key:%'";
    let named: String = sqlx::query_scalar(sql).fetch_one(app.sql()).await.unwrap();
    assert_eq!(named, id, "the audit names the key");
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_as_a_hash() {
    let app = TestGateway::start().await;
    let (id, key) = made(&app, TEAM, &["read"]).await;
    let path = format!("/v1/api-keys/{id}");
    let shown = admin(&app, Method::GET, &path, None).await.expect(200);
    let now = app.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let expected =
        json!({"id": id, "team": TEAM, "name": "ci", "scopes": ["read"], "created_by": "alice", "created_at": now});
    assert_eq!(shown, expected);
    let list = admin(&app, Method::GET, "/v1/api-keys", None).await.expect(200);
    assert_eq!(list["items"], json!([expected]));
    let kept: String = sqlx::query_scalar("SELECT t::text FROM api_keys t").fetch_one(app.sql()).await.unwrap();
    assert!(!kept.contains(&key[30..62]), "{kept}");
    let audit: String =
        sqlx::query_scalar("SELECT string_agg(t::text, ' ') FROM audit_entries t").fetch_one(app.sql()).await.unwrap();
    assert!(audit.contains(&id) && !audit.contains(&key[30..62]), "{audit}");
    // Its use is recorded in the background, and then not again for a minute.
    me(&app, &key).await.expect(200);
    while app.count("SELECT count(last_used_at) FROM api_keys").await == 0 {
        tokio::task::yield_now().await;
    }
    let shown = admin(&app, Method::GET, &path, None).await.expect(200);
    assert_eq!(shown["last_used_at"], now);
}

#[tokio::test]
async fn nobody_gives_more_than_they_have() {
    let app = TestGateway::start().await;
    let create = async |scopes: &[Scope], body: Value| {
        Answer::of(app.bare(Method::POST, "/v1/api-keys").bearer_auth(app.token(TEAM, scopes)).json(&body)).await
    };
    let refused = async |body: Value, field: &str| {
        let problem = create(&[Scope::Keys, Scope::Read], body).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], field, "{problem}");
    };
    refused(json!({"name": "ci", "scopes": ["read", "write"]}), "/scopes/1").await;
    refused(json!({"name": "ci", "scopes": ["root"]}), "/scopes/0").await;
    refused(json!({"name": "ci", "scopes": []}), "/scopes").await;
    refused(json!({"name": "", "scopes": ["read"]}), "/name").await;
    refused(json!({"name": "a\u{0}b", "scopes": ["read"]}), "/name").await;
    refused(json!({"name": "ci", "scopes": ["read"], "expires_at": app.now()}), "/expires_at").await;
    let made = create(&[Scope::Keys], json!({"name": "ci", "scopes": ["keys"]})).await.expect(201);
    let key = made["key"].as_str().unwrap();
    let again = app.bare(Method::POST, "/v1/api-keys").bearer_auth(key).json(&json!({"name": "x", "scopes": ["read"]}));
    Answer::of(again).await.problem(422, "invalid_request");
    let sql = "INSERT INTO api_keys (id, team, name, scopes, hash, created_by, created_at)
        SELECT gen_random_uuid(), $1, 'x', '{}', '', 'x', now() FROM generate_series(1, 99)";
    sqlx::query(sql).bind(TEAM).execute(app.sql()).await.unwrap();
    create(&[Scope::Keys], json!({"name": "ci", "scopes": ["keys"]})).await.problem(409, "too_many_api_keys");
}

#[tokio::test]
async fn only_the_secret_itself_is_taken_and_only_while_it_is_good() {
    let app = TestGateway::start().await;
    let (id, _) = made(&app, TEAM, &["read"]).await;
    let forged = PresentedKey::fresh(id.parse().unwrap(), &Entropy::from_seed(1));
    me(&app, forged.text.expose_secret()).await.problem(401, "api_key_unknown");
    let expires_at = app.now() + chrono::Duration::hours(1);
    let body = json!({"name": "short", "scopes": ["read"], "expires_at": expires_at});
    let short = admin(&app, Method::POST, "/v1/api-keys", Some(&body)).await.expect(201);
    let key = short["key"].as_str().unwrap();
    app.advance(3_599);
    me(&app, key).await.expect(200);
    app.advance(1);
    me(&app, key).await.problem(401, "api_key_expired");
}

#[tokio::test]
async fn rotation_lets_both_in_until_the_old_ones_time_is_over() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let (id, first) = made(&app, TEAM, &["read"]).await;
    me(&other, &first).await.expect(200);
    let rotate = format!("/v1/api-keys/{id}/rotate");
    let turned = admin(&app, Method::POST, &rotate, Some(&json!({"keep_old_hours": 2}))).await.expect(200);
    let second = turned["key"].as_str().unwrap().to_owned();
    assert_eq!(turned["old_key_until"], json!(app.now() + chrono::Duration::hours(2)));
    // The other gateway read it just before the rotation.
    app.set_clock(app.now() + chrono::Duration::milliseconds(100));
    for gateway in [&app, &other] {
        for key in [&first, &second] {
            assert_eq!(me(gateway, key).await.expect(200)["credential_id"], id);
        }
    }
    app.advance(2 * 3_600);
    for gateway in [&app, &other] {
        me(gateway, &first).await.problem(401, "api_key_expired");
        me(gateway, &second).await.expect(200);
    }
    let turned = admin(&app, Method::POST, &rotate, Some(&json!({}))).await.expect(200);
    let third = turned["key"].as_str().unwrap().to_owned();
    let turned = admin(&app, Method::POST, &rotate, Some(&json!({"keep_old_hours": 0}))).await.expect(200);
    assert!(turned.get("old_key_until").is_none(), "{turned}");
    for gone in [&first, &second, &third] {
        me(&app, gone).await.problem(401, "api_key_expired");
    }
    me(&app, turned["key"].as_str().unwrap()).await.expect(200);
    admin(&app, Method::POST, &rotate, Some(&json!({"keep_old_hours": 169}))).await.problem(422, "invalid_request");
}

#[tokio::test]
async fn a_rotation_needs_no_body() {
    let app = TestGateway::start().await;
    let (id, first) = made(&app, TEAM, &["read"]).await;
    let access = admin(&app, Method::POST, "/v1/access-keys", Some(&json!({}))).await.expect(201);
    let (endpoint, _) = app.endpoint("http://127.0.0.1:9/hook").await;
    let day = json!(app.now() + chrono::Duration::hours(24));
    let turned = admin(&app, Method::POST, &format!("/v1/api-keys/{id}/rotate"), None).await.expect(200);
    assert_eq!(turned["old_key_until"], day);
    me(&app, &first).await.expect(200);
    let path = format!("/v1/access-keys/{}/rotate", access["id"].as_str().unwrap());
    assert_eq!(admin(&app, Method::POST, &path, None).await.expect(200)["old_secret_until"], day);
    let path = format!("/v1/webhook-endpoints/{endpoint}/rotate-secret");
    assert_eq!(admin(&app, Method::POST, &path, None).await.expect(200)["old_secret_until"], day);
    admin(&app, Method::POST, &format!("{path}?keep_old_hours=0"), None).await.problem(422, "invalid_request");
    admin(&app, Method::POST, "/v1/api-keys", None).await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn the_platform_makes_a_team_its_first_key() {
    let app = TestGateway::start().await;
    let create = async |scopes: &[Scope], body: Value| {
        let request = app.bare(Method::POST, "/v1/api-keys").bearer_auth(app.token("platform", scopes));
        Answer::of(request.json(&body)).await
    };
    let security = [Scope::Keys, Scope::Read, Scope::PlatformSecurity];
    let body = |scopes: Value| json!({"name": "first", "scopes": scopes, "team": TEAM});
    let first = create(&security, body(json!(["keys", "read"]))).await.expect(201);
    assert_eq!((&first["team"], first.get("expires_at")), (&json!(TEAM), None));
    let key = first["key"].as_str().unwrap();
    assert_eq!(me(&app, key).await.expect(200)["team"], TEAM);
    let list = Answer::of(app.bare(Method::GET, "/v1/api-keys").bearer_auth(key)).await.expect(200);
    assert_eq!(list["items"][0]["created_by"], "alice", "the team sees it, and by whom");
    let sql = "SELECT concat_ws(' ', team, resource, parameters->>'team') FROM audit_entries
        WHERE action = 'create_api_key' AND outcome = 'succeeded'";
    let entry: String = sqlx::query_scalar(sql).fetch_one(app.sql()).await.unwrap();
    assert_eq!(entry, format!("platform {} {TEAM}", first["id"].as_str().unwrap()));
    // Only the platform's security role may, and grants no more than it has.
    for (scopes, asked, field) in [
        (&[Scope::Keys, Scope::Read, Scope::PlatformPolicy][..], json!(["read"]), "/team"),
        (&security, json!(["read", "write"]), "/scopes/1"),
    ] {
        let problem = create(scopes, body(asked)).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], field, "{problem}");
    }
    create(&[Scope::Read, Scope::PlatformSecurity], body(json!(["read"]))).await.problem(403, "scope_missing");
    let own = json!({"name": "own", "scopes": ["read"], "team": "platform"});
    assert_eq!(create(&[Scope::Keys, Scope::Read], own).await.expect(201)["team"], "platform");
}

#[tokio::test]
async fn a_revoked_key_is_refused_everywhere_within_a_second() {
    let app = TestGateway::start().await;
    let other = app.second_gateway(Setup::default()).await;
    let (id, key) = made(&app, TEAM, &["read"]).await;
    for gateway in [&app, &other] {
        me(gateway, &key).await.expect(200);
    }
    let path = format!("/v1/api-keys/{id}");
    assert_eq!(admin(&app, Method::DELETE, &path, None).await.status, 204);
    me(&app, &key).await.problem(401, "api_key_revoked");
    me(&other, &key).await.expect(200);
    app.advance(1);
    me(&other, &key).await.problem(401, "api_key_revoked");
    let shown = admin(&app, Method::GET, &path, None).await.expect(200);
    assert!(shown["revoked_at"].is_string(), "{shown}");
    let rotate = format!("{path}/rotate");
    admin(&app, Method::POST, &rotate, Some(&json!({}))).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_hot_key_costs_a_query_a_second() {
    let app = TestGateway::start().await;
    let (_, key) = made(&app, TEAM, &["read"]).await;
    me(&app, &key).await.expect(200);
    sqlx::query("ALTER TABLE api_keys RENAME TO away").execute(app.sql()).await.unwrap();
    for _ in 0..20 {
        me(&app, &key).await.expect(200);
    }
    app.advance(4);
    me(&app, &key).await.expect(200);
    app.advance(1);
    me(&app, &key).await.problem(503, "credentials_unavailable");
    sqlx::query("ALTER TABLE away RENAME TO api_keys").execute(app.sql()).await.unwrap();
    app.advance(1);
    me(&app, &key).await.expect(200);
}

#[tokio::test]
async fn the_first_key_is_made_on_the_command_line() {
    let app = TestGateway::start().await;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    command.args(["api-key", "--team", TEAM, "--scope", "keys,read", "--days", "1"]).env_clear();
    let numbers = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    for (name, value) in [
        ("DATABASE_URL", app.database_url().await.as_str()),
        ("CLOUD_ACCESS_KEY_ID", "id"),
        ("CLOUD_ACCESS_KEY_SECRET", "secret"),
        ("AUTH_ISSUER", "https://issuer.example"),
        ("AUTH_AUDIENCE", "eci-cache-gateway"),
        ("AUTH_HS256_SECRET", numbers),
        ("KEYS_MASTER", numbers),
        ("KEYS_AUDIT", numbers),
    ] {
        command.env(format!("ECG_{name}"), value);
    }
    let made = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(made.status.success(), "{made:?}");
    let key = PresentedKey::parse(std::str::from_utf8(&made.stdout).unwrap().trim()).unwrap();
    let list = admin(&app, Method::GET, "/v1/api-keys", None).await.expect(200);
    let shown = &list["items"][0];
    assert_eq!((shown["id"].as_str(), &shown["scopes"]), (Some(&*key.id.to_string()), &json!(["keys", "read"])));
    assert!(shown["expires_at"].is_string(), "{shown}");
    let sql = "SELECT count(*) FROM audit_entries WHERE door = 'cli' AND action = 'create_api_key'";
    assert_eq!(app.count(sql).await, 1);
}
