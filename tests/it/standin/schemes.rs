//! V3 besides V1, and XML besides JSON.

use eci_cache_gateway::eci::sign_v3::{self, SignedParts};

use super::*;

/// A request with V3, as an SDK makes it.
pub(super) struct V3<'a> {
    pub(super) action: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) form: &'a str,
    pub(super) accept: &'a str,
    pub(super) secret: &'a str,
    /// A temporary key and its token.
    pub(super) assumed: Option<(&'a str, &'a str)>,
}

impl Default for V3<'_> {
    fn default() -> Self {
        Self {
            action: "DescribeImageCaches",
            query: &[],
            form: "",
            accept: "application/json",
            secret: SECRET,
            assumed: None,
        }
    }
}

impl V3<'_> {
    pub(super) fn request(&self, cloud: &TestCloud) -> reqwest::RequestBuilder {
        let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let query: Vec<_> = [("RegionId", "cn-beijing")].iter().chain(self.query).map(own).collect();
        let payload = sign_v3::hashed_payload(self.form.as_bytes());
        let host = cloud.url.trim_start_matches("http://");
        let date = cloud.clock.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let nonce = cloud.operation().to_string();
        let mut headers: Vec<_> = [
            ("host", host),
            ("x-acs-action", self.action),
            ("x-acs-version", "2018-08-08"),
            ("x-acs-date", &date),
            ("x-acs-signature-nonce", &nonce),
            ("x-acs-content-sha256", &payload),
            ("accept", self.accept),
        ]
        .iter()
        .map(own)
        .collect();
        if !self.form.is_empty() {
            headers.push(own(&("content-type", "application/x-www-form-urlencoded")));
        }
        if let Some((id, token)) = self.assumed {
            headers.extend([("x-acs-accesskey-id", id), ("x-acs-security-token", token)].iter().map(own));
        }
        let signed = SignedParts { method: "POST", path: "/", query: &query, headers: &headers, payload: &payload };
        let text = sign_v3::string_to_sign(&sign_v3::canonical_request(&signed));
        let signature = sign_v3::signature(&SecretString::from(self.secret), &text);
        let authorization = sign_v3::authorization(self.assumed.map_or(KEY, |(id, _)| id), &headers, &signature);
        let request = cloud.http.post(&cloud.url).query(&query).body(self.form.to_owned());
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(name, value))
            .header("authorization", authorization)
    }
}

#[tokio::test]
async fn v3_creates_what_v1_sees() {
    let cloud = TestCloud::start().await;
    let create = V3 {
        action: "CreateImageCache",
        query: &[("ImageCacheName", "a b+c*~/é"), ("Flash", "True")],
        form: "Image.1=nginx%3A1&ClientToken=token",
        ..V3::default()
    };
    let (status, body) = envelope(create.request(&cloud)).await;
    assert_eq!(status, 200, "{body}");
    let (_, again) = envelope(create.request(&cloud)).await;
    assert_eq!(again["ImageCacheId"], body["ImageCacheId"], "the same token, the same answer");
    let seen = cloud.seen(body["ImageCacheId"].as_str().expect("an id")).await;
    assert_eq!((seen.name.as_str(), &seen.images), ("a b+c*~/é", &vec!["nginx:1".to_owned()]));
    let (_, page) = envelope(V3::default().request(&cloud)).await;
    assert_eq!(page["TotalCount"], 1);
    let (status, body) = envelope(V3 { secret: "other", ..V3::default() }.request(&cloud)).await;
    let message = body["Message"].as_str().expect("a text");
    assert_eq!((status, body["Code"].as_str()), (400, Some("SignatureDoesNotMatch")));
    assert!(message.contains("server StringToSign is [ACS3-HMAC-SHA256\n"), "{message}");
    let replayed = V3::default().request(&cloud);
    let twin = replayed.try_clone().expect("a body in memory");
    assert_eq!(
        (envelope(replayed).await.0, envelope(twin).await.1["Code"].as_str()),
        (200, Some("SignatureNonceUsed"))
    );
    let stale = V3::default().request(&cloud);
    cloud.pass(901);
    assert_eq!(envelope(stale).await.1["Code"], "InvalidTimeStamp.Expired");
    let unknown = V3 { action: "DeleteEverything", ..V3::default() };
    assert_eq!(envelope(unknown.request(&cloud)).await.1["Code"], "InvalidApi.NotFound");
}

#[tokio::test]
async fn xml_is_for_those_who_ask() {
    let cloud = TestCloud::start().await;
    let id = cloud.created(&spec(&json!({"images": ["nginx:1", "redis:7"], "tags": {"a": "<&>"}}))).await;
    let ask = async |extra: &[(&str, &str)]| {
        let params = cloud.signed("POST", "DescribeImageCaches", extra);
        let params: Vec<_> =
            params.into_iter().filter(|(key, _)| !["Format", "Signature"].contains(&key.as_str())).collect();
        let mut params = [params, vec![("Format".to_owned(), "xml".to_owned())]].concat();
        let text = sign_v1::string_to_sign("POST", &params);
        params.push(("Signature".into(), sign_v1::signature(&SecretString::from(SECRET), &text)));
        let answer = cloud.http.post(&cloud.url).form(&params).send().await.expect("an answer");
        assert_eq!(answer.headers()["content-type"], "text/xml;charset=utf-8");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    };
    let (status, text) = ask(&[]).await;
    assert_eq!(status, 200);
    assert!(
        text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><DescribeImageCachesResponse><RequestId>"),
        "{text}"
    );
    for part in [
        &format!("<ImageCacheId>{id}</ImageCacheId>"),
        "<Images>nginx:1</Images><Images>redis:7</Images>",
        "<Value>&lt;&amp;&gt;</Value>",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (status, text) = ask(&[("Limit", "0")]).await;
    assert!(
        status == 400 && text.contains("<Error><RequestId>") && text.contains("<Code>InvalidParameter</Code>"),
        "{text}"
    );
    let by_header = V3 { accept: "application/xml", ..V3::default() };
    let answer = by_header.request(&cloud).send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/xml;charset=utf-8");
    let lost = cloud.http.get(format!("{}/nowhere?Format=XML", cloud.url)).send().await.expect("an answer");
    assert!(lost.text().await.expect("a text").contains("<Code>InvalidApi.NotFound</Code>"));
}
