//! A program over the client that openapi-generator makes for Rust, against a running gateway: `ECG_URL` and
//! `ECG_TOKEN` say which.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ecg::apis::configuration::Configuration;
use ecg::apis::events_api::ListEventsParams;
use ecg::apis::image_caches_api::{
    CreateImageCacheParams, DeleteImageCacheParams, ListImageCachesParams, UpdateImageCacheParams,
    WaitForImageCacheParams,
};
use ecg::apis::webhooks_api::{CreateWebhookEndpointParams, DeleteWebhookEndpointParams, TestWebhookEndpointParams};
use ecg::apis::{Api, ApiClient, Error};
use ecg::models::{
    EventTypeName, ImageCache, ImageCacheCreate, ImageCacheUpdate, Problem, WebhookEndpoint, WebhookEndpointCreate,
};
use http::header::{AUTHORIZATION, HeaderMap};
use receiver::Receiver;
use retry::Retry;

mod receiver;
mod retry;

type ExampleResult<T> = Result<T, Box<dyn StdError>>;

const NAME: &str = "example-rust";
const REGION: &str = "cn-hangzhou";
const IMAGE: &str = "registry.example.com/team/example-rust:1";

struct Example {
    client: ApiClient,
    /// How many requests were refused with 429.
    refused: Arc<AtomicU32>,
    receiver: Receiver,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExampleResult<()> {
    let (url, token) = (std::env::var("ECG_URL")?, std::env::var("ECG_TOKEN")?);
    let retry = Retry::default();
    let refused = retry.refused.clone();
    let client = client(url, &token, retry)?;
    Example { client, refused, receiver: Receiver::start().await? }.run().await
}

fn client(url: String, token: &str, retry: Retry) -> ExampleResult<ApiClient> {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse()?)]);
    let inner = reqwest::Client::builder().default_headers(headers).build()?;
    let client = reqwest_middleware::ClientBuilder::new(inner).with(retry).build();
    Ok(ApiClient::new(Arc::new(Configuration { base_path: url, client, ..Configuration::default() })))
}

impl Example {
    async fn run(mut self) -> ExampleResult<()> {
        let endpoint = self.subscribe().await?;
        let cache = self.create_twice_with_one_key().await?;
        self.wait_until_ready(&cache).await?;
        self.change_an_old_version(&cache).await?;
        self.make_mistakes().await?;
        self.hurry(&endpoint).await?;
        self.follow_the_feed(&cache).await?;
        self.receive_the_webhook(&cache).await?;
        self.walk_all_pages_and_remove(&cache).await?;
        let request = DeleteWebhookEndpointParams::builder().webhook_endpoint_id(endpoint.id).build();
        self.client.webhooks_api().delete_webhook_endpoint(request).await?;
        println!("said all 8 things");
        Ok(())
    }

    async fn subscribe(&self) -> ExampleResult<WebhookEndpoint> {
        let endpoint = WebhookEndpointCreate {
            secret: Some(self.receiver.secret.clone()),
            event_types: Some(vec![EventTypeName::ImageCacheReady, EventTypeName::ImageCacheFailed]),
            ..WebhookEndpointCreate::new(self.receiver.url.clone())
        };
        let request = CreateWebhookEndpointParams::builder().webhook_endpoint_create(endpoint).build();
        Ok(self.client.webhooks_api().create_webhook_endpoint(request).await?)
    }

    /// A request that is repeated with its key, for want of an answer, creates nothing again.
    async fn create_twice_with_one_key(&self) -> ExampleResult<ImageCache> {
        let request = CreateImageCacheParams::builder()
            .image_cache_create(ImageCacheCreate::new(NAME.into(), REGION.into(), vec![IMAGE.into()]))
            .idempotency_key(uuid::Uuid::new_v4().to_string())
            .build();
        let first = self.client.image_caches_api().create_image_cache(request.clone()).await?;
        let again = self.client.image_caches_api().create_image_cache(request).await?;
        demand(first.id == again.id, "two image caches")?;
        Ok(first)
    }

    /// One call waits for at most 55 s. What it returns says whether to go on waiting, whatever the status is called.
    async fn wait_until_ready(&self, cache: &ImageCache) -> ExampleResult<()> {
        let request = WaitForImageCacheParams::builder().image_cache_id(cache.id.clone()).wait_seconds(30).build();
        loop {
            let waited = self.client.image_caches_api().wait_for_image_cache(request.clone()).await?;
            if waited.done {
                return demand(waited.condition_met, &format!("it is {}", waited.image_cache.status));
            }
        }
    }

