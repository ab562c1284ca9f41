//! What is not a valid HTTP/1.1 request, or is ambiguous: refused with 400 and the end of the connection, through a raw
//! socket. The payloads are from public reports about request smuggling.
#![cfg(test)]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::gateway::TestGateway;

/// The target of a smuggled request.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// All responses to these bytes until the gateway closes the connection.
async fn said(app: &TestGateway, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A gateway that closes while data are in transit resets the connection: what was received before counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// The number of responses in the text.
fn answers(text: &str) -> usize {
    text.split("HTTP/1.").skip(1).filter(|rest| [0, 2].iter().all(|at| rest.as_bytes()[*at].is_ascii_digit())).count()
}

/// The gateway refuses it once, and closes the connection.
async fn refuses(app: &TestGateway, bytes: &str) {
    let answer = said(app, bytes.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.") && answer[8..].starts_with(" 400 "), "{bytes:?}: {answer}");
    assert_eq!(answers(&answer), 1, "{bytes:?}: {answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{bytes:?}: {answer}");
    assert!(answer.contains("application/problem+json") || answer.contains("\"HostId\""), "{bytes:?}: {answer}");
}

#[tokio::test]
async fn a_request_without_one_good_host_is_refused() {
    let app = TestGateway::start().await;
    for head in [
        "",
        "Host: a\r\nHost: a\r\n",
        "Host: a\r\nhost: b\r\n",
        "Host: a\r\nX: y\r\nHOST:\r\n",
        "Host:\r\n",
        "Host:    \r\n",
        "Host: a b\r\n",
        "Host: a, b\r\n",
        "Host: user@a\r\n",
        "Host: a/b\r\n",
        "Host: http://a\r\n",
        "Host: a:port\r\n",
        "Host: a:80:80\r\n",
        "Host: a:99999\r\n",
        "Host: [::1\r\n",
        "Host: [nonsense]\r\n",
        "Host: ::1\r\n",
        "Host: a?b\r\n",
        "Host: a#b\r\n",
        "Host: a\\b\r\n",
        "Host: <a>\r\n",
        "Host: :80\r\n",
        "Host: \u{e4}\r\n",
        "Host: a%zz\r\n",
    ] {
        for target in ["/healthz", "/v1/me", "http://a/healthz"] {
            refuses(&app, &format!("GET {target} HTTP/1.1\r\n{head}\r\n{SMUGGLED}")).await;
        }
    }
    // At the cloud's own API, in its format.
    let answer = said(&app, b"POST /?Action=DescribeImageCaches HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("\"HostId\""), "{answer}");
    refuses(&app, "GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n").await;
    assert_eq!(app.count("SELECT count(*) FROM audit_entries").await, 0, "there was no request yet");
}

#[tokio::test]
async fn hosts_as_clients_and_probes_send_them_are_taken() {
    let app = TestGateway::start().await;
    for head in [
        "Host: gateway.example.com",
        "Host: gateway:8080",
        "Host: my_gateway.internal:8080",
        "Host: 127.0.0.1",
        "Host: [::1]:8080",
        "host:[2001:db8::1]",
        "Host: gateway.example.com.:443",
        "Host: a:",
        "Host: a%2db",
    ] {
        let answer =
            said(&app, format!("GET /healthz HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{head}: {answer}");
    }
    // HAProxy's health checks: HTTP/1.0 has no Host.
    let answer = said(&app, b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 ") || answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_request_that_could_be_read_as_two_is_refused_and_ends_its_connection() {
    let app = TestGateway::start().await;
    let chunked = "0\r\n\r\n";
    for fields in [
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding:",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "Transfer-Encoding:\r\n chunked",
        "TE: gzip, chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nX: y\r\nTransfer-encoding: CHUNKED",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: nonsense",
        "Transfer-Encoding: chunked\r\ncontent-length: 0\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 0\r\nContent-Length: 46",
        "Content-Length: 5, 5",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length: 1_0",
        "Content-Length:",
        "Content-Length : 5",
        "Content-Length: 99999999999999999999",
        "Content-Length: 5\u{0}",
    ] {
        for target in ["/v1/image-caches", "/"] {
            let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n");
            refuses(&app, &format!("{head}{chunked}{SMUGGLED}")).await;
        }
    }
    refuses(&app, &format!("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}{SMUGGLED}"))
        .await;
    // After a valid one, sent together with it or after its response.
    let bad = format!(
        "POST /v1/me HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}{SMUGGLED}"
    );
    let answer = said(&app, format!("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n{bad}").as_bytes()).await;
    assert_eq!(answers(&answer), 2, "{answer}");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("HTTP/1.1 400 "), "{answer}");
    assert_eq!(app.count("SELECT count(*) FROM audit_entries WHERE http_status < 400").await, 0);
}

#[tokio::test]
async fn a_body_whose_chunks_are_not_as_they_must_be_reaches_nobody() {
    let app = TestGateway::start().await;
    let token = app.token("web", &crate::support::gateway::SCOPES);
    for body in [
        "0_0\r\n\r\n",
        "0x1\r\nZ\r\n0\r\n\r\n",
        "\r0\r\n\r\n",
        "+1\r\nZ\r\n0\r\n\r\n",
        "-1\r\nZ\r\n0\r\n\r\n",
        "1\nZ\r\n0\r\n\r\n",
        "1;\nxx\r\nZ\r\n0\r\n\r\n",
        "1;a=\"\n\"\r\nZ\r\n0\r\n\r\n",
        "2\r\nZXXX\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\nZ\r\n0\r\n\r\n",
        "1\r\nZ0\r\n\r\n",
        "\r\n\r\n",
        "1 \u{b}\r\nZ\r\n0\r\n\r\n",
    ] {
        let head = format!(
            "POST /v1/image-caches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n"
        );
        let answer = said(&app, format!("{head}{body}{SMUGGLED}").as_bytes()).await;
        assert!(answers(&answer) <= 1, "{body:?}: {answer}");
        assert!(!answer.contains("unknown_route"), "{body:?}: {answer}");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{body:?}: {answer}");
    }
    assert_eq!(app.creations().await, 0);
}

#[tokio::test]
async fn a_chunked_body_is_taken() {
    let app = TestGateway::start().await;
    let token = app.token("web", &crate::support::gateway::SCOPES);
    for coding in ["chunked", "Chunked", " chunked "] {
        let body = "4a\r\n{\"name\": \"web\", \"region\": \"cn-beijing\", \"images\": [\"nginx:1.27\"], \"size\": 20}\r\n0\r\n\r\n";
        let head = format!(
            "POST /v1/image-caches/dry-run HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             TE: trailers\r\nConnection: close\r\nTransfer-Encoding:{coding}\r\n\r\n{body}"
        );
        let answer = said(&app, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 2"), "{answer}");
        assert!(!answer.contains("malformed") && !answer.contains("framing"), "{answer}");
    }
}

#[tokio::test]
async fn the_proxy_protocol_is_told_to_be_unsupported() {
    let app = TestGateway::start().await;
    for line in [
        &b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let answer = said(&app, line).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("PROXY protocol"), "{answer}");
    }
}
