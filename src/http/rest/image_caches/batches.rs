//! Up to 100 image caches in one request: read, ensured or deleted, with a verdict for each.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::bodies::{NewImageCacheBody, given};
use crate::app::input::ChangeOptions;
use crate::app::{Call, Error};
use crate::domain::image_cache::content::Ensured;
use crate::http::exchange::Exchange;
use crate::http::extract::{Authorized, Json, JsonBody};
use crate::http::headers::{self, Wait};
use crate::http::problem::ProblemResponse;
use crate::http::rest::batch::{Batch, CHANGES_AT_ONCE, ItemFacts, READS_AT_ONCE};
use crate::http::{DoorState, answer};
use ids::DistinctIds;
use verdicts::{ImageCacheBatch, Shown, Verdict};

mod ids;
mod verdicts;

/// The image caches to read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImageCacheBatchGet)]
pub(in crate::http::rest) struct BatchGetBody {
    /// The ids of the image caches, `ic_…`: 1 to 100. An id that is repeated is read once.
    #[schema(min_items = 1, max_items = 100)]
    ids: Vec<String>,
}

/// The image caches to delete.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImageCacheBatchDelete)]
pub(in crate::http::rest) struct BatchDeleteBody {
    /// The ids of the image caches, `ic_…`: 1 to 100. An id that is repeated is deleted once.
    #[schema(min_items = 1, max_items = 100)]
    ids: Vec<String>,
    /// Whether to report only which image caches would be deleted.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    dry_run: Option<bool>,
}

/// The image caches to ensure.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImageCacheBatchEnsure)]
pub(in crate::http::rest) struct BatchEnsureBody {
    /// 1 to 100 image caches.
    #[schema(min_items = 1, max_items = 100)]
    items: Vec<NewImageCacheBody>,
}

impl JsonBody for BatchGetBody {}
impl JsonBody for BatchDeleteBody {}
impl JsonBody for BatchEnsureBody {}

/// Get many image caches
///
/// Returns a verdict for each id, in the order of the request: the image cache, or a problem (404 for an id that the
/// team does not have). The response is 200 in any case: check `failed`. The request counts as one request for each
/// item towards the rate limit.
#[utoipa::path(post, path = "/v1/image-caches/batch-get", tag = "image-caches",
    responses((status = 200, description = "A verdict for each id.", body = ImageCacheBatch)),
)]
pub(in crate::http::rest) async fn batch_get_image_caches(
    State(door): State<DoorState>,
    who: Authorized,
    Extension(exchange): Extension<Arc<Exchange>>,
    body: Json<BatchGetBody>,
) -> Result<Response, ProblemResponse> {
    let ids = body.value.ids;
    let batch = Batch::begin(door, who, exchange, "get_image_cache", ("/ids", ids.len()))?;
    let ids = DistinctIds::new(ids, &[]);
    let batch = Arc::new(batch);
    let done = Arc::clone(&batch).run(READS_AT_ONCE, ids.items(), |batch, _, id| shown(batch, id)).await?;
    Ok(answer::json(StatusCode::OK, &ids.verdicts(done, &batch.occasion())))
}

/// Delete many image caches
///
/// Deletes each image cache as its own DELETE would, and returns a verdict for each id, in the order of the request:
/// 200 once the cloud has accepted the removal, 202 if the cloud has not answered within `Prefer: wait` (for all items
/// together), or a problem. The response is 200 in any case: check `failed`. A repeat of the request finds deleted what
/// was deleted, with the same verdicts. The request counts as one request for each item towards the rate limit. With
/// `dry_run`, nothing is changed.
#[utoipa::path(post, path = "/v1/image-caches/batch-delete", tag = "image-caches",
    responses((status = 200, description = "A verdict for each id.", body = ImageCacheBatch)),
)]
pub(in crate::http::rest) async fn batch_delete_image_caches(
    State(door): State<DoorState>,
    who: Authorized,
    Extension(exchange): Extension<Arc<Exchange>>,
    request: HeaderMap,
    body: Json<BatchDeleteBody>,
) -> Result<Response, ProblemResponse> {
    let (wait, BatchDeleteBody { ids, dry_run }) = (headers::prefer_wait(&request), body.value);
    let batch = Batch::begin(door, who, exchange, "delete_image_cache", ("/ids", ids.len()))?;
    let batch = Arc::new(batch.waiting(wait));
    let dry_run = dry_run == Some(true);
    let ids = DistinctIds::new(ids, if dry_run { &[("dry_run", "true")] } else { &[] });
    let work = Arc::clone(&batch);
    let done = if dry_run {
        work.run(READS_AT_ONCE, ids.items(), |batch, _, id| shown(batch, id)).await?
    } else {
        work.run(CHANGES_AT_ONCE, ids.items(), delete).await?
    };
    Ok(waited(wait, answer::json(StatusCode::OK, &ids.verdicts(done, &batch.occasion()))))
}

