//! Who manages teams and policies, and which policy applies to whom.
#![cfg(test)]

use eci_cache_gateway::app;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::policy::team::UnknownTeams;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{CONTACT, admin, body, refused_by, register, setup};
use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, Setup, TestGateway};

#[tokio::test]
async fn a_team_is_registered_changed_and_listed() {
    let app = TestGateway::with(setup()).await;
    let new = json!({"id": "web", "display_name": "Web", "contacts": ["web@example.com"]});
    let made = admin(&app, Method::POST, "/v1/teams", Some(&new)).await;
    assert_eq!(made.header("etag"), "\"v1\"");
    let made = made.expect(201);
    assert_eq!((&made["own_policy"], &made["disabled"], made.get("cost_centre")), (&json!(false), &json!(false), None));
    admin(&app, Method::POST, "/v1/teams", Some(&new)).await.problem(409, "team_exists");
    for (wrong, pointer) in [
        (json!({"id": "Web", "display_name": "x"}), "/id"),
        (json!({"id": "x", "display_name": ""}), "/display_name"),
        (json!({"id": "x", "display_name": "x", "policy": {"min_size_gib": 5}}), "/policy/min_size_gib"),
        (json!({"id": "x", "display_name": "x", "policy": {"colour": 5}}), "/policy/colour"),
    ] {
        let problem = admin(&app, Method::POST, "/v1/teams", Some(&wrong)).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let both = admin(&app, Method::POST, "/v1/teams", Some(&json!({"id": "x", "name": "X"}))).await;
    let problem = both.problem(422, "invalid_request");
    assert_eq!(
        (&problem["errors"][0]["pointer"], &problem["errors"][1]["pointer"]),
        (&json!("/name"), &json!("/display_name"))
    );
    let change = json!({"cost_centre": "4711"});
    let token = app.token("platform", &Scope::PLATFORM);
    let with =
        |tag: &str| app.bare(Method::PATCH, "/v1/teams/web").bearer_auth(&token).header("if-match", tag).json(&change);
    Answer::of(with("\"v9\"")).await.problem(412, "precondition_failed");
    let changed = Answer::of(with("\"v1\"")).await.expect(200);
    assert_eq!((&changed["cost_centre"], &changed["version"]), (&json!("4711"), &json!(2)));
    assert_eq!(admin(&app, Method::GET, "/v1/teams/web", None).await.expect(200), changed);
    assert_eq!(admin(&app, Method::GET, "/v1/teams?limit=1", None).await.expect(200)["items"], json!([changed]));
    admin(&app, Method::GET, "/v1/teams/other", None).await.problem(404, "not_found");
    let entries = "SELECT count(*) FROM audit_entries WHERE action IN ('create_team', 'update_team') AND outcome = 'succeeded' AND resource = 'web'";
    assert_eq!(app.count(entries).await, 2);
}

#[tokio::test]
async fn a_team_has_its_own_policy_or_the_default_one() {
    let app = TestGateway::with(setup()).await;
    let own = async || {
        let own = app.get("/v1/policy").await.expect(200);
        (own["source"].clone(), own["policy"]["max_size_gib"].clone())
    };
    assert_eq!(own().await, (json!("default"), Value::Null));
    let before = admin(&app, Method::GET, "/v1/default-policy", None).await.expect(200);
    assert_eq!((&before["source"], &before["version"]), (&json!("default"), &json!(1)));
    let put = admin(&app, Method::PUT, "/v1/default-policy", Some(&json!({"max_size_gib": 50}))).await.expect(200);
    assert_eq!(put["version"], 2);
    assert_eq!(own().await, (json!("default"), json!(50)));
    register(&app, &json!({"max_size_gib": 60})).await;
    assert_eq!(own().await, (json!("team"), json!(60)));
    let shown = admin(&app, Method::GET, "/v1/teams/web/policy", None).await.expect(200);
    assert_eq!((&shown["source"], &shown["policy"]), (&json!("team"), &json!({"max_size_gib": 60})));
    // At every gateway, at once.
    let second = app.second_gateway(setup()).await;
    let put = admin(&second, Method::PUT, "/v1/teams/web/policy", Some(&json!({"max_size_gib": 20}))).await.expect(200);
    assert_eq!(put["version"], 2);
    assert_eq!(
        refused_by(&app.post("/v1/image-caches", &body(&json!({"size_gib": 21}))).await),
        ["max_size_gib /size_gib"]
    );
    assert_eq!(admin(&app, Method::DELETE, "/v1/teams/web/policy", None).await.status, 204);
    assert_eq!(own().await, (json!("default"), json!(50)));
    admin(&app, Method::PUT, "/v1/teams/other/policy", Some(&json!({}))).await.problem(404, "not_found");
    let wrong = json!({"max_retention_days": 0});
    admin(&app, Method::PUT, "/v1/default-policy", Some(&wrong)).await.problem(422, "invalid_request");
}

#[tokio::test]
async fn without_any_policy_everything_of_the_account_is_closed() {
    let app = TestGateway::with(setup()).await;
    sqlx::query("DELETE FROM default_policy").execute(app.sql()).await.unwrap();
    assert_eq!(app.get("/v1/policy").await.expect(200)["source"], "built_in");
    assert_eq!(
        refused_by(&app.post("/v1/image-caches", &body(&json!({"vswitch_ids": ["vsw-1"]}))).await),
        ["vswitch_ids /vswitch_ids/0"]
    );
    app.created().await;
    // `dev` opens it, once.
    app.gateway.platform().ensure_open_policy().await.unwrap();
    app.post("/v1/image-caches", &body(&json!({"name": "b", "vswitch_ids": ["vsw-1"]}))).await.expect(201);
    admin(&app, Method::PUT, "/v1/default-policy", Some(&json!({"regions": []}))).await.expect(200);
    app.gateway.platform().ensure_open_policy().await.unwrap();
    assert_eq!(refused_by(&app.create("nginx").await), ["regions /region"]);
}

#[tokio::test]
async fn nobody_registered_may_be_nobody_welcome() {
    let settings = app::GatewaySettings { unknown_teams: UnknownTeams::Refuse, ..setup().settings };
    let app = TestGateway::with(Setup { settings, ..Setup::default() }).await;
    assert_eq!(refused_by(&app.create("nginx").await), ["unregistered_team"]);
    assert_eq!(app.items("/v1/image-caches").await.len(), 0, "reading is not creating");
    let new = json!({"id": "web", "display_name": "Web"});
    admin(&app, Method::POST, "/v1/teams", Some(&new)).await.expect(201);
    app.create("nginx").await.expect(201);
}

#[tokio::test]
async fn whoever_comes_after_a_quiet_while_waits_for_the_list_of_disabled_teams() {
    let app = TestGateway::with(setup()).await;
    app.get("/v1/me").await.expect(200);
    app.advance(7);
    for answer in join_all((0..12).map(|_| app.get("/v1/me"))).await {
        answer.expect(200);
    }
}

#[tokio::test]
async fn a_disabled_team_is_refused_everywhere_within_a_second() {
    let app = TestGateway::with(setup()).await;
    let second = app.second_gateway(setup()).await;
    register(&app, &json!({})).await;
    let id = app.created().await;
    second.get("/v1/image-caches").await.expect(200);
    let disable = async |disabled: bool| {
        admin(&app, Method::PATCH, "/v1/teams/web", Some(&json!({"disabled": disabled}))).await.expect(200)
    };
    assert!(disable(true).await["disabled_at"].is_string());
    let problem = app.get(&format!("/v1/image-caches/{id}")).await.problem(403, "team_disabled");
    assert_eq!(problem["contact"], CONTACT);
    app.get("/v1/me").await.problem(403, "team_disabled");
    app.create("nginx").await.problem(403, "team_disabled");
    app.advance(1);
    second.get("/v1/image-caches").await.problem(403, "team_disabled");
    // With a platform scope, a member of the same team can undo it, but do nothing for the team.
    let scopes = [&SCOPES[..], &Scope::PLATFORM].concat();
    let as_admin = |method, path: &str| app.bare(method, path).bearer_auth(app.token("web", &scopes));
    Answer::of(as_admin(Method::GET, "/v1/me")).await.expect(200);
    let create = as_admin(Method::POST, "/v1/image-caches").json(&body(&json!({})));
    Answer::of(create).await.problem(403, "team_disabled");
    let other = app.bare(Method::GET, "/v1/me").bearer_auth(app.token("other", &SCOPES));
    Answer::of(other).await.expect(200);
    disable(false).await;
    app.until(&id, "ready").await;
}

#[tokio::test]
async fn while_the_teams_cannot_be_read_the_last_list_counts_for_a_while() {
    let app = TestGateway::with(setup()).await;
    register(&app, &json!({})).await;
    let me = async || Answer::of(app.bare(Method::GET, "/v1/me").bearer_auth(app.token("web", &SCOPES))).await;
    me().await.expect(200);
    sqlx::query("ALTER TABLE teams RENAME TO away").execute(app.sql()).await.unwrap();
    for _ in 0..4 {
        app.advance(1);
        me().await.expect(200);
        me().await.expect(200);
    }
    app.advance(1);
    for _ in 0..2 {
        me().await.problem(503, "credentials_unavailable");
    }
    sqlx::query("ALTER TABLE away RENAME TO teams").execute(app.sql()).await.unwrap();
    app.advance(1);
    me().await.expect(200);
}

#[tokio::test]
async fn a_team_that_nobody_registered_can_be_disabled() {
    let app = TestGateway::with(setup()).await;
    let second = app.second_gateway(setup()).await;
    let patch =
        async |team: &str, body: Value| admin(&app, Method::PATCH, &format!("/v1/teams/{team}"), Some(&body)).await;
    // A team that was never active here may be a typing error.
    patch("web", json!({"disabled": true})).await.problem(404, "not_found");
    second.get("/v1/image-caches").await.expect(200);
    for other in [json!({"disabled": false}), json!({"display_name": "Web"})] {
        patch("web", other).await.problem(404, "not_found");
    }
    let tagged = app.bare(Method::PATCH, "/v1/teams/web").bearer_auth(app.token("platform", &Scope::PLATFORM));
    let tagged = tagged.header("if-match", "\"v1\"").json(&json!({"disabled": true}));
    Answer::of(tagged).await.problem(412, "precondition_failed");
    let made = patch("web", json!({"disabled": true})).await.expect(200);
    assert_eq!((&made["display_name"], &made["disabled"], &made["version"]), (&json!("web"), &json!(true), &json!(1)));
    app.get("/v1/image-caches").await.problem(403, "team_disabled");
    app.advance(1);
    second.get("/v1/image-caches").await.problem(403, "team_disabled");
    patch("web", json!({"disabled": false})).await.expect(200);
    app.get("/v1/image-caches").await.expect(200);
    let entries = "SELECT count(*) FROM audit_entries WHERE action = 'update_team' AND outcome = 'succeeded' AND resource = 'web'";
    assert_eq!(app.count(entries).await, 2);
    // A team can be registered as disabled before it is ever active.
    let new = json!({"id": "other", "display_name": "Other", "disabled": true});
    assert!(admin(&app, Method::POST, "/v1/teams", Some(&new)).await.expect(201)["disabled_at"].is_string());
    let other = app.bare(Method::GET, "/v1/me").bearer_auth(app.token("other", &SCOPES));
    Answer::of(other).await.problem(403, "team_disabled");
}

#[tokio::test]
async fn only_administrators_keep_them() {
    let app = TestGateway::with(setup()).await;
    for (method, path) in [
        (Method::GET, "/v1/teams"),
        (Method::PUT, "/v1/teams/web/policy"),
        (Method::PUT, "/v1/default-policy"),
        (Method::PUT, "/v1/region-profiles/default:cn-beijing"),
    ] {
        Answer::of(app.request(method, path).json(&json!({}))).await.problem(403, "scope_missing");
    }
}
