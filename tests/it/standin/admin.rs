//! The admin API: a clock of its own, outages, and every kind of fault.

use super::*;
use crate::support::folder::TempFolder;

#[tokio::test]
async fn the_clock_moves_builds_and_not_signatures() {
    let cloud = TestCloud::start().await;
    let id = cloud.created(&spec(&json!({"retention_days": 1}))).await;
    let told = cloud.set("clock", json!({"step_seconds": 3_600})).await;
    assert_eq!(told["now"], "2026-03-01T09:00:00Z");
    assert_eq!(cloud.seen(&id).await.status, "Ready", "and the request is signed for eight o'clock");
    cloud.set("clock", json!({"speed": 3_600.0})).await;
    cloud.pass(22);
    assert!(cloud.look(&id).await.is_some());
    cloud.pass(1);
    assert_eq!(cloud.look(&id).await, None, "a day has passed there");
    let at = cloud.admin(reqwest::Method::GET, "clock", Value::Null).await;
    assert_eq!(at["now"], "2026-03-02T08:00:00Z");
    for bad in [json!({"step_seconds": i64::MIN}), json!({"speed": -1}), json!({"speed": 1e300}), json!({"steps": 1})] {
        let answer = cloud.http.post(format!("{}/_admin/clock", cloud.url)).json(&bad).send().await.expect("sent");
        assert_eq!(answer.status(), 400, "{bad}");
    }
    cloud.set("reset", json!({})).await;
    let at = cloud.admin(reqwest::Method::GET, "clock", Value::Null).await;
    assert_eq!(at["now"], "2026-03-01T08:00:23Z");
}

#[tokio::test]
async fn time_and_settings_outlive_the_process() {
    let folder = TempFolder::new("standin");
    let file = folder.path().join("standin.json");
    let clock = Arc::new(ManualClock::at("2026-03-01T08:00:00Z".parse::<Instant>().expect("an instant")));
    let cloud = TestCloud::start_with(clock.clone(), 42, Some(file.clone())).await;
    cloud.set("clock", json!({"step_seconds": 60})).await;
    cloud.set("settings", json!({"quota": 7})).await;
    drop(cloud);
    let cloud = TestCloud::start_with(clock, 43, Some(file)).await;
    assert_eq!(cloud.admin(reqwest::Method::GET, "clock", Value::Null).await["now"], "2026-03-01T08:01:00Z");
    assert_eq!(cloud.admin(reqwest::Method::GET, "settings", Value::Null).await["quota"], 7);
}

#[tokio::test]
async fn an_outage_is_of_one_region_and_lasts() {
    let cloud = TestCloud::start().await;
    cloud.set("outages", json!({"region": "cn-beijing"})).await;
    for action in ["CreateImageCache", "DescribeImageCaches", "ListUsage"] {
        let (status, body) = cloud.ask(action, &[]).await;
        assert_eq!((status, body["Code"].as_str()), (503, Some("ServiceUnavailable")), "{action}");
    }
    let elsewhere: Region = "cn-hangzhou".parse().expect("a region");
    cloud.client().list_usage(&elsewhere).await.expect("another region");
    cloud.set("outages", json!({"region": "cn-beijing", "over": true})).await;
    cloud.client().list_usage(&region()).await.expect("it is over");
}

#[tokio::test]
async fn answers_that_no_client_can_use_leave_the_outcome_open() {
    let cloud = TestCloud::start().await;
    for (place, fault) in [
        json!({"kind": "garbage", "variant": "html", "apply": true}),
        json!({"kind": "garbage", "variant": "empty", "apply": true}),
        json!({"kind": "garbage", "variant": "truncated", "apply": true}),
        json!({"kind": "status", "http": 502, "body": "<html>bad gateway</html>", "apply": true}),
        json!({"kind": "reset_at", "at": 0}),
        json!({"kind": "reset_at", "at": 17}),
        json!({"kind": "reset_at", "at": 1_000_000}),
    ]
    .into_iter()
    .enumerate()
    {
        cloud.fault(fault.clone()).await;
        let attempt = cloud.attempt(cloud.operation(), &format!("t{place}"));
        let met = cloud.client().create(&spec(&json!({})), &[], &attempt).await.expect_err("a fault");
        assert!(matches!(met, CallError::Unknown(_)), "{fault}: {met:?}");
        assert_eq!(cloud.creations().await, place + 1, "{fault}");
    }
}

#[tokio::test]
async fn an_answer_breaks_off_at_its_byte() {
    let cloud = TestCloud::start().await;
    cloud.fault(json!({"kind": "reset_at", "at": 17})).await;
    let params = cloud.signed("GET", "ListUsage", &[]);
    let mut answer = cloud.http.get(&cloud.url).query(&params).send().await.expect("a head");
    assert!(answer.content_length() > Some(17));
    let mut heard = Vec::new();
    while let Ok(chunk) = answer.chunk().await {
        heard.extend_from_slice(&chunk.expect("it breaks before its end"));
    }
    let heard = String::from_utf8(heard).expect("a text");
    assert!(heard.len() == 17 && heard.starts_with("{\"RequestId\":\""), "{heard}");
}

#[tokio::test]
async fn a_create_may_be_answered_with_a_wrong_id() {
    let cloud = TestCloud::start().await;
    cloud
        .fault(
            json!([{"kind": "wrong_id"}, {"kind": "wrong_id", "id": ""}, {"action": "ListUsage", "kind": "throttle"}]),
        )
        .await;
    for token in ["a", "b"] {
        let attempt = cloud.attempt(cloud.operation(), token);
        let answered = cloud.client().create(&spec(&json!({})), &[], &attempt).await;
        let told = answered.map(|created| created.eci_cache_id).unwrap_or_default();
        let made = cloud.ledger().await["created"].as_array().expect("a list").clone();
        assert!(!made.contains(&json!(told)), "{told}");
    }
    assert_eq!(cloud.creations().await, 2);
    assert!(matches!(cloud.client().list_usage(&region()).await, Err(CallError::Throttled(_))));
    cloud.fault(json!({"kind": "timeout", "times": 5})).await;
    cloud.admin(reqwest::Method::DELETE, "faults", Value::Null).await;
    cloud.client().list_usage(&region()).await.expect("no fault waits");
}

#[tokio::test]
async fn a_slow_answer_is_too_late_for_the_hasty_and_right_for_the_patient() {
    let cloud = TestCloud::start().await;
    cloud.fault(json!([{"kind": "latency", "ms": 3_600_000}, {"kind": "latency", "ms": 1}])).await;
    let hasty = cloud.client_with(&cloud.url, SECRET, Duration::from_secs(1));
    let attempt = cloud.attempt(cloud.operation(), "token");
    let late = hasty.create(&spec(&json!({})), &[], &attempt).await;
    assert!(matches!(late, Err(CallError::Unknown(_))), "{late:?}");
    cloud.client().create(&spec(&json!({})), &[], &attempt).await.expect("the same token finds it");
    assert_eq!(cloud.creations().await, 1);
}
