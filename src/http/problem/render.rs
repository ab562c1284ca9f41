//! The one place where `app`'s errors become HTTP.

use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use super::{ProblemResponse, cloud, oauth, policy};
use crate::app::Error;
use crate::domain::explain::explain;
use crate::domain::failure::CloudError;
use crate::domain::identity::caller::Scope;
use crate::domain::ids::OperationId;
use crate::domain::problem::Code;

impl From<Error> for ProblemResponse {
    fn from(error: Error) -> Self {
        let code = error.code();
        match error {
            Error::Unauthenticated { detail, .. } => unauthenticated(code, detail),
            Error::Forbidden(scopes) => forbidden(scopes, ""),
            Error::ForbiddenToAdmin(scopes) => forbidden(scopes, Scope::IN_PLACE_OF_ADMIN),
            Error::KeyHasMore(lacking) => key_has_more(code, &lacking),
            Error::NotAdmitted { detail, .. } => not_admitted(code, detail),
            Error::IssuerUnavailable { issuer } => issuer_unavailable(code, &issuer),
            Error::NotFound(_) => Self::not_found(),
            Error::Invalid(errors) => Self::invalid(errors),
            Error::Conflict { detail, .. } => Self::new(code, detail),
            Error::NoLongerKept { detail, .. } => Self::new(code, detail),
            Error::Exchange(fault) => oauth::refused(fault),
            Error::PreconditionFailed { current } => precondition_failed(code, current),
            Error::IdempotencyMismatch => idempotency_mismatch(code),
            Error::IdempotencyInFlight => idempotency_in_flight(code),
            Error::PolicyRefused { refusals, contact } => policy::refused(refusals, contact),
            Error::TeamDisabled { contact } => policy::disabled(contact),
            Error::CloudRefused { error, operation } => cloud_refused(code, error, operation),
            Error::TooMany { detail, retry_after_seconds, .. } => too_many(code, detail, retry_after_seconds),
            Error::Unavailable { detail, retry_after_seconds, .. } => unavailable(code, detail, retry_after_seconds),
            Error::Unreadable(_) => of_another_version(code),
            Error::Internal(cause) => Self::internal(cause),
        }
    }
}

/// RFC 6750: no `error` where no credential was given at all.
fn unauthenticated(code: Code, detail: String) -> ProblemResponse {
    let challenge = match code {
        Code::TokenMissing => r#"Bearer realm="eci-cache-gateway""#,
        _ => r#"Bearer realm="eci-cache-gateway", error="invalid_token""#,
    };
    ProblemResponse::new(code, detail).header(WWW_AUTHENTICATE, challenge).hint(match code {
        Code::NoTeam | Code::WrongTeam => {
            "a rule of the token's issuer determines which claim is the team; an operator can inspect a token \
                 with POST /v1/issuers/explain, or with `eci-cache-gateway auth explain` for issuers from the settings"
        }
        Code::TeamRequired => "send X-Team with one of the token's teams",
        Code::TokenWrongIssuer | Code::TokenWrongAudience => {
            "request a token for this gateway from the issuer, or ask an operator to configure the issuer"
        }
        _ => "send Authorization: Bearer with a token that is currently valid",
    })
}

/// The token is good: another one of its kind would be refused as well, so nobody is asked for one.
fn not_admitted(code: Code, detail: String) -> ProblemResponse {
    ProblemResponse::new(code, detail).hint(
        "an operator can see what the rules expect with POST /v1/issuers/explain, or with `eci-cache-gateway auth \
         explain` for issuers from the settings, and can add a rule to the issuer",
    )
}

fn issuer_unavailable(code: Code, issuer: &str) -> ProblemResponse {
    let detail = format!("the keys of the token's issuer ({issuer}) are currently unavailable");
    ProblemResponse::new(code, detail).header(RETRY_AFTER, "5")
}

fn forbidden(scopes: &[Scope], also: &str) -> ProblemResponse {
    // One is enough, and the header cannot say "or" (RFC 6750, section 3): the first is the least that does.
    let least = scopes.first().map_or("", |scope| scope.as_str());
    let challenge = format!(r#"Bearer realm="eci-cache-gateway", error="insufficient_scope", scope="{least}""#);
    let scope = Scope::any_of(scopes);
    let also = if also.is_empty() { String::new() } else { format!("; {also}") };
    let detail = format!("the credential lacks the scope {scope}{also}");
    ProblemResponse::new(Code::ScopeMissing, detail)
        .header(WWW_AUTHENTICATE, &challenge)
        .hint(format!("use a credential with the scope {scope}"))
}

fn key_has_more(code: Code, lacking: &[Scope]) -> ProblemResponse {
    let words: Vec<&str> = lacking.iter().map(|scope| scope.as_str()).collect();
    let detail = format!("the key has scopes that your credential lacks: {}", words.join(", "));
    ProblemResponse::new(code, detail)
        .hint("use a credential with all of the key's scopes, or revoke the key and create a new one")
}

fn precondition_failed(code: Code, current: i64) -> ProblemResponse {
    let detail = format!("the current version is {current}");
    ProblemResponse::new(code, detail).hint("read the resource again and send If-Match with its new ETag")
}

fn idempotency_mismatch(code: Code) -> ProblemResponse {
    let detail = "this Idempotency-Key was used with a different request";
    ProblemResponse::new(code, detail)
        .hint("use a new key for a new request, or the same body to repeat the earlier one")
}

fn idempotency_in_flight(code: Code) -> ProblemResponse {
    let detail = "the first request with this Idempotency-Key is still running";
    ProblemResponse::new(code, detail).header(RETRY_AFTER, "2")
}

fn cloud_refused(code: Code, error: CloudError, operation: Option<OperationId>) -> ProblemResponse {
    let status = cloud::status_of(&error.code);
    let explanation = explain(&error.code, &error.message, None);
    let mut refusal = ProblemResponse::new(code, error.message).at(status).hint(explanation.hint);
    refusal.0.problem.cause = Some(explanation.cause.as_str().to_owned());
    refusal.0.problem.explanation = Some(explanation.sentence.to_owned());
    refusal.0.may_help = explanation.retryable;
    refusal.0.problem.operation_id = operation.map(|operation| operation.to_string());
    refusal.0.problem.provider_code = Some(error.code);
    refusal.0.problem.provider_request_id = error.request_id;
    refusal
}

fn too_many(code: Code, detail: &'static str, seconds: u32) -> ProblemResponse {
    ProblemResponse::new(code, detail).header(RETRY_AFTER, &seconds.to_string()).hint(match code {
        Code::RateLimited | Code::TooManyRefused => "wait as long as Retry-After says, and send requests less often",
        _ => "wait as long as Retry-After says; what waits or runs may also end sooner",
    })
}

fn unavailable(code: Code, detail: &'static str, seconds: u32) -> ProblemResponse {
    ProblemResponse::new(code, detail).header(RETRY_AFTER, &seconds.to_string())
}

/// The store has logged which record and why.
fn of_another_version(code: Code) -> ProblemResponse {
    let detail = "the record was written by a different version of the gateway, and this version does not know all of its \
         content";
    unavailable(code, detail, 30).hint(
        "during an upgrade, a different gateway may be able to answer; if the error persists, one of the \
               gateways runs an old version",
    )
}

#[cfg(test)]
mod tests;
