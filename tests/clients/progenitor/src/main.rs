//! The client that progenitor generates from the 3.0 document, used with a running gateway.
//!
//! Argument: the document from which it was generated. Environment: `ECG_URL`, `ECG_TOKEN`, `ECG_ADMIN_TOKEN`. If an
//! operation was removed, this does not compile; if an operation in the document is not called, it fails.

use std::collections::BTreeSet;
use std::error::Error;

use reqwest::header::{AUTHORIZATION, HeaderMap};
use serde_json::Value;

/// Everything in here is generated.
mod generated {
    progenitor::generate_api!(spec = "../../../openapi/openapi-3.0.json", interface = Builder);
}

use generated::types::{
    AdoptionFilter, AdoptionRequest, AuditEntry, Event, EventTypeName, ImageCache, ImageCacheBatchDelete,
    ImageCacheBatchEnsure, ImageCacheBatchGet, ImageCacheCreate, ImageCacheStatusFilter, ImageCacheUpdate,
    MatchQuestion, Problem, Recovery, Replay, SecretRotation, WebhookEndpoint, WebhookEndpointCreate,
    WebhookEndpointUpdate,
};
use generated::{Client, Error as CallError};

type StoryResult<T> = Result<T, Box<dyn Error>>;

const ABSENT: &str = "ic_00000000000000000000000000";
/// Event streams never end by themselves, and the client only returns their bytes, which nothing here would parse. Real
/// consumers use a client for event streams.
const STREAMS: [&str; 2] = ["stream_events", "stream_image_cache_events"];
const IMAGE: &str = "registry.example.com/team/app";

/// Calls one operation with its generated builder, records its name, returns the typed response. With `as admin`, it
/// uses an administrator's token.
macro_rules! call {
    ($story:ident . $operation:ident $(. $set:ident ($value:expr))*) => {
        call!($story.$operation$(.$set($value))* as client)
    };
    ($story:ident . $operation:ident $(. $set:ident ($value:expr))* as $client:ident) => {{
        $story.called.insert(stringify!($operation).to_owned());
        $story.$client.$operation()$(.$set($value))*.send().await
            .map_err(|error| format!("{}: {error}", stringify!($operation)))?
            .into_inner()
    }};
}

mod credentials;
mod platform;

struct Story {
    client: Client,
    admin: Client,
    /// It sends no token.
    stranger: Client,
    called: BTreeSet<String>,
}

impl Story {
    fn begin() -> StoryResult<Self> {
        let client = client_with(Some(&std::env::var("ECG_TOKEN")?))?;
        let admin = client_with(Some(&std::env::var("ECG_ADMIN_TOKEN")?))?;
        Ok(Self { client, admin, stranger: client_with(None)?, called: BTreeSet::new() })
    }

    async fn tell(&mut self) -> StoryResult<()> {
        demand(!call!(self.get_me).scopes.is_empty(), "no scopes")?;
        let regions = call!(self.list_regions);
        demand(regions.others_allowed || !regions.items.is_empty(), "no region")?;
        demand(!call!(self.list_event_types).items.is_empty(), "no type of event")?;
        let new = WebhookEndpointCreate::builder().url("http://127.0.0.1:9/").skip_challenge(true);
        let endpoint = call!(self.create_webhook_endpoint.body(new));
        demand(endpoint.secret.as_ref().is_some_and(|secret| secret.starts_with("whsec_")), "no secret")?;
        let cache = self.follow_a_cache(&endpoint).await?;
        self.turn_the_endpoint(&endpoint).await?;
        self.try_an_adoption().await?;
        self.turn_an_access_key().await?;
        self.turn_credentials().await?;
        self.keep_policies().await?;
        self.keep_cloud_accounts().await?;
        self.keep_issuers().await?;
        self.exchange_the_token().await?;
        self.change_and_remove(&cache).await?;
        self.read_the_audit(&cache).await?;
        self.remove_the_endpoint(&endpoint).await?;
        self.meet_an_error().await
    }

