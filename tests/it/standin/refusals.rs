//! Who and what is refused, and that every response is an envelope.

use super::*;

#[tokio::test]
async fn a_wrong_secret_is_refused_and_nothing_is_echoed() {
    let cloud = TestCloud::start().await;
    let client = cloud.client_with(&cloud.url, "canary-other-secret", Duration::from_secs(30));
    let login = RegistryCredential { server: "h".into(), user_name: "u".into(), password: "canary-password".into() };
    let fault = client
        .create(&spec(&json!({})), &[login], &cloud.attempt(cloud.operation(), "token"))
        .await
        .expect_err("refused");
    let error = fault.cloud_error().expect("an envelope");
    assert_eq!((error.code.as_str(), error.http_status), ("SignatureDoesNotMatch", 400));
    assert!(error.message.ends_with("server string to sign is:"), "{}", error.message);
    assert!(!format!("{fault:?}").contains("canary"));
    // The raw response contains the string to sign, without the values of secrets.
    let mut params = cloud.signed("POST", "CreateImageCache", &[("ImageRegistryCredential.1.Password", "canary-pw")]);
    params.push(("SecurityToken".into(), "canary-token".into()));
    let (status, body) = cloud.post(&params).await;
    let message = body["Message"].as_str().expect("a text");
    assert_eq!((status, body["Code"].as_str()), (400, Some("SignatureDoesNotMatch")));
    // SDKs compare it with what they signed; the id of a key is not a secret.
    let begins = "server string to sign is:POST&%2F&AccessKeyId%3Dcanary-key-id%26Action%3DCreateImageCache";
    assert!(message.contains(begins), "{message}");
    for secret in ["canary-pw", "canary-token"] {
        assert!(!body.to_string().contains(secret), "{body}");
    }
    assert_eq!(cloud.creations().await, 0);
}

#[tokio::test]
async fn replayed_stale_doubled_and_incomplete_requests_are_refused() {
    let cloud = TestCloud::start().await;
    let describe = "DescribeImageCaches";
    let params = cloud.signed("GET", describe, &[]);
    assert_eq!(cloud.get(&params).await.0, 200);
    assert_eq!(cloud.get(&params).await.1["Code"], "SignatureNonceUsed");
    cloud.pass(16 * 60);
    assert_eq!(cloud.get(&params).await.1["Code"], "InvalidTimeStamp.Expired");
    let mut doubled = cloud.signed("GET", describe, &[]);
    doubled.push(("RegionId".into(), "cn-beijing".into()));
    assert_eq!(cloud.get(&doubled).await.1["Code"], "InvalidParameter");
    for missing in ["SignatureNonce", "Timestamp", "Action", "Version", "Signature"] {
        let cut: Vec<_> = cloud.signed("GET", describe, &[]).into_iter().filter(|(key, _)| key != missing).collect();
        assert_eq!(cloud.get(&cut).await.1["Code"], format!("Missing{missing}"));
    }
    for (extra, status, code) in [
        (("Timestamp", "yesterday"), 400, "InvalidTimeStamp.Format"),
        (("Timestamp", "2026-03-01T08:32:00Z"), 400, "InvalidTimeStamp.Expired"),
        (("Limit", "0"), 400, "InvalidParameter"),
        (("NextToken", "made-up"), 400, "InvalidParameter"),
    ] {
        let (found, body) = cloud.post(&cloud.signed("POST", describe, &[extra])).await;
        assert_eq!((found, body["Code"].as_str()), (status, Some(code)), "{extra:?}");
    }
    let mut stranger = cloud.signed("POST", describe, &[]);
    stranger.iter_mut().filter(|(key, _)| key == "AccessKeyId").for_each(|(_, id)| *id = "stranger".into());
    let (status, body) = cloud.post(&stranger).await;
    assert_eq!((status, body["Code"].as_str()), (404, Some("InvalidAccessKeyId.NotFound")));
    assert_eq!(cloud.post(&[]).await.1["Code"], "MissingAccessKeyId");
    assert_eq!(cloud.post(&cloud.signed("POST", "DeleteEverything", &[])).await.1["Code"], "InvalidApi.NotFound");
}

