//! The client's address of a request, with and without trusted proxies.
#![cfg(test)]

use std::net::Ipv4Addr;

use eci_cache_gateway::domain::limits::bucket::Rate;
use eci_cache_gateway::http::links::Links;
use eci_cache_gateway::http::server::ConnectionLimits;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};

/// The tests' own address, and a network of proxies.
fn proxies() -> Vec<eci_cache_gateway::webhook::cidr::Cidr> {
    ["127.0.0.1", "10.0.0.0/8", "2001:db8:ffff::/48"].map(|cidr| cidr.parse().unwrap()).to_vec()
}

fn behind_proxies() -> Setup {
    Setup { links: Links::new(None, proxies()), ..Setup::default() }
}

fn with(request: RequestBuilder, headers: &[(&str, &[u8])]) -> RequestBuilder {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<reqwest::header::HeaderName>().unwrap(), value.to_vec().try_into().unwrap());
    }
    request.headers(map)
}

/// The address in the audit for a request with these headers.
async fn told(app: &TestGateway, headers: &[(&str, &[u8])]) -> String {
    let answer = Answer::of(with(app.request(Method::GET, "/v1/me"), headers)).await;
    answer.expect(200);
    let sql = "SELECT address FROM audit_entries WHERE request_id = $1";
    sqlx::query_scalar(sql).bind(answer.header("x-request-id")).fetch_one(app.sql()).await.unwrap()
}

const FOR: &str = "x-forwarded-for";
const STANDARD: &str = "forwarded";

