//! Hostile headers and bodies: refused in the door's format, never with a 5xx.
#![cfg(test)]

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::answer::Answer;
use crate::support::gateway::{SCOPES, TEAM, TestGateway};

/// Sends these bytes verbatim; returns the response's status, headers and body.
async fn raw(app: &TestGateway, head: &[u8], body: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(head).await.unwrap();
    // A client that is refused because of the head may find the connection closed.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

/// A request line and headers, the last of which closes the connection.
fn head(line: &str, headers: &[&[u8]]) -> Vec<u8> {
    let mut all = format!("{line} HTTP/1.1\r\nhost: x\r\n").into_bytes();
    for header in headers {
        all.extend_from_slice(header);
        all.extend_from_slice(b"\r\n");
    }
    all.extend_from_slice(b"connection: close\r\n\r\n");
    all
}

#[tokio::test]
async fn headers_that_no_client_sends() {
    let app = TestGateway::start().await;
    let token = app.token(TEAM, &SCOPES);
    let good = format!("authorization: Bearer {token}").into_bytes();
    let of = |text: &str| format!("authorization: {text}").into_bytes();
    let long = of(&format!("Bearer {}", "a".repeat(25_000)));
    let cases: Vec<(&str, Vec<Vec<u8>>, u16, &str)> = vec![
        ("twice", vec![good.clone(), good.clone()], 401, "token_malformed"),
        ("two schemes", vec![of("Basic YTpi"), good.clone()], 401, "token_malformed"),
        ("an empty one beside it", vec![of(""), good.clone()], 401, "token_malformed"),
        ("Basic", vec![of("Basic YTpi")], 401, "token_missing"),
        ("Digest", vec![of("Digest username=\"a\"")], 401, "token_missing"),
        ("Negotiate", vec![of("Negotiate YII=")], 401, "token_missing"),
        ("no scheme", vec![of(&token)], 401, "token_missing"),
        ("a scheme alone", vec![of("Bearer")], 401, "token_missing"),
        ("spaces", vec![of("Bearer      ")], 401, "token_missing"),
        ("bytes that are no text", vec![b"authorization: Bearer \xff\xfe".to_vec()], 401, "token_malformed"),
        ("a scheme of bytes", vec![b"authorization: \xff a".to_vec()], 401, "token_malformed"),
        ("long", vec![long], 401, "token_too_long"),
        ("in the query", vec![], 401, "token_missing"),
        ("in a cookie", vec![format!("cookie: token={token}").into_bytes()], 401, "token_missing"),
        (
            "another's header",
            vec![format!("x-forwarded-authorization: Bearer {token}").into_bytes()],
            401,
            "token_missing",
        ),
        ("a team of bytes", vec![good.clone(), b"x-team: \xff".to_vec()], 401, "wrong_team"),
        ("an empty team", vec![good.clone(), b"x-team:".to_vec()], 401, "wrong_team"),
        ("another team", vec![good.clone(), b"x-team: other".to_vec()], 401, "wrong_team"),
        ("two teams", vec![good.clone(), b"x-team: web, other".to_vec()], 401, "wrong_team"),
        (
            "two headers of a team",
            vec![good.clone(), b"x-team: web".to_vec(), b"x-team: other".to_vec()],
            401,
            "wrong_team",
        ),
    ];
    for (name, headers, status, code) in cases {
        let headers: Vec<&[u8]> = headers.iter().map(Vec::as_slice).collect();
        let path = if name == "in the query" { format!("/v1/me?access_token={token}") } else { "/v1/me".to_owned() };
        let (got, told, body) = raw(&app, &head(&format!("GET {path}"), &headers), b"").await;
        assert_eq!(got, status, "{name}: {told} {body}");
        assert!(told.contains("content-type: application/problem+json"), "{name}: {told}");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["code"], code, "{name}: {body}");
    }
    let (status, told, _) =
        raw(&app, &head("GET /v1/me", &[&good, b"x-request-id: \xff", b"traceparent: \xff", b"prefer: \xff"]), b"")
            .await;
    assert_eq!(status, 200, "what is not understood of what may be left out is left out: {told}");
}

