//! Recently verified tokens: a token in use costs a hash instead of a signature check.
//!
//! What must stay true: only verified tokens are remembered, and only their hashes; for at most [`AGE`], not past their
//! expiry, and not beyond the configuration of their issuer and the set of keys that verified them (the
//! [`VerificationStamp`], which the caller compares); the number is bounded. Whatever else may invalidate a token
//! (revocations, disabled teams) is checked elsewhere for each request.
//!
//! Called by [`super::verify`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use chrono::Duration;

use crate::domain::clock::{Instant, within};
use crate::domain::identity::caller::Caller;

/// How long a verified token is remembered.
const AGE: Duration = Duration::seconds(60);
/// The maximum number of remembered tokens: about 8 MiB.
const MOST: usize = 16_384;

/// The hash of a token and the team requested with it.
type TokenDigest = [u8; 32];

/// The remembered tokens.
#[derive(Debug, Default)]
pub(super) struct VerifiedTokens(Mutex<HashMap<TokenDigest, Verified>>);

#[derive(Debug)]
struct Verified {
    caller: Arc<Caller>,
    at: Instant,
    stamp: VerificationStamp,
}

/// What verified a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VerificationStamp {
    /// Identifies the configuration of the issuer.
    pub(super) epoch: u64,
    /// Identifies the set of its keys.
    pub(super) generation: u64,
}

/// The hash of this token and team.
pub(super) fn print(token: &str, wanted_team: Option<&str>) -> TokenDigest {
    let mut hash = Context::new(&SHA256);
    hash.update(token.as_bytes());
    // Neither a token nor a team contains a zero byte, so different pairs never give the same bytes.
    if let Some(part) = wanted_team {
        hash.update(&[0]);
        hash.update(part.as_bytes());
    }
    let mut print = [0; 32];
    print.copy_from_slice(hash.finish().as_ref());
    print
}

impl VerifiedTokens {
    /// The caller, if the token was verified recently, and what verified it.
    pub(super) fn find(&self, print: &TokenDigest, now: Instant) -> Option<(Arc<Caller>, VerificationStamp)> {
        let verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = verified.get(print).filter(|found| found.holds(now))?;
        Some((Arc::clone(&found.caller), found.stamp))
    }

    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Remembers a verified token.
    pub(super) fn keep(&self, print: TokenDigest, caller: &Arc<Caller>, stamp: VerificationStamp, now: Instant) {
        let mut verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= MOST {
            verified.retain(|_, one| one.holds(now));
            if verified.len() >= MOST {
                verified.clear();
            }
        }
        verified.insert(print, Verified { caller: Arc::clone(caller), at: now, stamp });
    }
}

impl Verified {
    fn holds(&self, now: Instant) -> bool {
        let lasts = self.caller.expires_at.is_none_or(|end| now < end);
        lasts && within(Some(self.at), AGE, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::caller::CredentialKind;

    fn caller(expires_at: Instant) -> Arc<Caller> {
        Arc::new(Caller {
            team: "a".parse().unwrap(),
            subject: "s".into(),
            credential: "c".into(),
            kind: CredentialKind::Token { jti: None, issued_at: None },
            scopes: Vec::new(),
            expires_at: Some(expires_at),
            provenance: None,
        })
    }

    const STAMP: VerificationStamp = VerificationStamp { epoch: 1, generation: 1 };

    #[test]
    fn it_is_forgotten_in_time() {
        let start = Instant::UNIX_EPOCH;
        let (remembered, long) = (VerifiedTokens::default(), caller(start + AGE * 2));
        let (one, other) = (print("token", None), print("token", Some("a")));
        assert_ne!(one, other);
        remembered.keep(one, &long, STAMP, start);
        assert!(remembered.find(&one, start).is_some() && remembered.find(&other, start).is_none());
        assert_eq!(remembered.find(&one, start).unwrap().1, STAMP, "whoever asks compares it");
        assert!(remembered.find(&one, start + AGE).is_none(), "old");
        remembered.keep(one, &caller(start + AGE / 2), STAMP, start);
        assert!(remembered.find(&one, start + AGE / 2 - Duration::microseconds(1)).is_some());
        assert!(remembered.find(&one, start + AGE / 2).is_none(), "over");
        remembered.keep(one, &long, STAMP, start);
        remembered.forget();
        assert!(remembered.find(&one, start).is_none(), "all of it");
    }

    #[test]
    fn the_number_is_bounded() {
        let (remembered, start) = (VerifiedTokens::default(), Instant::UNIX_EPOCH);
        let short = caller(start + Duration::seconds(1));
        for number in 0..MOST {
            remembered.keep(print(&number.to_string(), None), &short, STAMP, start);
        }
        let later = start + Duration::seconds(1);
        remembered.keep(print("x", None), &caller(later + AGE), STAMP, later);
        assert_eq!(remembered.0.lock().unwrap().len(), 1, "what is over goes first");
    }
}
