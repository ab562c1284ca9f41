//! The gate for pipelines: a status for each answer, so that `curl` alone can ask.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use utoipa::IntoParams;

use crate::app::input::{GateAnswer, GateQuestion};
use crate::app::view::GateView;
use crate::http::extract::{Authorized, FromQuery, Pairs, Query};
use crate::http::problem::Refusal;
use crate::http::rest::query::seconds;
use crate::http::{DoorState, answer};

/// What a pipeline wants to run.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct GateQuery {
    /// An image of the pod. May be repeated, up to 20 times: one image cache must hold them all, exactly.
    #[param(value_type = Vec<String>, required = true, style = Form, explode, example = json!(["nginx:1.27"]))]
    image: Vec<String>,
    /// The region.
    #[param(value_type = String, required = true, example = "cn-hangzhou")]
    region: Option<String>,
    /// The pod's ephemeral storage in GiB, if the image cache must fit it: 1 to 32768.
    #[param(nullable = false, minimum = 1, maximum = 32768)]
    ephemeral_storage_gib: Option<i32>,
    /// How many seconds to wait for one that is on its way: 0 to 55, and not at all where nothing is asked.
    #[param(value_type = Option<i32>, nullable = false, minimum = 0, maximum = 55)]
    timeout: u64,
}

impl FromQuery for GateQuery {
    fn read(pairs: &mut Pairs) -> Self {
        Self {
            image: pairs.many("image"),
            region: pairs.text("region"),
            ephemeral_storage_gib: pairs.one("ephemeral_storage_gib"),
            timeout: seconds(pairs, "timeout", 0),
        }
    }
}

/// Ask whether images are cached
///
/// For pipelines: 200 if a usable image cache holds all the images, with the pod annotations to pin it; 425 if one is
/// on its way (`expected_at`, `Retry-After`); 409 if what there is has failed (`cause`, `hint`); 404 if nothing holds
/// them. With `timeout` the answer 425 comes only after that many seconds, and every other as soon as it is certain.
#[utoipa::path(get, path = "/v1/gate", tag = "image-caches",
    params(GateQuery),
    responses((status = 200, description = "Go on with this image cache.", body = GateView)),
)]
pub(in crate::http::rest) async fn check_gate(
    State(door): State<DoorState>,
    who: Authorized,
    Query(query): Query<GateQuery>,
) -> Result<Response, Refusal> {
    let question =
        GateQuestion { region: query.region, images: query.image, ephemeral_storage_gib: query.ephemeral_storage_gib };
    let wait = Duration::from_secs(query.timeout);
    Ok(match door.gateway.image_caches().check_gate(&who.caller, &who.call, &question, wait).await? {
        GateAnswer::Usable(view) => answer::json(StatusCode::OK, &view),
        closed => Refusal::gate(closed).into_response(),
    })
}
