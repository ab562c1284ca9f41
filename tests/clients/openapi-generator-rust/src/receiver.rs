//! Receives webhooks: verifies each, answers the challenge of a new endpoint, and passes on what is ready.

use std::error::Error;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::{Engine, engine::general_purpose::STANDARD};
use ecg::models::{Event, ImageCache};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub struct Receiver {
    pub url: String,
    /// The receiver has it before the gateway does, so that it can verify the challenge, too.
    pub secret: String,
    pub ready: UnboundedReceiver<ImageCache>,
}

struct Inbox {
    webhook: Webhook,
    ready: UnboundedSender<ImageCache>,
}

impl Receiver {
    pub async fn start() -> Result<Self, Box<dyn Error>> {
        let key = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat();
        let secret = format!("whsec_{}", STANDARD.encode(key));
        let (sender, ready) = unbounded_channel();
        let inbox = Inbox { webhook: Webhook::new(&secret)?, ready: sender };
        let router = axum::Router::new().route("/webhooks", post(receive)).with_state(Arc::new(inbox));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/webhooks", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, secret, ready })
    }
}

/// Whoever receives for long also remembers each `webhook-id` for four days, as a message may arrive twice.
async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> Result<String, StatusCode> {
    inbox.webhook.verify(&body, &headers).map_err(|_| StatusCode::UNAUTHORIZED)?;
    inbox.handle(&body).map_err(|_| StatusCode::BAD_REQUEST)
}

impl Inbox {
    /// The type is read first: what a message has besides depends on it.
    fn handle(&self, body: &[u8]) -> serde_json::Result<String> {
        let message: Value = serde_json::from_slice(body)?;
        match message["type"].as_str() {
            Some("webhook_endpoint.challenge") => {
                return Ok(message["data"]["challenge"].as_str().unwrap_or_default().to_owned());
            }
            Some("image_cache.ready") => {
                let event: Event = serde_json::from_value(message)?;
                if let Some(image_cache) = event.data.image_cache {
                    // Nobody waits for it any more where this fails.
                    let _ = self.ready.send(image_cache);
                }
            }
            // Types that this program does not know are received, too: more are added with time.
            _ => {}
        }
        Ok(String::new())
    }
}
