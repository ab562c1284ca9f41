//! Who asks, and whether they may: the first argument of every handler under `/v1`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::app::{Call, Error, access};
use crate::domain::identity::caller::Caller;
use crate::domain::limits::Party;
use crate::domain::limits::queue::Class;
use crate::domain::problem::Code;
use crate::http::DoorState;
use crate::http::exchange::Exchange;
use crate::http::headers;
use crate::http::problem::ProblemResponse;

/// Schemes of `Authorization` that are named where they are sent.
const SCHEMES: [&str; 8] = ["Basic", "Digest", "Negotiate", "NTLM", "Token", "ApiKey", "JWT", "AWS4-HMAC-SHA256"];
/// Headers in which other APIs take a key: as they are looked for, and as they are shown.
const KEY_HEADERS: [(&str, &str); 3] =
    [("x-api-key", "X-API-Key"), ("api-key", "Api-Key"), ("x-auth-token", "X-Auth-Token")];

/// A caller whose credential is good and carries the scope of this route's operation, and who has a place among those
/// that are worked for.
///
/// The scope is checked here, before anything else of the request is read, and again in `app`, where every door
/// is checked. A layer that had to know it before the handler leaves it in the request's extensions.
#[derive(Debug, Clone)]
pub struct Authorized {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// This request.
    pub call: Call,
}

impl FromRequestParts<DoorState> for Authorized {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, door: &DoorState) -> Result<Self, ProblemResponse> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let exchange =
            Exchange::of(parts).ok_or_else(|| ProblemResponse::internal("a route stands outside the wrapper"))?;
        let operation =
            exchange.operation.ok_or_else(|| ProblemResponse::internal("a route is not in the access table"))?;
        let token = bearer(&parts.headers)?;
        let caller =
            door.gateway.identity().authenticate(&exchange.call, &exchange.place, token, team(&parts.headers)).await?;
        // The wrapper names the caller even if the next line refuses them.
        let caller = Arc::clone(exchange.caller.get_or_init(|| caller));
        caller.provenance.iter().for_each(|provenance| exchange.call.comes_by(provenance));
        exchange.place.count(&caller.team)?;
        access::check(&caller, operation)?;
        if !access::is_platforms(&caller, operation) {
            door.gateway.policies().check_team(&caller).await?;
        }
        let access = access::of(operation);
        if access.is_some_and(|access| access.changes && !access.if_match) {
            headers::refuse_precondition(&parts.headers)?;
        }
        let class = access.map_or(Class::Read, |access| access.class);
        exchange.place.enter(class, Party::Team(caller.team.clone())).await?;
        Ok(Self { caller, call: exchange.call.clone() })
    }
}

/// Refuses who may not call an operation that is open to operators although it is none of the API: it stands in no line
/// and has no audit entry, but a flood of bad credentials is bounded as elsewhere.
pub async fn authorize(door: &DoorState, exchange: &Exchange, headers: &HeaderMap) -> Result<(), ProblemResponse> {
    let operation =
        exchange.operation.ok_or_else(|| ProblemResponse::internal("a route is not in the access table"))?;
    let let_in = async {
        let caller = door
            .gateway
            .identity()
            .authenticate(&exchange.call, &exchange.place, bearer(headers)?, team(headers))
            .await?;
        // The platform's: its own team may be disabled.
        access::check(&caller, operation)
    };
    match let_in.await {
        Err(error @ Error::Unauthenticated { .. }) => {
            exchange.place.count_unauthenticated()?;
            Err(error.into())
        }
        other => Ok(other?),
    }
}

/// The team that is asked for. What is not even ASCII, or stands there twice, is no team's name: it is refused as any
/// other wrong one.
pub fn team(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all("x-team").iter();
    let only = values.next()?;
    Some(only.to_str().ok().filter(|_| values.next().is_none()).unwrap_or("?"))
}

/// What stands behind `Authorization: Bearer `. Another scheme counts as no credential, and is named.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        let elsewhere = KEY_HEADERS.into_iter().find(|(name, _)| headers.contains_key(*name));
        return elsewhere.map_or(Ok(None), |(_, shown)| Err(missing(&format!("the header {shown} is not supported"))));
    };
    let text = value.to_str().map_err(|_| malformed("the Authorization header is not ASCII"))?;
    if values.next().is_some() {
        return Err(malformed("the Authorization header was sent more than once"));
    }
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let token = token.trim();
    match scheme.eq_ignore_ascii_case("bearer") {
        true if token.is_empty() => Err(missing("Authorization has no token after Bearer")),
        true => Ok(Some(token)),
        false => Err(missing(&not_bearer(scheme, token))),
    }
}

/// What was sent in place of `Bearer`. A word that is not on the list may be the secret itself: it is not repeated.
fn not_bearer(scheme: &str, token: &str) -> String {
    match SCHEMES.into_iter().find(|known| scheme.eq_ignore_ascii_case(known)) {
        Some(known) => format!("Authorization has the scheme {known}"),
        None if token.is_empty() => "Authorization has no scheme: it must begin with Bearer and a space".to_owned(),
        None => "Authorization has a scheme other than Bearer".to_owned(),
    }
}

fn missing(instead: &str) -> Error {
    let detail = format!("a bearer token is required, and {instead}");
    Error::Unauthenticated { code: Code::TokenMissing, detail }
}

fn malformed(detail: &str) -> Error {
    Error::Unauthenticated { code: Code::TokenMalformed, detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, Error> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        bearer(&headers).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn only_one_bearer_token_counts() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&["Bearer abc"]).unwrap().as_deref(), Some("abc"));
        assert_eq!(read(&["bearer  abc "]).unwrap().as_deref(), Some("abc"));
        assert!(read(&["Bearer a", "Bearer b"]).is_err());
    }

    #[test]
    fn what_was_sent_in_its_place_is_named_and_not_repeated() {
        for (sent, named) in [
            ("Basic aHVudGVyMg==", "the scheme Basic"),
            ("bASIC aHVudGVyMg==", "the scheme Basic"),
            ("Token hunter2", "the scheme Token"),
            ("ecg_hunter2", "must begin with Bearer and a space"),
            ("hunter2 hunter2", "a scheme other than Bearer"),
            ("Bearer ", "no token after Bearer"),
        ] {
            let told = read(&[sent]).unwrap_err().to_string();
            assert!(told.contains(named) && !told.contains("hunter2") && !told.contains("aHVu"), "{sent}: {told}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", "hunter2".parse().unwrap());
        let told = bearer(&headers).unwrap_err().to_string();
        assert!(told.contains("the header X-API-Key is not supported") && !told.contains("hunter2"), "{told}");
    }
}
