//! Refusals of the token exchange: problems that have OAuth's members, too, so that its clients read them.

use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;

use super::ProblemResponse;
use crate::domain::identity::token_exchange::ExchangeError;
use crate::domain::problem::Code;

/// A token that is not exchanged: 400 whatever was wrong (RFC 6749, 5.2 and RFC 8693, 2.2.2).
pub(super) fn refused(fault: ExchangeError) -> ProblemResponse {
    let mut refusal = ProblemResponse::new(fault.code, fault.detail).at(StatusCode::BAD_REQUEST);
    refusal.0.problem.error = Some(fault.error.to_owned());
    refusal
}

impl ProblemResponse {
    /// A body that should have been a form.
    pub fn not_a_form(detail: String) -> Self {
        Self::new(Code::UnsupportedMediaType, detail)
            .hint("send the parameters as a form, such as with curl --data-urlencode")
    }

    /// A form that cannot be read.
    pub fn malformed_form(detail: impl Into<String>) -> Self {
        Self::new(Code::MalformedForm, detail)
    }

    /// The same refusal with the members of OAuth, whoever made it; nobody may keep it.
    pub fn in_oauth(mut self) -> Self {
        let by_status = match self.0.status.as_u16() {
            429 | 503 => "temporarily_unavailable",
            500.. => "server_error",
            _ => "invalid_request",
        };
        let problem = &mut self.0.problem;
        problem.error.get_or_insert_with(|| by_status.to_owned());
        problem.error_description = Some(described(&problem.detail));
        self.header(CACHE_CONTROL, "no-store")
    }
}

/// What may stand in `error_description`: printable ASCII but for quotes and backslashes (RFC 6749, 5.2).
fn described(detail: &str) -> String {
    let allowed = |letter: char| (letter.is_ascii_graphic() || letter == ' ') && !"\"\\".contains(letter);
    detail.chars().map(|letter| if allowed(letter) { letter } else { '\'' }).collect()
}
