//! One budget of calls for each account: how it is shared, and how throttling affects it.

use eci_cache_gateway::domain::identity::caller::Scope;
use reqwest::Method;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, Setup, TEAM, TestGateway, new_cache};

/// An account that accepts this many calls per second.
fn bearing(calls_per_second: f64) -> Setup {
    let mut setup = Setup::default();
    setup.settings.calls.calls_per_second = calls_per_second;
    setup
}

/// Requests a cache without waiting; then waits for everything that was started.
async fn ask(app: &TestGateway, team: &str) -> Answer {
    let scopes: &[Scope] = &SCOPES;
    let request = app.bare(Method::POST, "/v1/image-caches").bearer_auth(app.token(team, scopes));
    let answer = Answer::of(request.header("prefer", "wait=0").json(&new_cache("nginx:1.27"))).await;
    app.gateway.base().drain().await;
    answer
}

async fn set_budget(app: &TestGateway, common: f64, reserve: f64) {
    let sql = "UPDATE cloud_budgets SET common = $1, reserve = $2, version = version + 1";
    sqlx::query(sql).bind(common).bind(reserve).execute(app.sql()).await.unwrap();
}

async fn rate(app: &TestGateway) -> f64 {
    sqlx::query_scalar("SELECT rate FROM cloud_budgets").fetch_one(app.sql()).await.unwrap()
}

async fn looks(app: &TestGateway) -> u64 {
    app.ledger().await["calls"]["DescribeImageCaches"].as_u64().unwrap_or(0)
}

#[tokio::test]
async fn throttling_halves_the_rate_and_it_recovers() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    assert!((rate(&app).await - 50.0).abs() < 0.1);
    app.fault(&json!({"action": "DescribeImageCaches", "kind": "throttle"})).await;
    app.advance(2);
    app.drain().await;
    assert!((rate(&app).await - 25.0).abs() < 0.1, "{}", rate(&app).await);
    app.advance(2);
    app.drain().await;
    assert_eq!(looks(&app).await, 1, "the group rests");
    app.until(&id, "ready").await;
    app.advance(120);
    app.created().await;
    assert!((rate(&app).await - 50.0).abs() < 0.1, "forgiven");
}

#[tokio::test]
async fn a_throttled_create_slows_everyone_down_and_is_not_lost() {
    let app = TestGateway::start().await;
    app.fault(&json!({"action": "CreateImageCache", "kind": "throttle"})).await;
    ask(&app, TEAM).await.expect(202);
    assert!(rate(&app).await < 26.0);
    let id = app.only_cache().await["id"].as_str().unwrap().to_owned();
    app.until(&id, "ready").await;
    assert_eq!(app.creations().await, 1);
}

#[tokio::test]
async fn two_gateways_draw_from_one_budget() {
    let app = TestGateway::with(bearing(1.0)).await;
    let other = app.second_gateway(bearing(1.0)).await;
    for _ in 0..12 {
        ask(&app, TEAM).await;
        ask(&other, TEAM).await;
    }
    // The budget holds ten seconds of calls, whoever makes them.
    let at_once = app.count("SELECT count(*) FROM operation_attempts").await;
    assert!((2..=10).contains(&at_once), "{at_once}");
    for _ in 0..10 {
        app.advance(10);
        app.drain().await;
        other.drain().await;
    }
    assert_eq!(app.creations().await, 24, "all of them, in their time");
}

async fn rename(app: &TestGateway, from: &str, to: &str) {
    sqlx::query(AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"))).execute(app.sql()).await.unwrap();
}

#[tokio::test]
async fn what_was_drawn_is_spent_within_a_second_and_nothing_more_while_the_budget_cannot_be_read() {
    let app = TestGateway::start().await;
    // Consecutive changes draw a few more.
    for _ in 0..2 {
        ask(&app, TEAM).await.expect(202);
    }
    rename(&app, "cloud_budgets", "away").await;
    let (before, mut more) = (app.creations().await, 0);
    while ask(&app, TEAM).await.status == 202 && app.creations().await == before + more + 1 {
        more += 1;
    }
    assert!((1..=64).contains(&more), "{more} calls more");
    rename(&app, "away", "cloud_budgets").await;
    app.advance(1);
    for _ in 0..2 {
        ask(&app, TEAM).await.expect(202);
    }
    let before = app.creations().await;
    rename(&app, "cloud_budgets", "away").await;
    app.advance(1);
    ask(&app, TEAM).await;
    assert_eq!(app.creations().await, before, "what is not spent within a second is let go");
    rename(&app, "away", "cloud_budgets").await;
}

#[tokio::test]
async fn what_is_kept_for_changes_no_look_may_use() {
    let app = TestGateway::with(bearing(1.0)).await;
    let id = app.created().await;
    app.advance(2);
    set_budget(&app, -2.0, 1.0).await;
    app.drain().await;
    assert_eq!(looks(&app).await, 0, "the looks' share is used up");
    app.created().await;
    assert_eq!(app.creations().await, 2, "a create is not");
    app.until(&id, "ready").await;
}

#[tokio::test]
async fn a_team_with_many_creates_does_not_make_another_wait() {
    let app = TestGateway::with(bearing(0.1)).await;
    // The only available call goes to the other team, or to nobody.
    for _ in 0..40 {
        ask(&app, "crowd").await;
    }
    ask(&app, TEAM).await;
    assert_eq!(app.count("SELECT count(*) FROM operations WHERE team = 'web' AND state = 'running'").await, 1);
    for _ in 0..2 {
        app.advance(60);
        app.drain().await;
    }
    assert_eq!(app.count("SELECT count(*) FROM operations WHERE team = 'web' AND state = 'running'").await, 0);
    assert!(app.count("SELECT count(*) FROM operations WHERE state = 'running'").await > 30, "the crowd still waits");
}