#[tokio::test]
async fn a_dry_run_builds_nothing() {
    let cloud = TestCloud::start().await;
    let params = [("ImageCacheName", "web"), ("Image.1", "nginx"), ("DryRun", "True")];
    let (status, body) = cloud.post(&cloud.signed("POST", "CreateImageCache", &params)).await;
    assert_eq!((status, body["Code"].as_str()), (400, Some("DryRunOperation")), "{body}");
    assert_eq!(cloud.get(&cloud.signed("GET", "DescribeImageCaches", &[])).await.1["TotalCount"], 0);
}

#[tokio::test]
async fn parameters_keep_to_their_limits() {
    let cloud = TestCloud::start().await;
    let full = [("ImageCacheName", "web"), ("Image.1", "nginx")];
    let login = [
        ("ImageRegistryCredential.1.UserName", "u"),
        ("ImageRegistryCredential.1.Password", "p"),
        ("ImageRegistryCredential.1.Server", "https://h"),
    ];
    for (extra, code) in [
        (vec![("Image.1", "nginx")], "MissingParameter"),
        (vec![("ImageCacheName", "web")], "MissingParameter"),
        ([&full[..], &[("Image.21", "nginx")]].concat(), "InvalidParameter"),
        ([&full[..], &[("ImageCacheSize", "19")]].concat(), "InvalidParameter"),
        ([&full[..], &[("RetentionDays", "65537")]].concat(), "InvalidParameter"),
        ([&full[..], &[("VSwitchId", "a,b,c,d,e,f,g,h,i,j,k")]].concat(), "InvalidParameter"),
        ([&full[..], &[("Flash", "perhaps")]].concat(), "InvalidParameter"),
        ([&full[..], &[("EliminationStrategy", "FIFO")]].concat(), "InvalidParameter"),
        ([&full[..], &login[..]].concat(), "InvalidParameter"),
    ] {
        let (status, body) = cloud.post(&cloud.signed("POST", "CreateImageCache", &extra)).await;
        assert_eq!((status, body["Code"].as_str()), (400, Some(code)), "{extra:?}");
        let (parameter, _) = extra.last().expect("a parameter");
        let field = parameter.split('.').next().unwrap_or_default();
        assert!(
            code == "MissingParameter" || body["Message"].as_str().is_some_and(|text| text.contains(field)),
            "{body}"
        );
    }
    let python = [&full[..], &[("Flash", "True"), ("AutoMatchImageCache", "False")]].concat();
    assert_eq!(cloud.post(&cloud.signed("POST", "CreateImageCache", &python)).await.0, 200);
    assert_eq!(cloud.creations().await, 1);
}

#[tokio::test]
async fn whatever_is_asked_the_answer_is_an_envelope() {
    let cloud = TestCloud::start().await;
    let (http, url) = (&cloud.http, &cloud.url);
    let at = |path: &str| format!("{url}{path}");
    let long = "a".repeat((1 << 20) + 1);
    for (request, status) in [
        (http.get(at("/nothing/here")), 404),
        (http.delete(at("/")), 405),
        (http.post(at("/healthz")), 405),
        (http.post(at("/")).header("content-type", "application/x-www-form-urlencoded").body(long), 413),
        (http.post(at("/")).header("content-type", "application/json").body("{}"), 415),
        (
            http.post(at("/"))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(vec![0xff, b'%', b'&', b'=', 0]),
            400,
        ),
        (http.get(at("/?%ff=%00&&&==&Image.1")), 400),
    ] {
        assert_eq!(envelope(request).await.0, status);
    }
    let health = http.get(at("/healthz")).send().await.expect("an answer");
    assert_eq!((health.status().as_u16(), health.text().await.expect("a text").as_str()), (200, "ok"));
    let wrong = http.post(at("/_admin/faults")).body("{}").send().await.expect("an answer");
    assert_eq!(wrong.status(), 400);
    http.post(at("/_admin/reset")).send().await.expect("an answer");
    assert_eq!(cloud.ledger().await["calls"], json!({}));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_answered() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let cloud = TestCloud::start().await;
    let address = cloud.url.strip_prefix("http://").unwrap().to_owned();
    for broken in ["content-length: 100\r\n\r\nAction=", "transfer-encoding: chunked\r\n\r\n5\r\nAct"] {
        let mut connection = tokio::net::TcpStream::connect(&address).await.unwrap();
        let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n";
        connection.write_all(format!("{head}{broken}").as_bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // It may be closed or reset.
        let _end = connection.read_to_end(&mut answer).await;
        assert_eq!(String::from_utf8_lossy(&answer), "", "{broken}");
    }
}
