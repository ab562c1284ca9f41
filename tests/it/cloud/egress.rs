//! Outgoing connections: each client uses its own proxy and its own CAs, and never the environment's.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use eci_cache_gateway::auth::jwks::{JwksSettings, KeySource};
use eci_cache_gateway::domain::clock::SystemClock;
use eci_cache_gateway::egress::Egress;
use eci_cache_gateway::webhook::address::AddressPolicy;
use eci_cache_gateway::webhook::outcome::DeliveryOutcome;
use eci_cache_gateway::webhook::sender::{Outgoing, Sender, SenderSettings};
use reqwest::Method;

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway, new_cache};
use crate::support::proxy::TestProxy;
use crate::support::receiver::{RawReceiver, tls_receiver};
use crate::webhooks::sender::Names;

const CA: &[u8] = include_bytes!("../../vectors/tls/ca.pem");
/// `me:hu@sh` in base64, and as in a URL.
const LOGIN: (&str, &str) = ("bWU6aHVAc2g=", "me:hu%40sh");

fn through(proxy: &TestProxy, login: &str) -> Egress {
    Egress { proxy: Some(proxy.url(login).parse().unwrap()), extra_ca_pem: Some(CA.to_vec()) }
}

fn sender(policy: AddressPolicy, egress: Egress, address: &str) -> Sender {
    let settings = SenderSettings { egress, lookup: Arc::new(Names::new(&[&[address]])), ..SenderSettings::default() };
    Sender::new(policy, settings, Arc::new(SystemClock)).unwrap()
}

fn open() -> AddressPolicy {
    AddressPolicy { allow_http: true, allow_loopback: true, ..AddressPolicy::default() }
}

fn message(url: String) -> Outgoing {
    Outgoing { url, headers: Vec::new(), body: "{}".into(), timeout: Duration::from_secs(30) }
}

#[tokio::test]
async fn a_webhook_goes_through_the_proxy_to_the_address_that_was_judged() {
    let proxy = TestProxy::start(Some(LOGIN.0)).await;
    let port = tls_receiver();
    let sender_to = |login, address| sender(open(), through(&proxy, login), address);
    let url = format!("https://receiver.test:{port}/hook");
    let sent = sender_to(LOGIN.1, "127.0.0.1").send(message(url.clone())).await;
    assert_eq!((sent.outcome, sent.error), (DeliveryOutcome::Delivered, None));
    assert_eq!(proxy.asked(), [format!("CONNECT 127.0.0.1:{port}")], "an address, and no name");
    let plain = RawReceiver::says("200 OK", "").await;
    let at = format!("http://plain.test:{}/hook", plain.address.port());
    assert_eq!(sender_to(LOGIN.1, "127.0.0.1").send(message(at)).await.outcome, DeliveryOutcome::Delivered);
    assert_eq!(proxy.asked().len(), 2);
    // Without the login, or with a certificate for another name, nothing is delivered.
    let refused = sender_to("me:wrong", "127.0.0.1").send(message(url)).await;
    assert_eq!((refused.outcome, refused.error), (DeliveryOutcome::Failed, Some("unreachable")));
    let other = sender_to(LOGIN.1, "127.0.0.1").send(message(format!("https://other.test:{port}/"))).await;
    assert_eq!((other.outcome, other.error), (DeliveryOutcome::Failed, Some("tls")));
}

#[tokio::test]
async fn no_proxy_leads_a_webhook_to_a_closed_address() {
    let proxy = TestProxy::start(None).await;
    let closed = AddressPolicy { allow_loopback: false, allow_public: true, ..open() };
    for (url, address) in [
        ("http://rebinds.test/", "127.0.0.1"),
        ("http://rebinds.test/", "169.254.169.254"),
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://[::1]/", "127.0.0.1"),
    ] {
        let sent = sender(closed.clone(), through(&proxy, ""), address).send(message(url.into())).await;
        assert_eq!((sent.outcome, sent.error), (DeliveryOutcome::Refused, Some("address_refused")), "{url} {address}");
    }
    assert_eq!(proxy.asked(), Vec::<String>::new(), "it was asked for nothing");
}

#[tokio::test]
async fn the_cloud_is_reached_through_its_proxy() {
    let proxy = TestProxy::start(Some(LOGIN.0)).await;
    let app = TestGateway::with(Setup { egress: through(&proxy, LOGIN.1), ..Setup::default() }).await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    let asked = proxy.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|line| line.starts_with(&format!("POST {}/", app.cloud()))),
        "{asked:?}"
    );
    let wrong = Setup { egress: through(&proxy, "me:wrong"), ..Setup::default() };
    let other = app.second_gateway(wrong).await;
    let create = other.request(Method::POST, "/v1/image-caches").header("prefer", "wait=0");
    let told = Answer::of(create.json(&new_cache("nginx:1.28"))).await;
    told.expect(202);
    assert!(!told.text.contains("wrong") && !told.text.contains("hu@sh"));
    assert_eq!(app.creations().await, 1, "nothing came through");
}

#[tokio::test]
async fn keys_come_through_their_proxy_and_from_whom_the_operator_trusts() {
    let proxy = TestProxy::start(None).await;
    let port = tls_receiver();
    let keys = |url: &str, egress: Egress, http_hosts: &[&str]| {
        let http_hosts = http_hosts.iter().map(|host| (*host).to_owned()).collect();
        KeySource::url(url, &JwksSettings { egress, http_hosts }, Arc::new(SystemClock))
    };
    let url = format!("https://127.0.0.1:{port}/keys");
    assert!(keys(&url, through(&proxy, ""), &[]).unwrap().keys_for(None).await.is_ok());
    assert_eq!(proxy.asked(), [format!("CONNECT 127.0.0.1:{port}")]);
    let private = Egress { proxy: None, extra_ca_pem: Some(CA.to_vec()) };
    assert!(keys(&url, private, &[]).unwrap().keys_for(None).await.is_ok());
    assert!(keys(&url, Egress::default(), &[]).unwrap().keys_for(None).await.is_err(), "nobody's authority");
    assert_eq!(proxy.asked().len(), 1, "the others went straight");
    let plain = "http://idp.test/keys";
    assert!(keys(plain, Egress::default(), &[]).is_err(), "plain http only to hosts that are named");
    assert!(keys(plain, Egress::default(), &["idp.test"]).is_ok());
}
