//! Roles: who may assume which, and what its credentials allow for how long.

use eci_cache_gateway::eci::{CredentialSource, Role};

use super::schemes::V3;
use super::*;

/// The credentials returned by `AssumeRole`: id, secret, token.
pub(super) struct SessionCredentials(pub(super) String, pub(super) String, pub(super) String);

impl TestCloud {
    async fn assume(&self, name: &str, extra: &[(&str, &str)]) -> (u16, Value) {
        let arn = format!("acs:ram::1:role/{name}");
        let more = [("Version", "2015-04-01"), ("RoleArn", &arn), ("RoleSessionName", "alice")];
        let given = |key: &str| extra.iter().any(|(known, _)| *known == key);
        let all: Vec<_> = more.into_iter().filter(|(key, _)| !given(key)).chain(extra.iter().copied()).collect();
        // `signed` adds the version of ECI, which would then appear twice.
        let mut form = self.signed("POST", "AssumeRole", &all);
        form.remove(1);
        self.post(&resigned(form, SECRET)).await
    }

    async fn given(&self) -> SessionCredentials {
        self.given_of("acs:ram::1:role/caches").await
    }

    pub(super) async fn given_of(&self, arn: &str) -> SessionCredentials {
        let (status, body) = self.assume("caches", &[("RoleArn", arn)]).await;
        assert_eq!(status, 200, "{body}");
        let text = |key: &str| body["Credentials"][key].as_str().expect("a text").to_owned();
        SessionCredentials(text("AccessKeyId"), text("AccessKeySecret"), text("SecurityToken"))
    }

    /// A read signed with these credentials, with V1.
    async fn look_as(&self, id: &str, secret: &str, token: Option<&str>) -> (u16, String) {
        let extra: Vec<_> = token.map(|token| ("SecurityToken", token)).into_iter().collect();
        let mut form = self.signed("POST", "DescribeImageCaches", &extra);
        form.iter_mut().filter(|(key, _)| key == "AccessKeyId").for_each(|(_, value)| id.clone_into(value));
        let (status, body) = self.post(&resigned(form, secret)).await;
        (status, body["Code"].as_str().unwrap_or("OK").to_owned())
    }

    /// A client whose key assumes the role.
    fn assuming(&self, name: &str) -> Client {
        let settings = settings(self.url.clone(), Duration::from_secs(30));
        let own = Credentials { access_key_id: KEY.into(), access_key_secret: SECRET.into(), security_token: None };
        let role = Role {
            arn: format!("acs:ram::1:role/{name}"),
            session: "gateway".into(),
            lasts: Duration::from_hours(1),
            external_id: Some("canary-external".into()),
            endpoint: self.url.clone(),
        };
        Client::new(settings, CredentialSource::Assumed(own, role), self.clock.clone(), self.entropy.clone())
            .expect("a client")
    }

    async fn calls(&self, action: &str) -> u64 {
        self.ledger().await["calls"][action].as_u64().unwrap_or(0)
    }
}

pub(super) fn resigned(mut form: Vec<(String, String)>, secret: &str) -> Vec<(String, String)> {
    form.retain(|(key, _)| key != "Signature");
    let text = sign_v1::string_to_sign("POST", &form);
    form.push(("Signature".into(), sign_v1::signature(&SecretString::from(secret), &text)));
    form
}

#[tokio::test]
async fn who_may_not_assume_a_role_hears_why() {
    let cloud = TestCloud::start().await;
    let refused = async |name: &str, extra: &[(&str, &str)]| {
        let (status, body) = cloud.assume(name, extra).await;
        (status, body["Code"].as_str().unwrap_or("OK").to_owned())
    };
    let told = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(refused("caches", &[]).await, told(200, "OK"));
    assert_eq!(refused("does-not-exist", &[]).await, told(404, "EntityNotExist.Role"));
    assert_eq!(refused("forbidden", &[]).await, told(403, "NoPermission"));
    assert_eq!(refused("external-4711", &[]).await, told(403, "NoPermission"));
    assert_eq!(refused("external-4711", &[("ExternalId", "4711")]).await, told(200, "OK"));
    assert_eq!(refused("x", &[("RoleArn", "acs:ram::1:user/x")]).await, told(400, "InvalidParameter.RoleArn"));
    assert_eq!(refused("x", &[("RoleSessionName", "a")]).await, told(400, "InvalidParameter.RoleSessionName"));
    assert_eq!(refused("x", &[("DurationSeconds", "899")]).await, told(400, "InvalidParameter.DurationSeconds"));
    assert_eq!(refused("x", &[("Version", "2018-08-08")]).await, told(400, "InvalidVersion"));
}

#[tokio::test]
async fn temporary_credentials_open_with_their_token_until_their_end() {
    let cloud = TestCloud::start().await;
    let (SessionCredentials(id, secret, token), SessionCredentials(_, _, other)) =
        (cloud.given().await, cloud.given().await);
    let told = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(cloud.look_as(&id, &secret, Some(&token)).await, told(200, "OK"));
    assert_eq!(cloud.look_as(&id, SECRET, Some(&token)).await, told(400, "SignatureDoesNotMatch"));
    assert_eq!(cloud.look_as(&id, &secret, None).await, told(400, "MissingSecurityToken"));
    let mismatch = told(400, "InvalidSecurityToken.MismatchWithAccessKey");
    assert_eq!(cloud.look_as(&id, &secret, Some(&other)).await, mismatch);
    for altered in ["", "x", &token[1..], &token[..token.len() - 1], &format!("{token}x")] {
        let (status, code) = cloud.look_as(&id, &secret, Some(altered)).await;
        let expected = if altered.is_empty() { "MissingSecurityToken" } else { "InvalidSecurityToken.Malformed" };
        assert_eq!((status, code.as_str()), (400, expected), "{altered}");
    }
    cloud.pass(3_599);
    assert_eq!(cloud.look_as(&id, &secret, Some(&token)).await, told(200, "OK"));
    cloud.pass(1);
    assert_eq!(cloud.look_as(&id, &secret, Some(&token)).await, told(403, "InvalidSecurityToken.Expired"));
}

