//! The body as a form (`application/x-www-form-urlencoded`), pair by pair. A route that takes one takes no query: a
//! token that stands in a URL stands in logs, too.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

use super::json::read_body;
use crate::app::admission;
use crate::http::HttpSettings;
use crate::http::exchange::Exchange;
use crate::http::problem::ProblemResponse;

const FORM: &str = "application/x-www-form-urlencoded";
/// The largest form: a token has 8 KiB at most.
const MAX_BYTES: usize = 32 * 1024;
/// The most pairs.
const MAX_PAIRS: usize = 64;

/// The pairs of a form, in their order.
#[derive(Debug)]
pub struct Form(pub Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, _: &S) -> Result<Self, ProblemResponse> {
        let (parts, body) = request.into_parts();
        let settings = Exchange::of(&parts).map(|exchange| exchange.settings).unwrap_or_default();
        check_type(&parts.headers)?;
        if parts.uri.query().is_some_and(|query| !query.is_empty()) {
            return Err(ProblemResponse::malformed_form("all parameters must be in the body, none in the URL"));
        }
        let settings = HttpSettings { max_body_bytes: settings.max_body_bytes.min(MAX_BYTES), ..settings };
        let raw = admission::without_permit(read_body(&parts.headers, body, settings)).await?;
        pairs(&raw).map(Self)
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), ProblemResponse> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (first, second) = (values.next().and_then(|value| value.to_str().ok()), values.next());
    let essence = first.map(|text| text.split(';').next().unwrap_or_default().trim());
    let good = second.is_none() && essence.is_some_and(|essence| essence.eq_ignore_ascii_case(FORM));
    if good { Ok(()) } else { Err(ProblemResponse::not_a_form(format!("Content-Type must be {FORM}"))) }
}

fn pairs(raw: &[u8]) -> Result<Vec<(String, String)>, ProblemResponse> {
    // What is no UTF-8 would be read with replacement characters.
    let text = std::str::from_utf8(raw).map_err(|_| ProblemResponse::malformed_form("the body must be UTF-8"))?;
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    let hidden = std::str::from_utf8(&decoded).map_or(true, |text| text.contains('\0'));
    if hidden {
        return Err(ProblemResponse::malformed_form("percent-encoded values must be UTF-8 without NUL"));
    }
    let pairs: Vec<_> = url::form_urlencoded::parse(raw).into_owned().take(MAX_PAIRS + 1).collect();
    if pairs.len() > MAX_PAIRS {
        return Err(ProblemResponse::malformed_form(format!("there may be at most {MAX_PAIRS} parameters")));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_form_is_taken() {
        let typed = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, value.parse().unwrap());
            }
            check_type(&headers).is_ok()
        };
        assert!(typed(&[FORM]) && typed(&["Application/X-WWW-Form-Urlencoded; charset=UTF-8"]));
        for bad in [&[][..], &["application/json"], &["multipart/form-data; boundary=x"], &[FORM, FORM], &[""]] {
            assert!(!typed(bad), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert_eq!(pairs(b"a=1&b=%20+x&a=").unwrap().len(), 3);
        for bad in [&b"a=\xff"[..], b"a=%ff", b"a=%00", "a=1&".repeat(65).as_bytes()] {
            assert_eq!(pairs(bad).unwrap_err().code(), "malformed_form");
        }
    }
}
