//! Image caches: create, list, get, update, delete, and their transitions.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

use super::lists::{ImageCacheList, TransitionList};
use super::query::PageQuery;
use crate::app::input::ChangeOptions;
use crate::app::view::ImageCacheView;
use crate::domain::ids::CacheId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::headers::{self, Wait};
use crate::http::problem::ProblemResponse;
use crate::http::{DoorState, answer};
use bodies::{ImageCacheChangesBody, NewImageCacheBody};
use query::ImageCacheQuery;
use waits::SettledQuery;

pub(super) mod adoption;
pub(super) mod batches;
pub(super) mod bodies;
pub(super) mod ensure;
pub(super) mod found;
pub(super) mod gate;
pub(super) mod matches;
pub(super) mod provider;
pub(super) mod query;
pub(super) mod waits;

/// Create an image cache
///
/// Answers 201 once the cloud has accepted the request, or 202 if the cloud has not answered within `Prefer: wait`
/// (10 s by default); the creation then continues, and `Location` names its operation. In both cases the cloud takes
/// minutes to build the image cache: wait for `ready`, or subscribe a webhook endpoint. Send an `Idempotency-Key`, so
/// that repeating the request does not create a second image cache.
#[utoipa::path(post, path = "/v1/image-caches", tag = "image-caches", responses(
    (status = 201, description = "The cloud has accepted the image cache.", body = ImageCacheView),
    (status = 202, description = "The cloud has not answered yet.", body = ImageCacheView),
))]
pub(super) async fn create_image_cache(
    State(door): State<DoorState>,
    who: Authorized,
    request: HeaderMap,
    body: Json<NewImageCacheBody>,
) -> Result<Response, ProblemResponse> {
    let wait = headers::prefer_wait(&request);
    let key = headers::idempotency_key(&request)?.map(|key| body.key(key));
    let new = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let changed = door.gateway.image_caches().create_image_cache(&who.caller, &who.call, new, key, wait.time).await?;
    Ok(answer::changed(StatusCode::CREATED, &changed, wait))
}

/// List image caches
///
/// Returns the image caches, newest first. Image caches that no longer exist in the cloud are left out unless
/// `status` selects them.
#[utoipa::path(get, path = "/v1/image-caches", tag = "image-caches",
    params(ImageCacheQuery),
    responses((status = 200, description = "One page of the list.", body = ImageCacheList)),
)]
pub(super) async fn list_image_caches(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<ImageCacheQuery>,
) -> Result<Response, ProblemResponse> {
    let (filter, page) = query.split();
    let shown = door.gateway.image_caches().show_image_caches(&who.caller, &filter, &page).await?;
    Ok(answer::rendered_list(&uri, shown))
}

/// Get an image cache
///
/// With `wait_seconds`, answers once the image cache is ready or cannot become ready without another request, and
/// after that time in any case. The response is 200 in all these cases: check `status`.
#[utoipa::path(get, path = "/v1/image-caches/{image_cache_id}", tag = "image-caches",
    params(("image_cache_id" = String, Path, description = "The id of the image cache, `ic_…`."), SettledQuery),
    responses((status = 200, description = "The image cache.", body = ImageCacheView)),
)]
pub(super) async fn get_image_cache(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<CacheId>,
    request: HeaderMap,
    Query(query): Query<SettledQuery>,
) -> Result<Response, ProblemResponse> {
    let Some(timeout) = query.wait_seconds else {
        return Ok(answer::rendered_image_cache(
            &request,
            door.gateway.image_caches().show_image_cache(&who.caller, id).await?,
        ));
    };
    let view = door.gateway.image_caches().get_settled_image_cache(&who.caller, &who.call, id, timeout).await?;
    Ok(answer::image_cache(&request, &view))
}

/// Update an image cache
///
/// The cloud rebuilds the image cache. Answers 200 once the cloud has accepted the update, or 202 if the cloud has not
/// answered within `Prefer: wait`. Send an `Idempotency-Key`, so that repeating the request does not build it twice.
#[utoipa::path(patch, path = "/v1/image-caches/{image_cache_id}", tag = "image-caches",
    params(("image_cache_id" = String, Path, description = "The id of the image cache, `ic_…`.")),
    responses(
        (status = 200, description = "The cloud has accepted the image cache.", body = ImageCacheView),
        (status = 202, description = "The cloud has not answered yet.", body = ImageCacheView),
    ),
)]
pub(super) async fn update_image_cache(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<CacheId>,
    request: HeaderMap,
    body: Json<ImageCacheChangesBody>,
) -> Result<Response, ProblemResponse> {
    let (wait, options) = options(&request)?;
    let key = headers::idempotency_key(&request)?.map(|key| body.key_about(&id.to_string(), key));
    let options = ChangeOptions { key, ..options };
    let wanted = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let changed = door.gateway.image_caches().update_image_cache(&who.caller, &who.call, id, wanted, options).await?;
    Ok(answer::changed(StatusCode::OK, &changed, wait))
}

/// Delete an image cache
///
/// Returns the image cache: with 200 once the cloud has accepted the removal, or with 202 if the cloud has not
/// answered within `Prefer: wait`. The record is kept and can still be read.
#[utoipa::path(delete, path = "/v1/image-caches/{image_cache_id}", tag = "image-caches",
    params(("image_cache_id" = String, Path, description = "The id of the image cache, `ic_…`.")),
    responses(
        (status = 200, description = "The cloud has accepted the image cache.", body = ImageCacheView),
        (status = 202, description = "The cloud has not answered yet.", body = ImageCacheView),
    ),
)]
pub(super) async fn delete_image_cache(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<CacheId>,
    _: Query<()>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let (wait, options) = options(&request)?;
    let changed = door.gateway.image_caches().delete_image_cache(&who.caller, &who.call, id, options).await?;
    Ok(answer::changed(StatusCode::OK, &changed, wait))
}

fn options(request: &HeaderMap) -> Result<(Wait, ChangeOptions), ProblemResponse> {
    let wait = headers::prefer_wait(request);
    Ok((wait, ChangeOptions { precondition: headers::precondition(request)?, wait: wait.time, key: None }))
}

/// List the transitions of an image cache
///
/// Returns every change of status that the gateway observed, oldest first.
#[utoipa::path(get, path = "/v1/image-caches/{image_cache_id}/transitions", tag = "image-caches",
    params(("image_cache_id" = String, Path, description = "The id of the image cache, `ic_…`.")),
    responses((status = 200, description = "One page of the list.", body = TransitionList)),
)]
pub(super) async fn list_transitions(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<CacheId>,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.image_caches().list_transitions(&who.caller, id, &query.page).await?;
    Ok(answer::listed::<_, TransitionList>(&uri, slice))
}
