//! The lifecycle of a cache: builds, updates, failures, retention, filters and pages.

use super::*;

#[tokio::test]
async fn a_cache_lives_from_create_to_delete() {
    let cloud = TestCloud::start().await;
    let client = cloud.client();
    let operation = cloud.operation();
    let wanted = spec(&json!({"tags": {"team": "web"}, "retention_days": 7}));
    let created = client.create(&wanted, &[], &cloud.attempt(operation, "token-1")).await.expect("created");
    assert!(created.eci_cache_id.starts_with("imc-2ze") && created.eci_cache_id.len() == 24, "{created:?}");
    assert!(created.container_group_id.is_some_and(|id| id.starts_with("eci-2ze")));
    let id = created.eci_cache_id.as_str();

    let seen = cloud.seen(id).await;
    assert_eq!((seen.status.as_str(), seen.progress_percent), ("Preparing", Some(0)));
    assert_eq!(seen.tags, [(OPERATION_TAG.into(), operation.to_string()), ("team".into(), "web".into())]);
    assert_eq!(seen.expires_at.zip(seen.created_at).map(|(end, start)| (end - start).num_days()), Some(7));
    cloud.pass(4);
    assert_eq!(cloud.seen(id).await.status, "Creating");
    cloud.pass(6);
    let ready = cloud.seen(id).await;
    assert_eq!((ready.status.as_str(), ready.progress_percent), ("Ready", Some(100)));
    let messages: Vec<_> = ready.events.iter().map(|event| (event.reason.as_str(), event.message.as_str())).collect();
    assert_eq!(
        messages,
        [("Started", "Successfully check image cache resource."), ("Pulled", "Success pull image nginx:1.27")]
    );
    assert!(ready.events.iter().all(|event| event.name.starts_with("web.") && event.kind == "Normal"));

    let second = cloud.operation();
    let changed = spec(&json!({"images": ["nginx:1.28"]}));
    client.update(&region(), id, &changes_to(&changed), &[], &cloud.attempt(second, "token-2")).await.expect("updated");
    let lagging = cloud.seen(id).await;
    assert_eq!((lagging.status.as_str(), &lagging.snapshot_id), ("Ready", &ready.snapshot_id));
    let refused =
        client.update(&region(), id, &changes_to(&changed), &[], &cloud.attempt(second, "token-3")).await.map_err(code);
    assert_eq!(refused.unwrap_err(), "ImageCache.IncorrectStatus");
    cloud.pass(1);
    assert_eq!(cloud.seen(id).await.status, "Updating");
    cloud.pass(7);
    let updated = cloud.seen(id).await;
    assert_eq!((updated.status.as_str(), &updated.images), ("Ready", &vec!["nginx:1.28".to_owned()]));
    assert!(updated.snapshot_id.is_some() && updated.snapshot_id != ready.snapshot_id);
    assert_eq!(updated.events.len(), 4, "events of both builds");

    client.delete(&region(), id, &cloud.attempt(second, "token-4")).await.expect("deleted");
    assert_eq!(cloud.look(id).await, None);
    client.delete(&region(), id, &cloud.attempt(second, "token-4")).await.expect("the same token, the same answer");
    let gone = client.delete(&region(), id, &cloud.attempt(second, "token-5")).await.map_err(code);
    assert_eq!(gone.unwrap_err(), "InvalidParameter.NotFound");
    let ledger = cloud.ledger().await;
    assert_eq!(
        (&ledger["created"], &ledger["updated"], &ledger["deleted"]),
        (&json!([id]), &json!([id]), &json!([id]))
    );
}

#[tokio::test]
async fn images_that_fail_say_why_and_go_after_a_day() {
    let cloud = TestCloud::start().await;
    for (image, size_gib, reason) in [
        ("example.com/does-not-exist:1", 20, "manifest unknown"),
        ("nginx:missing", 20, "manifest unknown"),
        ("private.example.com/app:1", 20, "unauthorized"),
        ("models/huge:1", 40, "disk full"),
    ] {
        let id = cloud.created(&spec(&json!({"images": ["nginx:1", image], "size_gib": size_gib}))).await;
        cloud.pass(11);
        let failed = cloud.seen(&id).await;
        assert_eq!(failed.status, "Failed", "{image}");
        let last = failed.events.last().expect("an event");
        assert!(last.kind == "Warning" && last.message.contains(reason) && last.message.contains(image), "{last:?}");
        cloud.pass(86_400);
        assert_eq!(cloud.look(&id).await, None, "{image}");
    }
}

