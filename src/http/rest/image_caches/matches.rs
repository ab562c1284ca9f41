//! Matches: which image cache the automatic matching would take.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::bodies::given;
use crate::app::input::MatchQuestion;
use crate::app::view::MatchView;
use crate::http::extract::{Authorized, Json};
use crate::http::problem::Refusal;
use crate::http::{DoorState, answer};

/// An instance that is about to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MatchQuestion)]
pub(in crate::http::rest) struct MatchQuestionBody {
    /// The region (`RegionId`): image caches serve their own region only.
    #[schema(example = "cn-hangzhou")]
    region: String,
    /// The images of all its containers (`MatchImage.N`): 1 to 100 references.
    #[schema(min_items = 1, max_items = 100)]
    images: Vec<String>,
    /// The cloud account that it runs in, whose image caches alone serve it; where nothing is said, those of all are weighed.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    cloud_account: Option<String>,
    /// Its ephemeral storage in GiB: 30 where nothing is said.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 32768)]
    ephemeral_storage_gib: Option<i32>,
    /// Whether all images must match exactly (`ImageFullMatch`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    full_match: Option<bool>,
    /// How many of the images must match exactly at least (`ImageMatchCountRequest`, which the cloud's documentation
    /// words ambiguously: this is how the gateway reads it). Two spellings of one image count once.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    minimum_matches: Option<i32>,
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
/// Which of the team's image caches ECI's automatic matching would take for a set of images, in the documented order:
/// fits the ephemeral storage, then the best match degree (exact matches, then repositories), then the closest size,
/// then the newest. Says why others miss and what would make them hit, and gives the pod annotations to paste. Changes
/// nothing. The cloud weighs every image cache of its account; this answer weighs the team's newest 1,000.
#[utoipa::path(post, path = "/v1/matches", tag = "image-caches",
    responses((status = 200, description = "What the automatic matching would do.", body = MatchView)),
)]
pub(in crate::http::rest) async fn match_image_caches(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<MatchQuestionBody>,
) -> Result<Response, Refusal> {
    let found = door.gateway.image_caches().match_image_caches(&who.caller, &body.value.into()).await?;
    Ok(answer::json(StatusCode::OK, &found))
}