#[tokio::test]
async fn a_trusted_proxy_names_the_client_read_from_the_right_past_trusted_ones() {
    let app = TestGateway::with(behind_proxies()).await;
    let here = "127.0.0.1";
    let long = format!("{}, 192.0.2.1", vec!["10.0.0.1"; 2_000].join(","));
    let deep = format!("192.0.2.1, {}", vec!["10.0.0.1"; 2_000].join(","));
    let elements = format!("{}, for=192.0.2.1", vec!["for=10.0.0.1"; 2_000].join(","));
    for (headers, expected) in [
        (&[][..], here),
        (&[(FOR, &b"192.0.2.1"[..])][..], "192.0.2.1"),
        // What the client sent is on the left and is ignored.
        (&[(FOR, b"203.0.113.9, 192.0.2.1")], "192.0.2.1"),
        (&[(FOR, b"203.0.113.9, 10.0.0.7, 192.0.2.1, 10.1.2.3,10.0.0.1")], "192.0.2.1"),
        (&[(FOR, b"203.0.113.9"), (FOR, b"192.0.2.1"), (FOR, b"10.0.0.1")], "192.0.2.1"),
        (&[(FOR, b"10.0.0.2, 10.0.0.1")], "10.0.0.2"),
        (&[(FOR, b"192.0.2.1:4711")], "192.0.2.1"),
        (&[(FOR, b"[2001:db8::1]:4711")], "2001:db8::1"),
        (&[(FOR, b"[2001:db8::1]")], "2001:db8::1"),
        (&[(FOR, b"2001:db8::1, 2001:db8:ffff::9")], "2001:db8::1"),
        (&[(FOR, b"::ffff:192.0.2.1")], "192.0.2.1"),
        (&[(FOR, b"192.0.2.1, ::ffff:10.0.0.1")], "192.0.2.1"),
        (&[(FOR, b" , 192.0.2.1 ,, ")], "192.0.2.1"),
        (&[(FOR, b"\"192.0.2.1\"")], "192.0.2.1"),
        // If an address is unknown, none is made up: the last known one is used.
        (&[(FOR, b"192.0.2.1, unknown")], here),
        (&[(FOR, b"192.0.2.1, unknown, 10.0.0.1")], "10.0.0.1"),
        (&[(FOR, b"192.0.2.1, _hidden")], here),
        (&[(FOR, b"")], here),
        (&[(FOR, b",,,")], here),
        (&[(FOR, b"192.0.2.1, 300.1.1.1")], here),
        (&[(FOR, b"192.0.2.1, 0x7f.1")], here),
        (&[(FOR, b"192.0.2.1, 192.0.2.2:port")], here),
        (&[(FOR, b"192.0.2.1, 192.0.2.2:99999")], here),
        (&[(FOR, b"192.0.2.1, fe80::1%eth0")], here),
        (&[(FOR, b"192.0.2.1, \xff\xfe")], here),
        (&[(FOR, b"192.0.2.1, <script>")], here),
        (&[(FOR, b"192.0.2.1 198.51.100.1")], here),
        (&[(FOR, long.as_bytes())], "192.0.2.1"),
        (&[(FOR, deep.as_bytes())], "10.0.0.1"),
        (&[(STANDARD, b"for=192.0.2.1")], "192.0.2.1"),
        (&[(STANDARD, b"For=\"192.0.2.1:80\";proto=https; by=203.0.113.43")], "192.0.2.1"),
        (&[(STANDARD, b"by=10.0.0.1;host=\"a,b;c\" ; for=\"[2001:db8::1]:4711\"")], "2001:db8::1"),
        (&[(STANDARD, b"for=203.0.113.9, for=192.0.2.1, for=10.0.0.1")], "192.0.2.1"),
        (&[(STANDARD, b"for=203.0.113.9"), (STANDARD, b"for=192.0.2.1,for=10.0.0.1")], "192.0.2.1"),
        (&[(STANDARD, b"for=\"[2001:db8::1]:_p\"")], "2001:db8::1"),
        (&[(STANDARD, b"for=\"192.0.2\\.1\"")], "192.0.2.1"),
        (&[(STANDARD, b"for=192.0.2.1, for=unknown")], here),
        (&[(STANDARD, b"for=192.0.2.1, for=_gazonk")], here),
        (&[(STANDARD, b"for=192.0.2.1, for=\"_gazonk:_p\"")], here),
        (&[(STANDARD, b"for=192.0.2.1, proto=https")], here),
        (&[(STANDARD, b"for=192.0.2.1, for=198.51.100.1;for=198.51.100.2")], here),
        (&[(STANDARD, b"for=192.0.2.1, for=2001:db8::1")], here),
        (&[(STANDARD, b"for=192.0.2.1, for")], here),
        (&[(STANDARD, b"for=192.0.2.1, for=\"198.51.100.1")], here),
        // An unterminated quote of the client must not hide what the proxy added.
        (&[(STANDARD, b"for=203.0.113.9;host=\", for=192.0.2.1")], "192.0.2.1"),
        (&[(STANDARD, b"for=\", for=192.0.2.1")], "192.0.2.1"),
        (&[(STANDARD, b"\xff\xfe")], here),
        (&[(STANDARD, elements.as_bytes())], "192.0.2.1"),
        // Proxies set one header and pass the client's other one on.
        (&[(STANDARD, b"for=203.0.113.9"), (FOR, b"192.0.2.1")], "192.0.2.1"),
        (&[(STANDARD, b"for=203.0.113.9"), (FOR, b"unknown")], here),
        // No other header is trusted.
        (&[("x-real-ip", b"203.0.113.9"), ("true-client-ip", b"203.0.113.9"), ("via", b"1.1 203.0.113.9")], here),
    ] {
        assert_eq!(told(&app, headers).await, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn who_is_not_trusted_names_nobody() {
    for links in [Links::default(), Links::new(None, vec!["10.0.0.0/8".parse().unwrap()])] {
        let app = TestGateway::with(Setup { links, ..Setup::default() }).await;
        for headers in [&[(FOR, &b"192.0.2.1"[..])], &[(STANDARD, &b"for=192.0.2.1"[..])]] {
            assert_eq!(told(&app, headers).await, "127.0.0.1");
        }
    }
}

#[tokio::test]
async fn no_header_makes_a_link_lead_elsewhere() {
    let app = TestGateway::with(behind_proxies()).await;
    let evil: &[(&str, &[u8])] = &[
        ("x-forwarded-host", b"evil.example"),
        ("x-forwarded-proto", b"javascript"),
        ("x-forwarded-port", b"1"),
        ("x-forwarded-server", b"evil.example"),
        (STANDARD, b"for=192.0.2.1;host=evil.example;proto=gopher"),
    ];
    app.created().await;
    app.created().await;
    for path in ["/v1/image-caches?limit=1", "/openapi.json", "/docs"] {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let request = http
            .get(format!("http://{}{path}", app.address))
            .bearer_auth(app.token("web", &crate::support::gateway::SCOPES));
        let answer = Answer::of(with(request, evil)).await;
        let all = format!("{:?} {}", answer.headers, answer.text);
        assert!(
            !all.contains("evil.example") && !all.contains("gopher") && !all.contains("javascript:"),
            "{path}: {all}"
        );
        let link = format!("{}{}", answer.header("link"), answer.header("location"));
        assert!(link.is_empty() || link.trim_start_matches('<').starts_with('/'), "{path}: {link}");
    }
}

/// A request with invalid credentials through a proxy.
async fn refused(app: &TestGateway, client: Ipv4Addr) -> u16 {
    let request = app.bare(Method::GET, "/v1/me").bearer_auth("nonsense").header(FOR, client.to_string());
    Answer::of(request).await.status
}

#[tokio::test]
async fn strangers_behind_a_proxy_are_limited_one_by_one() {
    let mut setup = behind_proxies();
    setup.settings.limits.unauthenticated = Rate { per_second: 1, burst: 2 };
    let app = TestGateway::with(setup).await;
    let (one, other) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
    assert_eq!([refused(&app, one).await, refused(&app, one).await, refused(&app, one).await], [401, 401, 429]);
    assert_eq!(refused(&app, other).await, 401, "another client of the same proxy");
    app.gateway.admission().write_turned_away().await;
    let sql = "SELECT address FROM audit_entries WHERE action = 'turned_away'";
    let turned_away: Vec<String> = sqlx::query_scalar(sql).fetch_all(app.sql()).await.unwrap();
    assert_eq!(turned_away, ["192.0.2.1"]);
}

#[tokio::test]
async fn a_trusted_proxy_may_have_all_connections() {
    let limits = ConnectionLimits { connections_per_address: 1, ..ConnectionLimits::default() };
    for (links, second) in [(Links::new(None, proxies()), "HTTP/1.1 200 "), (Links::default(), "HTTP/1.1 429 ")] {
        let app = TestGateway::with(Setup { limits, links, ..Setup::default() }).await;
        let mut kept = Vec::new();
        for expected in ["HTTP/1.1 200 ", second] {
            let mut connection = TcpStream::connect(app.address).await.unwrap();
            // A refused connection says so before a request is sent.
            let _refused = connection.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
            let mut status = [0; 13];
            connection.read_exact(&mut status).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&status), expected);
            kept.push(connection);
        }
    }
}
