//! `If-Match` and `If-None-Match` for each operation that supports them, as clients behind proxies send them.
#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Executor as _;

use crate::platform::cloud_accounts::account;
use crate::platform::policy::admin;
use crate::support::answer::Answer;
use crate::support::degraded::degraded_in;
use crate::support::gateway::{TEAM, TestGateway};
use crate::support::setup::SECOND;

/// A change, and the resource whose `ETag` protects it.
type GuardedChange = (Method, &'static str, &'static str, Value);

fn changes() -> Vec<GuardedChange> {
    let policy = json!({"max_size_gib": 100});
    vec![
        (Method::PATCH, "/v1/teams/web", "/v1/teams/web", json!({"display_name": "Web"})),
        (Method::PUT, "/v1/teams/web/policy", "/v1/teams/web", policy.clone()),
        (Method::DELETE, "/v1/teams/web/policy", "/v1/teams/web", Value::Null),
        (Method::PUT, "/v1/default-policy", "/v1/default-policy", policy),
        (
            Method::PUT,
            "/v1/region-profiles/default:cn-beijing",
            "/v1/region-profiles/default:cn-beijing",
            json!({"zone_id": "cn-beijing-a", "vswitch_ids": ["vsw-1"]}),
        ),
        (Method::PUT, "/v1/cloud-accounts/second", "/v1/cloud-accounts/second", account(SECOND)),
    ]
}

#[tokio::test]
async fn a_row_that_moves_under_a_delete_refuses_only_whoever_set_a_condition() {
    let app = TestGateway::start().await;
    for (condition, status) in [(None, 200), (Some("v"), 412)] {
        let id = app.created().await;
        let path = format!("/v1/image-caches/{id}");
        let ready = app.until(&id, "ready").await;
        let mut somebody = app.sql().begin().await.unwrap();
        sqlx::query("UPDATE image_caches SET version = version + 1").execute(&mut *somebody).await.unwrap();
        let mut request = app.request(Method::DELETE, &path);
        if condition.is_some() {
            request = request.header("if-match", format!("\"v{}\"", ready["version"]));
        }
        let mut deleted = Box::pin(Answer::of(request));
        let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
            WHERE NOT l.granted AND a.datname = current_database()";
        loop {
            tokio::select! {
                answer = &mut deleted => panic!("it waits for the row: {:?}", answer.json()),
                found = app.count(waiting) => if found > 0 { break },
            }
        }
        somebody.commit().await.unwrap();
        deleted.await.expect(status);
    }
}

#[tokio::test]
async fn a_right_that_the_role_lacks_is_told() {
    let app = TestGateway::start().await;
    let path = format!("/v1/image-caches/{}", app.created().await);
    app.sql().execute("REVOKE UPDATE ON image_caches FROM eci_runtime").await.unwrap();
    app.delete(&path).await.problem(503, "database_unavailable");
    app.gateway.upkeep().beat("a test").await.unwrap();
    let ready = app.get("/readyz").await.expect(200);
    assert!(degraded_in(&ready)[0].contains("`doctor database` names it"), "{ready}");
    app.sql().execute("GRANT UPDATE ON image_caches TO eci_runtime").await.unwrap();
    app.delete(&path).await.expect(200);
}

/// What proxies turn a strong tag into: nginx and Envoy, Apache, a list with an older one.
fn seen(etag: &str) -> Vec<String> {
    let bare = etag.trim_matches('"');
    vec![
        etag.to_owned(),
        format!("W/{etag}"),
        format!("\"{bare}-gzip\""),
        format!("W/\"{bare}-br\""),
        format!("\"v99\", W/{etag}"),
        "*".to_owned(),
    ]
}

async fn send(app: &TestGateway, change: &GuardedChange, header: &str, value: &str) -> Answer {
    let (method, path, _, body) = change;
    let scopes = eci_cache_gateway::domain::identity::caller::Scope::ALL;
    let request = app.bare(method.clone(), path).bearer_auth(app.token(TEAM, &scopes)).header(header, value);
    Answer::of(if body.is_null() { request } else { request.json(body) }).await
}

async fn etag(app: &TestGateway, path: &str) -> String {
    admin(app, Method::GET, path, None).await.header("etag").to_owned()
}

#[tokio::test]
async fn each_change_understands_what_proxies_make_of_a_tag() {
    let app = TestGateway::start().await;
    let team = json!({"id": "web", "display_name": "Web"});
    admin(&app, Method::POST, "/v1/teams", Some(&team)).await.expect(201);
    for change in changes() {
        let (method, path, guard, body) = &change;
        if *method == Method::PUT {
            admin(&app, Method::PUT, path, Some(body)).await.expect(200);
        }
        for place in 0..6 {
            let tag = seen(&etag(&app, guard).await).swap_remove(place);
            let answer = send(&app, &change, "if-match", &tag).await;
            assert!([200, 204].contains(&answer.status), "{method} {path} {tag}: {answer:?}");
        }
        let version = etag(&app, guard).await;
        for stale in ["\"v99\"", "W/\"v99\"", "\"v99-gzip\"", "\"foreign\""] {
            send(&app, &change, "if-match", stale).await.problem(412, "precondition_failed");
        }
        for there in ["*", &version, &format!("W/{version}")] {
            send(&app, &change, "if-none-match", there).await.problem(412, "precondition_failed");
        }
        for bad in ["v1", "\"v1", "*, \"v1\"", ","] {
            let problem = send(&app, &change, "if-match", bad).await.problem(400, "malformed_header");
            assert!(problem["detail"].as_str().unwrap().contains("double quotes"), "{problem}");
        }
        assert_eq!(etag(&app, guard).await, version, "{path}");
    }
}

