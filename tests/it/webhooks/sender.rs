//! One attempt with receivers that really misbehave.
#![cfg(test)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use eci_cache_gateway::domain::clock::ManualClock;
use eci_cache_gateway::egress::Egress;
use eci_cache_gateway::webhook::address::{AddressPolicy, ClosedReason};
use eci_cache_gateway::webhook::error::SetupError;
use eci_cache_gateway::webhook::lookup::Lookup;
use eci_cache_gateway::webhook::outcome::DeliveryOutcome;
use eci_cache_gateway::webhook::resolver::ResolveError;
use eci_cache_gateway::webhook::sender::{Attempted, JudgeError, MAX_EXCERPT_BYTES, Outgoing, Sender, SenderSettings};
use futures_util::future::{BoxFuture, join_all};
use tokio::net::TcpListener;

use crate::support::receiver::{Forbidden, Manner, RawReceiver, tls_receiver};

const CA: &[u8] = include_bytes!("../../vectors/tls/ca.pem");
const PATIENT: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(200);

fn open() -> AddressPolicy {
    AddressPolicy { allow_http: true, allow_loopback: true, ..AddressPolicy::default() }
}

/// Direct connections that trust these certificates in addition to the system's.
fn trusting(pem: &[u8]) -> Egress {
    Egress { proxy: None, extra_ca_pem: Some(pem.to_vec()) }
}

fn sender(policy: AddressPolicy, settings: SenderSettings) -> Sender {
    let clock = ManualClock::at(DateTime::from_timestamp(1_445_412_470, 0).unwrap());
    Sender::new(policy, settings, Arc::new(clock)).unwrap()
}

