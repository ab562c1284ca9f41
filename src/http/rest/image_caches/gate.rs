//! The gate for pipelines: a status for each answer, so that `curl` alone can ask.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use utoipa::IntoParams;

use crate::app::input::{GateAnswer, GateQuestion};
use crate::app::view::GateView;
use crate::http::extract::{Authorized, FromQuery, Query, QueryPairs};
use crate::http::problem::ProblemResponse;
use crate::http::rest::query::wait_seconds;
use crate::http::{DoorState, answer};

/// What a pipeline wants to run.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct GateQuery {
    /// An image of the pod. May be repeated, up to 20 times: one image cache must contain exactly these references,
    /// possibly among others.
    #[param(value_type = Vec<String>, required = true, style = Form, explode, example = json!(["nginx:1.27"]))]
    image: Vec<String>,
    /// The region.
    #[param(value_type = String, required = true, example = "cn-hangzhou")]
    region: Option<String>,
    /// The pod's ephemeral storage in GiB, if the image cache must fit into it: 1 to 32768.
    #[param(nullable = false, minimum = 1, maximum = 32768)]
    ephemeral_storage_gib: Option<i32>,
    /// The maximum number of seconds to wait for an image cache that is being built. More than 55 counts as 55. By
    /// default the request does not wait.
    #[param(value_type = Option<i32>, nullable = false, minimum = 0)]
    wait_seconds: Duration,
}

impl FromQuery for GateQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self {
            image: pairs.many("image"),
            region: pairs.text("region"),
            ephemeral_storage_gib: pairs.one("ephemeral_storage_gib"),
            wait_seconds: wait_seconds(pairs).unwrap_or_default(),
        }
    }
}

/// Check whether images are cached
///
/// Intended for pipelines. Answers 200 if a usable image cache contains all the images, with the pod annotations that
/// pin it; 425 if one is being built (`expected_at`, `Retry-After`); 409 if the only candidates have failed (`cause`,
/// `hint`); 404 if no image cache contains the images. With `wait_seconds`, 425 is answered only after that many
/// seconds, and any other status as soon as it is certain.
#[utoipa::path(get, path = "/v1/gate", tag = "image-caches",
    params(GateQuery),
    responses((status = 200, description = "A usable image cache contains all the images.", body = GateView)),
)]
pub(in crate::http::rest) async fn check_gate(
    State(door): State<DoorState>,
    who: Authorized,
    Query(query): Query<GateQuery>,
) -> Result<Response, ProblemResponse> {
    let question =
        GateQuestion { region: query.region, images: query.image, ephemeral_storage_gib: query.ephemeral_storage_gib };
    Ok(match door.gateway.image_caches().check_gate(&who.caller, &who.call, &question, query.wait_seconds).await? {
        GateAnswer::Usable(view) => answer::json(StatusCode::OK, &view),
        closed => ProblemResponse::gate(closed).into_response(),
    })
}
