//! What a client has to know before it can ask: regions, types of events, and which gateway answers.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::view::RegionListView;
use crate::domain::event::EventType;
use crate::http::extract::Authorized;
use crate::http::problem::ProblemResponse;
use crate::http::{DoorState, answer};

/// A type of event.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::rest) struct EventTypeInfo {
    /// The name, as in `Event.type`.
    name: String,
    /// When such an event is recorded.
    meaning: String,
}

/// The types of events.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::rest) struct EventTypeList {
    /// All types that this version knows.
    items: Vec<EventTypeInfo>,
}

/// The version of the gateway.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Version)]
pub(in crate::http::rest) struct VersionView {
    /// The version of the gateway.
    version: String,
    /// The commit from which it was built, if the build named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    commit: Option<String>,
    /// The version of the OpenAPI document, as in its `info.version`.
    api_version: String,
}

/// List regions
///
/// Returns the regions that the operator offers or the team's policy names, and whether the team may use each.
#[utoipa::path(get, path = "/v1/regions", tag = "policies",
    responses((status = 200, description = "The regions.", body = RegionListView)),
)]
pub(in crate::http::rest) async fn list_regions(
    State(door): State<DoorState>,
    who: Authorized,
) -> Result<Response, ProblemResponse> {
    Ok(answer::json(StatusCode::OK, &door.gateway.platform().list_regions(&who.caller).await?))
}

/// List event types
///
/// Returns the types of events that webhook endpoints and the feed can select, and what each means. New types may be
/// added.
#[utoipa::path(get, path = "/v1/event-types", tag = "events",
    responses((status = 200, description = "The types of events.", body = EventTypeList)),
)]
pub(in crate::http::rest) async fn list_event_types(_: Authorized) -> Response {
    let info = |kind: EventType| EventTypeInfo { name: kind.as_str().to_owned(), meaning: kind.meaning().to_owned() };
    answer::json(StatusCode::OK, &EventTypeList { items: EventType::ALL.map(info).into() })
}

/// Get the version
///
/// Returns which version of the gateway answers. Needs no credential.
#[utoipa::path(get, path = "/version", tag = "operations-pages",
    responses((status = 200, description = "The version.", body = VersionView)),
)]
pub(in crate::http::rest) async fn get_version() -> Response {
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    let commit = option_env!("ECG_BUILD_COMMIT").filter(|commit| !commit.is_empty()).map(str::to_owned);
    answer::json(StatusCode::OK, &VersionView { version: VERSION.to_owned(), commit, api_version: VERSION.to_owned() })
}
