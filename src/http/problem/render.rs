//! The one place where `app`'s errors become HTTP.

use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use super::{ProblemResponse, cloud, oauth, policy};
use crate::app::Error;
use crate::domain::explain::explain;
use crate::domain::failure::CloudError;
use crate::domain::identity::caller::Scope;
use crate::domain::ids::OperationId;

impl From<Error> for ProblemResponse {
    fn from(error: Error) -> Self {
        let (code, retryable) = (error.code(), error.retryable());
        let refusal = match error {
            Error::Unauthenticated { code, detail } => unauthenticated(code, detail),
            Error::Forbidden(scopes) => forbidden(scopes, ""),
            Error::ForbiddenToAdmin(scopes) => forbidden(scopes, Scope::IN_PLACE_OF_ADMIN),
            Error::KeyHasMore(lacking) => key_has_more(code, &lacking),
            Error::NotAdmitted { code, detail } => not_admitted(code, detail),
            Error::IssuerUnavailable { issuer } => issuer_unavailable(code, &issuer),
            Error::NotFound(_) => Self::not_found(),
            Error::Invalid(errors) => Self::invalid(errors),
            Error::Conflict { code, detail } => conflict(code, detail),
            Error::NoLongerKept { code, detail } => Self::new(
                StatusCode::GONE,
                code,
                "The resource is no longer \
                kept",
                detail,
            ),
            Error::Exchange(fault) => oauth::refused(fault),
            Error::PreconditionFailed { current } => precondition_failed(current),
            Error::IdempotencyMismatch => idempotency_mismatch(code),
            Error::IdempotencyInFlight => idempotency_in_flight(code),
            Error::PolicyRefused { refusals, contact } => policy::refused(refusals, contact),
            Error::TeamDisabled { contact } => policy::disabled(contact),
            Error::CloudRefused { error, operation } => cloud_refused(error, operation),
            Error::TooMany { code, detail, retry_after_seconds } => too_many(code, detail, retry_after_seconds),
            Error::Unavailable { code, detail, retry_after_seconds } => unavailable(code, detail, retry_after_seconds),
            Error::Unreadable(_) => of_another_version(code),
            Error::Internal(cause) => Self::internal(cause),
        };
        if retryable { refusal.retryable() } else { refusal }
    }
}

/// RFC 6750: no `error` where no credential was given at all.
fn unauthenticated(code: &'static str, detail: String) -> ProblemResponse {
    let challenge = match code {
        "token_missing" => r#"Bearer realm="eci-cache-gateway""#,
        _ => r#"Bearer realm="eci-cache-gateway", error="invalid_token""#,
    };
    ProblemResponse::new(StatusCode::UNAUTHORIZED, code, "Not authenticated", detail)
        .header(WWW_AUTHENTICATE, challenge)
        .hint(match code {
            "no_team" | "wrong_team" => {
                "a rule of the token's issuer determines which claim is the team; an operator can inspect a token \
                 with POST /v1/issuers/explain, or with `eci-cache-gateway auth explain` for issuers from the settings"
            }
            "team_required" => "send X-Team with one of the token's teams",
            "token_wrong_issuer" | "token_wrong_audience" => {
                "request a token for this gateway from the issuer, or ask an operator to configure the issuer"
            }
            _ => "send Authorization: Bearer with a token that is currently valid",
        })
}

/// The token is good: another one of its kind would be refused as well, so nobody is asked for one.
fn not_admitted(code: &'static str, detail: String) -> ProblemResponse {
    ProblemResponse::new(StatusCode::FORBIDDEN, code, "Not admitted", detail).hint(
        "an operator can see what the rules expect with POST /v1/issuers/explain, or with `eci-cache-gateway auth \
         explain` for issuers from the settings, and can add a rule to the issuer",
    )
}

fn issuer_unavailable(code: &'static str, issuer: &str) -> ProblemResponse {
    let detail = format!("the keys of the token's issuer ({issuer}) are currently unavailable");
    ProblemResponse::new(StatusCode::SERVICE_UNAVAILABLE, code, "Not available at the moment", detail)
        .header(RETRY_AFTER, "5")
}

