//! Checkpoints of the audit's Merkle tree, and proofs.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use utoipa::IntoParams;

use crate::app::view::{ConsistencyProofView, InclusionProofView};
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::filter::Page;
use crate::domain::ids::AuditId;
use crate::http::extract::{Authorized, FromQuery, Id, Query, QueryPairs};
use crate::http::problem::ProblemResponse;
use crate::http::rest::lists::AuditCheckpointList;
use crate::http::{DoorState, answer};

/// In which tree.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct ProofQuery {
    /// The size of the tree of a checkpoint. Defaults to the newest checkpoint.
    #[param(nullable = false)]
    tree_size: Option<i64>,
}

impl FromQuery for ProofQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { tree_size: pairs.one("tree_size") }
    }
}

/// Prove that an audit entry was sealed
///
/// Returns the audit path of RFC 6962 from the leaf of the entry to the root of a checkpoint. Entries are sealed
/// within a second or two; until then the response is 409 with the code `audit_entry_not_sealed`.
#[utoipa::path(get, path = "/v1/audit-entries/{audit_entry_id}/proof", tag = "audit",
    params(("audit_entry_id" = String, Path, description = "The id of the audit entry, `ae_…`."), ProofQuery),
    responses((status = 200, description = "The proof.", body = InclusionProofView)),
)]
pub(in crate::http::rest) async fn get_audit_proof(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<AuditId>,
    Query(query): Query<ProofQuery>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.audit().get_audit_proof(&who.caller, id, query.tree_size).await?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// One page of checkpoints.
#[derive(Debug)]
pub(in crate::http::rest) struct CheckpointQuery {
    page: Page,
}

impl FromQuery for CheckpointQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { page: pairs.page() }
    }
}

/// List audit checkpoints
///
/// Returns the checkpoints, newest first. Checkpoints are signed, cover the entries of all teams, and contain only
/// hashes.
#[utoipa::path(get, path = "/v1/audit-checkpoints", tag = "audit",
    responses((status = 200, description = "One page of the list.", body = AuditCheckpointList)),
)]
pub(in crate::http::rest) async fn list_audit_checkpoints(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<CheckpointQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.audit().list_audit_checkpoints(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, AuditCheckpointList>(&uri, slice))
}

/// Which two trees.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct ConsistencyQuery {
    /// The size of the earlier tree, at least 1.
    #[param(value_type = i64, required = true)]
    first_size: Option<i64>,
    /// The size of the tree of a checkpoint. Defaults to the newest checkpoint.
    #[param(nullable = false)]
    second_size: Option<i64>,
}

impl FromQuery for ConsistencyQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { first_size: pairs.one("first_size"), second_size: pairs.one("second_size") }
    }
}

/// Prove that the audit log is append-only
///
/// Returns the consistency proof of RFC 6962, which shows that the tree of a checkpoint begins with the earlier tree,
/// leaf by leaf.
#[utoipa::path(get, path = "/v1/audit-consistency", tag = "audit",
    params(ConsistencyQuery),
    responses((status = 200, description = "The proof.", body = ConsistencyProofView)),
)]
pub(in crate::http::rest) async fn get_audit_consistency(
    State(door): State<DoorState>,
    who: Authorized,
    Query(query): Query<ConsistencyQuery>,
) -> Result<Response, ProblemResponse> {
    let missing =
        || ProblemResponse::invalid(vec![FieldError::new("first_size", FieldCode::Required, "must be given")]);
    let first = query.first_size.ok_or_else(missing)?;
    let view = door.gateway.audit().get_audit_consistency(&who.caller, first, query.second_size).await?;
    Ok(answer::json(StatusCode::OK, &view))
}
