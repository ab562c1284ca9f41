//! Waiting for an image cache, in both forms: what it says itself, and what became of the wait.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::view::ImageCacheView;
use crate::domain::ids::CacheId;
use crate::http::extract::{Authorized, FromQuery, Id, Query, QueryPairs};
use crate::http::problem::ProblemResponse;
use crate::http::rest::query::wait_seconds;
use crate::http::{DoorState, answer};

/// How long to wait for an image cache until a read answers.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct SettledQuery {
    /// The maximum number of seconds to wait until the image cache is ready, or cannot become ready without another
    /// request. More than 55 counts as 55. By default the request does not wait.
    #[param(value_type = Option<i32>, nullable = false, minimum = 0)]
    pub(in crate::http::rest) wait_seconds: Option<Duration>,
}

impl FromQuery for SettledQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { wait_seconds: wait_seconds(pairs) }
    }
}

/// How long to wait.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct WaitQuery {
    /// The maximum number of seconds to wait. More than 55 counts as 55. Defaults to 30.
    #[param(value_type = Option<i32>, nullable = false, minimum = 0)]
    wait_seconds: Duration,
}

impl FromQuery for WaitQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { wait_seconds: wait_seconds(pairs).unwrap_or(DEFAULT_WAIT) }
    }
}

/// How long a wait lasts that names no time.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// The outcome of a wait.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::rest) struct ImageCacheWait {
    /// Whether the image cache is ready.
    condition_met: bool,
    /// Whether waiting longer is pointless: the image cache is ready, or cannot become ready without another request.
    done: bool,
    /// The current image cache.
    image_cache: ImageCacheView,
}

/// Wait until an image cache is ready
///
/// Answers 200 as soon as the image cache is ready, or cannot become ready without another request (check `status`),
/// or the time is up. To wait longer, repeat the request until `done` is true; then `condition_met` says whether the
/// image cache is ready.
#[utoipa::path(get, path = "/v1/image-caches/{image_cache_id}/wait", tag = "image-caches",
    params(("image_cache_id" = String, Path, description = "The id of the image cache, `ic_…`."), WaitQuery),
    responses((status = 200, description = "The outcome of the wait.", body = ImageCacheWait)),
)]
pub(in crate::http::rest) async fn wait_for_image_cache(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<CacheId>,
    Query(query): Query<WaitQuery>,
) -> Result<Response, ProblemResponse> {
    let caches = door.gateway.image_caches();
    let waited = caches.wait_for_image_cache(&who.caller, &who.call, id, query.wait_seconds).await?;
    let body =
        ImageCacheWait { condition_met: waited.condition_met, done: waited.done, image_cache: waited.image_cache };
    Ok(answer::json(StatusCode::OK, &body))
}
