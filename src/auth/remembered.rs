//! Tokens that were verified lately: a token in use costs a hash, not a signature.
//!
//! What must stay true: only what was verified is remembered, as a hash and never the token; for [`AGE`] at most, not
//! past its end, and not beyond the set of keys that verified it; the number is bounded. What else may end a token
//! (revocations, disabled teams) is looked at for each request, elsewhere.
//!
//! Who calls it: [`super::verify`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use chrono::Duration;

use crate::domain::caller::Caller;
use crate::domain::clock::{Instant, within};

/// How long a verified token is remembered.
const AGE: Duration = Duration::seconds(60);
/// The most that are remembered: some 8 MiB.
const MOST: usize = 16_384;

/// A token and the team that was asked for with it.
type Print = [u8; 32];

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<HashMap<Print, Verified>>);

#[derive(Debug)]
struct Verified {
    caller: Arc<Caller>,
    at: Instant,
    /// Of the key set.
    generation: u64,
}

/// What is remembered of this token stands under this.
pub(super) fn print(token: &str, wanted_team: Option<&str>) -> Print {
    let mut hash = Context::new(&SHA256);
    hash.update(token.as_bytes());
    // No token and no team holds a zero byte: no two pairs are the same bytes.
    if let Some(part) = wanted_team {
        hash.update(&[0]);
        hash.update(part.as_bytes());
    }
    let mut print = [0; 32];
    print.copy_from_slice(hash.finish().as_ref());
    print
}

impl Remembered {
    /// Whose it is, if it was verified lately with that generation of keys.
    pub(super) fn find(&self, print: &Print, generation: u64, now: Instant) -> Option<Arc<Caller>> {
        let verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = verified.get(print).filter(|found| found.holds(generation, now))?;
        Some(Arc::clone(&found.caller))
    }

    /// Remembers what was verified.
    pub(super) fn keep(&self, print: Print, caller: &Arc<Caller>, generation: u64, now: Instant) {
        let mut verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= MOST {
            verified.retain(|_, one| one.holds(generation, now));
            if verified.len() >= MOST {
                verified.clear();
            }
        }
        verified.insert(print, Verified { caller: Arc::clone(caller), at: now, generation });
    }
}

impl Verified {
    fn holds(&self, generation: u64, now: Instant) -> bool {
        let lasts = self.caller.expires_at.is_none_or(|end| now < end);
        self.generation == generation && lasts && within(Some(self.at), AGE, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::caller::CredentialKind;

    fn caller(expires_at: Instant) -> Arc<Caller> {
        Arc::new(Caller {
            team: "a".parse().unwrap(),
            subject: "s".into(),
            credential: "c".into(),
            kind: CredentialKind::Token { jti: None, issued_at: None },
            scopes: Vec::new(),
            expires_at: Some(expires_at),
        })
    }

    #[test]
    fn it_is_forgotten_in_time() {
        let start = Instant::UNIX_EPOCH;
        let (remembered, long) = (Remembered::default(), caller(start + AGE * 2));
        let (one, other) = (print("token", None), print("token", Some("a")));
        assert_ne!(one, other);
        remembered.keep(one, &long, 1, start);
        assert!(remembered.find(&one, 1, start).is_some() && remembered.find(&other, 1, start).is_none());
        assert!(remembered.find(&one, 2, start).is_none(), "other keys");
        assert!(remembered.find(&one, 1, start + AGE).is_none(), "old");
        remembered.keep(one, &caller(start + AGE / 2), 1, start);
        assert!(remembered.find(&one, 1, start + AGE / 2 - Duration::microseconds(1)).is_some());
        assert!(remembered.find(&one, 1, start + AGE / 2).is_none(), "over");
    }

    #[test]
    fn the_number_is_bounded() {
        let (remembered, start) = (Remembered::default(), Instant::UNIX_EPOCH);
        let short = caller(start + Duration::seconds(1));
        for number in 0..MOST {
            remembered.keep(print(&number.to_string(), None), &short, 1, start);
        }
        let later = start + Duration::seconds(1);
        remembered.keep(print("x", None), &caller(later + AGE), 1, later);
        assert_eq!(remembered.0.lock().unwrap().len(), 1, "what is over goes first");
    }
}