fn forbidden(scopes: &[Scope], also: &str) -> ProblemResponse {
    // One is enough, and the header cannot say "or" (RFC 6750, section 3): the first is the least that does.
    let least = scopes.first().map_or("", |scope| scope.as_str());
    let challenge = format!(r#"Bearer realm="eci-cache-gateway", error="insufficient_scope", scope="{least}""#);
    let scope = Scope::any_of(scopes);
    let also = if also.is_empty() { String::new() } else { format!("; {also}") };
    let detail = format!("the credential lacks the scope {scope}{also}");
    ProblemResponse::new(StatusCode::FORBIDDEN, "scope_missing", "A scope is missing", detail)
        .header(WWW_AUTHENTICATE, &challenge)
        .hint(format!("use a credential with the scope {scope}"))
}

fn key_has_more(code: &'static str, lacking: &[Scope]) -> ProblemResponse {
    let words: Vec<&str> = lacking.iter().map(|scope| scope.as_str()).collect();
    let detail = format!("the key has scopes that your credential lacks: {}", words.join(", "));
    ProblemResponse::new(StatusCode::FORBIDDEN, code, "The key has more scopes than your credential", detail)
        .hint("use a credential with all of the key's scopes, or revoke the key and create a new one")
}

fn conflict(code: &'static str, detail: String) -> ProblemResponse {
    ProblemResponse::new(StatusCode::CONFLICT, code, "The current state does not allow this", detail)
}

fn precondition_failed(current: i64) -> ProblemResponse {
    let detail = format!("the current version is {current}");
    ProblemResponse::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", "The resource has changed", detail)
        .hint("read the resource again and send If-Match with its new ETag")
}

fn idempotency_mismatch(code: &'static str) -> ProblemResponse {
    let detail = "this Idempotency-Key was used with a different request";
    ProblemResponse::new(StatusCode::UNPROCESSABLE_ENTITY, code, "The idempotency key was already used", detail)
        .hint("use a new key for a new request, or the same body to repeat the earlier one")
}

fn idempotency_in_flight(code: &'static str) -> ProblemResponse {
    let detail = "the first request with this Idempotency-Key is still running";
    ProblemResponse::new(StatusCode::CONFLICT, code, "The first request is still running", detail)
        .header(RETRY_AFTER, "2")
}

fn cloud_refused(error: CloudError, operation: Option<OperationId>) -> ProblemResponse {
    let status = cloud::status_of(&error.code);
    let explanation = explain(&error.code, &error.message, None);
    let mut refusal = ProblemResponse::new(status, "cloud_refused", "The cloud refused the request", error.message)
        .hint(explanation.hint);
    refusal.0.problem.cause = Some(explanation.cause.as_str().to_owned());
    refusal.0.problem.explanation = Some(explanation.sentence.to_owned());
    refusal.0.problem.retryable = explanation.retryable;
    refusal.0.problem.operation_id = operation.map(|operation| operation.to_string());
    refusal.0.problem.provider_code = Some(error.code);
    refusal.0.problem.provider_request_id = error.request_id;
    refusal
}

fn too_many(code: &'static str, detail: &'static str, seconds: u32) -> ProblemResponse {
    ProblemResponse::new(StatusCode::TOO_MANY_REQUESTS, code, "Too many requests", detail)
        .header(RETRY_AFTER, &seconds.to_string())
        .hint(match code {
            "rate_limited" | "too_many_refused" => "wait as long as Retry-After says, and send requests less often",
            _ => "end one that is no longer needed, or try again later",
        })
}

fn unavailable(code: &'static str, detail: &'static str, seconds: u32) -> ProblemResponse {
    ProblemResponse::new(StatusCode::SERVICE_UNAVAILABLE, code, "Not available at the moment", detail)
        .header(RETRY_AFTER, &seconds.to_string())
}

/// The store has logged which record and why.
fn of_another_version(code: &'static str) -> ProblemResponse {
    let detail = "the record was written by a different version of the gateway, and this version does not know all of its \
         content";
    unavailable(code, detail, 30).hint(
        "during an upgrade, a different gateway may be able to answer; if the error persists, one of the \
               gateways runs an old version",
    )
}

#[cfg(test)]
mod tests;
