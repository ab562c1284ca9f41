//! Exports of the team's audit entries, streamed: a part is read when the one before has been taken, so a slow client
//! holds neither memory nor a database connection.
//!
//! What must stay true: an export ends at the entry that was the newest when it began; a failure on the way breaks the
//! connection off, so that half an export never looks whole; no cell of the CSV is a formula to a spreadsheet.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::try_unfold;
use utoipa::IntoParams;

use super::entries::AuditFilters;
use crate::app::admission::{self, Permit};
use crate::app::view::AuditEntryView;
use crate::app::{AuditExport, Error};
use crate::domain::identity::caller::Caller;
use crate::http::DoorState;
use crate::http::extract::{Authorized, FromQuery, Query, QueryPairs};
use crate::http::problem::ProblemResponse;

/// In which form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ExportFormat {
    #[default]
    Lines,
    Csv,
}

/// The words of the formats.
pub(in crate::http) const EXPORT_FORMATS: [&str; 2] = ["ndjson", "csv"];

impl ExportFormat {
    fn from_word(word: &str) -> Option<Self> {
        let forms = [Self::Lines, Self::Csv];
        EXPORT_FORMATS.iter().position(|known| *known == word).map(|place| forms[place])
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    fn disposition(self) -> &'static str {
        match self {
            Self::Lines => "attachment; filename=\"audit-entries.ndjson\"",
            Self::Csv => "attachment; filename=\"audit-entries.csv\"",
        }
    }

    fn head(self) -> &'static str {
        match self {
            Self::Lines => "",
            Self::Csv => HEAD,
        }
    }

    fn print(self, entries: &[AuditEntryView]) -> String {
        let line = |entry: &AuditEntryView| match self {
            Self::Lines => serde_json::to_string(entry).unwrap_or_default() + "\n",
            Self::Csv => row(entry),
        };
        entries.iter().map(line).collect()
    }
}

/// The form of an export.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct ExportQuery {
    /// The format: `ndjson` (one audit entry as JSON on each line) or `csv`. Defaults to `ndjson`.
    #[param(value_type = Option<String>, nullable = false)]
    format: ExportFormat,
    #[param(ignore)]
    filters: AuditFilters,
}

impl FromQuery for ExportQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        let format = pairs.word("format", ExportFormat::from_word, &EXPORT_FORMATS.join(", ")).unwrap_or_default();
        Self { format, filters: AuditFilters::read(pairs) }
    }
}

/// Export audit entries
///
/// Streams all entries that match the filters, oldest first. The stream ends with the entry that was the newest when
/// the request began; if the connection is closed before the end, the export is incomplete. CSV cells that a
/// spreadsheet would interpret as a formula begin with an apostrophe.
#[utoipa::path(get, path = "/v1/audit-export", tag = "audit",
    params(AuditFilters, ExportQuery),
    responses((status = 200, description = "The stream of audit entries.",
        content((String = "text/csv"), (String = "application/x-ndjson")))),
)]
pub(in crate::http::rest) async fn export_audit_entries(
    State(door): State<DoorState>,
    who: Authorized,
    Query(query): Query<ExportQuery>,
) -> Result<Response, ProblemResponse> {
    let waits = admission::wait_long()?;
    let export = door.gateway.audit().export_audit_entries(&who.caller, query.filters.filter()).await?;
    // The first part before the answer: what can be refused is.
    let first = door.gateway.audit().audit_part(&who.caller, &export, 0).await?;
    let form = query.format;
    let head = form.head().to_owned() + &form.print(&first.0);
    let state = Streaming {
        door,
        caller: Arc::clone(&who.caller),
        export,
        form,
        head: Some(head),
        next: first.1,
        _waits: waits,
    };
    let body = Body::from_stream(try_unfold(state, Streaming::part));
    Ok(([(CONTENT_TYPE, form.media_type()), (CONTENT_DISPOSITION, form.disposition())], body).into_response())
}

/// An export on its way.
struct Streaming {
    door: DoorState,
    caller: Arc<Caller>,
    export: AuditExport,
    form: ExportFormat,
    /// What was printed before the answer began.
    head: Option<String>,
    /// After which number the next part begins; none at the end.
    next: Option<i64>,
    /// It counts among those that wait until it has been read.
    _waits: Option<Arc<Permit>>,
}

impl Streaming {
    async fn part(mut self) -> Result<Option<(Bytes, Self)>, Error> {
        if let Some(head) = self.head.take() {
            return Ok(Some((head.into(), self)));
        }
        let Some(after) = self.next else { return Ok(None) };
        let part = self.door.gateway.audit().audit_part(&self.caller, &self.export, after).await;
        let (entries, next) = part.inspect_err(|error| {
            let code = error.code().as_str();
            tracing::warn!(code, error = error as &dyn std::error::Error, "an audit export broke off");
        })?;
        self.next = next;
        Ok(Some((self.form.print(&entries).into(), self)))
    }
}

const HEAD: &str = "id,verified,recorded_at,team,subject,credential_id,door,request_id,address,action,resource,\
                    outcome,http_status,code,duration_ms,cloud_ms,operation_id,provider_request_id,parameters\r\n";

fn row(entry: &AuditEntryView) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let number = |value: Option<i32>| value.map(|value| value.to_string()).unwrap_or_default();
    let cells = [
        entry.id.clone(),
        entry.verified.to_string(),
        entry.recorded_at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        text(&entry.team),
        entry.subject.clone(),
        text(&entry.credential_id),
        entry.door.clone(),
        entry.request_id.clone(),
        text(&entry.address),
        entry.action.clone(),
        text(&entry.resource),
        entry.outcome.clone(),
        number(entry.http_status),
        text(&entry.code),
        number(entry.duration_ms),
        number(entry.cloud_ms),
        text(&entry.operation_id),
        text(&entry.provider_request_id),
        serde_json::to_string(&entry.parameters).unwrap_or_default(),
    ];
    cells.map(|value| cell(&value)).join(",") + "\r\n"
}

/// A cell in quotes. What a spreadsheet would compute is made text.
fn cell(value: &str) -> String {
    let first = value.trim_start_matches([' ', '\n']).chars().next();
    let formula = first.is_some_and(|first| "=+-@\t\r＝＋－＠".contains(first));
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", value.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (value, expected) in [
            ("plain", "\"plain\""),
            ("", "\"\""),
            ("a,\"b\"\n", "\"a,\"\"b\"\"\n\""),
            ("=1+1", "\"'=1+1\""),
            (" =1+1", "\"' =1+1\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("＝1", "\"'＝1\""),
            ("{\"a\":\"=1\"}", "\"{\"\"a\"\":\"\"=1\"\"}\""),
        ] {
            assert_eq!(cell(value), expected);
        }
    }
}
