//! An identity provider on a socket: discovery documents, key sets, and a key for each issuer to sign with.
#![cfg(test)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use eci_cache_gateway::domain::clock::Instant;
use eci_cache_gateway::domain::identity::issuer::Issuer;
use eci_cache_gateway::domain::identity::issuer::preset;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::signers::Signer;

/// What is served, by path: the status and the body.
type Documents = Arc<Mutex<HashMap<String, (u16, String)>>>;

pub(super) struct Provider {
    address: String,
    documents: Documents,
    hits: Arc<AtomicUsize>,
}

impl Provider {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (documents, hits) = (Documents::default(), Arc::<AtomicUsize>::default());
        let (served, counted) = (Arc::clone(&documents), Arc::clone(&hits));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&served), Arc::clone(&counted)));
            }
        });
        Self { address, documents, hits }
    }

    /// An issuer with that name and its own key, published as its discovery document says. `end` is the end of its
    /// `iss`.
    pub(super) fn issuer(&self, name: &str, end: &str) -> ProviderIssuer<'_> {
        let at =
            ProviderIssuer { provider: self, path: format!("/{name}"), end: end.to_owned(), signer: Signer::rsa() };
        at.discover(&at.iss());
        at.publish(&[at.signer.jwk_as("key-1")]);
        at
    }

    pub(super) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    fn serve(&self, path: String, status: u16, body: String) {
        self.documents.lock().unwrap().insert(path, (status, body));
    }
}

async fn answer(mut stream: TcpStream, documents: Documents, hits: Arc<AtomicUsize>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        request.push(byte);
    }
    hits.fetch_add(1, Ordering::SeqCst);
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = documents.lock().unwrap().get(path).cloned().unwrap_or((404, String::new()));
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // A client that has read enough may disconnect.
    let _ = stream.write_all((head + &body).as_bytes()).await;
}

/// One issuer of a provider.
pub(super) struct ProviderIssuer<'a> {
    provider: &'a Provider,
    path: String,
    end: String,
    pub(super) signer: Signer,
}

impl ProviderIssuer<'_> {
    /// Its `iss`.
    pub(super) fn iss(&self) -> String {
        format!("{}{}{}", self.provider.address, self.path, self.end)
    }

    /// Publishes a discovery document for this issuer.
    pub(super) fn discover(&self, issuer: &str) {
        let path = format!("{}{}/.well-known/openid-configuration", self.path, self.end.trim_end_matches('/'));
        let keys = format!("{}{}/keys", self.provider.address, self.path);
        let document = json!({"issuer": issuer, "jwks_uri": keys, "response_types_supported": ["code"]});
        self.provider.serve(path, 200, document.to_string());
    }

    /// Publishes these keys.
    pub(super) fn publish(&self, keys: &[Value]) {
        self.say(200, &json!({ "keys": keys }).to_string());
    }

    /// Serves this at the URL of the keys.
    pub(super) fn say(&self, status: u16, body: &str) {
        self.provider.serve(format!("{}/keys", self.path), status, body.to_owned());
    }

    /// The issuer as in the preset with that name, but at this provider.
    pub(super) fn configured(&self, preset: &str, parameters: &[(&str, &str)]) -> Issuer {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let issuer = preset::find(preset).unwrap().issuer(&parameters.iter().map(own).collect()).unwrap();
        Issuer { issuer: self.iss(), ..issuer }
    }

    /// A token with these claims, and with `iss`, `iat` and `exp` unless they are given.
    pub(super) fn token(&self, now: Instant, claims: &Value) -> String {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"});
        self.signer.sign(&header, &self.claims(now, claims))
    }

    /// The claims of such a token.
    pub(super) fn claims(&self, now: Instant, claims: &Value) -> Value {
        let mut all = json!({"iss": self.iss(), "iat": now.timestamp() - 10, "exp": now.timestamp() + 600});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        all
    }
}
