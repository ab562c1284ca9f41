//! What a token contains and what is expected, for a check that failed: for an operator who has the token.

use serde_json::{Map, Value};

use crate::auth::claims::Claims;
use crate::auth::issuer::CLIENT_CLAIMS;
use crate::auth::keys::KeySet;
use crate::auth::token::ParsedToken;
use crate::auth::verify::Issuers;
use crate::domain::clock::Instant;
use crate::domain::identity::issuer::{Issuer, excerpt, pointer};

/// The maximum number of issuers or keys that are listed.
const MAX_NAMED: usize = 10;

/// Its issuer, and the configured issuers.
pub(super) fn of_issuer(token: &ParsedToken, issuers: &Issuers) -> Vec<String> {
    vec![claim(token.claims(), "iss"), format!("the issuers here are {}", some(&issuers.described()))]
}

/// The key that it names, and the issuer's keys.
pub(super) fn of_key(token: &ParsedToken, keys: &KeySet) -> Vec<String> {
    let named = match &token.kid {
        Some(kid) => format!("its kid is {}", excerpt::list(std::slice::from_ref(kid))),
        None => "it has no kid".to_owned(),
    };
    let named = format!("{named}, its alg {}", token.algorithm);
    vec![named, format!("the issuer's keys are {}", some(&keys.described()))]
}

/// Its audience, and the expected one.
pub(super) fn of_audience(claims: &Map<String, Value>, issuer: &Issuer) -> Vec<String> {
    let mut facts = vec![claim(claims, "aud")];
    if !issuer.audiences.is_empty() {
        facts.push(format!("the issuer's audiences are {}", some(&issuer.audiences)));
    }
    if !issuer.client_ids.is_empty() {
        facts.extend(CLIENT_CLAIMS.iter().filter(|name| claims.contains_key(**name)).map(|name| claim(claims, name)));
        facts.push(format!("the issuer's client_ids are {}", some(&issuer.client_ids)));
    }
    facts
}

/// When it begins and ends, the current time, and the maximum lifetime.
pub(super) fn of_times(claims: &Map<String, Value>, issuer: &Issuer, now: Instant) -> Vec<String> {
    let at = |name: &'static str| match Claims(claims).instant(name) {
        Ok(Some(instant)) => format!("{name} is {}", instant.to_rfc3339()),
        Ok(None) | Err(_) => claim(claims, name),
    };
    let mut facts: Vec<String> = ["iat", "nbf", "exp"].into_iter().map(at).collect();
    facts.push(format!("it is {} now; clocks may differ by {} s", now.to_rfc3339(), issuer.leeway_seconds));
    let claims = Claims(claims);
    if let Ok(Some(end)) = claims.instant("exp") {
        let lives = (end - claims.instant("iat").ok().flatten().unwrap_or(now)).num_seconds();
        let limit = issuer.max_lifetime_seconds;
        facts.push(format!(
            "its lifetime from iat (or now) to exp is {lives} s, and at most {limit} s is allowed \
                            (max_lifetime_seconds)"
        ));
    }
    facts
}

fn claim(claims: &Map<String, Value>, name: &str) -> String {
    excerpt::sentence(claims, &pointer::of_name(name))
}

fn some(words: &[String]) -> String {
    let named = words.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match words.len().saturating_sub(MAX_NAMED) {
        _ if words.is_empty() => "none".to_owned(),
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
