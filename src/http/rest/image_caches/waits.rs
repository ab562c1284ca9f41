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
use crate::http::rest::query::{seconds, within};
use crate::http::{DoorState, answer};

/// Until what, and how long.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct WaitForQuery {
    /// `ready`: answer once the image cache is ready, or cannot become ready without another request.
    #[param(value_type = Option<String>, nullable = false)]
    wait_for: Option<()>,
    /// With `wait_for`: the maximum number of seconds to wait, 0 to 55. Defaults to 30.
    #[param(value_type = Option<i32>, nullable = false, minimum = 0, maximum = 55)]
    timeout: u64,
}

impl FromQuery for WaitForQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        let wait_for = pairs.word("wait_for", |word| (word == "ready").then_some(()), "ready");
        let timeout: Option<u64> = pairs.one("timeout");
        if timeout.is_some() && wait_for.is_none() {
            pairs.refuse("timeout", "invalid", "must stand with wait_for");
        }
        Self { wait_for, timeout: within(pairs, "timeout", timeout.unwrap_or(30)) }
    }
}

impl WaitForQuery {
    /// How long to wait, if at all.
    pub(in crate::http::rest) fn max_wait(&self) -> Option<Duration> {
        self.wait_for.map(|()| Duration::from_secs(self.timeout))
    }
}

/// How long to wait.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct WaitQuery {
    /// The maximum number of seconds to wait: 0 to 55. Defaults to 30.
    #[param(value_type = Option<i32>, nullable = false, minimum = 0, maximum = 55)]
    timeout: u64,
}

impl FromQuery for WaitQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { timeout: seconds(pairs, "timeout", 30) }
    }
}

/// The outcome of a wait.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::rest) struct ImageCacheWait {
    /// Whether the image cache is ready.
    condition_met: bool,
    /// The current image cache.
    image_cache: ImageCacheView,
}

/// Wait until an image cache is ready
///
/// Answers 200 as soon as the image cache is ready, or cannot become ready without another request (check `status`),
/// or the time is up; `condition_met` says which. Repeat the request until one of the first two is the case.
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
    let timeout = Duration::from_secs(query.timeout);
    let waited = door.gateway.image_caches().wait_for_image_cache(&who.caller, &who.call, id, timeout).await?;
    let body = ImageCacheWait { condition_met: waited.condition_met, image_cache: waited.image_cache };
    Ok(answer::json(StatusCode::OK, &body))
}
