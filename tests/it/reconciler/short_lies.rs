//! Lies that end soon: what they did to caches and alarms does not wait for the next complete list.

use super::*;
use crate::support::degraded::degraded;

/// No list can be read to its end any more.
async fn without_lists(app: &TestGateway) {
    sqlx::query("UPDATE reconcile_groups SET list_at = list_at + interval '1 day'").execute(app.sql()).await.unwrap();
}

async fn looks(app: &TestGateway) -> u64 {
    app.ledger().await["calls"]["DescribeImageCaches"].as_u64().unwrap()
}

/// So many seconds later, the tracker and the reconciler do what is due.
async fn pass(app: &TestGateway, seconds: i64) {
    app.advance(seconds);
    app.drain().await;
    compare(app).await;
}

async fn lose(app: &TestGateway, id: &str) {
    made_outside(app, "other").await;
    let imc = imc(app, id).await;
    let hidden = json!({"action": "DescribeImageCaches", "kind": "left_out", "id": imc, "times": 900});
    app.fault(&hidden).await;
    turn(app).await;
    assert_eq!(last_step(app, id).await, "ready lost deleted_elsewhere");
}

#[tokio::test]
async fn what_was_lost_a_moment_ago_is_looked_up_again_without_a_list() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({})).await;
    lose(&app, &id).await;
    app.forget_faults().await;
    without_lists(&app).await;
    pass(&app, 59).await;
    assert_eq!(app.cache(&id).await["status"], "lost", "until the lag is over, a look may show what was");
    let before = looks(&app).await;
    pass(&app, 1).await;
    assert_eq!(last_step(&app, &id).await, "lost ready shown_again");
    assert_eq!(looks(&app).await - before, 1);
    assert_eq!(findings(&app, &id).await, ["shown_again", "deleted_elsewhere"]);
    assert_eq!(events_of(&app, "revived").await.len(), 1);
}

#[tokio::test]
async fn what_is_lost_in_earnest_costs_three_looks() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({})).await;
    lose(&app, &id).await;
    without_lists(&app).await;
    let before = looks(&app).await;
    for _ in 0..60 {
        pass(&app, 30).await;
    }
    assert_eq!(app.cache(&id).await["status"], "lost");
    assert_eq!(looks(&app).await - before, 3, "after a minute, five and fifteen");
}

#[tokio::test]
async fn what_is_shown_again_is_believed_while_an_alarm_stands() {
    let app = TestGateway::start().await;
    let id = ready(&app, &json!({})).await;
    lose(&app, &id).await;
    let alarm = "INSERT INTO mass_vanishings (account, region, since, seen_at, known, missing, listed)
                 VALUES ('default', 'cn-beijing', now(), now(), 9, 9, 0)";
    sqlx::query(alarm).execute(app.sql()).await.unwrap();
    app.forget_faults().await;
    without_lists(&app).await;
    pass(&app, 60).await;
    assert_eq!(last_step(&app, &id).await, "lost ready shown_again");
    assert_eq!(degraded(&app).await.len(), 1);
}

/// That many rounds of the tracker, half a minute apart.
async fn rounds(app: &TestGateway, count: usize) {
    for _ in 0..count {
        app.advance(30);
        app.drain().await;
    }
}

/// An image cache that is being deleted, while it and three others are hidden.
async fn deleted_among_hidden(app: &TestGateway) -> String {
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(ready(app, &json!({"name": format!("web-{number}")})).await);
    }
    turn(app).await;
    let removed = ids.pop().unwrap();
    app.lie(100).await;
    app.delete(&format!("/v1/image-caches/{removed}")).await.expect(200);
    removed
}

#[tokio::test]
async fn an_alarm_that_lookups_raised_ends_by_lookups() {
    let app = TestGateway::start().await;
    let removed = deleted_among_hidden(&app).await;
    rounds(&app, 4).await;
    assert_eq!(degraded(&app).await.len(), 1);
    assert_eq!(app.cache(&removed).await["status"], "deleting");

    // The lie ends, and no list can be read.
    without_lists(&app).await;
    app.tell_the_truth().await;
    rounds(&app, 2).await;
    assert_eq!(app.cache(&removed).await["status"], "deleted");
    assert_eq!(degraded(&app).await, [] as [&str; 0]);
}

#[tokio::test]
async fn an_alarm_that_a_list_raised_ends_by_a_list_only() {
    let app = TestGateway::start().await;
    let removed = deleted_among_hidden(&app).await;
    pass(&app, TURN).await;
    without_lists(&app).await;
    app.tell_the_truth().await;
    rounds(&app, 4).await;
    assert_eq!(app.cache(&removed).await["status"], "deleting");
    assert_eq!(degraded(&app).await.len(), 1);
    sqlx::query("UPDATE reconcile_groups SET list_at = due_at").execute(app.sql()).await.unwrap();
    pass(&app, TURN).await;
    pass(&app, 30).await;
    assert_eq!(app.cache(&removed).await["status"], "deleted");
    assert_eq!(degraded(&app).await, [] as [&str; 0]);
}

#[tokio::test]
async fn a_build_is_lost_only_after_two_lookups_that_are_apart() {
    let app = TestGateway::start().await;
    ready(&app, &json!({"name": "other"})).await;
    let id = app.created().await;
    app.advance(2);
    app.drain().await;
    assert_eq!(app.cache(&id).await["status"], "preparing");
    app.advance(58);
    removed_outside(&app, &id).await;
    app.drain().await;
    for _ in 0..5 {
        app.advance(10);
        app.drain().await;
        assert_ne!(app.cache(&id).await["status"], "lost");
    }
    app.until(&id, "lost").await;
}