    async fn follow_a_cache(&mut self, endpoint: &WebhookEndpoint) -> StoryResult<ImageCache> {
        let new = ImageCacheCreate::builder().name("progenitor").region("cn-hangzhou").images([format!("{IMAGE}:1")]);
        // A unique key, because each run creates its own endpoint.
        let cache = call!(self.create_image_cache.idempotency_key(&endpoint.id).body(new));
        let operation = call!(self.get_operation.operation_id(&cache.operation_id));
        demand(operation.image_cache_id == cache.id, "an operation of another image cache")?;
        let unended = call!(self.list_operations.team(&operation.team).limit(100) as admin).items;
        demand(unended.iter().all(|item| item.team == operation.team), "an operation of another team")?;
        let ready = self.wait_until_ready(&cache.id).await?;
        let again = call!(self.get_image_cache.image_cache_id(&cache.id).wait_seconds(10));
        let images = vec![format!("{IMAGE}:1")];
        let gate = call!(self.check_gate.image(images).region("cn-hangzhou").wait_seconds(10));
        demand(gate.image_cache.eci_cache_id.is_some(), "a gate without the cloud's id")?;
        demand(again.eci_cache_id == ready.eci_cache_id, "two ids of the cloud")?;
        let question = MatchQuestion::builder().region("cn-hangzhou").images([format!("{IMAGE}:1")]);
        let winner = call!(self.match_image_caches.body(question)).winner_id;
        demand(winner.as_ref() == Some(&cache.id), "another image cache wins the match")?;
        let same = ImageCacheCreate::builder().name("same").region("cn-hangzhou").images([format!("{IMAGE}:1")]);
        let ensured = call!(self.ensure_image_cache.body(same));
        demand(["joined", "reused"].contains(&ensured.outcome.as_str()), "ensure made a second one")?;
        self.do_many_at_once(&cache).await?;
        self.read_the_lists(&cache, endpoint).await?;
        Ok(cache)
    }

    async fn do_many_at_once(&mut self, cache: &ImageCache) -> StoryResult<()> {
        let item = ImageCacheCreate::builder().name("same").region("cn-hangzhou").images([format!("{IMAGE}:1")]);
        let items: Vec<ImageCacheCreate> = vec![item.try_into()?];
        let ensured = call!(self.batch_ensure_image_caches.body(ImageCacheBatchEnsure::builder().items(items)));
        demand(ensured.failed == 0, "a batch with a problem")?;
        let both = ImageCacheBatchGet::builder().ids([cache.id.clone(), ABSENT.to_owned()]);
        let found = call!(self.batch_get_image_caches.body(both));
        let statuses: Vec<i32> = found.items.iter().map(|verdict| verdict.http_status).collect();
        demand(statuses == [200, 404], "other verdicts")?;
        let dry = ImageCacheBatchDelete::builder().ids([cache.id.clone()]).dry_run(true);
        demand(call!(self.batch_delete_image_caches.body(dry)).failed == 0, "it cannot be deleted")
    }

    async fn wait_until_ready(&mut self, id: &str) -> StoryResult<ImageCache> {
        for _ in 0..12 {
            let waited = call!(self.wait_for_image_cache.image_cache_id(id).wait_seconds(10));
            if waited.condition_met {
                return Ok(waited.image_cache);
            }
        }
        Err(format!("{id} is not ready after two minutes").into())
    }

    async fn read_the_lists(&mut self, cache: &ImageCache, endpoint: &WebhookEndpoint) -> StoryResult<()> {
        let ready = vec![ImageCacheStatusFilter::Ready];
        let listed = call!(self.list_image_caches.status(ready).name(&cache.name).limit(100));
        demand(listed.items.iter().any(|item| item.id == cache.id), "not in the list")?;
        let record = call!(self.get_provider_record.image_cache_id(&cache.id));
        demand(!record.events.is_empty(), "no event of the cloud")?;
        let usage = call!(self.list_usage.region("cn-hangzhou"));
        demand(usage.team_ready_image_caches > 0, "nothing is ready")?;
        let transitions = call!(self.list_transitions.image_cache_id(&cache.id)).items;
        demand(transitions.last().is_some_and(|last| last.to.as_str() == "ready"), "the last is not to ready")?;
        let event = self.find_ready_event(&cache.id).await?;
        let deliveries = call!(self.list_deliveries.webhook_endpoint_id(&endpoint.id)).items;
        demand(deliveries.iter().any(|delivery| delivery.event_id == event.id), "no delivery of the event")
    }

