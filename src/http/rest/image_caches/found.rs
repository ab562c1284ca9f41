//! Caches of the cloud that no team has: what may be adopted.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use chrono::{DateTime, Utc};
use utoipa::IntoParams;

use crate::domain::filter::{FoundFilter, Page};
use crate::domain::region::Region;
use crate::http::extract::{Authorized, FromQuery, Query, QueryPairs};
use crate::http::problem::ProblemResponse;
use crate::http::rest::lists::FoundImageCacheList;
use crate::http::{DoorState, answer};

/// Filters of the list; everything given must hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct FoundQuery {
    /// Only image caches in this cloud account.
    #[param(nullable = false)]
    cloud_account: Option<String>,
    /// Only image caches in this region.
    #[param(value_type = Option<String>, nullable = false)]
    region: Option<Region>,
    /// Only image caches with exactly this name.
    #[param(nullable = false)]
    name: Option<String>,
    /// Only image caches found at or after this time.
    #[param(nullable = false)]
    found_after: Option<DateTime<Utc>>,
    #[param(ignore)]
    page: Page,
}

impl FromQuery for FoundQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self {
            cloud_account: pairs.text("cloud_account"),
            region: pairs.one("region"),
            name: pairs.text("name"),
            found_after: pairs.instant("found_after"),
            page: pairs.page(),
        }
    }
}

/// List found image caches
///
/// Returns image caches in the cloud accounts that belong to no team of this gateway, most recently found first.
/// Adopt them, or delete them with the tool that created them. The gateway looks for them every ten minutes, or as
/// often as the operator configures. Only the platform may list them, because the teams share the accounts.
#[utoipa::path(get, path = "/v1/found-image-caches", tag = "image-caches",
    params(FoundQuery),
    responses((status = 200, description = "One page of the list.", body = FoundImageCacheList)),
)]
pub(in crate::http::rest) async fn list_found_image_caches(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<FoundQuery>,
) -> Result<Response, ProblemResponse> {
    let FoundQuery { cloud_account: account, region, name, found_after, page } = query;
    let filter = FoundFilter { account, region, name, found_after };
    let slice = door.gateway.reconciler().list_found_image_caches(&who.caller, &filter, &page).await?;
    Ok(answer::listed::<_, FoundImageCacheList>(&uri, slice))
}