/// Ensure many image caches
///
/// Ensures each item as a request of its own would (see `ensure_image_cache`), and returns a verdict for each, in the
/// order of the request: the image cache with `outcome`, or a problem. Items that are refused stop no others, and the
/// response is 200 in any case: check `failed`. Only what is wrong with the body as a whole (its JSON, types, unknown
/// fields, the number of items) is refused with 422 before anything is done. The items share the time of
/// `Prefer: wait`. With an `Idempotency-Key`, a repeat of the request gets the same response; if the first one was
/// interrupted, each item joins what it did then. The request counts as one request for each item towards the
/// rate limit.
#[utoipa::path(post, path = "/v1/image-caches/batch-ensure", tag = "image-caches",
    responses((status = 200, description = "A verdict for each item.", body = ImageCacheBatch)),
)]
pub(in crate::http::rest) async fn batch_ensure_image_caches(
    State(door): State<DoorState>,
    who: Authorized,
    Extension(exchange): Extension<Arc<Exchange>>,
    request: HeaderMap,
    body: Json<BatchEnsureBody>,
) -> Result<Response, ProblemResponse> {
    let (wait, key) = (headers::prefer_wait(&request), headers::idempotency_key(&request)?);
    let (sent, bodies) = (body.items("items"), body.value.items);
    let batch = Batch::begin(door, who, exchange, "ensure_image_cache", ("/items", bodies.len()))?.waiting(wait);
    let names: Vec<Option<String>> = sent.iter().map(|item| item.text("name")).collect();
    let items = sent.iter().zip(bodies).enumerate().map(|(place, (item, body))| {
        let key = key.as_deref().map(|key| item.key(key, place));
        (ItemFacts { resource: None, parameters: item.parameters() }, (body, key))
    });
    let batch = Arc::new(batch);
    let done = Arc::clone(&batch).run(CHANGES_AT_ONCE, items.collect(), |batch, call, (body, key)| async move {
        let new = body.try_into().map_err(ProblemResponse::invalid)?;
        let caches = batch.door.gateway.image_caches();
        let ensured = Box::pin(caches.ensure_image_cache(&batch.caller, &call, new, key, batch.wait())).await?;
        let status = if ensured.outcome == Ensured::Created { StatusCode::CREATED } else { StatusCode::OK };
        Ok((answer::status(status, &ensured.changed), Shown::ensured(&ensured)?))
    });
    let verdict = |(place, (done, name))| Verdict::new(place, done, &batch.occasion()).named(name);
    let verdicts = done.await?.into_iter().zip(names).enumerate().map(verdict);
    Ok(waited(wait, answer::json(StatusCode::OK, &verdicts.collect::<ImageCacheBatch>())))
}

/// One image cache of the team, by an id that may be none.
async fn shown(batch: Arc<Batch>, id: String) -> Result<(StatusCode, Shown), ProblemResponse> {
    let id = id.parse().map_err(|_| ProblemResponse::from(Error::NotFound("image cache")))?;
    let shown = batch.door.gateway.image_caches().show_image_cache(&batch.caller, id).await?;
    Ok((StatusCode::OK, Shown::rendered(shown.body)?))
}

async fn delete(batch: Arc<Batch>, call: Call, id: String) -> Result<(StatusCode, Shown), ProblemResponse> {
    let id = id.parse().map_err(|_| ProblemResponse::from(Error::NotFound("image cache")))?;
    let options = ChangeOptions { wait: batch.wait(), ..ChangeOptions::default() };
    let caches = batch.door.gateway.image_caches();
    let changed = Box::pin(caches.delete_image_cache(&batch.caller, &call, id, options)).await?;
    Ok((answer::status(StatusCode::OK, &changed), Shown::changed(&changed)?))
}

/// The answer, which says how long was waited if that was asked for.
fn waited(wait: Wait, mut answer: Response) -> Response {
    answer::preference_applied(&mut answer, wait);
    answer
}
