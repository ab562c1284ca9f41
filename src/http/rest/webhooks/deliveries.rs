//! Deliveries of events to webhook endpoints.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use chrono::{DateTime, Utc};
use utoipa::IntoParams;

use crate::app::view::DeliveryView;
use crate::domain::event::EventType;
use crate::domain::filter::{DeliveryFilter, Page};
use crate::domain::ids::{DeliveryId, EndpointId, EventId};
use crate::domain::webhooks::DeliveryState;
use crate::http::extract::{Authorized, FromQuery, Id, Query, QueryPairs};
use crate::http::problem::ProblemResponse;
use crate::http::rest::events::feed::kinds;
use crate::http::rest::lists::{DeliveryAttemptList, DeliveryList};
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer};

/// Filters of the list of deliveries; everything given must hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct DeliveryQuery {
    /// Only deliveries to this webhook endpoint, `we_…`.
    #[param(value_type = Option<String>, nullable = false)]
    webhook_endpoint_id: Option<EndpointId>,
    /// Only deliveries with this status: `waiting`, `in_flight`, `delivered`, `exhausted` or `cancelled`.
    #[param(value_type = Option<String>, nullable = false)]
    status: Option<DeliveryState>,
    /// Only deliveries of this event, `evt_…`.
    #[param(value_type = Option<String>, nullable = false)]
    event_id: Option<EventId>,
    /// Only deliveries of events of this type. May be repeated: any of them.
    #[param(value_type = Vec<String>, required = false, style = Form, explode)]
    event_type: Vec<EventType>,
    /// Only deliveries of events that happened at or after this time.
    #[param(nullable = false)]
    created_after: Option<DateTime<Utc>>,
    /// Only deliveries of events that happened before this time.
    #[param(nullable = false)]
    created_before: Option<DateTime<Utc>>,
    #[param(ignore)]
    page: Page,
}

impl FromQuery for DeliveryQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        let status = |word: &str| DeliveryState::ALL.into_iter().find(|state| state.as_str() == word);
        Self {
            webhook_endpoint_id: pairs.one("webhook_endpoint_id"),
            status: pairs.word("status", status, "waiting, in_flight, delivered, exhausted, cancelled"),
            event_id: pairs.one("event_id"),
            event_type: kinds(pairs, "event_type"),
            created_after: pairs.instant("created_after"),
            created_before: pairs.instant("created_before"),
            page: pairs.page(),
        }
    }
}

/// List deliveries
///
/// Returns the deliveries, newest first. An `exhausted` delivery was given up after its last attempt.
#[utoipa::path(get, path = "/v1/deliveries", tag = "webhooks",
    params(DeliveryQuery),
    responses((status = 200, description = "One page of the list.", body = DeliveryList)),
)]
pub(in crate::http::rest) async fn list_deliveries(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<DeliveryQuery>,
) -> Result<Response, ProblemResponse> {
    let filter = DeliveryFilter {
        endpoint: query.webhook_endpoint_id,
        state: query.status,
        event: query.event_id,
        event_types: query.event_type.into_iter().map(|kind| kind.as_str().to_owned()).collect(),
        created_after: query.created_after,
        created_before: query.created_before,
    };
    let slice = door.gateway.webhooks().list_deliveries(&who.caller, &filter, &query.page).await?;
    Ok(answer::listed::<_, DeliveryList>(&uri, slice))
}

/// Get a delivery
///
/// Returns one event's way to one endpoint: its status, and when the next attempt is due. Its attempts are a list of
/// their own.
#[utoipa::path(get, path = "/v1/deliveries/{delivery_id}", tag = "webhooks",
    params(("delivery_id" = String, Path, description = "The id of the delivery, `dl_…`.")),
    responses((status = 200, description = "The delivery.", body = DeliveryView)),
)]
pub(in crate::http::rest) async fn get_delivery(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<DeliveryId>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.webhooks().get_delivery(&who.caller, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// List the attempts of a delivery
///
/// Returns the attempts, oldest first, each with the response that it received. Attempts are kept for 30 days.
#[utoipa::path(get, path = "/v1/deliveries/{delivery_id}/attempts", tag = "webhooks",
    params(("delivery_id" = String, Path, description = "The id of the delivery, `dl_…`.")),
    responses((status = 200, description = "One page of the list.", body = DeliveryAttemptList)),
)]
pub(in crate::http::rest) async fn list_delivery_attempts(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<DeliveryId>,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.webhooks().list_delivery_attempts(&who.caller, id, &query.page).await?;
    Ok(answer::listed::<_, DeliveryAttemptList>(&uri, slice))
}

/// Send a delivery again
///
/// Puts the delivery back into the queue as if it were new, whatever its state, with the same `webhook-id` and body.
#[utoipa::path(post, path = "/v1/deliveries/{delivery_id}/resend", tag = "webhooks",
    params(("delivery_id" = String, Path, description = "The id of the delivery, `dl_…`.")),
    responses((status = 200, description = "The delivery, back in the queue.", body = DeliveryView)),
)]
pub(in crate::http::rest) async fn resend_delivery(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<DeliveryId>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.webhooks().resend_delivery(&who.caller, &who.call, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}
