//! Requests by `ensure` for content that somebody else has just requested, and may not wait for: the image cache then
//! belongs to this client, whatever happens to the other request.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::check::evidence::ClientFact;
use crate::client::{Clients, Wish};
use crate::retry_limit::RetryLimit;

impl Clients {
    /// Requests `content` after `delay`, repeatedly until answered.
    pub(crate) async fn join(&self, team: &str, number: u64, content: &Value, delay: Duration) -> anyhow::Result<()> {
        tokio::time::sleep(delay).await;
        let mut body = content.clone();
        body["name"] = json!(format!("joined-{number}"));
        let key = format!("join-{number}");
        let wish = Wish {
            method: Method::POST,
            path: "/v1/image-caches/ensure".into(),
            body: Some(body),
            key: Some(key.clone()),
            action: "ensure",
        };
        let mut limit = RetryLimit::new();
        while limit.lasts(&self.doubt) {
            let heard = self.ask(team, &wish, None).await?.filter(|heard| (200..300).contains(&heard.status));
            let told = heard.and_then(|heard| {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                Some((text(&heard.json["image_cache"]["id"])?, text(&heard.json["outcome"])?))
            });
            if let Some((image_cache, outcome)) = told {
                self.ledger.note(&ClientFact::Yours { image_cache, outcome });
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.ledger.note(&ClientFact::GaveUp { key });
        Ok(())
    }
}
