//! Matches: which image cache the automatic matching would take.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::bodies::given;
use crate::app::input::MatchQuestion;
use crate::app::view::MatchView;
use crate::domain::field::FieldError;
use crate::http::extract::{Authorized, Json, JsonBody};
use crate::http::problem::ProblemResponse;
use crate::http::{DoorState, answer};

/// An instance that is about to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchQuestion)]
pub(in crate::http::rest) struct MatchQuestionBody {
    /// The region of the instance (`RegionId`). Image caches can be used only in their own region.
    #[schema(example = "cn-hangzhou")]
    region: String,
    /// The images of all containers of the instance (`MatchImage.N`): 1 to 100 references.
    #[schema(min_items = 1, max_items = 100)]
    images: Vec<String>,
    /// The cloud account in which the instance runs. Only image caches of this account can be used. Defaults to
    /// considering those of all accounts.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    cloud_account: Option<String>,
    /// The ephemeral storage of the instance in GiB. Defaults to 30.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 32768)]
    ephemeral_storage_gib: Option<i32>,
    /// Whether all images must match exactly (`ImageFullMatch`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    full_match: Option<bool>,
    /// The minimum number of images that must match exactly (`ImageMatchCountRequest`, which the cloud's
    /// documentation describes ambiguously: this is the gateway's interpretation). Two spellings of the same image
    /// count once.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    minimum_matches: Option<i32>,
}

impl JsonBody for MatchQuestionBody {
    fn value_errors(self) -> Vec<FieldError> {
        MatchQuestion::from(self).wrong()
    }
}

impl From<MatchQuestionBody> for MatchQuestion {
    fn from(body: MatchQuestionBody) -> Self {
        Self {
            account: body.cloud_account,
            region: body.region,
            images: body.images,
            ephemeral_storage_gib: body.ephemeral_storage_gib,
            full_match: body.full_match.unwrap_or(false),
            minimum_matches: body.minimum_matches,
        }
    }
}

/// Match image caches
///
/// Returns which of the team's image caches ECI's automatic matching would select for a set of images, in the
/// documented order: it fits the ephemeral storage, then the best match degree (exact matches, then repositories),
/// then the closest size, then the newest. Says why others are not selected and what would change that, and returns
/// the pod annotations to paste. Changes nothing. The cloud considers every image cache of its account; this response
/// considers the team's newest 1,000.
#[utoipa::path(post, path = "/v1/matches", tag = "image-caches",
    responses((status = 200, description = "The result of the automatic matching.", body = MatchView)),
)]
pub(in crate::http::rest) async fn match_image_caches(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<MatchQuestionBody>,
) -> Result<Response, ProblemResponse> {
    let found = door.gateway.image_caches().match_image_caches(&who.caller, &body.value.into()).await?;
    Ok(answer::json(StatusCode::OK, &found))
}
