//! Deliveries of events to webhook endpoints.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use utoipa::IntoParams;

use super::lists::DeliveryList;
use crate::domain::filter::{DeliveryFilter, Page};
use crate::domain::ids::EndpointId;
use crate::domain::webhook::DeliveryState;
use crate::http::extract::{Authorized, FromQuery, Pairs, Query};
use crate::http::problem::Refusal;
use crate::http::{DoorState, answer};

/// Filters of the list of deliveries; everything given must hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveryQuery {
    /// To this webhook endpoint, `we_…`.
    #[param(value_type = Option<String>, nullable = false)]
    endpoint_id: Option<EndpointId>,
    /// In this state: `waiting`, `in_flight`, `delivered`, `exhausted` or `cancelled`.
    #[param(value_type = Option<String>, nullable = false)]
    state: Option<DeliveryState>,
    #[param(ignore)]
    page: Page,
}

impl FromQuery for DeliveryQuery {
    fn read(pairs: &mut Pairs) -> Self {
        let state = |word: &str| DeliveryState::ALL.into_iter().find(|state| state.as_str() == word);
        Self {
            endpoint_id: pairs.one("endpoint_id"),
            state: pairs.word("state", state, "waiting, in_flight, delivered, exhausted, cancelled"),
            page: pairs.page(),
        }
    }
}

/// List deliveries
///
/// The newest first. One that is `exhausted` was given up after its last attempt.
#[utoipa::path(get, path = "/v1/deliveries", tag = "webhooks",
    params(DeliveryQuery),
    responses((status = 200, description = "One page of the list.", body = DeliveryList)),
)]
pub(super) async fn list_deliveries(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<DeliveryQuery>,
) -> Result<Response, Refusal> {
    let filter = DeliveryFilter { endpoint: query.endpoint_id, state: query.state };
    let slice = door.gateway.list_deliveries(&who.caller, &filter, &query.page).await?;
    Ok(answer::listed::<_, DeliveryList>(&uri, slice))
}
