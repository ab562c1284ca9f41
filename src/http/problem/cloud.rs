//! Which HTTP status a refusal of the cloud becomes.
//!
//! Sources disagree about the cloud's own statuses, so the code alone decides:
//!
//! | the cloud's code | status | why |
//! |---|---|---|
//! | `Forbidden`, `Forbidden.…`, `NoPermission`, `….ServiceLinkedRole.Denied` and their kin | 403 | the gateway's account may not do this; more scopes will not help |
//! | `InvalidAccessKeyId…`, `SignatureDoesNotMatch` and their kin | 403 | the cloud does not take the gateway's own key |
//! | `….IncorrectStatus`, `OperationConflict`, `…Conflict…`, `…AlreadyExist…` | 409 | the state is in the way |
//! | `QuotaExceeded…`, `…LimitExceeded…` | 409 | there is no room, until something is removed |
//! | everything else | 422 | the request itself was refused |

use axum::http::StatusCode;

use crate::domain::explain::{is_of_key, is_of_rights};

/// The status of a refusal with `code`.
pub(super) fn status_of(code: &str) -> StatusCode {
    let conflicts = ["IncorrectStatus", "Conflict", "AlreadyExist", "QuotaExceed", "LimitExceed"];
    if code.starts_with("Forbidden") || is_of_rights(code) || is_of_key(code) {
        StatusCode::FORBIDDEN
    } else if conflicts.iter().any(|word| code.contains(word)) {
        StatusCode::CONFLICT
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_decides() {
        for (code, status) in [
            ("Forbidden.RAM", 403),
            ("NoPermission", 403),
            ("CreateServiceLinkedRole.Denied", 403),
            ("ImageCache.IncorrectStatus", 409),
            ("OperationConflict", 409),
            ("QuotaExceeded", 409),
            ("QuotaExceeded.ImageCache", 409),
            ("InvalidParameter.NotFound", 422),
            ("MissingParameter", 422),
            ("SignatureDoesNotMatch", 403),
            ("InvalidAccessKeyId.NotFound", 403),
        ] {
            assert_eq!(status_of(code).as_u16(), status, "{code}");
        }
    }
}
