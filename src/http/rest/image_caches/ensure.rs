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
use crate::http::problem::ProblemResponse;
use crate::http::{DoorState, answer};

/// An image cache with the requested content.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::rest) struct EnsuredImageCache {
    /// Where the image cache came from: `created` (there was none), `joined` (one is being built) or `reused` (one is
    /// ready).
    outcome: String,
    /// The image cache.
    image_cache: ImageCacheView,
}

/// Ensure an image cache
///
/// Returns an image cache of the team with this content in this region: one that is ready, or one that is being
/// built. It creates one only if there is neither. However many requests arrive at once, only one is created.
///
/// Two image caches have the same content if they have the same set of images (in their full form: `nginx` is
/// `docker.io/library/nginx:latest`; an image with a digest counts by the digest, any other by its tag, and the
/// gateway does not resolve what a tag currently points to) and the same size, system, Flash mode and snapshot
/// counts. The name, tags, retention, networks, logins and all other fields only matter if a new one is created. An
/// image cache does not qualify if it failed, if it expires within the operator's margin (an hour), or if its images
/// or size were changed outside the gateway. A plain create always makes another image cache with the same content.
#[utoipa::path(post, path = "/v1/image-caches/ensure", tag = "image-caches", responses(
    (status = 200, description = "A matching image cache exists: `joined` or `reused`.", body = EnsuredImageCache),
    (status = 201, description = "The cloud has accepted a new image cache: `created`.", body = EnsuredImageCache),
    (status = 202, description = "A new image cache was requested, and the cloud has not answered yet: `created`.", body = EnsuredImageCache),
))]
pub(in crate::http::rest) async fn ensure_image_cache(
    State(door): State<DoorState>,
    who: Authorized,
    request: HeaderMap,
    body: Json<NewImageCacheBody>,
) -> Result<Response, ProblemResponse> {
    let wait = headers::prefer_wait(&request);
    let key = headers::idempotency_key(&request)?.map(|key| body.key(key));
    let new = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let ensured = door.gateway.image_caches().ensure_image_cache(&who.caller, &who.call, new, key, wait.time).await?;
    let done = if ensured.outcome == Ensured::Created { StatusCode::CREATED } else { StatusCode::OK };
    let outcome = ensured.outcome.as_str().to_owned();
    let body = EnsuredImageCache { outcome, image_cache: ensured.changed.image_cache.clone() };
    Ok(answer::changed_as(done, &ensured.changed, wait, &body))
}

/// Dry-run an image cache
///
/// Reports what a create, and what an ensure, with this body would do: everything that the policy would refuse, the
/// image cache with all defaults filled in, the team's usage before and after, the cost, how long such builds take,
/// and which image caches already match. Nothing is created, and no quota is reserved.
#[utoipa::path(post, path = "/v1/image-caches/dry-run", tag = "image-caches",
    responses((status = 200, description = "The result of the dry run.", body = DryRunView)),
)]
pub(in crate::http::rest) async fn dry_run_image_cache(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewImageCacheBody>,
) -> Result<Response, ProblemResponse> {
    let new = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let told = door.gateway.image_caches().dry_run_image_cache(&who.caller, &new).await?;
    Ok(answer::json(StatusCode::OK, &told))
}
