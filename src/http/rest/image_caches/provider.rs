//! What the cloud itself says: its record of an image cache, and the account's quota.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa::IntoParams;

use crate::app::view::{ProviderRecordView, UsageView};
use crate::domain::field::FieldError;
use crate::domain::ids::CacheId;
use crate::domain::region::Region;
use crate::http::extract::{Authorized, FromQuery, Id, Pairs, Query};
use crate::http::problem::Refusal;
use crate::http::{DoorState, answer};

/// Get the cloud's record of an image cache
///
/// As last seen: its events, and everything that it says under its own names, fields that the gateway does not know
/// among them. Empty before the first look.
#[utoipa::path(get, path = "/v1/image-caches/{image_cache_id}/provider-record", tag = "image-caches",
    params(("image_cache_id" = String, Path, description = "The id, `ic_…`.")),
    responses((status = 200, description = "The record.", body = ProviderRecordView)),
)]
pub(in crate::http::rest) async fn get_provider_record(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<CacheId>,
) -> Result<Response, Refusal> {
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
    /// The cloud account; where nothing is said, the one that the team creates in.
    #[param(nullable = false)]
    cloud_account: Option<String>,
}

impl FromQuery for UsageQuery {
    fn read(pairs: &mut Pairs) -> Self {
        Self { region: pairs.one("region"), cloud_account: pairs.text("cloud_account") }
    }
}

/// Show the quota
///
/// The account's limits in a region as the cloud tells them now (`ListUsage`), and what the team has of them.
#[utoipa::path(get, path = "/v1/usage", tag = "image-caches",
    params(UsageQuery),
    responses((status = 200, description = "The usage.", body = UsageView)),
)]
pub(in crate::http::rest) async fn list_usage(
    State(door): State<DoorState>,
    who: Authorized,
    Query(query): Query<UsageQuery>,
) -> Result<Response, Refusal> {
    let missing = || Refusal::invalid(vec![FieldError::new("region", "required", "must be given")]);
    let region = query.region.ok_or_else(missing)?;
    let usage = door
        .gateway
        .image_caches()
        .list_usage(&who.caller, query.cloud_account.as_deref(), Some(region.clone()))
        .await?;
    Ok(answer::json(StatusCode::OK, &UsageView::new(&region, &usage)))
}