fn message(url: &str, timeout: Duration) -> Outgoing {
    let headers = vec![("content-type".into(), "application/json".into()), ("webhook-id".into(), "evt_1".into())];
    Outgoing { url: url.into(), headers, body: r#"{"type":"image_cache.ready"}"#.into(), timeout }
}

async fn send(url: &str, timeout: Duration) -> Attempted {
    sender(open(), SenderSettings::default()).send(message(url, timeout)).await
}

#[tokio::test]
async fn a_2xx_is_delivered_and_the_request_is_what_was_signed() {
    for status in ["200 OK", "202 Accepted", "204 No Content", "299 Fine"] {
        let receiver = RawReceiver::says(status, "retry-after: 5\r\n").await;
        let attempted = send(&receiver.url(), PATIENT).await;
        assert_eq!(
            (attempted.outcome, attempted.error, attempted.retry_after),
            (DeliveryOutcome::Delivered, None, None)
        );
        assert_eq!(attempted.remote, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let request = receiver.requests().remove(0);
        assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("\r\nwebhook-id: evt_1\r\n"), "{request}");
        assert!(request.contains("\r\ncontent-length: 28\r\n"), "{request}");
        assert!(request.contains("\r\nuser-agent: eci-cache-gateway/"), "{request}");
        assert!(!request.contains("accept-encoding"), "{request}");
        assert!(request.ends_with("\r\n\r\n{\"type\":\"image_cache.ready\"}"), "{request}");
    }
}

#[tokio::test]
async fn everything_else_fails_and_says_why() {
    for (status, outcome, error) in [
        ("500 Oh", DeliveryOutcome::Failed, "status"),
        ("404 What", DeliveryOutcome::Failed, "status"),
        ("429 Slow", DeliveryOutcome::Failed, "status"),
        ("410 Gone", DeliveryOutcome::Gone, "gone"),
    ] {
        let receiver = RawReceiver::says(status, "").await;
        let attempted = send(&receiver.url(), PATIENT).await;
        assert_eq!((attempted.outcome, attempted.error), (outcome, Some(error)), "{status}");
        assert_eq!(attempted.http_status.unwrap().to_string(), status[..3]);
        assert_eq!(attempted.response_excerpt, b"ok");
    }
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let target = RawReceiver::says("200 OK", "").await;
    for status in ["301 M", "302 F", "303 S", "307 T", "308 P", "300 C"] {
        let receiver = RawReceiver::says(status, &format!("location: {}\r\n", target.url())).await;
        let attempted = send(&receiver.url(), PATIENT).await;
        assert_eq!((attempted.outcome, attempted.error), (DeliveryOutcome::Failed, Some("redirect")), "{status}");
    }
    assert!(target.requests().is_empty());
}

#[tokio::test]
async fn retry_after_is_read_from_any_refusal() {
    for (header, expected) in [
        ("retry-after: 7\r\n", Some(7)),
        ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", Some(10)),
        ("retry-after: 999999999\r\n", Some(86_400)),
        ("retry-after: soon\r\n", None),
        ("", None),
    ] {
        for status in ["503 Later", "400 No", "301 Moved"] {
            let receiver = RawReceiver::says(status, header).await;
            let attempted = send(&receiver.url(), PATIENT).await;
            assert_eq!(attempted.retry_after, expected.map(Duration::from_secs), "{status} {header}");
        }
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left_at_the_deadline() {
    for said in ["", "HTTP/1.1 ", "HTTP/1.1 200 OK\r\nx-drip: 1\r\n"] {
        let receiver = RawReceiver::start(Manner::SaysAndHangs(said.into())).await;
        let attempted = send(&receiver.url(), SHORT).await;
        assert_eq!((attempted.outcome, attempted.error), (DeliveryOutcome::Failed, Some("timeout")), "{said}");
        assert_eq!(attempted.http_status, None);
    }
}

#[tokio::test]
async fn a_body_that_drips_on_changes_nothing() {
    let cases = [
        ("200 OK", DeliveryOutcome::Delivered),
        ("500 Oh", DeliveryOutcome::Failed),
        ("410 Gone", DeliveryOutcome::Gone),
    ];
    let attempts = cases.map(async |(status, outcome)| {
        let said = format!("HTTP/1.1 {status}\r\ncontent-length: 100\r\n\r\nbegin");
        let receiver = RawReceiver::start(Manner::SaysAndHangs(said)).await;
        // Long enough for the headers to arrive even on a busy machine.
        let attempted = send(&receiver.url(), 10 * SHORT).await;
        assert_eq!((attempted.outcome, attempted.response_excerpt), (outcome, b"begin".to_vec()), "{status}");
    });
    join_all(attempts).await;
}

#[tokio::test]
async fn a_body_without_end_is_cut() {
    for framing in
        ["content-length: 2147483648", "connection: close", "content-encoding: gzip\r\ncontent-length: 9999999"]
    {
        let said = format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n");
        let receiver = RawReceiver::start(Manner::SaysAndFloods(said)).await;
        let attempted = send(&receiver.url(), PATIENT).await;
        assert_eq!(attempted.outcome, DeliveryOutcome::Delivered);
        assert_eq!(attempted.response_excerpt, vec![b'x'; MAX_EXCERPT_BYTES], "{framing}");
    }
}

#[tokio::test]
async fn headers_without_end_are_cut() {
    let receiver = RawReceiver::start(Manner::SaysAndFloods("HTTP/1.1 200 OK\r\nx: ".into())).await;
    let attempted = send(&receiver.url(), PATIENT).await;
    assert_eq!((attempted.outcome, attempted.error), (DeliveryOutcome::Failed, Some("broken_connection")));
}

#[tokio::test]
async fn broken_receivers_fail_in_coarse_words() {
    let receiver = RawReceiver::start(Manner::Resets).await;
    assert_eq!(send(&receiver.url(), PATIENT).await.error, Some("broken_connection"), "reset");
    let receiver = RawReceiver::start(Manner::Says(String::new())).await;
    assert_eq!(send(&receiver.url(), PATIENT).await.error, Some("broken_connection"), "nothing");
    let receiver = RawReceiver::start(Manner::Says("SSH-2.0-OpenSSH_9.6\r\n".into())).await;
    assert_eq!(send(&receiver.url(), PATIENT).await.error, Some("broken_connection"), "no HTTP");
    let freed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(send(&format!("http://{freed}/"), PATIENT).await.error, Some("unreachable"), "nobody there");
    let receiver = RawReceiver::says("200 OK", "").await;
    for (name, value) in
        [("x", "a\r\nb: c"), ("x y", "a"), ("", "a"), ("Host", "other"), ("Transfer-Encoding", "chunked")]
    {
        let forged = Outgoing { headers: vec![(name.into(), value.into())], ..message(&receiver.url(), PATIENT) };
        let attempted = sender(open(), SenderSettings::default()).send(forged).await;
        assert_eq!((attempted.outcome, attempted.error), (DeliveryOutcome::Failed, Some("invalid_request")), "{name}");
    }
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn closed_addresses_see_no_connection() {
    let forbidden = Forbidden::new();
    let port = forbidden.address().port();
    let closed = sender(AddressPolicy { allow_loopback: false, ..open() }, SenderSettings::default());
    for host in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0"] {
        let url = format!("http://{host}:{port}/");
        let attempted = closed.send(message(&url, PATIENT)).await;
        assert_eq!((attempted.outcome, attempted.error), (DeliveryOutcome::Refused, Some("address_refused")), "{url}");
        assert!(closed.judge(&url).await.is_err(), "{url}");
        forbidden.assert_untouched(&url);
    }
}

/// A resolver for tests: each lookup of any name returns the next answer, and the last one forever.
pub(crate) struct Names(Mutex<Vec<Vec<IpAddr>>>);

impl Names {
    /// These answers, one after another.
    pub(crate) fn new(answers: &[&[&str]]) -> Self {
        let read = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Self(Mutex::new(answers.iter().map(read).collect()))
    }

    fn settings(answers: &[&[&str]]) -> SenderSettings {
        SenderSettings { lookup: Arc::new(Self::new(answers)), ..SenderSettings::default() }
    }
}

impl Lookup for Names {
    fn lookup(&self, _: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(answer.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()) })
    }
}

#[tokio::test]
async fn a_name_that_rebinds_reaches_nobody() {
    let forbidden = Forbidden::new();
    let url = format!("http://rebind.test:{}/", forbidden.address().port());
    let policy = AddressPolicy { allow_loopback: false, allow_cidrs: vec!["10.0.0.0/8".parse().unwrap()], ..open() };
    let sender = sender(policy, Names::settings(&[&["10.0.0.1"], &["127.0.0.1", "169.254.169.254"]]));
    assert_eq!(sender.judge(&url).await, Ok(()), "open when it was saved");
    let attempted = sender.send(message(&url, PATIENT)).await;
    assert_eq!((attempted.outcome, attempted.error), (DeliveryOutcome::Refused, Some("address_refused")));
    let judged = sender.judge(&url).await.unwrap_err();
    assert_eq!(judged, JudgeError::Resolve(ResolveError::Closed(ClosedReason::Loopback)));
    forbidden.assert_untouched("rebind.test");
}

#[tokio::test]
async fn among_several_addresses_only_open_ones_are_tried() {
    let receiver = RawReceiver::says("200 OK", "").await;
    let url = format!("http://mixed.test:{}/", receiver.address.port());
    let settings = Names::settings(&[&["169.254.169.254", "100.100.100.200", "10.0.0.1", "127.0.0.1"]]);
    let attempted = sender(open(), settings).send(message(&url, PATIENT)).await;
    assert_eq!((attempted.outcome, attempted.remote), (DeliveryOutcome::Delivered, Some(Ipv4Addr::LOCALHOST.into())));
}

#[tokio::test]
async fn our_own_listeners_are_closed_by_name_and_port() {
    let (ours, receiver) = (Forbidden::new(), RawReceiver::says("200 OK", "").await);
    let policy = AddressPolicy { never: vec![ours.address()], ..open() };
    let sender = sender(policy, Names::settings(&[&["127.0.0.1"]]));
    // Many at once, so that lookups for both ports are in progress at the same time.
    let ports = [ours.address().port(), receiver.address.port()];
    let urls = (0..40).map(|n| format!("http://name.test:{}/", ports[n % 2]));
    let attempts = join_all(urls.map(|url| sender.send(message(&url, PATIENT)))).await;
    for (n, attempted) in attempts.iter().enumerate() {
        let expected = if n % 2 == 0 { DeliveryOutcome::Refused } else { DeliveryOutcome::Delivered };
        assert_eq!(attempted.outcome, expected, "{attempted:?}");
    }
    ours.assert_untouched("our own listener");
}

#[tokio::test]
async fn a_name_without_address_is_unresolvable() {
    let sender = sender(open(), Names::settings(&[&[]]));
    assert_eq!(sender.send(message("http://nowhere.test/", PATIENT)).await.error, Some("unresolvable"));
    assert_eq!(sender.judge("http://nowhere.test/").await, Err(JudgeError::Resolve(ResolveError::Unresolvable)));
}

#[tokio::test]
async fn certificates_are_verified() {
    let port = tls_receiver();
    let with_ca = || SenderSettings { egress: trusting(CA), ..Names::settings(&[&["127.0.0.1"]]) };
    for (host, settings, expected) in [
        ("receiver.test", with_ca(), (DeliveryOutcome::Delivered, None)),
        ("127.0.0.1", with_ca(), (DeliveryOutcome::Delivered, None)),
        ("other.test", with_ca(), (DeliveryOutcome::Failed, Some("tls"))),
        ("receiver.test", Names::settings(&[&["127.0.0.1"]]), (DeliveryOutcome::Failed, Some("tls"))),
    ] {
        let policy = AddressPolicy { allow_http: false, ..open() };
        let attempted = sender(policy, settings).send(message(&format!("https://{host}:{port}/"), PATIENT)).await;
        assert_eq!((attempted.outcome, attempted.error), expected, "{host}");
    }
    let plain = RawReceiver::says("200 OK", "").await;
    let attempted = send(&format!("https://127.0.0.1:{}/", plain.address.port()), SHORT).await;
    assert_eq!(attempted.outcome, DeliveryOutcome::Failed, "TLS to a receiver without: {attempted:?}");
}

#[test]
fn certificates_that_cannot_be_read_are_found_at_once() {
    for pem in [&b""[..], b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let settings = SenderSettings { egress: trusting(pem), ..SenderSettings::default() };
        let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
        let refused = Sender::new(open(), settings, clock).err();
        assert!(matches!(refused, Some(SetupError::BadCertificates | SetupError::NoClient)), "{refused:?}");
    }
}
