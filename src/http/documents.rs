//! What does not stand in the document of the API: the document itself, the page that shows it, and those that explain
//! its problems. Open to all, and without an audit entry.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::Value;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::exchange::Exchange;
use super::{DoorState, openapi, rest};

mod html;
mod problems;

/// Every operation with its example, for Postman; made from the document by `openapi/collections/make.py`.
const POSTMAN: &str = include_str!("../../openapi/collections/postman.json");

/// Its routes, those of the pages about problems, and those of the gateway's own issuer.
pub(super) fn routes() -> Router<DoorState> {
    let ui = SwaggerUi::new("/docs").config(Config::new(["../openapi.json"]).validator_url("none"));
    let page: Router<DoorState> = Router::from(ui).route_layer(map_response(secured));
    page.route("/openapi.json", document(openapi::document_3_1()))
        .route("/openapi-3.0.json", document(openapi::document_3_0()))
        .route("/collections/postman.json", get(async || ([(CONTENT_TYPE, "application/json")], POSTMAN)))
        .merge(problems::routes())
        .merge(rest::pages::own_issuer())
}

/// A document, whose server is where the reader found it.
fn document(text: String) -> axum::routing::MethodRouter<DoorState> {
    let body = Bytes::from(text);
    get(move |Extension(exchange): Extension<Arc<Exchange>>| {
        let body = if exchange.base.is_empty() { body.clone() } else { served_at(&body, &exchange.base) };
        std::future::ready(([(CONTENT_TYPE, "application/json")], body))
    })
}

fn served_at(document: &Bytes, base: &str) -> Bytes {
    let Ok(mut document) = serde_json::from_slice::<Value>(document) else { return document.clone() };
    document["servers"][0]["url"] = Value::from(base);
    Bytes::from(format!("{document:#}\n"))
}

/// Headers of pages that a browser shows: nothing from elsewhere, in no frame.
async fn secured(mut answer: Response) -> Response {
    const POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
                          object-src 'none'; base-uri 'none'; frame-ancestors 'none'";
    let headers: [(HeaderName, &'static str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in headers {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
