//! Events as they happen: server-sent events (WHATWG HTML), for the team and for one image cache.
//!
//! The audit entry is written when a stream is opened, as for any answer: who listens to what, since when. What is
//! sent on it afterwards is in the feed, and its end is no act of anybody.

use std::convert::Infallible;
use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use utoipa::IntoParams;

use super::feed::kinds;
use crate::app::{EventStream, StreamItem};
use crate::domain::event::EventType;
use crate::domain::filter::EventFilter;
use crate::domain::ids::CacheId;
use crate::http::DoorState;
use crate::http::extract::{Authorized, FromQuery, Id, Query, QueryPairs};
use crate::http::problem::ProblemResponse;

/// After how many milliseconds a client comes back.
const COME_BACK: u32 = 2_000;

/// Which events, and from where on.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct StreamQuery {
    /// Only events of this type, such as `image_cache.ready`. May be repeated to select several types.
    #[param(value_type = Vec<String>, required = false, style = Form, explode)]
    r#type: Vec<EventType>,
    /// Where to begin if there is no `Last-Event-ID`: the `next_cursor` of the feed, or the id of an event of a
    /// stream.
    #[param(nullable = false)]
    cursor: Option<String>,
}

impl FromQuery for StreamQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { r#type: kinds(pairs, "type"), cursor: pairs.one("cursor") }
    }
}

/// From where on.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct CacheStreamQuery {
    /// Where to begin if there is no `Last-Event-ID`: the `next_cursor` of the feed, or the id of an event of a
    /// stream.
    #[param(nullable = false)]
    cursor: Option<String>,
}

impl FromQuery for CacheStreamQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { cursor: pairs.one("cursor") }
    }
}

/// Stream events
///
/// Returns the team's events as server-sent events. `event` is the type, `data` is the event as in the feed, and `id`
/// is a cursor of the feed: send it as `Last-Event-ID` to continue, as browsers do automatically. Without one, the
/// stream begins with the next event. A comment is sent every 15 s while there are no events. The stream ends when
/// the token expires and when the gateway stops.
#[utoipa::path(get, path = "/v1/events/stream", tag = "events",
    params(StreamQuery),
    responses((status = 200, description = "The event stream.", body = String, content_type = "text/event-stream")),
)]
pub(in crate::http::rest) async fn stream_events(
    State(door): State<DoorState>,
    who: Authorized,
    request: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> Result<Response, ProblemResponse> {
    let filter = EventFilter { kinds: query.r#type, ..EventFilter::default() };
    let cursor = last_event_id(&request)?.or(query.cursor);
    let stream = door.gateway.events().stream_events(&who.caller, filter, cursor.as_deref()).await?;
    Ok(sent(stream))
}

/// Stream the events of an image cache
///
/// Like the stream of the team's events, limited to one image cache. Without `Last-Event-ID` the stream begins with
/// the first event of the image cache, so a client that connects late misses nothing.
#[utoipa::path(get, path = "/v1/image-caches/{image_cache_id}/stream", tag = "events",
    params(("image_cache_id" = String, Path, description = "The id of the image cache, `ic_…`."), CacheStreamQuery),
    responses((status = 200, description = "The event stream.", body = String, content_type = "text/event-stream")),
)]
pub(in crate::http::rest) async fn stream_image_cache_events(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<CacheId>,
    request: HeaderMap,
    Query(query): Query<CacheStreamQuery>,
) -> Result<Response, ProblemResponse> {
    let cursor = last_event_id(&request)?.or(query.cursor);
    let stream = door.gateway.events().stream_image_cache_events(&who.caller, id, cursor.as_deref()).await?;
    Ok(sent(stream))
}

/// An empty one is none: so a client says that it has seen no id yet.
fn last_event_id(request: &HeaderMap) -> Result<Option<String>, ProblemResponse> {
    let Some(value) = request.get("last-event-id") else { return Ok(None) };
    let malformed = || ProblemResponse::malformed_header("Last-Event-ID", "Last-Event-ID must be the id of an event");
    let text = value.to_str().map_err(|_| malformed())?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// The answer. The connection takes from the stream as fast as its client reads, and no faster.
fn sent(stream: EventStream) -> Response {
    let pulses = unfold(stream, async |mut stream| {
        let pulse = stream.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(written(&pulse))), stream))
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
        // nginx would collect what belongs to the client at once.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(pulses)).into_response()
}

/// A message without data sets the id and is shown to nobody.
fn written(pulse: &StreamItem) -> String {
    match pulse {
        StreamItem::Begun(cursor) => format!("retry: {COME_BACK}\nid: {cursor}\n\n"),
        StreamItem::Events(events) => events.iter().fold(String::new(), |mut text, event| {
            // Writing to a text cannot fail.
            let _ = write!(text, "id: {}\nevent: {}\ndata: {}\n\n", event.cursor, event.kind, event.json);
            text
        }),
        StreamItem::Quiet => ":\n\n".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Streamed;

    #[test]
    fn every_pulse_is_written_as_the_standard_says() {
        assert_eq!(written(&StreamItem::Begun("c1".into())), "retry: 2000\nid: c1\n\n");
        assert_eq!(written(&StreamItem::Quiet), ":\n\n");
        let event = |n: u8| Streamed { cursor: format!("c{n}"), kind: "a.b".into(), json: "{}".into() };
        let both = "id: c1\nevent: a.b\ndata: {}\n\nid: c2\nevent: a.b\ndata: {}\n\n";
        assert_eq!(written(&StreamItem::Events(vec![event(1), event(2)])), both);
    }
}
