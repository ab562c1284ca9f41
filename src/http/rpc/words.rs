//! Refusals in the cloud's words: its codes, its HTTP statuses, its names of parameters.
//!
//! What layers made (deadlines, sizes, panics) has a code of ours, and is put into the cloud's words by the wrapper.
//!
//! What must stay true: 404 says one thing, that the image cache is not there. Terraform takes every 404 for that and
//! drops the cache from its state, so an unknown key or action, which the cloud answers with 404, has another status
//! here and the same `Code`.

use axum::http::StatusCode;

use crate::app::Error;
use crate::domain::explain::{is_of_key, is_of_rights};
use crate::domain::failure::CloudError;
use crate::domain::field::FieldError;
use crate::domain::identity::caller::Scope;
use crate::domain::policy;
use crate::domain::problem::Code;
use crate::eci::params::read::ParameterError;
use crate::eci::{incoming, params};
use crate::http::problem::ProblemResponse;

/// The one code that may stand with 404.
const NOT_THERE: &str = "InvalidParameter.NotFound";
const CONFLICT: &str = "The request was denied. It conflicts with a previous request.";
const UNAVAILABLE: &str = "The request has failed due to a temporary failure of the server.";
const THROTTLED: &str = "Request was denied due to user flow control.";
const INTERNAL: &str = "The request processing has failed due to some unknown error, exception or failure.";

/// A refusal in the cloud's words.
pub(super) fn refusal(status: u16, code: &str, message: impl Into<String>) -> ProblemResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    ProblemResponse::in_clouds_words(status, code, message)
}

/// A request that was not understood or is not signed.
pub(super) fn of_incoming(wrong: &incoming::RequestRefusal) -> ProblemResponse {
    let status = match wrong {
        incoming::RequestRefusal::UnknownKey => 403,
        other => other.http_status(),
    };
    not_gone(refusal(status, &wrong.code(), wrong.message().into_owned()))
}

/// The same refusal, without saying that an image cache is not there.
pub(super) fn not_gone(refusal: ProblemResponse) -> ProblemResponse {
    if refusal.status() != StatusCode::NOT_FOUND {
        return refusal;
    }
    let (code, detail) = (refusal.code().to_owned(), refusal.detail().to_owned());
    refusal.reworded(StatusCode::BAD_REQUEST, &code, detail)
}

/// What nothing was done of, as far as the caller is concerned.
pub(super) fn unavailable(more: &str) -> ProblemResponse {
    refusal(503, "ServiceUnavailable", format!("{UNAVAILABLE} {more}").trim_end())
}

/// Too much of one user, as the cloud says it.
fn throttled(detail: &str) -> ProblemResponse {
    refusal(400, "Throttling.User", format!("{THROTTLED} ({detail})"))
}

/// What `app` refused.
pub(super) fn of_error(error: Error) -> ProblemResponse {
    match error {
        Error::Forbidden(scopes) | Error::ForbiddenToAdmin(scopes) => forbidden(scopes),
        Error::KeyHasMore(lacking) => forbidden(&lacking),
        // Tokens have no door here, whose issuers the second and third are about.
        Error::Unauthenticated { .. } | Error::NotAdmitted { .. } | Error::IssuerUnavailable { .. } => {
            of_incoming(&incoming::RequestRefusal::UnknownKey)
        }
        Error::NotFound("image cache") => refusal(404, NOT_THERE, "The specified ImageCacheId does not exist."),
        Error::NotFound(what) => refusal(400, "InvalidParameter", format!("The {what} does not exist.")),
        Error::Invalid(fields) => invalid(&fields),
        Error::Conflict { code: Code::ImageCacheNotUpdatable, detail } => {
            refusal(400, "ImageCache.IncorrectStatus", format!("The status of the image cache is wrong: {detail}."))
        }
        Error::Conflict { detail, .. } => refusal(400, "OperationConflict", format!("{CONFLICT} ({detail})")),
        Error::Exchange(fault) => refusal(400, "InvalidParameter", fault.detail),
        Error::NoLongerKept { detail, .. } => refusal(400, "InvalidParameter", detail),
        Error::PreconditionFailed { .. } | Error::IdempotencyInFlight => refusal(400, "OperationConflict", CONFLICT),
        Error::IdempotencyMismatch => {
            let message = "The request uses the same client token as a previous, but non-identical request. Do not \
                           reuse a client token with different requests, unless the requests are identical.";
            refusal(400, "IdempotentParameterMismatch", message)
        }
        Error::PolicyRefused { refusals, contact } => policy_refused(&refusals, contact.as_deref()),
        Error::TeamDisabled { contact } => {
            let message = format!("The team of this access key is disabled. {}", who_can(contact.as_deref()));
            refusal(403, "Forbidden.TeamDisabled", message)
        }
        Error::CloudRefused { error, .. } => cloud(error),
        Error::TooMany { detail, retry_after_seconds, .. } => throttled(detail).retry_after(retry_after_seconds),
        Error::Unavailable { detail, retry_after_seconds, .. } => {
            unavailable(&format!("({detail})")).retry_after(retry_after_seconds)
        }
        Error::Unreadable(_) => unavailable("(The record was written by a different version of the gateway.)"),
        // The wrapper puts it into words and logs the cause.
        Error::Internal(cause) => ProblemResponse::internal(cause),
    }
}

fn forbidden(scopes: &[Scope]) -> ProblemResponse {
    let scopes = Scope::any_of(scopes);
    let message = format!("The specified action is not available for you. (The access key lacks the scope {scopes}.)");
    refusal(403, "Forbidden.SubUser", message)
}

