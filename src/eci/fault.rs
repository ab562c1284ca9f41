//! Classifies an unsuccessful response by its `Code`, never by the HTTP status.
//!
//! What must stay true: `Refused` and `Throttled` are returned only if nothing was done. Anything doubtful is
//! `Unknown`, and the rules for operations find out what happened.
//!
//! `Message` is redacted here, before it can be logged or stored: the cloud echoes the string to sign, which contains
//! the access key id, the STS token and registry passwords.
//!
//! Called by the client. It does not handle transport errors, which have no response.

use serde_json::{Map, Value};

use super::sign_v1::encode;
use crate::domain::failure::{CallError, CloudError, MissingRight};

/// The maximum stored length of `Message`, in characters.
const MESSAGE: usize = 1_000;
/// The maximum stored length of `Code` and `RequestId`, in characters.
const WORD: usize = 128;
/// Where the cloud begins to echo what was signed: first V1, then V3.
const ECHOES: [&str; 2] = ["string to sign is:", "stringtosign is"];
/// The replacement of a secret. It contains no letters, so that replacing one secret does not create a match for
/// another.
const BLANK: &str = "***";

/// The error that a response means. `body` may be anything; `secrets` are replaced wherever they are echoed.
pub fn classify(http_status: u16, body: &[u8], secrets: &[&str]) -> CallError {
    let envelope: Option<Map<String, Value>> = serde_json::from_slice(body).ok();
    match envelope.as_ref().and_then(|envelope| Some((envelope, error_code(envelope)?))) {
        Some((envelope, code)) => sort(read(envelope, code, http_status, secrets)),
        None => CallError::Unknown(format!("HTTP {http_status} with a response that cannot be parsed")),
    }
}

/// The error's `Code`; `None` if the body is a success or has no readable code.
///
/// Some gateways put `Code: 200` or `OK` into a successful response.
pub fn error_code(envelope: &Map<String, Value>) -> Option<&str> {
    let code = envelope.get("Code")?.as_str()?;
    let readable = code.starts_with(|first: char| first.is_ascii_alphabetic());
    (readable && !["OK", "Success"].contains(&code)).then_some(code)
}

fn sort(error: CloudError) -> CallError {
    let code = error.code.as_str();
    if code.starts_with("Throttling") || ["Degrade.Api", "Rejected.Throttling"].contains(&code) {
        CallError::Throttled(error)
    } else if code.starts_with("InvalidTimeStamp") {
        // Refused because of its timestamp, not its content: our clock was wrong, or the request took too long to
        // arrive.
        CallError::NotSent(format!("{code}: {}", error.message))
    } else if is_doubtful(code) {
        CallError::Unknown(format!(
            "{code}: {} (RequestId {})",
            error.message,
            error.request_id.as_deref().unwrap_or("none")
        ))
    } else {
        CallError::Refused(error)
    }
}

/// Codes that do not prove that nothing was done.
///
/// `LastTokenProcessing`: an earlier attempt with the same token is in progress. `SignatureNonceUsed`: the same request
/// has arrived before (something between us and the cloud sent it twice), and that one may have been carried out.
fn is_doubtful(code: &str) -> bool {
    let begins = ["Internal", "UnknownError", "SystemError", "LastTokenProcessing", "SignatureNonceUsed"];
    let holds = ["serviceunavailable", "internalerror", "timeout"];
    let lower = code.to_ascii_lowercase();
    begins.iter().any(|word| code.starts_with(word)) || holds.iter().any(|word| lower.contains(word))
}

/// Whether a call was refused only because of the temporary credentials that signed it.
pub fn is_of_token(error: &CloudError) -> bool {
    ["InvalidSecurityToken", "MissingSecurityToken", "InvalidAccessKeyId"]
        .iter()
        .any(|word| error.code.starts_with(word))
}

fn read(envelope: &Map<String, Value>, code: &str, http_status: u16, secrets: &[&str]) -> CloudError {
    let text = |key: &str| envelope.get(key).and_then(Value::as_str).unwrap_or_default();
    let word = |text: &str| cut(&blank(text, secrets), WORD);
    CloudError {
        code: word(code),
        message: redact(text("Message"), secrets),
        request_id: Some(word(text("RequestId"))).filter(|id| !id.is_empty()),
        http_status,
        denied: denied(envelope, |text| word(text)).map(Box::new),
    }
}

/// An object, or a string that contains one as JSON: SDKs know both.
fn denied(envelope: &Map<String, Value>, word: impl Fn(&str) -> String) -> Option<MissingRight> {
    let detail = match envelope.get("AccessDeniedDetail")? {
        Value::Object(detail) => detail.clone(),
        Value::String(text) => serde_json::from_str(text).ok()?,
        _ => return None,
    };
    let text = |key: &str| word(detail.get(key).and_then(Value::as_str).unwrap_or_default());
    Some(MissingRight { right: text("AuthAction"), kind: text("NoPermissionType"), policy: text("PolicyType") })
}

