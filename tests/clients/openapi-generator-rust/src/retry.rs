//! Repeats what was refused with 429, after the time that the answer asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{Extensions, StatusCode, header::RETRY_AFTER};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next, Result};

#[derive(Default)]
pub struct Retry {
    pub refused: Arc<AtomicU32>,
}

#[async_trait::async_trait]
impl Middleware for Retry {
    async fn handle(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        // A body that is a stream cannot be sent twice; this client has none.
        while let Some(attempt) = request.try_clone() {
            let response = next.clone().run(attempt, extensions).await?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS {
                return Ok(response);
            }
            self.refused.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(retry_after(&response)).await;
        }
        next.run(request, extensions).await
    }
}

fn retry_after(response: &Response) -> Duration {
    let value = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Duration::from_secs(value.and_then(|value| value.parse().ok()).unwrap_or(1))
}
