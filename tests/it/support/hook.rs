//! A receiver of webhooks that answers according to a script and keeps what it receives.
#![cfg(test)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use eci_cache_gateway::domain::clock::Instant;
use eci_cache_gateway::webhook::secret::SigningSecret;
use eci_cache_gateway::webhook::sign;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A webhook as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceivedWebhook {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl ReceivedWebhook {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The event's type.
    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// Verifies the signature like a receiver whose clock shows `now`.
    #[track_caller]
    pub(crate) fn verify(&self, secret: &str, now: Instant) {
        let header = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        sign::verify(&SigningSecret::parse(secret).unwrap(), header, self.body.as_bytes(), now).unwrap();
    }
}

/// The receiver, on a free port.
#[derive(Clone)]
pub(crate) struct Hook {
    address: SocketAddr,
    state: Arc<HookState>,
}

#[derive(Default)]
struct HookState {
    /// Status lines, each optionally followed by headers; after them 204.
    script: Mutex<VecDeque<String>>,
    received: watch::Sender<Vec<ReceivedWebhook>>,
    held: watch::Sender<bool>,
}

impl Hook {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(HookState::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Sets the answers to the next requests: `500 Oops`, or `503 Later\r\nretry-after: 60`.
    pub(crate) fn script(&self, answers: &[&str]) {
        self.state.script.lock().unwrap().extend(answers.iter().map(|answer| (*answer).to_owned()));
    }

    /// Answers with 204 from now on.
    pub(crate) fn recover(&self) {
        self.state.script.lock().unwrap().clear();
    }

    /// Reads requests and does not answer them until [`Hook::release`].
    pub(crate) fn hold(&self) {
        self.state.held.send_replace(true);
    }

    pub(crate) fn release(&self) {
        self.state.held.send_replace(false);
    }

    /// Everything received so far.
    pub(crate) fn received(&self) -> Vec<ReceivedWebhook> {
        self.state.received.borrow().clone()
    }

    /// The types of the events received so far, in order.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.received().iter().map(ReceivedWebhook::kind).collect()
    }

    /// Waits until `count` requests have arrived.
    pub(crate) async fn wait_for(&self, count: usize) {
        self.state.received.subscribe().wait_for(|received| received.len() >= count).await.unwrap();
    }
}

async fn answer(mut stream: TcpStream, state: Arc<HookState>) {
    let Some(received) = read(&mut stream).await else { return };
    if let Some(challenge) = challenge(&received) {
        let body = serde_json::json!({"challenge": challenge}).to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        let _ = stream.shutdown().await;
        return;
    }
    state.received.send_modify(|all| all.push(received));
    state.held.subscribe().wait_for(|held| !held).await.unwrap();
    let line = state.script.lock().unwrap().pop_front().unwrap_or_else(|| "204 No Content".to_owned());
    let length = if line.starts_with("204") { "" } else { "content-length: 0\r\n" };
    // The sender may have disconnected, which is allowed.
    let _ = stream.write_all(format!("HTTP/1.1 {line}\r\n{length}connection: close\r\n\r\n").as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// What to echo for a challenge, which does not count as received.
fn challenge(received: &ReceivedWebhook) -> Option<String> {
    let body: Value = serde_json::from_str(&received.body).ok()?;
    let asked = body["type"] == "webhook_endpoint.challenge";
    asked.then(|| body["data"]["challenge"].as_str().map(str::to_owned)).flatten()
}

async fn read(stream: &mut TcpStream) -> Option<ReceivedWebhook> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let headers = headers(head);
            let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
            if body.len() == length {
                return Some(ReceivedWebhook { headers, body: body.to_owned() });
            }
        }
        drop(text);
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn headers(head: &str) -> HeaderMap {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())).collect()
}