    /// `cache` is as the create returned it: it has become ready since.
    async fn change_an_old_version(&self, cache: &ImageCache) -> ExampleResult<()> {
        let request = UpdateImageCacheParams::builder()
            .image_cache_id(cache.id.clone())
            .image_cache_update(ImageCacheUpdate { retention_days: Some(30), ..ImageCacheUpdate::new() })
            .if_match(format!("\"v{}\"", cache.version))
            .build();
        let problem = problem_of(self.client.image_caches_api().update_image_cache(request).await)?;
        demand(problem.status == 412, &problem.detail)
    }

    async fn make_mistakes(&self) -> ExampleResult<()> {
        let images = vec!["registry.example.com/Team/App:1".into()];
        let wrong = ImageCacheCreate { size_gib: Some(1), ..ImageCacheCreate::new(NAME.into(), REGION.into(), images) };
        let request = CreateImageCacheParams::builder().image_cache_create(wrong).build();
        let problem = problem_of(self.client.image_caches_api().create_image_cache(request).await)?;
        let errors = problem.errors.unwrap_or_default();
        let pointers: Vec<_> = errors.iter().filter_map(|field| field.pointer.as_deref()).collect();
        demand(problem.status == 422 && pointers == ["/images/0", "/size_gib"], &problem.detail)
    }

    /// A team may test its endpoints 30 times at once, and then once a second.
    async fn hurry(&self, endpoint: &WebhookEndpoint) -> ExampleResult<()> {
        let request = TestWebhookEndpointParams::builder().webhook_endpoint_id(endpoint.id.clone()).build();
        while self.refused.load(Ordering::Relaxed) == 0 {
            let test = self.client.webhooks_api().test_webhook_endpoint(request.clone()).await?;
            demand(test.outcome == "delivered", test.explanation.as_deref().unwrap_or("not delivered"))?;
        }
        Ok(())
    }

    /// The feed has no gaps: keep its cursor and go on from there.
    async fn follow_the_feed(&self, cache: &ImageCache) -> ExampleResult<()> {
        let mut cursor = None;
        loop {
            let query = ListEventsParams::builder().image_cache_id(cache.id.clone()).wait_seconds(30).limit(1);
            let page = self.client.events_api().list_events(query.maybe_cursor(cursor).build()).await?;
            if let Some(event) = page.items.into_iter().find(|event| event.r#type == "image_cache.ready") {
                let about = event.data.image_cache.is_some_and(|of_event| of_event.id == cache.id);
                return demand(about, "an event of another image cache");
            }
            cursor = Some(page.next_cursor);
        }
    }

    async fn receive_the_webhook(&mut self, cache: &ImageCache) -> ExampleResult<()> {
        while let Some(ready) = self.receiver.ready.recv().await {
            if ready.id == cache.id {
                return demand(ready.eci_cache_id.is_some(), "ready without an id of the cloud");
            }
        }
        Err("the receiver has ended".into())
    }

    async fn walk_all_pages_and_remove(&self, cache: &ImageCache) -> ExampleResult<()> {
        let mut made = BTreeSet::from([cache.id.clone()]);
        for _ in 0..2 {
            made.insert(self.create_twice_with_one_key().await?.id);
        }
        let mut cursor = None;
        loop {
            let request = ListImageCachesParams::builder().name(NAME.into()).limit(2).maybe_cursor(cursor).build();
            let page = self.client.image_caches_api().list_image_caches(request).await?;
            for item in page.items.into_iter().filter(|item| made.remove(&item.id)) {
                let removal = DeleteImageCacheParams::builder().image_cache_id(item.id).build();
                self.client.image_caches_api().delete_image_cache(removal).await?;
            }
            if !page.has_more {
                return demand(made.is_empty(), "an image cache is on no page");
            }
            cursor = page.next_cursor;
        }
    }
}

/// What a refused call was answered: every refusal of the gateway is a `Problem`.
fn problem_of<T, E>(answer: Result<T, Error<E>>) -> ExampleResult<Problem> {
    match answer {
        Ok(_) => Err("it was not refused".into()),
        Err(Error::ResponseError(refusal)) => Ok(serde_json::from_str(&refusal.content)?),
        Err(error) => Err(error.to_string().into()),
    }
}

fn demand(holds: bool, otherwise: &str) -> ExampleResult<()> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