/// The message without the echoed string to sign and without any of `secrets`, cut to 1,000 characters.
pub fn redact(message: &str, secrets: &[&str]) -> String {
    // ASCII lowercasing preserves byte offsets.
    let lower = message.to_ascii_lowercase();
    let end = ECHOES.iter().filter_map(|echo| lower.find(echo).map(|at| at + echo.len())).min();
    cut(&blank(&message[..end.unwrap_or(message.len())], secrets), MESSAGE)
}

fn blank(text: &str, secrets: &[&str]) -> String {
    let mut spellings: Vec<String> = secrets
        .iter()
        .filter(|secret| !secret.is_empty())
        .flat_map(|secret| [(*secret).to_owned(), encode(secret), encode(&encode(secret))])
        .collect();
    // Longest first, so that a secret that is part of another one does not leave the rest of it visible.
    spellings.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
    spellings.dedup();
    spellings.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), BLANK))
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: u16, code: &str) -> CallError {
        let body = format!(r#"{{"RequestId":"R","HostId":"h","Code":"{code}","Message":"m","Recommend":"u"}}"#);
        classify(status, body.as_bytes(), &[])
    }

    #[test]
    fn the_code_decides_and_the_status_does_not() {
        for status in [200, 400, 403, 500, 503] {
            for code in ["Throttling", "Throttling.User", "Degrade.Api", "Rejected.Throttling"] {
                assert!(matches!(fault(status, code), CallError::Throttled(_)), "{status} {code}");
            }
            for code in [
                "ServiceUnavailable",
                "InternalError",
                "RequestTimeout",
                "Backend.TimeOut",
                "InternalServerError",
                "SignatureNonceUsed",
                "LastTokenProcessing",
            ] {
                assert!(matches!(fault(status, code), CallError::Unknown(_)), "{status} {code}");
            }
            for code in ["QuotaExceeded", "IdempotentParameterMismatch", "ImageCache.IncorrectStatus", "Forbidden.RAM"]
            {
                assert!(matches!(fault(status, code), CallError::Refused(_)), "{status} {code}");
            }
        }
        assert_eq!(fault(403, "QuotaExceeded").cloud_error().and_then(|error| error.request_id.as_deref()), Some("R"));
    }

    #[test]
    fn the_right_that_is_missing_is_read_in_both_forms() {
        let detail = r#"{"AuthAction":"eci:DeleteImageCache","NoPermissionType":"ImplicitDeny","PolicyType":"k-id"}"#;
        let text = serde_json::to_string(detail).expect("a text");
        for (shape, is_read) in
            [(detail, true), (text.as_str(), true), ("7", false), ("\"no\"", false), ("null", false)]
        {
            let body = format!(r#"{{"Code":"Forbidden.RAM","Message":"m","AccessDeniedDetail":{shape}}}"#);
            let fault = classify(403, body.as_bytes(), &["k-id"]);
            let denied = fault.cloud_error().expect("refused").denied.clone();
            let read = MissingRight {
                right: "eci:DeleteImageCache".into(),
                kind: "ImplicitDeny".into(),
                policy: "***".into(),
            };
            assert_eq!(denied, is_read.then(|| Box::new(read)), "{shape}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        for body in ["", "<html>", "[]", "{}", r#"{"Code":502}"#, r#"{"Code":""}"#, r#"{"Code":null}"#, "\u{fffd}{"] {
            for status in [200, 302, 400, 502] {
                assert!(matches!(classify(status, body.as_bytes(), &[]), CallError::Unknown(_)), "{status} {body}");
            }
        }
    }

    #[test]
    fn an_echoed_string_to_sign_is_cut_off() {
        let message =
            "Specified signature is not matched with our calculation. server string to sign is:POST&%2F&key-id";
        assert_eq!(
            redact(message, &[]),
            "Specified signature is not matched with our calculation. server string to sign is:"
        );
        assert_eq!(
            redact("x. server StringToSign is [secret] server CanonicalRequest is [s]", &[]),
            "x. server StringToSign is"
        );
    }

    #[test]
    fn echoed_secrets_are_blanked_in_every_spelling() {
        let secrets = ["p&ss w", "p&ss"];
        let twice = encode(&encode(secrets[0]));
        let message = format!("bad p&ss w, p%26ss%20w, {twice} and p&ss");
        assert_eq!(redact(&message, &secrets), "bad ***, ***, *** and ***");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(redact(&"é".repeat(5_000), &[]).chars().count(), 1_000);
    }
}
