//! Audit entries of the caller's team.

use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use chrono::{DateTime, Utc};
use utoipa::IntoParams;

use crate::app::view::AuditEntryView;
use crate::domain::audit::Outcome;
use crate::domain::filter::{AuditFilter, AuditReach, Page};
use crate::domain::ids::AuditId;
use crate::http::extract::{Authorized, FromQuery, Id, Query, QueryPairs};
use crate::http::problem::ProblemResponse;
use crate::http::rest::lists::AuditEntryList;
use crate::http::{DoorState, answer};

/// Filters of audit entries; everything given must hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct AuditFilters {
    /// Only entries of this team; `*` means the entries of all teams and those that belong to no team. A value other
    /// than the caller's team requires the scope `platform:audit`. Defaults to the caller's team.
    #[param(value_type = Option<String>, nullable = false)]
    team: Option<AuditReach>,
    /// Only entries of actions by this subject.
    #[param(nullable = false)]
    subject: Option<String>,
    /// Only entries with this action: an operation id of this API, or an action of a worker.
    #[param(nullable = false)]
    action: Option<String>,
    /// Only entries about the resource with this id.
    #[param(nullable = false)]
    resource: Option<String>,
    /// Only entries with this outcome: `accepted`, `succeeded`, `refused` or `failed`.
    #[param(value_type = Option<String>, nullable = false)]
    outcome: Option<Outcome>,
    /// Only entries of the request with this id.
    #[param(nullable = false)]
    request_id: Option<String>,
    /// Only entries written at or after this time.
    #[param(nullable = false)]
    recorded_after: Option<DateTime<Utc>>,
    /// Only entries written before this time.
    #[param(nullable = false)]
    recorded_before: Option<DateTime<Utc>>,
}

impl AuditFilters {
    pub(in crate::http::rest) fn read(pairs: &mut QueryPairs) -> Self {
        Self {
            team: pairs.word("team", AuditReach::from_word, "a team's id, or *"),
            subject: pairs.text("subject"),
            action: pairs.text("action"),
            resource: pairs.text("resource"),
            outcome: pairs.word("outcome", Outcome::from_word, "accepted, succeeded, refused, failed"),
            request_id: pairs.text("request_id"),
            recorded_after: pairs.instant("recorded_after"),
            recorded_before: pairs.instant("recorded_before"),
        }
    }

    pub(in crate::http::rest) fn filter(self) -> AuditFilter {
        AuditFilter {
            team: self.team,
            subject: self.subject,
            action: self.action,
            resource: self.resource,
            outcome: self.outcome,
            request_id: self.request_id,
            recorded_after: self.recorded_after,
            recorded_before: self.recorded_before,
        }
    }
}

/// Which page of which list.
#[derive(Debug)]
pub(in crate::http::rest) struct AuditQuery {
    filters: AuditFilters,
    page: Page,
}

impl FromQuery for AuditQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { filters: AuditFilters::read(pairs), page: pairs.page() }
    }
}

/// List audit entries
///
/// Returns the entries, newest first. Each entry records who did what, when, and with what outcome.
#[utoipa::path(get, path = "/v1/audit-entries", tag = "audit",
    params(AuditFilters),
    responses((status = 200, description = "One page of the list.", body = AuditEntryList)),
)]
pub(in crate::http::rest) async fn list_audit_entries(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<AuditQuery>,
) -> Result<Response, ProblemResponse> {
    let filter = query.filters.filter();
    let slice = door.gateway.audit().list_audit_entries(&who.caller, &filter, &query.page).await?;
    Ok(answer::listed::<_, AuditEntryList>(&uri, slice))
}

/// Get an audit entry
///
/// Returns one entry of the audit: who asked for what, when, and with what outcome.
#[utoipa::path(get, path = "/v1/audit-entries/{audit_entry_id}", tag = "audit",
    params(("audit_entry_id" = String, Path, description = "The id of the audit entry, `ae_…`.")),
    responses((status = 200, description = "The audit entry.", body = AuditEntryView)),
)]
pub(in crate::http::rest) async fn get_audit_entry(
    State(door): State<DoorState>,
    who: Authorized,
    Id(id): Id<AuditId>,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.audit().get_audit_entry(&who.caller, id).await?;
    Ok(answer::json(StatusCode::OK, &view))
}
