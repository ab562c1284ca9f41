//! Operations: what became of a change that was answered with 202.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::app::view::OperationView;
use crate::domain::ids::OperationId;
use crate::http::extract::{Authorized, Id};
use crate::http::problem::Refusal;
use crate::http::{DoorState, answer};

/// Get an operation
#[utoipa::path(get, path = "/v1/operations/{operation_id}", tag = "operations",
    params(("operation_id" = String, Path, description = "The id, `op_…`.")),
    responses((status = 200, description = "The operation.", body = OperationView)),
)]
pub(super) async fn get_operation(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<OperationId>,
) -> Result<Response, Refusal> {
    let view = door.gateway.get_operation(&who.caller, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}
