//! Successes as HTTP: the headers that belong to a list, to one image cache, and to a change.

use axum::http::header::{CONTENT_TYPE, ETAG, HeaderName, LINK, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

use super::headers::{self, Wait};
use crate::app::input::Changed;
use crate::app::view::ImageCacheView;
use crate::app::{RenderedImageCache, RenderedList};
use crate::domain::filter::Slice;

/// A body as JSON.
pub(super) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    (status, axum::Json(body)).into_response()
}

/// One page of a list, with a link to the next.
pub(super) fn listed<T, L>(uri: &Uri, slice: Slice<T>) -> Response
where
    L: From<Slice<T>> + Serialize,
{
    let link = slice.next_cursor.as_deref().map(|cursor| next_link(uri, cursor));
    let mut answer = json(StatusCode::OK, &L::from(slice));
    if let Some(link) = link {
        put(&mut answer, LINK, &link);
    }
    answer
}

/// One page of what goes on, with a link to what comes next, now or later.
pub(super) fn fed<L: Serialize>(uri: &Uri, page: &L, next_cursor: &str) -> Response {
    let mut answer = json(StatusCode::OK, page);
    put(&mut answer, LINK, &next_link(uri, next_cursor));
    answer
}

/// The same list, from `cursor` on.
fn next_link(uri: &Uri, cursor: &str) -> String {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let kept = pairs.filter(|(name, _)| name != "cursor");
    let query =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair("cursor", cursor).finish();
    format!("<{}?{query}>; rel=\"next\"", uri.path())
}

/// One image cache, or 304 if the client has this version.
pub(super) fn image_cache(request: &HeaderMap, view: &ImageCacheView) -> Response {
    unless_known(request, &headers::etag(view.version), || json(StatusCode::OK, view))
}

/// The same, of one that is JSON already.
pub(super) fn rendered_image_cache(request: &HeaderMap, shown: RenderedImageCache) -> Response {
    unless_known(request, &headers::etag(shown.version), || raw_json(shown.body.into()))
}

/// One page of image caches, with a link to the next.
pub(super) fn rendered_list(uri: &Uri, shown: RenderedList) -> Response {
    let mut answer = raw_json(Bytes::from_owner(shown.body));
    if let Some(cursor) = &shown.next_cursor {
        put(&mut answer, LINK, &next_link(uri, cursor));
    }
    answer
}

fn raw_json(body: Bytes) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// Something that is changed by `If-Match`.
pub(super) fn with_version<T: Serialize>(status: StatusCode, body: &T, version: i64) -> Response {
    let mut answer = json(status, body);
    put(&mut answer, ETAG, &headers::etag(version));
    answer
}

/// Something with a version, or 304 if the client has this representation.
pub(super) fn versioned<T: Serialize>(request: &HeaderMap, body: &T, version: i64) -> Response {
    unless_known(request, &headers::etag(version), || json(StatusCode::OK, body))
}

/// Something with a version whose representation also changes within it, such as an endpoint's health.
pub(super) fn with_tag<T: Serialize>(status: StatusCode, body: &T, version: i64) -> Response {
    let (tag, body) = tagged(body, version);
    let mut answer = raw_json(body);
    *answer.status_mut() = status;
    put(&mut answer, ETAG, &tag);
    answer
}

/// The same, read by a client that may have it.
pub(super) fn tagged_or_known<T: Serialize>(request: &HeaderMap, body: &T, version: i64) -> Response {
    let (tag, body) = tagged(body, version);
    unless_known(request, &tag, || raw_json(body))
}

fn tagged<T: Serialize>(body: &T, version: i64) -> (String, Bytes) {
    let body = serde_json::to_vec(body).expect("a tree of strings and numbers always becomes JSON");
    (headers::etag_of(version, &body), body.into())
}

/// The response with its tag, or 304 if the client has the representation with this tag.
fn unless_known(request: &HeaderMap, tag: &str, answer: impl FnOnce() -> Response) -> Response {
    let known = headers::has_tag(request, tag);
    let mut answer = if known { StatusCode::NOT_MODIFIED.into_response() } else { answer() };
    put(&mut answer, ETAG, tag);
    answer
}

/// A change: `done` once the cloud has answered, else 202 and where to look for the rest.
pub(super) fn changed(done: StatusCode, changed: &Changed, wait: Wait) -> Response {
    changed_as(done, changed, wait, &changed.image_cache)
}

/// The status of a change: `done` once the cloud has answered, else 202.
pub(super) fn status(done: StatusCode, changed: &Changed) -> StatusCode {
    if changed.settled { done } else { StatusCode::ACCEPTED }
}

/// Says how long was waited, if that was asked for.
pub(super) fn preference_applied(answer: &mut Response, wait: Wait) {
    if wait.asked {
        put(answer, HeaderName::from_static("preference-applied"), &format!("wait={}", wait.time.as_secs()));
    }
}

/// The same, told in another body.
pub(super) fn changed_as(done: StatusCode, changed: &Changed, wait: Wait, body: &impl Serialize) -> Response {
    let view = &changed.image_cache;
    let mut answer = json(status(done, changed), body);
    if !changed.settled {
        put(&mut answer, LOCATION, &format!("/v1/operations/{}", view.operation_id));
    } else if done == StatusCode::CREATED {
        put(&mut answer, LOCATION, &format!("/v1/image-caches/{}", view.id));
    }
    if changed.settled {
        put(&mut answer, ETAG, &headers::etag(view.version));
    }
    preference_applied(&mut answer, wait);
    if changed.replayed {
        put(&mut answer, HeaderName::from_static("idempotent-replayed"), "true");
        put(&mut answer, LINK, &format!("</v1/image-caches/{}>; rel=\"latest-version\"", view.id));
    }
    if let Some(status) = changed.status_now {
        put(&mut answer, HeaderName::from_static("image-cache-status"), status.as_str());
    }
    answer
}

/// Sets a header; a value that cannot stand in one is left out.
pub(super) fn put(answer: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_keeps_the_filters() {
        let uri: Uri = "/v1/image-caches?status=ready&cursor=old&tag=a%3Db&limit=2".parse().unwrap();
        assert_eq!(
            next_link(&uri, "n+w"),
            "</v1/image-caches?status=ready&tag=a%3Db&limit=2&cursor=n%2Bw>; rel=\"next\""
        );
    }
}
