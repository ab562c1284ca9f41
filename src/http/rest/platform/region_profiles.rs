//! Region profiles: list, get, put, delete.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::bodies::RegionProfileBody;
use crate::app::view::RegionProfileView;
use crate::domain::policy::ProfileId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::headers;
use crate::http::problem::ProblemResponse;
use crate::http::rest::lists::RegionProfileList;
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer};

/// List region profiles
///
/// Returns the profiles, sorted by cloud account and region.
#[utoipa::path(get, path = "/v1/region-profiles", tag = "region-profiles",
    responses((status = 200, description = "One page of the list.", body = RegionProfileList)),
)]
pub(in crate::http::rest) async fn list_region_profiles(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.platform().list_region_profiles(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, RegionProfileList>(&uri, slice))
}

/// Get a region profile
///
/// Returns the defaults for image caches in one region of one cloud account.
#[utoipa::path(get, path = "/v1/region-profiles/{region_profile_id}", tag = "region-profiles",
    params(("region_profile_id" = String, Path, description = "The cloud account and the region, separated by a colon.")),
    responses((status = 200, description = "The region profile.", body = RegionProfileView)),
)]
pub(in crate::http::rest) async fn get_region_profile(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<ProfileId>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.platform().get_region_profile(&who.caller, &id).await?;
    Ok(answer::versioned(&request, &view, view.version))
}

/// Create or replace a region profile
///
/// Creates the profile, or replaces it as a whole. Creates in this region of this cloud account use its values for
/// fields that they leave out. Every team may use the resources that it names.
#[utoipa::path(put, path = "/v1/region-profiles/{region_profile_id}", tag = "region-profiles",
    params(("region_profile_id" = String, Path, description = "The cloud account and the region, separated by a colon: `default:cn-hangzhou`.")),
    responses((status = 200, description = "The region profile.", body = RegionProfileView)),
)]
pub(in crate::http::rest) async fn put_region_profile(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<ProfileId>,
    request: HeaderMap,
    body: Json<RegionProfileBody>,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    let view =
        door.gateway.platform().put_region_profile(&who.caller, &who.call, body.value.of(id), &precondition).await?;
    Ok(answer::with_version(StatusCode::OK, &view, view.version))
}

/// Delete a region profile
///
/// Creates in this region no longer use its values, and the resources that it named are no longer allowed because of
/// it.
#[utoipa::path(delete, path = "/v1/region-profiles/{region_profile_id}", tag = "region-profiles",
    params(("region_profile_id" = String, Path, description = "The cloud account and the region, separated by a colon.")),
    responses((status = 204, description = "The region profile was deleted.")),
)]
pub(in crate::http::rest) async fn delete_region_profile(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<ProfileId>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    door.gateway.platform().delete_region_profile(&who.caller, &who.call, &id, &precondition).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