#[tokio::test]
async fn a_login_opens_a_private_registry_for_its_own_request_only() {
    let cloud = TestCloud::start().await;
    let client = cloud.client();
    let wanted = spec(&json!({"images": ["private.example.com/app:1"]}));
    let login = |password: &str| RegistryCredential {
        server: "private.example.com".into(),
        user_name: "robot".into(),
        password: password.into(),
    };
    for (password, status) in [("right", "Ready"), ("wrong", "Failed")] {
        let operation = cloud.operation();
        let created =
            client.create(&wanted, &[login(password)], &cloud.attempt(operation, password)).await.expect("created");
        cloud.pass(10);
        assert_eq!(cloud.seen(&created.eci_cache_id).await.status, status, "{password}");
        if status == "Ready" {
            let ready = cloud.seen(&created.eci_cache_id).await;
            client
                .update(&region(), &created.eci_cache_id, &changes_to(&wanted), &[], &cloud.attempt(operation, "u"))
                .await
                .expect("updated");
            cloud.pass(10);
            let failed = cloud.seen(&created.eci_cache_id).await;
            assert_eq!((failed.status.as_str(), failed.snapshot_id), ("UpdateFailed", ready.snapshot_id));
        }
    }
}

#[tokio::test]
async fn flash_is_ready_early_and_retention_ends() {
    let cloud = TestCloud::start().await;
    let id = cloud.created(&spec(&json!({"flash": true, "retention_days": 1}))).await;
    cloud.pass(4);
    let early = cloud.seen(&id).await;
    assert_eq!((early.status.as_str(), early.snapshot_id), ("Ready", None));
    assert!(early.flash_snapshot_id.is_some() && early.progress_percent < Some(100));
    cloud.pass(6);
    let whole = cloud.seen(&id).await;
    assert_eq!((whole.status.as_str(), whole.flash_snapshot_id, whole.progress_percent), ("Ready", None, Some(100)));
    assert!(whole.snapshot_id.is_some());
    cloud.pass(86_390);
    assert_eq!(cloud.look(&id).await, None);
}

#[tokio::test]
async fn query_and_form_are_one_and_filters_narrow() {
    let cloud = TestCloud::start().await;
    let id = cloud.created(&spec(&json!({"name": "one", "images": ["registry.example.com/team/nginx:1"]}))).await;
    cloud.created(&spec(&json!({"name": "two", "images": ["redis:7"]}))).await;
    for filter in [("ImageCacheName", "one"), ("Image", "nginx"), ("Image", "registry.example.com/team/nginx:1")] {
        let params = cloud.signed("POST", "DescribeImageCaches", &[filter]);
        let (query, form) = params.split_at(4);
        let (_, body) = envelope(cloud.http.post(&cloud.url).query(query).form(form)).await;
        assert_eq!(
            (&body["ImageCaches"][0]["ImageCacheId"], &body["TotalCount"]),
            (&json!(id), &json!(1)),
            "{filter:?}"
        );
        assert_eq!(body.get("Code"), None);
    }
    for filter in
        [("ImageCacheId", "imc-none"), ("SnapshotId", "s-none"), ("ResourceGroupId", "rg-none"), ("Tag.1.Key", "x")]
    {
        let (status, body) = cloud.get(&cloud.signed("GET", "DescribeImageCaches", &[filter])).await;
        assert_eq!((status, &body["ImageCaches"]), (200, &json!([])), "{filter:?}");
    }
}

#[tokio::test]
async fn forty_five_caches_are_three_pages() {
    let cloud = TestCloud::start().await;
    let mut made = std::collections::BTreeSet::new();
    for number in 0..45 {
        made.insert(cloud.created(&spec(&json!({"name": format!("web-{number}")}))).await);
    }
    let mut query = DescribeQuery::default();
    let mut sizes = Vec::new();
    let mut found = std::collections::BTreeSet::new();
    loop {
        let page = cloud.page(query.clone()).await;
        sizes.push(page.caches.len());
        found.extend(page.caches.into_iter().map(|cache| cache.eci_cache_id));
        query.next_token = page.next_token;
        if query.next_token.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [20, 20, 5]);
    assert_eq!(found, made);
    let elsewhere = "cn-hangzhou".parse().expect("a region");
    let page = cloud.client().describe(&elsewhere, &DescribeQuery::default()).await.expect("a page");
    assert_eq!(page.caches.len(), 0, "a region knows its own caches only");
}
