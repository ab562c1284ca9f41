//! Robustness: whatever is sent, the response is an envelope and the next caller is served.

use super::*;

/// Signed, so that it reaches the parsers.
async fn signed(cloud: &TestCloud, action: &str, extra: &[(&str, &str)]) -> (u16, String) {
    let (status, body) = cloud.ask(action, extra).await;
    (status, body["Code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn hostile_parameters_are_refused_or_ignored() {
    let cloud = TestCloud::start().await;
    let long = "x".repeat(100_000);
    let full = [("ImageCacheName", "web"), ("Image.1", "nginx")];
    for (extra, status) in [
        (("ImageCacheSize", "-1"), 400),
        (("ImageCacheSize", "99999999999999999999999999"), 400),
        (("RetentionDays", "-2147483648"), 400),
        (("RetentionDays", "65536"), 200),
        (("StandardCopyCount", "-5"), 400),
        (("Image.-1", "nginx"), 400),
        (("Image.18446744073709551616", "nginx"), 400),
        (("Image.1.1.1.1", "nginx"), 400),
        (("Tag.1", "x"), 400),
        (("Tag..Key", "x"), 400),
        (("AcrRegistryInfo.1Domain.", "x"), 400),
        (("AcrRegistryInfo.é.Domain.1", "x"), 400),
        (("ImageRegistryCredential.1.Server.Server", "x"), 400),
        (("Annotations", &long), 400),
        (("Annotations", "\u{0}"), 400),
        (("ClientToken", &long), 400),
        (("VSwitchId", ",,,,,,,,,,,,,,,"), 200),
        (("PlainHttpRegistry", "\"\"\"\"\""), 200),
        (("é🚀\u{0}", "\u{202e}"), 200),
        (("", ""), 200),
    ] {
        let (found, code) = signed(&cloud, "CreateImageCache", &[&full[..], &[extra]].concat()).await;
        assert_eq!(found, status, "{} {code}", extra.0);
    }
    for extra in [
        ("NextToken", "p1-zz"),
        ("NextToken", "m1-1"),
        ("Limit", "-1"),
        ("Limit", "1e9"),
        ("MatchImage.0", "x"),
        ("MatchImage.1", ":@/::@@"),
    ] {
        assert_eq!(signed(&cloud, "DescribeImageCaches", &[extra]).await.0, 400, "{extra:?}");
    }
    for extra in [("NextToken", "p1-ffffffffffffffff"), ("Limit", "4294967295"), ("Image", "")] {
        assert_eq!(signed(&cloud, "DescribeImageCaches", &[extra]).await.0, 200, "{extra:?}");
    }
    let far = [("MatchImage.1", "nginx"), ("NextToken", "m1-ffffffffffffffff")];
    assert_eq!(signed(&cloud, "DescribeImageCaches", &far).await.0, 200);
    for region in ["", "CN", "../../etc", "cn-beijing\u{0}"] {
        let params = cloud.signed("POST", "DeleteImageCache", &[("ImageCacheId", "imc-1")]);
        let params: Vec<_> =
            params.into_iter().filter(|(key, _)| !["RegionId", "Signature"].contains(&key.as_str())).collect();
        let mut params = [params, vec![("RegionId".to_owned(), region.to_owned())]].concat();
        let text = sign_v1::string_to_sign("POST", &params);
        params.push(("Signature".into(), sign_v1::signature(&SecretString::from(SECRET), &text)));
        assert_eq!(cloud.post(&params).await.0, 400, "{region}");
    }
}

#[tokio::test]
async fn thousands_of_parameters_are_read() {
    let cloud = TestCloud::start().await;
    let names: Vec<String> = (0..10_000).map(|place| format!("Unheard.{place}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    assert_eq!(signed(&cloud, "DescribeImageCaches", &many).await.0, 200);
    let images: Vec<String> = (1..=10_000).map(|place| format!("Image.{place}")).collect();
    let images: Vec<(&str, &str)> = images.iter().map(|name| (name.as_str(), "nginx")).collect();
    let wanted = [&images[..], &[("ImageCacheName", "web")]].concat();
    assert_eq!(signed(&cloud, "CreateImageCache", &wanted).await, (400, "InvalidParameter".into()));
}

#[tokio::test]
async fn absurd_dates_nonces_and_encodings_are_refused() {
    let cloud = TestCloud::start().await;
    let look = "DescribeImageCaches";
    for date in [
        "0000-00-00T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "+99999-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "\u{0}",
        "2026-03-01T08:00:00é",
    ] {
        let (status, code) = signed(&cloud, look, &[("Timestamp", date)]).await;
        assert!(status == 400 && code.starts_with("InvalidTimeStamp."), "{date}: {code}");
    }
    let nonce = "n".repeat(10_000);
    assert_eq!(signed(&cloud, look, &[("SignatureNonce", &nonce)]).await.0, 400);
    let (http, url) = (&cloud.http, &cloud.url);
    let form = |body: Vec<u8>| http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body);
    let doubled: Vec<u8> = b"a=1&".repeat(100_000);
    for request in [
        http.get(format!("{url}/?%ff%fe=%00&%=%%&=&&;")),
        http.get(format!("{url}/?{}", "a".repeat(7_000))),
        form(doubled),
        form(vec![0xff; 100_000]),
        form(b"AccessKeyId=x&Signature=%ff".to_vec()),
        http.post(url).header("authorization", "ACS3-HMAC-SHA256 Credential=,SignedHeaders=;;;,Signature="),
        http.post(url).header("authorization", "ACS3-HMAC-SHA256 ".repeat(500)),
        http.post(url).header("authorization", vec![0xe9, 0xff].as_slice()),
        http.post(url).header("content-type", "text/\"").body("x"),
        http.get(url).header("host", "\u{a0}"),
    ] {
        let (status, body) = envelope(request).await;
        assert!((400..500).contains(&status), "{status} {body}");
    }
    for what in ["faults", "clock", "settings", "outages", "use"] {
        for body in ["", "[", "{}x", "[[[[[[", "{\"kind\":1}", "{\"step_seconds\":1e400}", "null"] {
            let answer = http.post(format!("{url}/_admin/{what}")).body(body).send().await.expect("an answer");
            assert_eq!(answer.status(), 400, "{what} {body}");
        }
    }
    assert_eq!(signed(&cloud, look, &[]).await.0, 200, "and serves the next one");
}