#[tokio::test]
async fn what_is_no_http_is_no_request() {
    let app = TestGateway::start().await;
    for bytes in [
        b"GET /v1/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a\0b\r\n\r\n".as_slice(),
        b"GET /v1/me HTTP/1.1\r\nhost: x\r\nauthoriz\0ation: a\r\n\r\n",
        b"GET /v1/me\0 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /v1/me HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/image-caches HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"GET /v1/me HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
    }
    let many: Vec<Vec<u8>> = (0..100).map(|n| format!("x-{n}: a").into_bytes()).collect();
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    assert_eq!(raw(&app, &head("GET /v1/me", &many), b"").await.0, 431);
    app.get("/v1/me").await.expect(200);
}

#[tokio::test]
async fn bodies_that_no_client_sends() {
    let app = TestGateway::start().await;
    let send = async |media_type: &str, body: Vec<u8>| {
        let request = app.request(Method::POST, "/v1/image-caches").header("content-type", media_type);
        Answer::of(request.body(body)).await
    };
    let json = "application/json";
    let deep = |open: &str, count: usize| open.repeat(count).into_bytes();
    let inside =
        |value: &str| format!("{{\"name\":{value},\"region\":\"cn-beijing\",\"images\":[\"nginx\"]}}").into_bytes();
    let cases: Vec<(&str, &str, Vec<u8>, u16)> = vec![
        ("deep lists", json, deep("[", 100_000), 400),
        ("deep objects", json, deep("{\"a\":", 40_000), 400),
        ("deep in a field", json, [b"{\"name\":".to_vec(), deep("[", 50_000)].concat(), 400),
        ("no UTF-8", json, b"{\"name\":\"\xff\xfe\"}".to_vec(), 415),
        ("half a surrogate", json, inside("\"\\ud800\""), 400),
        ("NUL in a text", json, inside("\"a\\u0000b\""), 422),
        ("NUL bytes", json, vec![0; 1_000], 400),
        ("a bell", json, inside("\"a\\u0007b\""), 422),
        ("a huge number", json, inside(&"9".repeat(10_000)), 400),
        ("a member twice", json, br#"{"name":"a","name":"b","region":"cn-beijing","images":["nginx"]}"#.to_vec(), 422),
        ("a BOM", json, b"\xef\xbb\xbf{}".to_vec(), 422),
        ("UTF-16", json, "{}".encode_utf16().flat_map(u16::to_le_bytes).collect(), 415),
        ("a list", json, b"[]".to_vec(), 422),
        ("a list of the fields", json, br#" ["web","cn-beijing",["nginx"]]"#.to_vec(), 422),
        ("a text", json, b"\"a\"".to_vec(), 422),
        ("null", json, b"null".to_vec(), 422),
        ("NaN", json, inside("NaN"), 400),
        ("too large", json, vec![b' '; (1 << 20) + 1], 413),
        (
            "many images",
            json,
            format!("{{\"name\":\"a\",\"region\":\"cn-beijing\",\"images\":[{}\"a\"]}}", "\"a\",".repeat(40_000))
                .into_bytes(),
            422,
        ),
        ("XML", "application/xml", b"<a/>".to_vec(), 415),
        ("a form", "multipart/form-data; boundary=x", b"--x--".to_vec(), 415),
        ("bytes", "application/octet-stream", vec![0xff; 100], 415),
        ("no type", "", b"{}".to_vec(), 415),
    ];
    for (name, media_type, body, status) in cases {
        let answer = send(media_type, body).await;
        assert!((400..500).contains(&answer.status), "{name}: {answer:?}");
        let code = answer.json()["code"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        answer.problem(status, &code);
    }
    assert_eq!((app.creations().await, app.count("SELECT count(*) FROM image_caches").await), (0, 0));
    for path in [
        "/v1/image-caches?name=%00",
        "/v1/image-caches?name=%ff",
        "/v1/image-caches/ic_%00",
        "/v1/%ff",
        "/v1/audit-entries?subject=%00",
    ] {
        let answer = app.get(path).await;
        assert!(answer.status == 200 || answer.json()["code"].is_string(), "{path}: {answer:?}");
        assert!(answer.status < 500, "{path}: {answer:?}");
    }
}
