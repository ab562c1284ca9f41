//! Two accounts: neither sees, changes or counts what the other one has.

use eci_cache_gateway::eci::CredentialSource;

use super::*;

impl TestCloud {
    /// A client of the other account.
    fn other(&self) -> Client {
        let own =
            Credentials { access_key_id: OTHER.0.into(), access_key_secret: OTHER.1.into(), security_token: None };
        self.client().of_account(None, CredentialSource::Own(own)).expect("a client")
    }
}

fn seen(page: &SeenPage) -> Vec<&str> {
    page.caches.iter().map(|seen| seen.eci_cache_id.as_str()).collect()
}

#[tokio::test]
async fn each_account_sees_its_own() {
    let cloud = TestCloud::start().await;
    let (own, other) = (cloud.client(), cloud.other());
    let (new, operation) = (spec(&json!({})), cloud.operation());
    // The same request with the same token is another request in another account.
    let attempt = cloud.attempt(operation, "token");
    let first = own.create(&new, &[], &attempt).await.expect("created").eci_cache_id;
    let second = other.create(&new, &[], &attempt).await.expect("created").eci_cache_id;
    assert_ne!(first, second);
    assert_eq!(other.create(&new, &[], &attempt).await.expect("the same").eci_cache_id, second);

    let all = DescribeQuery::default();
    let tagged = DescribeQuery { operation_tag: Some(operation), ..DescribeQuery::default() };
    let one = |id: &str| DescribeQuery { eci_cache_id: Some(id.to_owned()), ..DescribeQuery::default() };
    for (client, mine, theirs) in [(&own, &first, &second), (&other, &second, &first)] {
        for query in [&all, &tagged, &one(mine)] {
            assert_eq!(seen(&client.describe(&new.region, query).await.expect("a page")), [mine.as_str()]);
        }
        assert!(seen(&client.describe(&new.region, &one(theirs)).await.expect("a page")).is_empty());
        let usage = client.list_usage(&new.region).await.expect("the usage");
        assert_eq!(usage["UsedImageCacheCount"], 1);
    }

    cloud.pass(20);
    let changes = ImageCacheChanges { images: Some(vec!["nginx:2".into()]), ..ImageCacheChanges::default() };
    let late = |token: &str| cloud.attempt(operation, token);
    let Err(CallError::Refused(refused)) = other.update(&new.region, &first, &changes, &[], &late("u")).await else {
        panic!("another account's cache was updated")
    };
    assert!(refused.code.contains("NotFound"), "{refused:?}");
    assert!(other.delete(&new.region, &first, &late("d")).await.is_err());
    own.delete(&new.region, &first, &late("d")).await.expect("deleted");
    let ledger = cloud.ledger().await;
    assert_eq!(ledger["created_by"], json!({KEY: [first], OTHER.0: [second]}));
    assert_eq!(
        (&ledger["calls_by"][KEY]["CreateImageCache"], &ledger["calls_by"][OTHER.0]["CreateImageCache"]),
        (&json!(1), &json!(2))
    );
}

#[tokio::test]
async fn one_accounts_quota_and_pace_are_its_own() {
    let cloud = TestCloud::start().await;
    let limits = json!({"quota": 1, "creates_per_minute": 2});
    cloud.admin(reqwest::Method::POST, "settings", limits).await;
    let (own, other) = (cloud.client(), cloud.other());
    let create = async |client: &Client, token: &str| {
        let attempt = cloud.attempt(cloud.operation(), token);
        client.create(&spec(&json!({})), &[], &attempt).await.map(|created| created.eci_cache_id)
    };
    create(&own, "1").await.expect("created");
    assert!(matches!(create(&own, "2").await, Err(CallError::Refused(error)) if error.code == "QuotaExceeded"));
    assert!(matches!(create(&own, "3").await, Err(CallError::Throttled(_))));
    create(&other, "1").await.expect("created");
}
