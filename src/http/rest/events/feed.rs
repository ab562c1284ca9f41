//! The team's events, in the order in which they happened.

use std::time::Duration;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use utoipa::IntoParams;

use crate::domain::event::EventType;
use crate::domain::field::FieldCode;
use crate::domain::filter::{EventFilter, Page};
use crate::domain::ids::CacheId;
use crate::http::extract::{Authorized, FromQuery, Query, QueryPairs};
use crate::http::problem::ProblemResponse;
use crate::http::rest::lists::EventList;
use crate::http::rest::query::wait_seconds;
use crate::http::{DoorState, answer};

/// Which events, and whether to wait for one.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct EventQuery {
    /// Only events of this type, such as `image_cache.ready`. May be repeated to select several types.
    #[param(value_type = Vec<String>, required = false, style = Form, explode)]
    r#type: Vec<EventType>,
    /// Only events about this image cache, `ic_…`.
    #[param(value_type = Option<String>, nullable = false)]
    image_cache_id: Option<CacheId>,
    /// The maximum number of seconds to wait for an event if there is none yet. More than 55 counts as 55. By default
    /// the request does not wait.
    #[param(value_type = Option<i32>, nullable = false, minimum = 0)]
    wait_seconds: Duration,
    #[param(ignore)]
    page: Page,
}

impl FromQuery for EventQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self {
            r#type: kinds(pairs, "type"),
            image_cache_id: pairs.one("image_cache_id"),
            wait_seconds: wait_seconds(pairs).unwrap_or_default(),
            page: pairs.page(),
        }
    }
}

/// The types of events that are asked for.
pub(in crate::http::rest) fn kinds(pairs: &mut QueryPairs, name: &'static str) -> Vec<EventType> {
    let names: Vec<String> = pairs.many(name);
    let found: Vec<EventType> = names.iter().filter_map(|name| EventType::from_name(name)).collect();
    if found.len() < names.len() {
        pairs.refuse(name, FieldCode::Invalid, format!("must be one of {}", EventType::names()));
    }
    found
}

/// List events
///
/// Returns the events, oldest first and without gaps. To continue later, keep `next_cursor` and pass it as `cursor`.
/// With `wait_seconds`, a page that would be empty is answered when the first event happens, or empty when the time is
/// up. The cursor is a position in the team's feed: it can be used with any filter, and as the `Last-Event-ID` of an
/// event stream.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(EventQuery),
    responses((status = 200, description = "One page of the list.", body = EventList)),
)]
pub(in crate::http::rest) async fn list_events(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<EventQuery>,
) -> Result<Response, ProblemResponse> {
    let filter = EventFilter { kinds: query.r#type, cache: query.image_cache_id, ..EventFilter::default() };
    let page =
        door.gateway.events().list_events(&who.caller, &who.call, &filter, &query.page, query.wait_seconds).await?;
    let list = EventList::from(page);
    Ok(answer::fed(&uri, &list, &list.next_cursor))
}
