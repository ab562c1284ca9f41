//! Adoption: taking over image caches that were made without the gateway.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::bodies::given;
use super::query::tag;
use crate::app::input::{AdoptionOrder, AdoptionTarget};
use crate::app::view::AdoptionView;
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::image_ref::ImageRef;
use crate::domain::reconcile::adoption::AdoptionFilter;
use crate::domain::region::Region;
use crate::http::extract::{Authorized, Json, JsonBody};
use crate::http::problem::ProblemResponse;
use crate::http::{DoorState, answer};

/// Selects the image caches of the cloud to adopt. Set either `eci_cache_id` or `filter`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdoptionRequest)]
pub(in crate::http::rest) struct AdoptionBody {
    /// The region (`RegionId`).
    #[schema(example = "cn-hangzhou")]
    region: String,
    /// The cloud account. Defaults to the one in which the team creates image caches.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    cloud_account: Option<String>,
    /// The cloud's id of the image cache to adopt (`ImageCacheId`, `imc-…`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    eci_cache_id: Option<String>,
    /// Adopts all image caches that match. An empty filter matches all of the region. At most 100 are adopted per
    /// request.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    filter: Option<AdoptionFilterBody>,
    /// Whether to report only what would be done.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    dry_run: Option<bool>,
}

/// Selects image caches of the cloud. All given conditions must match.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AdoptionFilter)]
struct AdoptionFilterBody {
    /// Only image caches with exactly this name.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// Only image caches with this tag: `key`, or `key=value`.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    tag: Option<String>,
    /// Only image caches that contain this image, in any spelling.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    image: Option<String>,
}

impl TryFrom<AdoptionBody> for AdoptionOrder {
    type Error = Vec<FieldError>;

    fn try_from(body: AdoptionBody) -> Result<Self, Vec<FieldError>> {
        let mut findings = Findings::default();
        let region = body.region.parse::<Region>().map_err(|error| error.to_string());
        note("/region", &region, &mut findings);
        let image = body.filter.as_ref().and_then(|filter| filter.image.as_deref());
        let image = image.map(|image| image.parse::<ImageRef>().map_err(|error| error.to_string())).transpose();
        note("/filter/image", &image, &mut findings);
        let id = body.eci_cache_id.as_deref().is_none_or(is_id);
        findings.require(
            id,
            "/eci_cache_id",
            FieldCode::Invalid,
            "must be an id of the cloud such as imc-2zebxkiifuyzzlhl****",
        );
        let one = body.eci_cache_id.is_some() != body.filter.is_some();
        findings.require(one, "", FieldCode::Required, "give either eci_cache_id or filter");
        findings.into_result()?;
        let (Ok(region), Ok(image)) = (region, image) else { return Err(Vec::new()) };
        let target = match (body.eci_cache_id, body.filter) {
            (Some(id), _) => AdoptionTarget::Id(id),
            (None, filter) => {
                let (name, of_tag) = filter.map_or((None, None), |filter| (filter.name, filter.tag.map(tag)));
                AdoptionTarget::Filter(AdoptionFilter { name, tag: of_tag, image })
            }
        };
        Ok(Self { account: body.cloud_account, region, target, dry_run: body.dry_run.unwrap_or(false) })
    }
}

impl JsonBody for AdoptionBody {
    fn value_errors(self) -> Vec<FieldError> {
        AdoptionOrder::try_from(self).err().unwrap_or_default()
    }
}

fn note<T>(field: &str, read: &Result<T, String>, findings: &mut Findings) {
    if let Err(detail) = read {
        findings.require(false, field, FieldCode::Invalid, detail.clone());
    }
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Adopt image caches
///
/// Brings image caches that exist in the cloud but not in the gateway, either one by its id or all that match a
/// filter, under the team that the token acts for. From then on they are listed, tracked, updated and deleted like
/// any other. Only the platform may do this, because the teams share the cloud account. Image caches that a team
/// of this gateway already has are skipped, and so are those that a create in progress may be making. What the cloud
/// does not show (vSwitches, registries, snapshot copies) is unset in the result. With `dry_run`, nothing is changed.
#[utoipa::path(post, path = "/v1/image-caches/adopt", tag = "image-caches",
    responses((status = 200, description = "The image caches that were adopted, or would be in a dry run.", body = AdoptionView)),
)]
pub(in crate::http::rest) async fn adopt_image_caches(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<AdoptionBody>,
) -> Result<Response, ProblemResponse> {
    let order = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let done = door.gateway.image_caches().adopt_image_caches(&who.caller, &who.call, &order).await?;
    Ok(answer::json(StatusCode::OK, &done))
}
