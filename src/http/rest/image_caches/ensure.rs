//! Ensure: a cache of this content, whichever it is; and the dry run of it and of a create.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::bodies::NewImageCacheBody;
use crate::app::view::{DryRunView, ImageCacheView};
use crate::domain::image_cache::content::Ensured;
use crate::http::extract::{Authorized, Json};
use crate::http::headers;
use crate::http::problem::Refusal;
use crate::http::{DoorState, answer};

/// An image cache of the content that was asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::rest) struct EnsuredImageCache {
    /// How it came: `created` (there was none), `joined` (one is being built) or `reused` (one is ready).
    outcome: String,
    /// The image cache.
    image_cache: ImageCacheView,
}

/// Ensure an image cache
///
/// Answers with an image cache of the team that has this content in this region: one that is ready, or one that is
/// being built, and creates one only where there is neither. However many ask at once, one is created.
///
/// The same content is: the same set of images (in their full form: `nginx` is `docker.io/library/nginx:latest`; an
/// image with a digest counts by the digest, any other by its tag, and nobody asks where a tag points today), the same
/// size, system, Flash mode and counts of snapshots. Name, tags, retention, networks, logins and the rest count only
/// where one is created. One that failed, that expires within the operator's margin (an hour), or whose images or size
/// were changed past the gateway will not do. A plain create makes another one of the same content.
#[utoipa::path(post, path = "/v1/image-caches/ensure", tag = "image-caches", responses(
    (status = 200, description = "There was one: `joined` or `reused`.", body = EnsuredImageCache),
    (status = 201, description = "The cloud has accepted a new one: `created`.", body = EnsuredImageCache),
    (status = 202, description = "A new one; the cloud has not answered yet: `created`.", body = EnsuredImageCache),
))]
pub(in crate::http::rest) async fn ensure_image_cache(
    State(door): State<DoorState>,
    who: Authorized,
    request: HeaderMap,
    body: Json<NewImageCacheBody>,
) -> Result<Response, Refusal> {
    let wait = headers::prefer_wait(&request);
    let key = headers::idempotency_key(&request)?.map(|key| body.key(key));
    let new = body.value.try_into().map_err(Refusal::invalid)?;
    let ensured = door.gateway.image_caches().ensure_image_cache(&who.caller, &who.call, new, key, wait.time).await?;
    let done = if ensured.outcome == Ensured::Created { StatusCode::CREATED } else { StatusCode::OK };
    let outcome = ensured.outcome.as_str().to_owned();
    let body = EnsuredImageCache { outcome, image_cache: ensured.changed.image_cache.clone() };
    Ok(answer::changed_as(done, &ensured.changed, wait, &body))
}

/// Try an image cache
///
/// What would become of a create, and of an ensure, with this body: everything that the policy would refuse, the image
/// cache with all that would be filled in, what the team has and would have of what is counted, what it would cost, how
/// long such builds take, and what is there already. Nothing is created, and no place in a quota is held.
#[utoipa::path(post, path = "/v1/image-caches/dry-run", tag = "image-caches",
    responses((status = 200, description = "What would become of it.", body = DryRunView)),
)]
pub(in crate::http::rest) async fn dry_run_image_cache(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewImageCacheBody>,
) -> Result<Response, Refusal> {
    let new = body.value.try_into().map_err(Refusal::invalid)?;
    let told = door.gateway.image_caches().dry_run_image_cache(&who.caller, &new).await?;
    Ok(answer::json(StatusCode::OK, &told))
}
