//! Long requests, and refusals because of their length: in the cloud's format, whichever layer refuses.
#![cfg(test)]

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{RpcKey, encoded, error, own, send_as_terraform, send_query, success};
use crate::support::gateway::TestGateway;

/// A create whose URL has at least this many bytes: 20 long names and logins, as in a large service.
fn long(bytes: usize) -> Vec<(String, String)> {
    let mut params = own(&[("RegionId", "cn-beijing"), ("ImageCacheName", "web")]);
    let path = "a".repeat(200);
    params.extend((1..=20).map(|place| (format!("Image.{place}"), format!("r{place}.example.com/{path}/app:1"))));
    for place in 1..=5 {
        let at = |field: &str| format!("ImageRegistryCredential.{place}.{field}");
        params.push((at("Server"), format!("r{place}.example.com")));
        params.push((at("UserName"), "robot".to_owned()));
        let size = bytes.saturating_sub(encoded(&params).len()) / (6 - place);
        params.push((at("Password"), "+".repeat(size / 3)));
    }
    params
}

/// Sends `head` on its own connection, and reads to the end.
async fn talk(app: &TestGateway, head: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    // The server may close the connection while there is still something to send.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole answer");
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

#[tokio::test]
async fn a_url_of_64_kilobytes_is_taken() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    for bytes in [33_000, 62_000] {
        let params = long(bytes);
        let params: Vec<_> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert!(encoded(&own(&params)).len() > bytes - 100);
        success(&send_as_terraform(&app, &key, "CreateImageCache", &params).await);
    }
    assert_eq!(app.creations().await, 2);
}

#[tokio::test]
async fn what_is_too_large_is_refused_in_the_clouds_shape() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    // Refused by one of our layers, or by the HTTP library before there is a request.
    let name = "x".repeat(65_534 - 330);
    let pairs = key.sign("GET", key.unsigned(&app, "ListUsage", &[("ImageCacheName", &name)]));
    let over = encoded(&pairs).len();
    assert!((65_534 - 100..66_000).contains(&over), "{over}");
    let refused = send_query(&app, Method::GET, &pairs).await;
    let told =
        if refused.status == 414 { error_unread(&refused.text) } else { error(&refused, 400, "InvalidParameter") };
    assert!(told["HostId"].is_string(), "{told}");
    let fields = "a: b\r\n".repeat(65);
    let field = format!("a: {}\r\n", "b".repeat(100_000));
    for (head, status) in [
        (format!("POST /?Action=ListUsage&x={} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(70_000)), 414),
        (format!("POST /?Action=ListUsage HTTP/1.1\r\nhost: x\r\n{fields}\r\n"), 431),
        (format!("POST / HTTP/1.1\r\nhost: x\r\nx-acs-action: ListUsage\r\n{field}\r\n"), 431),
    ] {
        let (said, headers, body) = talk(&app, &head).await;
        assert_eq!(said, status, "{body}");
        assert!(headers.contains("content-type: application/json") && headers.contains("x-request-id"), "{headers}");
        assert_eq!(error_unread(&body)["Code"], "RequestEntityTooLarge");
    }
    let head = format!("GET /?Format=XML&x={} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(70_000));
    let (status, _, body) = talk(&app, &head).await;
    assert!(status == 414 && body.contains("<Code>RequestEntityTooLarge</Code>"), "{body}");
    let head = format!("GET /v1/image-caches?x={} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(70_000));
    let (status, headers, body) = talk(&app, &head).await;
    assert!(status == 414 && headers.contains("application/problem+json") && body.contains("url_too_long"), "{body}");
    let long = format!("/v1/image-caches?x={}", "y".repeat(20_000));
    app.get(&long).await.problem(414, "url_too_long");
}

/// The cloud's error, complete.
#[track_caller]
fn error_unread(body: &str) -> Value {
    let body: Value = serde_json::from_str(body).unwrap();
    for name in ["RequestId", "HostId", "Code", "Message", "Recommend"] {
        assert_ne!(body[name], json!(null), "{name} in {body}");
    }
    body
}
