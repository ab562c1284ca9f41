//! The whole document of each refusal, as a client gets it.

use super::*;
use crate::domain::failure::MissingRight;
use crate::domain::identity::token_exchange::ExchangeError;
use crate::domain::policy::judge;
use crate::domain::problem::Code;

/// One of each kind; the compiler says where a new one is missing.
fn name(error: &Error) -> &'static str {
    match error {
        Error::Unauthenticated { .. } => "unauthenticated",
        Error::Forbidden(_) => "forbidden",
        Error::ForbiddenToAdmin(_) => "forbidden_to_admin",
        Error::KeyHasMore(_) => "key_has_more",
        Error::NotAdmitted { .. } => "not_admitted",
        Error::IssuerUnavailable { .. } => "issuer_unavailable",
        Error::NotFound(_) => "not_found",
        Error::Invalid(_) => "invalid",
        Error::Conflict { .. } => "conflict",
        Error::NoLongerKept { .. } => "no_longer_kept",
        Error::Exchange(_) => "exchange",
        Error::PreconditionFailed { .. } => "precondition_failed",
        Error::IdempotencyMismatch => "idempotency_mismatch",
        Error::IdempotencyInFlight => "idempotency_in_flight",
        Error::PolicyRefused { .. } => "policy_refused",
        Error::TeamDisabled { .. } => "team_disabled",
        Error::CloudRefused { .. } => "cloud_refused",
        Error::TooMany { .. } => "too_many",
        Error::Unavailable { .. } => "unavailable",
        Error::Unreadable(_) => "unreadable",
        Error::Internal(_) => "internal",
    }
}

/// How many kinds there are: what [`name`] tells apart.
const KINDS: usize = 21;

fn of_the_caller() -> Vec<Error> {
    let refusal = judge::Refusal {
        field: "/region".into(),
        rule: "regions",
        detail: "the region is not allowed".into(),
        allowed: vec!["cn-beijing".into()],
    };
    let fault = ExchangeError {
        error: "invalid_request",
        code: Code::MissingParameter,
        detail: "grant_type is not there".to_owned(),
    };
    vec![
        Error::Unauthenticated { code: Code::TokenExpired, detail: "it ended".into() },
        Error::Forbidden(&[Scope::Write]),
        Error::ForbiddenToAdmin(&[Scope::Write]),
        Error::KeyHasMore(vec![Scope::Write]),
        Error::NotAdmitted { code: Code::NoRuleMatches, detail: "no rule matches".into() },
        Error::NotFound("image cache"),
        Error::Invalid(vec![FieldError::new("/images/3", FieldCode::Invalid, "must be an image")]),
        Error::Conflict { code: Code::OperationInProgress, detail: "an update is running".into() },
        Error::NoLongerKept { code: Code::EventsNoLongerKept, detail: "events before it are gone" },
        Error::Exchange(fault),
        Error::PreconditionFailed { current: 7 },
        Error::IdempotencyMismatch,
        Error::IdempotencyInFlight,
        Error::PolicyRefused { refusals: vec![refusal], contact: Some("platform@example.com".into()) },
        Error::TeamDisabled { contact: None },
    ]
}

fn of_others() -> Vec<Error> {
    let denied = MissingRight {
        right: "eci:CreateImageCache".into(),
        kind: "ImplicitDeny".into(),
        policy: "ControlPolicy".into(),
    };
    let error = CloudError {
        code: "Forbidden.RAM".into(),
        message: "not authorized".into(),
        request_id: Some("R-1".into()),
        http_status: 403,
        denied: Some(Box::new(denied)),
    };
    vec![
        Error::IssuerUnavailable { issuer: "github".into() },
        Error::CloudRefused { error, operation: Some(Uuid::nil().into()) },
        Error::TooMany { code: Code::TooManyStreams, detail: "a team may have 20", retry_after_seconds: 5 },
        Error::Unavailable { code: Code::DatabaseUnavailable, detail: "no database", retry_after_seconds: 7 },
        Error::Unreadable("image_caches.status".into()),
        Error::Internal("row 7 of table secrets".into()),
    ]
}

#[tokio::test]
async fn each_refusal_has_its_document() {
    let mut kinds = std::collections::BTreeSet::new();
    let mut told = Vec::new();
    for error in of_the_caller().into_iter().chain(of_others()) {
        let name = name(&error);
        kinds.insert(name);
        let answer = written(error);
        let status = answer.status().as_u16();
        let said = |header| self::header(&answer, header).map(|value| format!("{header}: {value}\n"));
        let headers: String = ["retry-after", "www-authenticate"].into_iter().filter_map(said).collect();
        told.push(format!("# {name}: {status}\n{headers}{:#}", body(answer).await));
    }
    assert_eq!(kinds.len(), KINDS);
    insta::assert_snapshot!(told.join("\n\n"));
}
