//! What else may be done with a webhook endpoint: change, verify, rotate, test, pause, resume, recover, replay.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::bodies::{RecoveryBody, ReplayBody, RotationBody, WebhookEndpointChangesBody};
use crate::app::view::{EndpointTestView, EndpointView, RequeuedView};
use crate::domain::ids::EndpointId;
use crate::http::extract::{Authorized, Id, Json};
use crate::http::problem::Refusal;
use crate::http::{DoorState, answer};

/// How long an old secret signs where nothing is said.
const KEEP_OLD_HOURS: i32 = 24;

/// Update a webhook endpoint
///
/// Only what is given is changed. A new URL must answer a challenge, as in the create.
#[utoipa::path(patch, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id, `we_…`.")),
    responses((status = 200, description = "The webhook endpoint as it is now.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn update_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
    body: Json<WebhookEndpointChangesBody>,
) -> Result<Response, Refusal> {
    let changes = body.value.try_into().map_err(Refusal::invalid)?;
    let view = door.gateway.webhooks().update_webhook_endpoint(&who.caller, &who.call, id, changes).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Verify a webhook endpoint
///
/// For one that was created with `verify_later`: it must echo a challenge now, as in the create, signed with the secret
/// that its receiver has by now. From then on it gets events. One that was verified before stays as it is.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/verify", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id, `we_…`.")),
    responses((status = 200, description = "The webhook endpoint, verified.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn verify_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
) -> Result<Response, Refusal> {
    let view = door.gateway.webhooks().verify_webhook_endpoint(&who.caller, &who.call, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Rotate the secret of a webhook endpoint
///
/// The new `secret` is made here, or is the one that is brought. It is shown in this answer and never again. The old
/// one signs beside it for `keep_old_hours`; at most two are live, so one that is older than that goes at once.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/rotate-secret", tag = "webhooks",
    request_body(content = RotationBody, description = "May be left out."),
    params(("webhook_endpoint_id" = String, Path, description = "The id, `we_…`.")),
    responses((status = 200, description = "The webhook endpoint, with its new secret.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn rotate_webhook_secret(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
    body: Option<Json<RotationBody>>,
) -> Result<Response, Refusal> {
    let asked = body.map(|body| body.value).unwrap_or_default();
    let hours = asked.keep_old_hours.unwrap_or(KEEP_OLD_HOURS);
    let view = door.gateway.webhooks().rotate_webhook_secret(&who.caller, &who.call, id, hours, asked.secret).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Test a webhook endpoint
///
/// Sends one signed message of type `webhook_endpoint.test` now, and answers with what came back. It is tried once,
/// also while the endpoint is paused. One that arrives is a success as any other: it ends a rest, and the endpoint's
/// failures are forgotten.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/test", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id, `we_…`.")),
    responses((status = 200, description = "What came back.", body = EndpointTestView)),
)]
pub(in crate::http::rest) async fn test_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
) -> Result<Response, Refusal> {
    let view = door.gateway.webhooks().test_webhook_endpoint(&who.caller, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Pause a webhook endpoint
///
/// What happens meanwhile waits for it, up to a bound that the operator sets; what is beyond it is passed over and
/// counted (`passed_over`), and can be replayed.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/pause", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id, `we_…`.")),
    responses((status = 200, description = "The webhook endpoint, paused.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn pause_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
) -> Result<Response, Refusal> {
    let view = door.gateway.webhooks().pause_webhook_endpoint(&who.caller, &who.call, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Resume a webhook endpoint
///
/// Whether it was paused or switched off, or rests: everything that waits is due at once, and its failures are
/// forgotten.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/resume", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id, `we_…`.")),
    responses((status = 200, description = "The webhook endpoint, enabled.", body = EndpointView)),
)]
pub(in crate::http::rest) async fn resume_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
) -> Result<Response, Refusal> {
    let view = door.gateway.webhooks().resume_webhook_endpoint(&who.caller, &who.call, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Recover what was given up
///
/// Puts every delivery to this endpoint back into the queue that was given up (`exhausted`) or cancelled, of events since
/// a time; at most 10,000 a call, the oldest first.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/recover", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id, `we_…`.")),
    responses((status = 200, description = "How many.", body = RequeuedView)),
)]
pub(in crate::http::rest) async fn recover_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
    body: Json<RecoveryBody>,
) -> Result<Response, Refusal> {
    let view = door.gateway.webhooks().recover_webhook_endpoint(&who.caller, &who.call, id, body.value.since).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// Replay events
///
/// Puts every event of a span of time into the queue that this endpoint wants and never had: for one that is new, or
/// wants more than before. At most 10,000 a call, the oldest first.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/replay", tag = "webhooks",
    params(("webhook_endpoint_id" = String, Path, description = "The id, `we_…`.")),
    responses((status = 200, description = "How many.", body = RequeuedView)),
)]
pub(in crate::http::rest) async fn replay_webhook_endpoint(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<EndpointId>,
    body: Json<ReplayBody>,
) -> Result<Response, Refusal> {
    let span = (body.value.since, body.value.until);
    let view = door.gateway.webhooks().replay_webhook_endpoint(&who.caller, &who.call, id, span).await?;
    Ok(answer::json(StatusCode::OK, &view))
}
