//! What else may be done with a webhook endpoint: change, verify, rotate, test, pause, resume, recover, replay.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::bodies::{RecoveryBody, ReplayBody, RotationBody, WebhookEndpointChangesBody};
use crate::app::view::{EndpointTestView, EndpointView, RequeuedView};
use crate::domain::ids::EndpointId;
use crate::http::extract::{Authorized, Id, Json};
use crate::http::problem::ProblemResponse;
use crate::http::{DoorState, answer, headers};

/// How long an old secret signs where nothing is said.
const KEEP_OLD_HOURS: i32 = 24;

/// Update a webhook endpoint
///
/// Fields that are left out are not changed. A new URL must answer a challenge, as it must when an endpoint is
/// created.
#[utoipa::path(patch, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id of the webhook endpoint, `we_…`.")),
    responses((status = 200, description = "The updated webhook endpoint.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn update_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
    request: HeaderMap,
    body: Json<WebhookEndpointChangesBody>,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    let changes = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let webhooks = door.gateway.webhooks();
    let view = webhooks.update_webhook_endpoint(&who.caller, &who.call, id, changes, &precondition).await?;
    Ok(answer::with_tag(StatusCode::OK, &view, view.version))
}

/// Verify a webhook endpoint
///
/// For an endpoint that was created with `verify_later`: it must now answer a challenge, as in the create, signed
/// with the secret that its receiver has by now. From then on it receives events. An endpoint that was already
/// verified stays as it is.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/verify", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id of the webhook endpoint, `we_…`.")),
    responses((status = 200, description = "The verified webhook endpoint.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn verify_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.webhooks().verify_webhook_endpoint(&who.caller, &who.call, id).await?;
    Ok(answer::with_tag(StatusCode::OK, &view, view.version))
}

/// Rotate the secret of a webhook endpoint
///
/// The gateway generates the new `secret`, or uses the one in the body. It is shown in this response and never again.
/// The old secret also signs for another `keep_old_hours`. At most two secrets are valid at once, so an older one
/// stops working immediately.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/rotate-secret", tag = "webhooks",
    request_body(content = RotationBody, description = "The body is optional."),
    params(("webhook_endpoint_id" = String, Path, description = "The id of the webhook endpoint, `we_…`.")),
    responses((status = 200, description = "The webhook endpoint, including its new secret.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn rotate_webhook_secret(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
    body: Option<Json<RotationBody>>,
) -> Result<Response, ProblemResponse> {
    let asked = body.map(|body| body.value).unwrap_or_default();
    let hours = asked.keep_old_hours.unwrap_or(KEEP_OLD_HOURS);
    let view = door.gateway.webhooks().rotate_webhook_secret(&who.caller, &who.call, id, hours, asked.secret).await?;
    Ok(answer::with_tag(StatusCode::OK, &view, view.version))
}

/// Test a webhook endpoint
///
/// Sends one signed message of type `webhook_endpoint.test` immediately and returns the result. There is only one
/// attempt, and it is made even if the endpoint is paused. A successful test counts as any other success: it ends a
/// rest, and the failures of the endpoint are forgotten.
///
/// With an `Idempotency-Key`, a repeat returns the first result and sends nothing. If the first request was
/// interrupted, the repeat is refused with `idempotency_outcome_unknown`: the message may have been sent. Look at the
/// receiver, then use another key.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/test", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id of the webhook endpoint, `we_…`.")),
    responses((status = 200, description = "The result of the test.", body = EndpointTestView)),
)]
pub(in crate::http::rest) async fn test_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.webhooks().test_webhook_endpoint(&who.caller, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Pause a webhook endpoint
///
/// Events that happen while the endpoint is paused wait for it, up to a limit that the operator sets. Events beyond
/// that limit are skipped and counted (`passed_over`), and can be replayed.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/pause", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id of the webhook endpoint, `we_…`.")),
    responses((status = 200, description = "The paused webhook endpoint.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn pause_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.webhooks().pause_webhook_endpoint(&who.caller, &who.call, id).await?;
    Ok(answer::with_tag(StatusCode::OK, &view, view.version))
}

/// Resume a webhook endpoint
///
/// Resumes an endpoint that is paused, disabled or resting: all waiting deliveries are due immediately, and its
/// failures are forgotten.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/resume", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id of the webhook endpoint, `we_…`.")),
    responses((status = 200, description = "The enabled webhook endpoint.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn resume_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.webhooks().resume_webhook_endpoint(&who.caller, &who.call, id).await?;
    Ok(answer::with_tag(StatusCode::OK, &view, view.version))
}

/// Recover failed deliveries
///
/// Puts every delivery to this endpoint that was given up (`exhausted`) or cancelled, of events since a given time,
/// back into the queue: at most 10,000 per call, oldest first.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/recover", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id of the webhook endpoint, `we_…`.")),
    responses((status = 200, description = "The number of deliveries put into the queue.", body = RequeuedView)),
)]
pub(in crate::http::rest) async fn recover_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
    body: Json<RecoveryBody>,
) -> Result<Response, ProblemResponse> {
    let view =
        door.gateway.webhooks().recover_webhook_endpoint(&who.caller, &who.call, id, body.value.created_after).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Replay events
///
/// Queues every event in a time range that this endpoint subscribes to and has never had: for an endpoint that is
/// new, or that now subscribes to more events. At most 10,000 per call, oldest first.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/replay", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id of the webhook endpoint, `we_…`.")),
    responses((status = 200, description = "The number of deliveries put into the queue.", body = RequeuedView)),
)]
pub(in crate::http::rest) async fn replay_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
    body: Json<ReplayBody>,
) -> Result<Response, ProblemResponse> {
    let span = (body.value.created_after, body.value.created_before);
    let view = door.gateway.webhooks().replay_webhook_endpoint(&who.caller, &who.call, id, span).await?;
    Ok(answer::json(StatusCode::OK, &view))
}