/// What the team's policy refuses, each under the name of its parameter.
fn policy_refused(refusals: &[policy::Refusal], contact: Option<&str>) -> ProblemResponse {
    let told = refusals.iter().map(|refusal| {
        let parameter = params::read::parameter(&refusal.field);
        let name = if parameter.is_empty() { String::new() } else { format!("{parameter} ") };
        format!("{name}{} ({})", refusal.message(), refusal.rule)
    });
    let told: Vec<String> = told.collect();
    let message = format!("The request is refused by the team's policy: {}. {}", told.join("; "), who_can(contact));
    refusal(403, "Forbidden.PolicyRefused", message)
}

fn who_can(contact: Option<&str>) -> String {
    format!("To change it, contact: {}.", contact.unwrap_or("the gateway's administrators"))
}

/// As the cloud said it; its texts are redacted where they come in. What it says of the gateway's own key and of its
/// rights would be taken for the caller's.
fn cloud(error: CloudError) -> ProblemResponse {
    if is_of_key(&error.code) {
        // In the cloud's own words the caller would look for the fault in a key that is good.
        let more = format!(
            "(The cloud refuses the gateway's own key: {}. Your key is valid, and nothing was done; the gateway's \
             administrators can fix this.)",
            error.code
        );
        return unavailable(&more);
    }
    if is_of_rights(&error.code) {
        // The same words stand for a right that the caller lacks.
        let more = format!(
            "(The cloud does not permit the gateway itself to do this: {}. Your key is valid, and nothing was done; \
             the gateway's administrators can fix this.)",
            error.code
        );
        return unavailable(&more);
    }
    let status = if (400..600).contains(&error.http_status) { error.http_status } else { 400 };
    refusal(status, &error.code, error.message)
}

/// All fields in one message; the first decides the code.
fn invalid(fields: &[FieldError]) -> ProblemResponse {
    let refused: Vec<ParameterError> = fields.iter().map(of_field).collect();
    let code = refused.first().map_or("InvalidParameter", |first| first.code);
    let messages: Vec<&str> = refused.iter().map(|refused| refused.message.as_str()).collect();
    refusal(400, code, messages.join(" "))
}

/// What is no pointer is a name on the wire already.
fn of_field(error: &FieldError) -> ParameterError {
    match error.field.as_str() {
        "" => ParameterError { parameter: String::new(), code: "MissingParameter", message: sentence(&error.detail) },
        "cursor" => ParameterError::invalid("NextToken", "it must be the NextToken of the same query"),
        _ => ParameterError::of_field(error),
    }
}

fn sentence(detail: &str) -> String {
    format!("The request is not valid: {}.", detail.trim_end_matches('.'))
}

/// A parameter that could not be read.
pub(super) fn of_refused(refused: &ParameterError) -> ProblemResponse {
    refusal(400, refused.code, refused.message.as_str())
}

/// What a layer refused, in the cloud's words. What is in them already stays as it is.
pub(in crate::http) fn of_layer(refusal: ProblemResponse) -> ProblemResponse {
    if refusal.is_in_clouds_words() {
        return if refusal.code() == NOT_THERE { refusal } else { not_gone(refusal) };
    }
    let detail = refusal.detail().to_owned();
    match refusal.status().as_u16() {
        408 => refusal.reworded(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", detail),
        429 => {
            let detail = format!("{THROTTLED} ({detail})");
            refusal.reworded(StatusCode::BAD_REQUEST, "Throttling.User", detail)
        }
        413 => refusal.reworded(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", detail),
        status @ (414 | 431) => {
            let what = if status == 414 { "The URL is too long" } else { "The header section is too large" };
            let detail = format!("{what}: {detail}. Send the parameters in the form body of a POST.");
            let status = refusal.status();
            refusal.reworded(status, "RequestEntityTooLarge", detail)
        }
        503 => {
            let detail = format!("{UNAVAILABLE} ({detail})");
            refusal.reworded(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", detail)
        }
        500.. => refusal.reworded(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", INTERNAL),
        status => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            not_gone(refusal.reworded(status, "InvalidParameter", detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::field::FieldCode;

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let fields = vec![
            FieldError::new("/size_gib", FieldCode::OutOfRange, "must be 20 to 32768 (GiB)"),
            FieldError::new("/images/3", FieldCode::Invalid, "must be an image reference"),
        ];
        let refusal = of_error(Error::Invalid(fields));
        assert_eq!((refusal.status().as_u16(), refusal.code()), (400, "InvalidParameter"));
        assert_eq!(
            refusal.detail(),
            "The specified parameter ImageCacheSize is not valid: must be 20 to 32768 (GiB). The specified parameter \
             Image.4 is not valid: must be an image reference."
        );
    }

    #[test]
    fn what_layers_made_is_put_into_words() {
        for (made, code, status) in [
            (ProblemResponse::too_large(1), "RequestEntityTooLarge", 413),
            (ProblemResponse::body_timeout(), "RequestTimeout", 408),
            (ProblemResponse::request_timeout(), "ServiceUnavailable", 503),
            (ProblemResponse::audit_unavailable(), "ServiceUnavailable", 503),
            (ProblemResponse::internal("secret cause"), "InternalError", 500),
            (ProblemResponse::broken_body(), "InvalidParameter", 400),
            (refusal(400, "QuotaExceeded", "x"), "QuotaExceeded", 400),
            (refusal(404, "InvalidVSwitchId.NotFound", "x"), "InvalidVSwitchId.NotFound", 400),
            (refusal(404, NOT_THERE, "x"), NOT_THERE, 404),
        ] {
            let worded = of_layer(made);
            assert_eq!((worded.code(), worded.status().as_u16()), (code, status));
            assert!(!worded.detail().contains("secret"));
        }
    }
}
