//! The admin API's lies: caches that exist but are not shown, and a delete that was acknowledged but not carried out.

use super::*;

/// Enough caches that no percentage hides all or none by chance.
const MANY: usize = 60;

impl TestCloud {
    /// The ids in a list, page by page.
    async fn listed(&self) -> Vec<String> {
        let (mut ids, mut query) = (Vec::new(), DescribeQuery::default());
        loop {
            let page = self.page(query.clone()).await;
            ids.extend(page.caches.into_iter().map(|seen| seen.eci_cache_id));
            let Some(next) = page.next_token else { return ids };
            query.next_token = Some(next);
        }
    }

    /// The admin API's error for an invalid body.
    async fn refused(&self, what: &str, body: Value) -> String {
        let url = format!("{}/_admin/{what}", self.url);
        let answer = self.http.post(url).json(&body).send().await.expect("sent");
        assert_eq!(answer.status(), 400, "{body}");
        let told: Value = answer.json().await.expect("JSON");
        told["error"].as_str().expect("a text").to_owned()
    }

    async fn many(&self) {
        self.set("settings", json!({"creates_per_minute": 1_000})).await;
        for _ in 0..MANY {
            self.created(&spec(&json!({}))).await;
        }
    }
}

#[tokio::test]
async fn a_share_is_hidden_from_lists_and_looks_alike_and_is_there_all_the_same() {
    let cloud = TestCloud::start().await;
    cloud.many().await;
    let all = cloud.listed().await;
    assert_eq!(all.len(), MANY);
    let mut before = all.clone();
    for share in [10, 50, 90] {
        cloud.set("lies", json!({"hide_percent": share})).await;
        let shown = cloud.listed().await;
        assert!(shown.len() < before.len() && !shown.is_empty(), "{share}: {}", shown.len());
        assert!(shown.iter().all(|id| before.contains(id)), "a larger share hides what a smaller one does");
        assert_eq!(cloud.listed().await, shown, "which ones does not change");
        before = shown;
    }
    for id in &all {
        assert_eq!(cloud.look(id).await.is_some(), before.contains(id), "{id}");
    }
    let hidden = all.iter().find(|id| !before.contains(id)).expect("one is hidden");
    cloud.client().delete(&region(), hidden, &cloud.attempt(cloud.operation(), "token")).await.expect("it is there");
    cloud.set("lies", json!({"hide_percent": 100})).await;
    assert_eq!(cloud.listed().await, [""; 0]);
    cloud.admin(reqwest::Method::DELETE, "lies", Value::Null).await;
    assert_eq!(cloud.listed().await.len(), MANY - 1);
}

#[tokio::test]
async fn a_lie_ends_by_the_stand_ins_time() {
    let cloud = TestCloud::start().await;
    let id = cloud.created(&spec(&json!({}))).await;
    cloud.set("lies", json!({"hide_percent": 100, "for_seconds": 60})).await;
    cloud.pass(59);
    assert_eq!(cloud.look(&id).await, None);
    cloud.pass(1);
    assert!(cloud.look(&id).await.is_some());
}

#[tokio::test]
async fn a_removal_is_answered_and_not_carried_out() {
    let cloud = TestCloud::start().await;
    let id = cloud.created(&spec(&json!({}))).await;
    cloud.fault(json!({"action": "DeleteImageCache", "kind": "pretend"})).await;
    let attempt = cloud.attempt(cloud.operation(), "token");
    cloud.client().delete(&region(), &id, &attempt).await.expect("answered");
    assert!(cloud.look(&id).await.is_some(), "it is still there");
    assert_eq!(cloud.ledger().await["deleted"], json!([]));
    cloud.client().delete(&region(), &id, &attempt).await.expect("carried out");
    assert_eq!(cloud.look(&id).await, None);
    cloud.fault(json!({"action": "DeleteImageCache", "kind": "pretend"})).await;
    let gone = cloud.client().delete(&region(), &id, &cloud.attempt(cloud.operation(), "other")).await.map_err(code);
    assert_eq!(gone.unwrap_err(), "InvalidParameter.NotFound", "of what is not there nothing is pretended");
}

#[tokio::test]
async fn what_is_no_lie_is_refused() {
    let cloud = TestCloud::start().await;
    for bad in [json!({"hide_percent": 0}), json!({"hide_percent": 101})] {
        assert_eq!(cloud.refused("lies", bad).await, "hide_percent must be 1 to 100; DELETE lies ends them");
    }
    for seconds in [0, 86_401] {
        let told = cloud.refused("lies", json!({"hide_percent": 5, "for_seconds": seconds})).await;
        assert_eq!(told, "for_seconds must be 1 to 86400, or absent: until DELETE lies");
    }
    for (bad, named) in [(json!({}), "hide_percent"), (json!({"hide_percent": 5, "for_minutes": 1}), "for_minutes")] {
        let told = cloud.refused("lies", bad).await;
        assert!(told.contains(named), "{told}");
    }
    let wrong = [
        json!({"kind": "pretend"}),
        json!({"action": "CreateImageCache", "kind": "pretend"}),
        json!({"action": "DeleteImageCache", "kind": "pretend", "apply": true}),
    ];
    for bad in wrong {
        let told = cloud.refused("faults", bad).await;
        assert_eq!(told, "action must be DeleteImageCache of the kind pretend, without apply");
    }
}
