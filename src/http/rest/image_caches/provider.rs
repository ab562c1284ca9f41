//! What the cloud itself says: its record of an image cache, and the account's quota.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa::IntoParams;

use crate::app::view::{ProviderRecordView, UsageView};
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::ids::CacheId;
use crate::domain::region::Region;
use crate::http::extract::{Authorized, FromQuery, Id, Query, QueryPairs};
use crate::http::problem::ProblemResponse;
use crate::http::{DoorState, answer};

/// Get the cloud's record of an image cache
///
/// Returns the cloud's record as last seen: its events, and all its fields under their original names, including
/// those that the gateway does not know. Empty until the cloud has been read for the first time.
#[utoipa::path(get, path = "/v1/image-caches/{image_cache_id}/provider-record", tag = "image-caches",
    params(("image_cache_id" = String, Path, description = "The id of the image cache, `ic_…`.")),
    responses((status = 200, description = "The cloud's record.", body = ProviderRecordView)),
)]
pub(in crate::http::rest) async fn get_provider_record(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<CacheId>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.image_caches().get_provider_record(&who.caller, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Where to ask.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct UsageQuery {
    /// The region.
    #[param(value_type = String, required = true, example = "cn-hangzhou")]
    region: Option<Region>,
    /// The cloud account. Defaults to the one in which the team creates image caches.
    #[param(nullable = false)]
    cloud_account: Option<String>,
}

impl FromQuery for UsageQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { region: pairs.one("region"), cloud_account: pairs.text("cloud_account") }
    }
}

/// Get quota usage
///
/// Returns the current limits of the cloud account in a region, as reported by the cloud (`ListUsage`), and the
/// team's share of the usage.
#[utoipa::path(get, path = "/v1/usage", tag = "image-caches",
    params(UsageQuery),
    responses((status = 200, description = "The limits and the usage.", body = UsageView)),
)]
pub(in crate::http::rest) async fn list_usage(
    State(door): State<DoorState>,
    who: Authorized,
    Query(query): Query<UsageQuery>,
) -> Result<Response, ProblemResponse> {
    let missing = || ProblemResponse::invalid(vec![FieldError::new("region", FieldCode::Required, "must be given")]);
    let region = query.region.ok_or_else(missing)?;
    let usage = door
        .gateway
        .image_caches()
        .list_usage(&who.caller, query.cloud_account.as_deref(), Some(region.clone()))
        .await?;
    Ok(answer::json(StatusCode::OK, &UsageView::new(&region, &usage)))
}