#[tokio::test]
async fn they_sign_under_v3_too() {
    let cloud = TestCloud::start().await;
    let SessionCredentials(id, secret, token) = cloud.given().await;
    let good = V3 { secret: &secret, assumed: Some((&id, &token)), ..V3::default() };
    assert_eq!(envelope(good.request(&cloud)).await.0, 200);
    let bad = V3 { secret: &secret, assumed: Some((&id, "nonsense")), ..V3::default() };
    assert_eq!(envelope(bad.request(&cloud)).await.1["Code"], "InvalidSecurityToken.Malformed");
}

#[tokio::test]
async fn one_fetch_serves_all_who_wait_for_it() {
    let cloud = TestCloud::start().await;
    let client = cloud.assuming("caches");
    let query = DescribeQuery::default();
    let (one, two) = (client.clone(), client.clone());
    let region = region();
    let all = futures_util::future::join_all((0..8).map(|place| {
        let client = if place % 2 == 0 { &one } else { &two };
        client.describe(&region, &query)
    }));
    assert!(all.await.into_iter().all(|page| page.is_ok()));
    assert_eq!((cloud.calls("AssumeRole").await, cloud.calls("DescribeImageCaches").await), (1, 8));
}

#[tokio::test]
async fn one_failure_is_told_to_all_who_waited_for_it() {
    let cloud = TestCloud::start().await;
    let client = cloud.assuming("caches");
    cloud.fault(json!({"action": "AssumeRole", "kind": "error"})).await;
    let (query, region) = (DescribeQuery::default(), region());
    let all = futures_util::future::join_all((0..8).map(|_| client.describe(&region, &query))).await;
    assert!(all.iter().all(|told| matches!(told, Err(CallError::NotSent(_)))), "{all:?}");
    assert_eq!(cloud.calls("AssumeRole").await, 1);
    client.describe(&region, &query).await.expect("a page");
}

#[tokio::test]
async fn at_half_of_their_life_they_are_renewed_and_nobody_waits() {
    let cloud = TestCloud::start().await;
    let client = cloud.assuming("caches");
    let look = async || client.describe(&region(), &DescribeQuery::default()).await;
    look().await.expect("a page");
    cloud.pass(1_799);
    look().await.expect("a page");
    assert_eq!(cloud.calls("AssumeRole").await, 1);
    cloud.pass(1);
    // It never succeeds, and the call does not depend on it.
    cloud.fault(json!({"action": "AssumeRole", "kind": "error", "http": 503, "code": "ServiceUnavailable"})).await;
    look().await.expect("a page");
    while cloud.calls("AssumeRole").await < 2 {
        tokio::task::yield_now().await;
    }
    cloud.pass(30);
    // The failed background fetch may still be ending; its lock is released soon.
    while cloud.calls("AssumeRole").await < 3 {
        look().await.expect("a page");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_credentials_nothing_was_sent() {
    let cloud = TestCloud::start().await;
    for (name, code) in [("forbidden", "NoPermission"), ("does-not-exist", "EntityNotExist.Role")] {
        let told = cloud.assuming(name).describe(&region(), &DescribeQuery::default()).await;
        assert!(matches!(&told, Err(CallError::NotSent(why)) if why.contains(code)), "{told:?}");
    }
    let client = cloud.assuming("caches");
    client.describe(&region(), &DescribeQuery::default()).await.expect("a page");
    cloud.pass(3_541);
    for kind in ["error", "reset", "garbage"] {
        cloud.fault(json!({"action": "AssumeRole", "kind": kind})).await;
        let told = client.describe(&region(), &DescribeQuery::default()).await;
        assert!(matches!(&told, Err(CallError::NotSent(_))), "{kind}: {told:?}");
    }
    client.describe(&region(), &DescribeQuery::default()).await.expect("a page");
}

#[tokio::test]
async fn a_session_that_was_ended_costs_one_more_call() {
    let cloud = TestCloud::start().await;
    let client = cloud.assuming("caches");
    client.describe(&region(), &DescribeQuery::default()).await.expect("a page");
    cloud.set("end-sessions", json!({})).await;
    let operation = cloud.operation();
    let made = client.create(&spec(&json!({})), &[], &cloud.attempt(operation, "token")).await.expect("created");
    assert_eq!((cloud.calls("AssumeRole").await, cloud.creations().await), (2, 1));
    // Whichever credentials sign it, the token is the same.
    cloud.set("end-sessions", json!({})).await;
    let again = client.create(&spec(&json!({})), &[], &cloud.attempt(operation, "token")).await.expect("the same");
    assert_eq!((again.eci_cache_id, cloud.creations().await), (made.eci_cache_id, 1));
}

#[tokio::test]
async fn a_fault_of_sts_repeats_no_secret() {
    let cloud = TestCloud::start().await;
    let message = format!("no: {KEY} {SECRET} canary-external");
    cloud
        .fault(
            json!({"action": "AssumeRole", "kind": "error", "http": 400, "code": "NoPermission", "message": message}),
        )
        .await;
    let told = cloud.assuming("caches").describe(&region(), &DescribeQuery::default()).await;
    let told = format!("{told:?}");
    assert!(told.contains("no: *** *** ***") && !told.contains("canary"), "{told}");
}
