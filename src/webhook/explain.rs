//! Why an attempt failed, as a sentence for the owner of the endpoint: what was received, and what to change.
//!
//! Pure. The delivery log has coarse codes ([`super::sender::Attempted::error`]), so that it cannot be used as a port
//! scanner; the sentences use only the code, the status, and the host of a redirect, never its path or query.

use ::url::{Position, Url};
use http::StatusCode;
use http::header::{HeaderMap, LOCATION};

/// The target of a redirect, as far as it is shown: the host with its port, and whether it is the requested one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// `https://hooks.example.com`: no path, no query.
    pub origin: String,
    /// Whether only the scheme, the path or the query differs.
    pub same_host: bool,
}

impl Redirect {
    /// The target of a response with that status to a request to `asked`, if it is a redirect with a target.
    pub(super) fn of(asked: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let location = headers.get(LOCATION).filter(|_| status.is_redirection())?;
        let mut target = asked.join(location.to_str().ok()?).ok().filter(Url::has_host)?;
        // A URL with a host can have both.
        let _cleared = target.set_username("").and_then(|()| target.set_password(None));
        let origin = target[..Position::BeforePath].to_owned();
        Some(Self { origin, same_host: target.host() == asked.host() })
    }
}

/// A sentence about a failed attempt: its code, the response's status if there was one, the target of a redirect.
pub fn explain(error: &str, status: Option<u16>, redirect: Option<&Redirect>) -> String {
    match error {
        "redirect" => redirected(status, redirect),
        "status" | "gone" => answered(status.unwrap_or_default()),
        "timeout" => "it did not answer in time, which includes name lookup, connection and TLS: answer before you \
         process the event; timeout_seconds can be raised to 30"
            .into(),
        "tls" => "the TLS connection failed: the certificate must be currently valid, match this name and be signed \
         by an authority that the gateway's operator trusts, and the port must speak TLS"
            .into(),
        "unresolvable" => {
            "its name does not resolve where the gateway runs: check the spelling, and whether the gateway's network \
             can resolve the name"
                .into()
        }
        "unreachable" => {
            "the connection failed: nothing listens on that port, or something in between blocks it".into()
        }
        "broken_connection" => {
            "the connection ended before a response arrived: check that the port speaks HTTP/1.1, and with TLS if \
             the URL is https"
                .into()
        }
        "address_refused" => {
            "its address is not allowed for webhooks: the gateway's operator configures which networks, hosts and \
             ports are"
                .into()
        }
        "invalid_request" => "the request is invalid: one of the endpoint's own headers cannot be sent".into(),
        "not_signed" => "the gateway could not sign the message: its operator can find the reason in the log".into(),
        "not_verified" => "its name resolves to a different network than those in which it answered the challenge, \
         and it did not answer the challenge there: the receiver in the new network must answer a \
         webhook_endpoint.challenge with its data.challenge, as it did the first time; nothing else is sent before that"
            .into(),
        "worker_lost" => {
            "the process that sent it ended in the meantime: it is unknown whether the message arrived, so it is \
             sent again"
                .into()
        }
        other => format!("it failed ({other})"),
    }
}

/// What was wrong with the response to a challenge.
pub fn no_echo(status: Option<u16>, answer: &[u8]) -> String {
    let status = status.unwrap_or_default();
    let text = String::from_utf8_lossy(answer);
    let what = match text.trim() {
        "" => "an empty body",
        text if text.starts_with('<') => {
            "an HTML or XML page: something in front of the receiver may be answering \
                                          instead"
        }
        text if serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok() => {
            "JSON whose member `challenge` is not the challenge, or is missing"
        }
        _ => "something else",
    };
    format!("it answered {status} with {what}")
}

fn redirected(status: Option<u16>, redirect: Option<&Redirect>) -> String {
    let status = status.unwrap_or_default();
    let rule = "redirects are never followed: use the URL that answers directly";
    match redirect {
        Some(Redirect { origin, same_host: true }) => {
            format!(
                "it answered {status}, a redirect to a different path or scheme of the same host ({origin}); \
                     {rule}"
            )
        }
        Some(Redirect { origin, .. }) => format!("it answered {status}, a redirect to {origin}; {rule}"),
        None => format!("it answered {status}, a redirect without a target; {rule}"),
    }
}

fn answered(status: u16) -> String {
    let why = match status {
        400 | 422 => {
            "it does not accept the message: a receiver that verifies signatures needs the secret first; provide \
             your own as `secret`, or create the endpoint with `verify_later`"
        }
        401 | 403 | 407 => {
            "it requires a credential, or does not accept the signature: set `headers` with the credential; a \
             receiver that verifies signatures needs the secret first; provide your own as `secret`, or create the \
             endpoint with `verify_later`"
        }
        404 => "there is nothing at that path, or it does not accept POST: check the URL",
        405 => "it does not accept POST at that path: check the URL",
        408 | 504 => "a proxy in front of it timed out: the receiver is slow or unavailable",
        410 => "it wants no more messages: such an endpoint is disabled",
        411 | 413 | 415 => "it does not accept the body: messages are JSON of at most 20 kB with a Content-Length",
        429 => "it receives too many requests, and asks to be called later",
        502 | 503 => "it is unavailable, or a proxy in front of it cannot reach it",
        500..=599 => "it failed internally: see its own log",
        _ => "only 2xx counts as accepted",
    };
    format!("it answered {status}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_sentence_of_its_own() {
        let words = [
            "redirect",
            "status",
            "timeout",
            "tls",
            "unresolvable",
            "unreachable",
            "broken_connection",
            "address_refused",
            "invalid_request",
            "not_signed",
            "not_verified",
            "worker_lost",
        ];
        let mut said: Vec<String> = words.iter().map(|word| explain(word, Some(400), None)).collect();
        assert!(said.iter().all(|sentence| sentence.len() > 40), "{said:?}");
        said.sort();
        said.dedup();
        assert_eq!(said.len(), words.len());
    }

    #[test]
    fn a_redirect_names_the_host_and_what_to_do() {
        let to = |origin: &str, same_host| Redirect { origin: origin.into(), same_host };
        let elsewhere = explain("redirect", Some(307), Some(&to("https://login.example.com", false)));
        assert!(elsewhere.contains("307, a redirect to https://login.example.com; redirects are never"), "{elsewhere}");
        let same = explain("redirect", Some(301), Some(&to("https://a.example", true)));
        assert!(same.contains("the same host (https://a.example)"), "{same}");
        assert!(explain("redirect", Some(304), None).contains("304"));
    }

    #[test]
    fn an_answer_that_is_no_echo_is_told_apart() {
        for (answer, what) in [
            ("", "an empty body"),
            ("<!doctype html>", "HTML"),
            (r#"{"ok": true}"#, "member `challenge`"),
            ("ok", "something else"),
        ] {
            assert!(no_echo(Some(200), answer.as_bytes()).contains(what), "{answer}");
        }
    }
}