    async fn find_ready_event(&mut self, id: &str) -> StoryResult<Event> {
        let page =
            call!(self.list_events.type_(vec![EventTypeName::ImageCacheReady]).image_cache_id(id).wait_seconds(10));
        let event = page.items.into_iter().next().ok_or("no image_cache.ready in the feed")?;
        let about = event.data.image_cache.as_ref().is_some_and(|cache| cache.id == id);
        demand(about && event.version == 1 && event.data.generation == Some(1), "another event")?;
        let status = event.data.changed.as_ref().and_then(|changed| changed.status.as_ref());
        demand(status.is_some_and(|status| status.to.as_str() == "ready"), "nothing that changed")?;
        Ok(event)
    }

    async fn turn_the_endpoint(&mut self, endpoint: &WebhookEndpoint) -> StoryResult<()> {
        let id = &endpoint.id;
        let changes = WebhookEndpointUpdate::builder().rate_per_second(50);
        let changed = call!(self.update_webhook_endpoint.webhook_endpoint_id(id).body(changes));
        demand(changed.rate_per_second == Some(50), "another rate")?;
        let rotation = SecretRotation::builder().keep_old_hours(1);
        let rotated = call!(self.rotate_webhook_secret.webhook_endpoint_id(id).body(rotation));
        demand(rotated.secret.is_some() && rotated.secret != endpoint.secret, "the same secret")?;
        let test = call!(self.test_webhook_endpoint.webhook_endpoint_id(id));
        demand(test.outcome == "failed", "somebody is at that port")?;
        demand(!call!(self.verify_webhook_endpoint.webhook_endpoint_id(id)).disabled, "not verified")?;
        demand(call!(self.pause_webhook_endpoint.webhook_endpoint_id(id)).disabled, "not paused")?;
        self.send_a_delivery_again(id).await?;
        let recovery = Recovery::builder().created_after(endpoint.created_at);
        let recovered = call!(self.recover_webhook_endpoint.webhook_endpoint_id(id).body(recovery));
        let replay = Replay::builder().created_after(endpoint.created_at);
        let replayed = call!(self.replay_webhook_endpoint.webhook_endpoint_id(id).body(replay));
        demand((recovered.deliveries, replayed.deliveries) == (0, 0), "something was put into the queue")?;
        demand(!call!(self.resume_webhook_endpoint.webhook_endpoint_id(id)).disabled, "still paused")
    }

    async fn send_a_delivery_again(&mut self, endpoint: &str) -> StoryResult<()> {
        let ready = vec![EventTypeName::ImageCacheReady];
        let page = call!(self.list_deliveries.webhook_endpoint_id(endpoint).status("waiting").event_type(ready));
        let delivery = page.items.first().ok_or("nothing waits")?;
        let again = call!(self.get_delivery.delivery_id(&delivery.id));
        demand(again.event_id == delivery.event_id, "another delivery")?;
        let attempts = call!(self.list_delivery_attempts.delivery_id(&delivery.id)).items;
        demand(!attempts.is_empty(), "no attempt")?;
        let resent = call!(self.resend_delivery.delivery_id(&delivery.id));
        demand(resent.status == "waiting", "it was not put into the queue")
    }

    async fn try_an_adoption(&mut self) -> StoryResult<()> {
        let new = AdoptionRequest::builder().region("cn-hangzhou").filter(AdoptionFilter::default()).dry_run(true);
        let result = call!(self.adopt_image_caches.body(new) as admin);
        let changed = result.adopted.iter().any(|item| item.image_cache_id.is_some());
        demand(result.dry_run && !changed, "a dry run that changed something")?;
        let found = call!(self.list_found_image_caches.region("cn-hangzhou").limit(100) as admin);
        demand(found.items.iter().all(|item| !item.eci_cache_id.is_empty()), "a found cache without an id")
    }