#[tokio::test]
async fn a_delete_of_what_has_changed_is_refused() {
    let app = TestGateway::start().await;
    let [.., profile, account] = &changes()[..] else { panic!("six") };
    for (_, path, _, body) in [profile, account] {
        let first = admin(&app, Method::PUT, path, Some(body)).await.header("etag").to_owned();
        let second = admin(&app, Method::PUT, path, Some(body)).await.header("etag").to_owned();
        let delete = (Method::DELETE, *path, *path, Value::Null);
        send(&app, &delete, "if-match", &first).await.problem(412, "precondition_failed");
        assert_eq!(send(&app, &delete, "if-match", &second).await.status, 204);
        send(&app, &delete, "if-match", &second).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn an_endpoint_has_a_tag_that_guards_its_changes_and_tells_also_of_its_health() {
    let app = TestGateway::start().await;
    let body = json!({"url": "http://127.0.0.1:9/", "skip_challenge": true});
    let made = app.post("/v1/webhook-endpoints", &body).await;
    let path = format!("/v1/webhook-endpoints/{}", made.clone().expect(201)["id"].as_str().unwrap());
    let read = async |tag: &str| Answer::of(app.request(Method::GET, &path).header("if-none-match", tag)).await;
    let describe = async |tag: &str| {
        let request = app.request(Method::PATCH, &path).header("if-match", tag);
        Answer::of(request.json(&json!({"description": "ci"}))).await
    };
    let first = read("\"other\"").await.header("etag").to_owned();
    let seen = seen(&first);
    for same in seen.iter().filter(|tag| *tag != "*") {
        assert_eq!(read(same).await.status, 304, "{same}");
    }
    app.sql().execute("UPDATE webhook_endpoint_state SET consecutive_failures = 3").await.unwrap();
    let failing = read(&first).await;
    assert_eq!(failing.clone().expect(200)["consecutive_failures"], 3, "its version is the same");
    let changed = describe(&first).await;
    assert_eq!(changed.clone().expect(200)["description"], "ci", "a change is guarded by the version alone");
    for stale in [&first, failing.header("etag"), "\"v99\""] {
        describe(stale).await.problem(412, "precondition_failed");
        let delete = Answer::of(app.request(Method::DELETE, &path).header("if-match", stale)).await;
        delete.problem(412, "precondition_failed");
    }
    let delete = app.request(Method::DELETE, &path).header("if-match", changed.header("etag"));
    assert_eq!(Answer::of(delete).await.status, 204);
}

/// Every read that has a tag, after what it reads was made.
#[tokio::test]
async fn each_read_with_a_tag_knows_who_has_it() {
    let app = TestGateway::start().await;
    admin(&app, Method::POST, "/v1/teams", Some(&json!({"id": "web", "display_name": "Web"}))).await.expect(201);
    for (method, path, _, body) in changes().into_iter().filter(|(method, ..)| *method == Method::PUT) {
        admin(&app, method, path, Some(&body)).await.expect(200);
        let tag = etag(&app, path).await;
        let known = (Method::GET, path, path, Value::Null);
        let unchanged = send(&app, &known, "if-none-match", &tag).await;
        assert_eq!(
            (unchanged.status, unchanged.text.as_str(), unchanged.header("etag")),
            (304, "", tag.as_str()),
            "{path}"
        );
        send(&app, &known, "if-none-match", "\"v98\", \"v99\"").await.expect(200);
    }
}

#[tokio::test]
async fn a_change_that_cannot_be_conditional_is_not_made() {
    let app = TestGateway::start().await;
    let body = json!({"url": "http://127.0.0.1:9/", "skip_challenge": true});
    for (header, shown) in [("if-match", "If-Match"), ("if-none-match", "If-None-Match")] {
        let request = app.request(Method::POST, "/v1/webhook-endpoints").header(header, "\"v1\"").json(&body);
        let problem = Answer::of(request).await.problem(400, "malformed_header");
        assert_eq!(problem["errors"][0]["parameter"], shown, "{problem}");
    }
    assert_eq!(app.items("/v1/webhook-endpoints").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_star_means_what_exists() {
    let app = TestGateway::start().await;
    let [.., profile, account] = &changes()[..] else { panic!("six") };
    for absent in [profile, account] {
        send(&app, absent, "if-match", "*").await.problem(412, "precondition_failed");
        send(&app, absent, "if-none-match", "*").await.expect(200);
        send(&app, absent, "if-none-match", "*").await.problem(412, "precondition_failed");
        send(&app, absent, "if-match", "*").await.expect(200);
    }
}

#[tokio::test]
async fn image_caches_are_changed_with_weak_tags() {
    let app = TestGateway::start().await;
    let path = format!("/v1/image-caches/{}", app.created().await);
    app.until(path.rsplit('/').next().unwrap(), "ready").await;
    let tag = app.get(&path).await.header("etag").to_owned();
    for same in seen(&tag) {
        let read = Answer::of(app.request(Method::GET, &path).header("if-none-match", &same)).await;
        assert_eq!(read.status, 304, "{same}");
    }
    let change = app.request(Method::PATCH, &path).json(&json!({"tags": {"a": "b"}}));
    let changed = Answer::of(change.header("if-match", format!("W/{tag}"))).await;
    changed.expect(200);
    let weak = format!("W/{}", changed.header("etag"));
    let deleted = Answer::of(app.request(Method::DELETE, &path).header("if-match", weak)).await;
    assert_eq!(deleted.expect(200)["status"], "deleting");
}
