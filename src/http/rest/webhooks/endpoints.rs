//! Webhook endpoints: create (the only time the secret is shown), list, get, delete.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::bodies::NewWebhookEndpointBody;
use crate::app::view::EndpointView;
use crate::domain::ids::EndpointId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::problem::ProblemResponse;
use crate::http::rest::lists::WebhookEndpointList;
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer, headers};

/// Create a webhook endpoint
///
/// Events are signed according to Standard Webhooks. The `secret` is shown in this response and never again.
///
/// The URL must first answer a challenge: a `POST` of type `webhook_endpoint.challenge`, whose `data.challenge` it
/// must return with a 2xx status, as text or as JSON `{"challenge": "…"}`. An endpoint that does not answer receives
/// no events.
///
/// A receiver that verifies signatures before anything else needs the secret first: provide one (`secret`), or create
/// the endpoint with `verify_later`, give the receiver the secret from the response, and then call `POST …/verify`.
/// Until then the endpoint is `pending`, and no events are kept for it.
#[utoipa::path(post, path = "/v1/webhook-endpoints", tag = "webhooks", responses(
    (status = 201, description = "The webhook endpoint, including its secret.", body = EndpointView),
))]
pub(in crate::http::rest) async fn create_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewWebhookEndpointBody>,
) -> Result<Response, ProblemResponse> {
    let new = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let view = door.gateway.webhooks().create_webhook_endpoint(&who.caller, &who.call, new).await?;
    let mut answer = answer::with_tag(StatusCode::CREATED, &view, view.version);
    answer::put(&mut answer, LOCATION, &format!("/v1/webhook-endpoints/{}", view.id));
    Ok(answer)
}

/// List webhook endpoints
///
/// Returns the team's endpoints, newest first.
#[utoipa::path(get, path = "/v1/webhook-endpoints", tag = "webhooks",
    responses((status = 200, description = "One page of the list.", body = WebhookEndpointList)),
)]
pub(in crate::http::rest) async fn list_webhook_endpoints(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.webhooks().list_webhook_endpoints(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, WebhookEndpointList>(&uri, slice))
}

/// Get a webhook endpoint
///
/// Returns the endpoint without its secret, which only its creation and a rotation show.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id of the webhook endpoint, `we_…`.")),
    responses((status = 200, description = "The webhook endpoint.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn get_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.webhooks().get_webhook_endpoint(&who.caller, id).await?;
    Ok(answer::tagged_or_known(&request, &view, view.version))
}

/// Delete a webhook endpoint
///
/// Deliveries that are waiting for this endpoint are cancelled.
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id of the webhook endpoint, `we_…`.")),
    responses((status = 204, description = "The webhook endpoint was deleted.")),
)]
pub(in crate::http::rest) async fn delete_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    door.gateway.webhooks().delete_webhook_endpoint(&who.caller, &who.call, id, &precondition).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