    async fn change_and_remove(&mut self, cache: &ImageCache) -> StoryResult<()> {
        let changes = ImageCacheUpdate::builder().images([format!("{IMAGE}:2")]);
        let updated = call!(self.update_image_cache.image_cache_id(&cache.id).body(changes));
        demand(updated.generation == cache.generation + 1, "the update is no new generation")?;
        self.wait_until_ready(&cache.id).await?;
        call!(self.delete_image_cache.image_cache_id(&cache.id));
        Ok(())
    }

    async fn read_the_audit(&mut self, cache: &ImageCache) -> StoryResult<()> {
        let entries = call!(self.list_audit_entries.resource(&cache.id).limit(100)).items;
        let is_create = |entry: &&AuditEntry| entry.action == "create_image_cache";
        let created = entries.iter().find(is_create).ok_or("the create is not in the audit trail")?;
        let entry = call!(self.get_audit_entry.audit_entry_id(&created.id));
        demand(entry.request_id == created.request_id, "another audit entry")?;
        let _stream = call!(self.export_audit_entries.format("csv").resource(&cache.id));
        let proof = call!(self.get_audit_proof.audit_entry_id(&created.id));
        demand(proof.leaf_index < proof.checkpoint.tree_size, "a leaf outside its tree")?;
        let newest = call!(self.list_audit_checkpoints.limit(1)).items;
        demand(newest[0].tree_size >= proof.checkpoint.tree_size, "the tree has shrunk")?;
        let consistency = call!(self.get_audit_consistency.first_size(1));
        demand(consistency.first_size == 1, "another proof")
    }

    async fn remove_the_endpoint(&mut self, endpoint: &WebhookEndpoint) -> StoryResult<()> {
        let listed = call!(self.list_webhook_endpoints.limit(100)).items;
        demand(listed.iter().any(|item| item.id == endpoint.id), "the endpoint is not in the list")?;
        let again = call!(self.get_webhook_endpoint.webhook_endpoint_id(&endpoint.id));
        demand(again.url == endpoint.url, "another endpoint")?;
        call!(self.delete_webhook_endpoint.webhook_endpoint_id(&endpoint.id));
        Ok(())
    }

    async fn meet_an_error(&self) -> StoryResult<()> {
        let answer = self.client.get_image_cache().image_cache_id(ABSENT).send().await;
        let Err(CallError::ErrorResponse(refusal)) = answer else {
            return Err(format!("an unknown id: {answer:?}").into());
        };
        let problem: &Problem = &refusal;
        demand(problem.status == 404 && !problem.code.is_empty(), "not the problem of an unknown id")
    }

    /// Compares the called operations with those in the document under `/v1`.
    fn report(&self, document: &str) -> StoryResult<()> {
        let document: Value = serde_json::from_str(&std::fs::read_to_string(document)?)?;
        let paths = document["paths"].as_object().ok_or("a document without paths")?;
        let wanted: BTreeSet<String> = (paths.iter().filter(|(path, _)| path.starts_with("/v1/")))
            .flat_map(|(_, item)| item.as_object().into_iter().flat_map(|item| item.values()))
            .filter_map(|operation| operation["operationId"].as_str().map(str::to_owned))
            .filter(|operation| !STREAMS.contains(&operation.as_str()))
            .collect();
        if wanted != self.called {
            let differences: Vec<_> = wanted.symmetric_difference(&self.called).collect();
            return Err(format!("called, or in the document, but not both: {differences:?}").into());
        }
        println!("{} of {} operations called", self.called.len(), wanted.len());
        Ok(())
    }
}

/// A client that sends this token, if any.
fn client_with(token: Option<&str>) -> StoryResult<Client> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse()?);
    }
    let inner = reqwest::Client::builder().default_headers(headers).no_proxy().build()?;
    Ok(Client::new_with_client(&std::env::var("ECG_URL")?, inner))
}

fn demand(holds: bool, otherwise: &str) -> StoryResult<()> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> StoryResult<()> {
    let document = std::env::args().nth(1).ok_or("give the document")?;
    let mut story = Story::begin()?;
    story.tell().await?;
    story.report(&document)
}
