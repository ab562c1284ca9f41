//! Webhook endpoints: create (the only time the secret is shown), list, get, delete.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::bodies::NewWebhookEndpointBody;
use crate::app::view::EndpointView;
use crate::domain::ids::EndpointId;
use crate::http::extract::{Authorized, Id, Json, Query};
use crate::http::problem::Refusal;
use crate::http::rest::lists::WebhookEndpointList;
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer};

/// Create a webhook endpoint
///
/// Events are signed as Standard Webhooks describes it. The `secret` is shown in this answer and never again.
///
/// First the URL must answer a challenge: a `POST` of type `webhook_endpoint.challenge` whose `data.challenge` it sends
/// back, as text or as JSON `{"challenge": "…"}`, with 2xx. No event goes to one that does not.
///
/// A receiver that verifies signatures before anything else needs the secret first: bring one (`secret`), or create
/// with `verify_later`, give it the secret of the answer, then `POST …/verify`. Until then the endpoint is `pending`,
/// and no event is kept for it.
#[utoipa::path(post, path = "/v1/webhook-endpoints", tag = "webhooks", responses(
    (status = 201, description = "The webhook endpoint, with its secret.", body = EndpointView),
))]
pub(in crate::http::rest) async fn create_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    body: Json<NewWebhookEndpointBody>,
) -> Result<Response, Refusal> {
    let new = body.value.try_into().map_err(Refusal::invalid)?;
    let view = door.gateway.webhooks().create_webhook_endpoint(&who.caller, &who.call, new).await?;
    let mut answer = answer::json(StatusCode::CREATED, &view);
    answer::put(&mut answer, LOCATION, &format!("/v1/webhook-endpoints/{}", view.id));
    Ok(answer)
}

/// List webhook endpoints
#[utoipa::path(get, path = "/v1/webhook-endpoints", tag = "webhooks",
    responses((status = 200, description = "One page of the list.", body = WebhookEndpointList)),
)]
pub(in crate::http::rest) async fn list_webhook_endpoints(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, Refusal> {
    let slice = door.gateway.webhooks().list_webhook_endpoints(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, WebhookEndpointList>(&uri, slice))
}

/// Get a webhook endpoint
#[utoipa::path(get, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id, `we_…`.")),
    responses((status = 200, description = "The webhook endpoint.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn get_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
) -> Result<Response, Refusal> {
    let view = door.gateway.webhooks().get_webhook_endpoint(&who.caller, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Delete a webhook endpoint
///
/// What waits to be delivered to it is cancelled.
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id, `we_…`.")),
    responses((status = 204, description = "It is gone.")),
)]
pub(in crate::http::rest) async fn delete_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
) -> Result<Response, Refusal> {
    door.gateway.webhooks().delete_webhook_endpoint(&who.caller, &who.call, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
