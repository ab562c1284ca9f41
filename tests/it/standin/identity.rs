//! `GetCallerIdentity`: the account of a key or a session; signed like every call, and without a right.

use eci_cache_gateway::eci::CredentialSource;

use super::*;

/// The response to a call that is signed with this secret.
async fn who(cloud: &TestCloud, key: &str, secret: &str, token: Option<&str>) -> (u16, Value) {
    let version = [("Version", "2015-04-01")].into_iter();
    let more: Vec<_> = version.chain(token.map(|token| ("SecurityToken", token))).collect();
    let mut form = cloud.signed("POST", "GetCallerIdentity", &more);
    form.remove(1);
    form.iter_mut().filter(|(name, _)| name == "AccessKeyId").for_each(|(_, value)| key.clone_into(value));
    cloud.post(&super::roles::resigned(form, secret)).await
}

#[tokio::test]
async fn a_key_is_of_its_account_and_a_session_of_that_of_its_role() {
    let cloud = TestCloud::start().await;
    // A caller without any right may call it.
    let nothing = json!({"to": KEY, "policy": {"Version": "1", "Statement": []}});
    cloud.set("policies", nothing).await;
    let told = |body: &Value| ["IdentityType", "AccountId", "Arn"].map(|name| body[name].as_str().unwrap().to_owned());
    let (status, body) = who(&cloud, KEY, SECRET, None).await;
    assert_eq!((status, told(&body)), (200, ["RAMUser", "1", "acs:ram::1:user/stand-in"].map(str::to_owned)));
    assert_eq!((&body["UserId"], &body["RoleId"]), (&body["PrincipalId"], &Value::Null));
    let (_, body) = who(&cloud, OTHER.0, OTHER.1, None).await;
    assert_eq!(told(&body)[1], "2");
    cloud.set("policies", json!({"to": KEY, "policy": null})).await;
    for number in ["1", "2", "1234567890123456"] {
        let given = cloud.given_of(&format!("acs:ram::{number}:role/caches")).await;
        let (_, body) = who(&cloud, &given.0, &given.1, Some(&given.2)).await;
        let arn = format!("acs:ram::{number}:assumed-role/caches/alice");
        assert_eq!(told(&body), ["AssumedRoleUser", number, &arn].map(str::to_owned));
        assert_eq!((&body["UserId"], body["RoleId"].is_string()), (&Value::Null, true), "{body}");
    }
}

#[tokio::test]
async fn it_is_verified_as_every_call() {
    let cloud = TestCloud::start().await;
    for (key, secret, code) in
        [(KEY, "wrong", "SignatureDoesNotMatch"), ("nobodys", SECRET, "InvalidAccessKeyId.NotFound")]
    {
        assert_eq!(who(&cloud, key, secret, None).await.1["Code"], code);
    }
    let (_, body) = cloud.ask("GetCallerIdentity", &[]).await;
    assert_eq!(body["Code"], "InvalidVersion", "it is of STS");
}

#[tokio::test]
async fn a_role_of_another_account_opens_that_account() {
    let cloud = TestCloud::start().await;
    let own = Credentials { access_key_id: KEY.into(), access_key_secret: SECRET.into(), security_token: None };
    let role = |arn: &str| eci_cache_gateway::eci::Role {
        arn: arn.into(),
        session: "gateway".into(),
        lasts: Duration::from_hours(1),
        external_id: None,
        endpoint: cloud.url.clone(),
    };
    let client = cloud
        .client()
        .of_account(None, CredentialSource::Assumed(own, role("acs:ram::2:role/caches")))
        .expect("a client");
    let operation = cloud.operation();
    client.create(&spec(&json!({})), &[], &cloud.attempt(operation, "token")).await.expect("created");
    assert!(cloud.page(DescribeQuery::default()).await.caches.is_empty(), "the key's own account has nothing");
    assert_eq!(client.describe(&region(), &DescribeQuery::default()).await.expect("a page").caches.len(), 1);
    assert_eq!(client.ask_owner(&cloud.url).await.expect("a number").as_str(), "2");
}
