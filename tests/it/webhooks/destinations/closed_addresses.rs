//! The metadata services of all clouds are refused, whatever the operator allows and however the address is written.

use std::sync::Arc;

use eci_cache_gateway::webhook::address::AddressPolicy;
use serde_json::json;

use crate::support::gateway::{Setup, TestGateway};
use crate::webhooks::sender::Names;

/// The most permissive settings.
fn wide() -> AddressPolicy {
    AddressPolicy {
        allow_http: true,
        allow_loopback: true,
        allow_public: true,
        allow_cidrs: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        allow_host_suffixes: vec!["internal".into(), "test".into()],
        ..AddressPolicy::default()
    }
}

/// The addresses of metadata services in some clouds.
const METADATA: [&str; 23] = [
    "169.254.169.254",
    "169.254.169.253",
    "169.254.169.123",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.0.23",
    "169.254.42.42",
    "168.63.129.16",
    "192.0.0.192",
    "100.100.100.200",
    "100.96.0.96",
    "100.80.80.80",
    "fd00:ec2::254",
    "fd00:ec2::253",
    "fd00:ec2::123",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "fd00:a9fe:a9fe::1",
    "fd00:100::100:200",
    "169.254.10.10",
    "fe80::a9fe:a9fe",
];

/// Every way to write an address into a URL that leads to the same destination.
fn spellings(address: &str) -> Vec<String> {
    let Ok(v4) = address.parse::<std::net::Ipv4Addr>() else {
        let v6: std::net::Ipv6Addr = address.parse().unwrap();
        let segments = v6.segments().map(|segment| format!("{segment:04X}"));
        return vec![format!("[{v6}]"), format!("[{}]", segments.join(":"))];
    };
    let number = u32::from(v4);
    let [a, b, c, d] = v4.octets();
    let (high, low) = (number >> 16, number & 0xffff);
    vec![
        address.to_owned(),
        format!("{address}."),
        number.to_string(),
        format!("{number:#x}"),
        format!("0{number:o}"),
        format!("{a:#x}.{b:#x}.{c:#X}.{d:#x}").replace("0X", "0x"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{b}.{}", (u32::from(c) << 8) | u32::from(d)),
        format!("{a}.{}", number & 0x00ff_ffff),
        format!("%{:02x}{}", address.as_bytes()[0], &address[1..]),
        format!("[::ffff:{address}]"),
        format!("[::ffff:{high:x}:{low:x}]"),
        format!("[0:0:0:0:0:ffff:{high:04x}:{low:04x}]"),
        format!("[::{address}]"),
        format!("[::ffff:0:{address}]"),
        format!("[64:ff9b::{address}]"),
        format!("[64:ff9b:1::{address}]"),
        format!("[64:ff9b:1:{high:x}:{:x}:{:x}::]", low >> 8, (low & 0xff) << 8),
        format!("[2002:{high:x}:{low:x}::1]"),
        format!("[2001:0:4136:e378:8000:63bf:{:x}:{:x}]", high ^ 0xffff, low ^ 0xffff),
        format!("[2001:db8::5efe:{high:x}:{low:x}]"),
        format!("[2001:db8:122:344::{address}]"),
    ]
}

#[tokio::test]
async fn every_metadata_service_is_closed_in_every_spelling_whatever_is_allowed() {
    let app = TestGateway::with(Setup { policy: wide(), ..Setup::default() }).await;
    let mut open = Vec::new();
    for address in METADATA {
        for host in spellings(address) {
            let body = json!({"url": format!("http://{host}/latest/meta-data"), "skip_challenge": true});
            let answer = app.post("/v1/webhook-endpoints", &body).await;
            if answer.status != 422 || !answer.text.contains("never allowed") {
                open.push(format!("{host} of {address}: {}", answer.status));
            }
        }
    }
    assert!(open.is_empty(), "{} are open: {open:#?}", open.len());
}

#[tokio::test]
async fn a_name_that_leads_to_a_metadata_service_is_closed_and_so_is_its_own_name() {
    for address in METADATA {
        let lookup = Some(Arc::new(Names::new(&[&[address]])) as _);
        let app = TestGateway::with(Setup { policy: wide(), lookup, ..Setup::default() }).await;
        let body = json!({"url": "http://hooks.internal/", "skip_challenge": true});
        let problem = app.post("/v1/webhook-endpoints", &body).await.problem(422, "invalid_request");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("never allowed"), "{address}: {problem}");
    }
    // The name is refused too, whatever it resolves to here.
    let lookup = Some(Arc::new(Names::new(&[&["10.1.2.3"]])) as _);
    let app = TestGateway::with(Setup { policy: wide(), lookup, ..Setup::default() }).await;
    for name in ["metadata.google.internal", "METADATA.google.internal.", "metadata.tencentyun.com"] {
        let body = json!({"url": format!("http://{name}/"), "skip_challenge": true});
        app.post("/v1/webhook-endpoints", &body).await.problem(422, "invalid_request");
    }
    let body = json!({"url": "http://hooks.internal/", "skip_challenge": true});
    app.post("/v1/webhook-endpoints", &body).await.expect(201);
}
