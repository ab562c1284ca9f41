//! The team's events, in the order in which they happened.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;

use super::lists::EventList;
use crate::domain::filter::Page;
use crate::http::extract::{Authorized, FromQuery, Pairs, Query};
use crate::http::problem::Refusal;
use crate::http::{DoorState, answer};

/// A list without filters.
#[derive(Debug)]
pub(super) struct PageQuery {
    pub(super) page: Page,
}

impl FromQuery for PageQuery {
    fn read(pairs: &mut Pairs) -> Self {
        Self { page: pairs.page() }
    }
}

/// List events
///
/// The oldest first, without gaps: keep `next_cursor` and come back with it.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    responses((status = 200, description = "One page of the list.", body = EventList)),
)]
pub(super) async fn list_events(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Refusal> {
    let slice = door.gateway.list_events(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, EventList>(&uri, slice))
}
