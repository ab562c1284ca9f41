//! The requests of each row, for any address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::domain::ids::CacheId;
use eci_cache_gateway::eci::{Product, sign_v1};
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use crate::load::Work;
use crate::served::sent;
use crate::settings::{KEY, KEY_SECRET};
use crate::site::Site;
use crate::testbed::{FIRST, ID_STEM};

/// Makes the requests of all rounds distinct.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// An access key that signs requests of the cloud's own API.
#[derive(Clone)]
pub(crate) struct Key {
    id: String,
    secret: SecretString,
}

impl Key {
    /// The key of the stand-in.
    pub(crate) fn of_the_cloud() -> Self {
        Self { id: KEY.into(), secret: KEY_SECRET.into() }
    }

    /// A key that the gateway at `address` issues.
    pub(crate) async fn issued(site: &Site, address: SocketAddr) -> anyhow::Result<Self> {
        let head = format!("host: {address}\r\nauthorization: Bearer {}\r\nconnection: close\r\n", site.admin_token);
        let entity = "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let answer = sent(address, &format!("POST /v1/access-keys HTTP/1.1\r\n{head}{entity}")).await?;
        let body = answer.split_once("\r\n\r\n").context("an answer")?.1;
        let made: Value = serde_json::from_str(body).with_context(|| answer.clone())?;
        let text = |name: &str| made[name].as_str().map(str::to_owned).with_context(|| answer.clone());
        Ok(Self { id: text("id")?, secret: text("access_key_secret")?.into() })
    }
}

/// A read of one image cache.
pub(crate) fn read(site: &Site, addresses: Vec<SocketAddr>) -> Arc<Work> {
    let (heads, caches) = (heads(site), site.size.caches);
    let request = move |number: u64| {
        let number = number % caches;
        format!("GET {} HTTP/1.1\r\n{}\r\n", path(number), of_team(&heads, number))
    };
    Arc::new(Work { addresses, request: Box::new(request), status: 200 })
}

/// The first page of 50 image caches of a team.
pub(crate) fn list(site: &Site, addresses: Vec<SocketAddr>) -> Arc<Work> {
    let heads = heads(site);
    let request = move |number| format!("GET /v1/image-caches?limit=50 HTTP/1.1\r\n{}\r\n", of_team(&heads, number));
    Arc::new(Work { addresses, request: Box::new(request), status: 200 })
}

/// The matching image cache of the team for these four images.
pub(crate) fn matches(site: &Site, addresses: Vec<SocketAddr>) -> Arc<Work> {
    let (heads, images) = (heads(site), site.images.clone());
    let request = move |number| {
        let body = format!(r#"{{"region":"cn-beijing","images":{}}}"#, of_team(&images, number));
        post("/v1/matches", of_team(&heads, number), &body)
    };
    Arc::new(Work { addresses, request: Box::new(request), status: 200 })
}

/// A new image cache.
pub(crate) fn create(site: &Site, addresses: Vec<SocketAddr>) -> Arc<Work> {
    let heads = heads(site);
    let request = move |number: u64| {
        let body = format!(r#"{{"name":"web-{number}","region":"cn-beijing","images":["nginx:1.27"]}}"#);
        post("/v1/image-caches", of_team(&heads, number), &body)
    };
    Arc::new(Work { addresses, request: Box::new(request), status: 201 })
}

/// The same through the cloud's own API, signed with `key`.
pub(crate) fn signed_create(key: Key, addresses: Vec<SocketAddr>) -> Arc<Work> {
    let request = move |number: u64| {
        let name = format!("web-{number}");
        let now = SystemClock.now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let nonce = format!("nonce-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let pairs = [
            ("Action", "CreateImageCache"),
            ("Version", Product::Eci.version()),
            ("RegionId", "cn-beijing"),
            ("ImageCacheName", &name),
            ("Image.1", "nginx:1.27"),
            ("SecurityGroupId", "sg-1"),
            ("VSwitchId", "vsw-1"),
            ("AccessKeyId", &key.id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", &now),
        ];
        let mut pairs: Vec<_> = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let signature = sign_v1::signature(&key.secret, &sign_v1::string_to_sign("GET", &pairs));
        pairs.push((sign_v1::SIGNATURE.to_owned(), signature));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        format!("GET /?{query} HTTP/1.1\r\nhost: gateway.example.com\r\n\r\n")
    };
    Arc::new(Work { addresses, request: Box::new(request), status: 200 })
}

/// The JSON with which `address` answers a read of the first image cache.
pub(crate) async fn first(site: &Site, address: SocketAddr) -> anyhow::Result<Value> {
    let head = format!("{}connection: close\r\n", of_team(&heads(site), 0));
    let answer = sent(address, &format!("GET {} HTTP/1.1\r\n{head}\r\n", path(0))).await?;
    let body = answer.split_once("\r\n\r\n").context("an answer")?.1;
    serde_json::from_str(body).with_context(|| answer.clone())
}

fn path(number: u64) -> String {
    let id = Uuid::parse_str(&format!("{ID_STEM}{}", FIRST + number)).expect("12 digits end an id");
    format!("/v1/image-caches/{}", CacheId::from(id))
}

fn post(path: &str, head: &str, body: &str) -> String {
    let entity = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    format!("POST {path} HTTP/1.1\r\n{head}{entity}\r\n{body}")
}

/// The headers that every request of a team has.
fn heads(site: &Site) -> Vec<String> {
    let head =
        |token| format!("host: gateway.example.com\r\nauthorization: Bearer {token}\r\naccept: application/json\r\n");
    site.tokens.iter().map(head).collect()
}

fn of_team(of_teams: &[String], number: u64) -> &str {
    &of_teams[usize::try_from(number).unwrap_or(0) % of_teams.len()]
}
