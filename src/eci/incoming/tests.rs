//! Requests under both signatures, and every reason for refusing them.

use super::*;

mod properties;

const SECRET: &str = "testsecret";

fn own(pairs: &[(&str, &str)]) -> FormPairs {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn secret() -> SecretString {
    SecretString::from(SECRET)
}

/// A describe signed with V1 for `method`, then altered.
fn v1(method: &str, extra: &[(&str, &str)], without: &str) -> String {
    let mut pairs = own(&[
        ("Action", "DescribeImageCaches"),
        ("Version", "2018-08-08"),
        ("AccessKeyId", "key-id"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureType", ""),
        ("SignatureNonce", "nonce"),
        ("Timestamp", "2026-03-01T08:00:00Z"),
        ("RegionId", "cn-beijing"),
    ]);
    pairs.retain(|(key, _)| extra.iter().all(|(other, _)| key != other));
    pairs.extend(own(extra));
    let signature = sign_v1::signature(&secret(), &sign_v1::string_to_sign(method, &pairs));
    pairs.push(("Signature".into(), signature));
    pairs.retain(|(key, _)| key != without);
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn get(query: &str) -> Result<Incoming, RequestRefusal> {
    Incoming::read(&RawRequest { method: "GET", path: "/", query, headers: &[], body: b"" })
}

/// A describe signed with V3, with these headers besides the usual ones.
fn v3(body: &[u8], extra: &[(&str, &str)], unsigned: &str) -> FormPairs {
    let mut headers = own(&[
        ("host", "eci.cn-beijing.aliyuncs.com"),
        ("x-acs-action", "DescribeImageCaches"),
        ("x-acs-version", "2018-08-08"),
        ("x-acs-date", "2026-03-01T08:00:00Z"),
        ("x-acs-signature-nonce", "nonce"),
    ]);
    headers.push(("x-acs-content-sha256".into(), sign_v3::hashed_payload(body)));
    headers.retain(|(name, _)| extra.iter().all(|(other, _)| name != other));
    headers.extend(own(extra).into_iter().filter(|(_, value)| !value.is_empty()));
    let signed: FormPairs = headers.iter().filter(|(name, _)| name != unsigned).cloned().collect();
    let payload = sign_v3::hashed_payload(body);
    let query = own(&[("RegionId", "cn-beijing")]);
    let request =
        sign_v3::SignedParts { method: "POST", path: "/", query: &query, headers: &signed, payload: &payload };
    let text = sign_v3::string_to_sign(&sign_v3::canonical_request(&request));
    let authorization = sign_v3::authorization("key-id", &signed, &sign_v3::signature(&secret(), &text));
    headers.push(("authorization".into(), authorization));
    headers
}

fn post(headers: &[(String, String)], body: &[u8]) -> Result<Incoming, RequestRefusal> {
    Incoming::read(&RawRequest { method: "POST", path: "/", query: "RegionId=cn-beijing", headers, body })
}

fn refused(read: Result<Incoming, RequestRefusal>) -> String {
    read.and_then(|incoming| incoming.verify(&secret())).expect_err("refused").code().into_owned()
}

#[test]
fn v1_is_understood_and_verified() {
    let incoming = get(&v1("GET", &[("SecurityToken", "canary-token"), ("Image", "a b+c*~/é")], "")).unwrap();
    assert_eq!(
        (incoming.scheme, incoming.action.as_str(), incoming.format),
        (Scheme::V1, "DescribeImageCaches", AnswerFormat::Json)
    );
    assert_eq!(incoming.params, own(&[("RegionId", "cn-beijing"), ("Image", "a b+c*~/é")]));
    assert_eq!(incoming.verify(&secret()), Ok(()));
    assert!(incoming.security_token.is_some() && !format!("{incoming:?}").contains("canary"));
    let wrong = incoming.verify(&SecretString::from("other")).unwrap_err();
    assert_eq!((wrong.code().as_ref(), wrong.http_status()), ("SignatureDoesNotMatch", 400));
    assert!(wrong.message().contains("server string to sign is:GET&%2F&") && !wrong.message().contains("canary"));
    assert!(wrong.message().contains("the AccessKeySecret is wrong"), "{wrong}");
    let plain = get(&v1("GET", &[("Image", "a b+c*~/é")], "")).unwrap();
    let Proof::V1 { method, pairs, .. } = &plain.proof else { panic!("it is V1") };
    let exact = plain.verify(&SecretString::from("other")).unwrap_err().message().into_owned();
    let begin = "Specified signature is not matched with our calculation. server string to sign is:";
    assert_eq!(exact, format!("{begin}{}", sign_v1::string_to_sign(method, pairs)), "as the cloud says it");
    assert_eq!(exact.split(':').count(), 2, "SDKs take what stands behind the first colon");
    for (now, fits) in [("08:15:00", true), ("08:15:01", false), ("07:45:00", true), ("07:44:59", false)] {
        let now = format!("2026-03-01T{now}Z").parse().unwrap();
        assert_eq!(incoming.check_time(now).is_ok(), fits, "{now}");
    }
}

#[test]
fn what_is_missing_or_odd_under_v1_is_named() {
    for missing in ["AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"] {
        assert_eq!(refused(get(&v1("GET", &[], missing))), format!("Missing{missing}"));
    }
    for (extra, code) in [
        (("Timestamp", "yesterday"), "InvalidTimeStamp.Format"),
        (("Timestamp", "+12026-03-01T08:00:00Z"), "InvalidTimeStamp.Format"),
        (("Format", "YAML"), "InvalidParameter.Format"),
        (("SignatureMethod", "HMAC-MD5"), "InvalidParameter"),
        (("SignatureVersion", "2.0"), "InvalidParameter"),
    ] {
        assert_eq!(refused(get(&v1("GET", &[extra], ""))), code, "{extra:?}");
    }
    let good = v1("GET", &[], "");
    assert_eq!(refused(get(&format!("{good}&RegionId=cn-beijing"))), "InvalidParameter");
    assert_eq!(refused(get(&good.replace("cn-beijing", "cn-hangzhou"))), "SignatureDoesNotMatch");
    assert_eq!(refused(get(&v1("POST", &[], ""))), "SignatureDoesNotMatch");
    let odd = |method, path| Incoming::read(&RawRequest { method, path, query: &good, headers: &[], body: b"" });
    assert_eq!(refused(odd("DELETE", "/")), "UnsupportedHTTPMethod");
    assert_eq!(refused(odd("GET", "/x")), "InvalidApi.NotFound");
}

#[test]
fn v3_is_understood_and_verified() {
    let sts = [("x-acs-accesskey-id", "key-id"), ("x-acs-security-token", "canary-token"), ("accept", "text/xml")];
    let incoming = post(&v3(b"", &sts, "accept"), b"").unwrap();
    assert_eq!((incoming.scheme, incoming.format, incoming.nonce.as_str()), (Scheme::V3, AnswerFormat::Xml, "nonce"));
    assert_eq!(incoming.verify(&secret()), Ok(()));
    let wrong = incoming.verify(&SecretString::from("other")).unwrap_err();
    assert!(wrong.message().contains("server StringToSign is [ACS3-HMAC-SHA256\n***]"), "{wrong}");
    assert!(!wrong.message().contains("canary") && wrong.code() == "SignatureDoesNotMatch", "{wrong}");
    for (kind, body) in [("application/x-www-form-urlencoded", "Image.1=a"), ("application/json", r#"{"Image":["a"]}"#)]
    {
        let incoming = post(&v3(body.as_bytes(), &[("content-type", kind)], ""), body.as_bytes()).unwrap();
        assert_eq!(incoming.verify(&secret()), Ok(()));
        assert_eq!(incoming.params, own(&[("RegionId", "cn-beijing"), ("Image.1", "a")]));
    }
}

#[test]
fn what_must_be_signed_under_v3_is() {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for unsigned in ["host", "x-acs-date", "x-acs-content-sha256", "x-acs-action"] {
        assert_eq!(refused(post(&v3(b"", &[], unsigned), b"")), "IncompleteSignature", "{unsigned}");
    }
    assert_eq!(refused(post(&v3(b"a=b", &form, "content-type"), b"a=b")), "IncompleteSignature");
    assert_eq!(refused(post(&v3(b"a=b", &[], ""), b"a=b")), "IncompleteSignature", "no type");
    assert_eq!(refused(post(&v3(b"a=b", &form, ""), b"a=c")), "InvalidParameter.ContentSha256");
    assert_eq!(refused(post(&v3(b"RegionId=b", &form, ""), b"RegionId=b")), "InvalidParameter");
    let other = [("x-acs-accesskey-id", "other")];
    assert_eq!(refused(post(&v3(b"", &other, ""), b"")), "IncompleteSignature");
    for (name, code) in [
        ("x-acs-date", "MissingTimestamp"),
        ("x-acs-signature-nonce", "MissingSignatureNonce"),
        ("x-acs-action", "MissingAction"),
        ("x-acs-version", "MissingVersion"),
    ] {
        assert_eq!(refused(post(&v3(b"", &[(name, "")], ""), b"")), code);
    }
    let mut doubled = v3(b"", &[], "");
    doubled.push(("x-acs-action".into(), "DeleteImageCache".into()));
    assert_eq!(refused(post(&doubled, b"")), "InvalidParameter");
    for authorization in [
        "ACS3-",
        "ACS3-HMAC-SM3 Credential=a",
        "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=;,,=",
        "ACS3-HMAC-SHA256 é",
    ] {
        let headers = own(&[("authorization", authorization)]);
        assert_eq!(refused(post(&headers, b"")), "IncompleteSignature", "{authorization}");
    }
}
