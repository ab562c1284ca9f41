//! What it means that an `Idempotency-Key` was used before.
//!
//! What must stay true: a request with a key has its effect at most once. An effect that is one transaction commits
//! together with the response that is kept, so a key without a response had no effect. An effect outside the database
//! is announced first; if its request dies, nobody can tell whether it happened, and it is never repeated.

/// What is recorded about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedKey {
    /// Whether the request that it was used with is this one.
    pub is_same_request: bool,
    /// Whether the response is kept.
    pub has_response: bool,
    /// Whether the first request may still be running.
    pub is_running: bool,
}

/// What to do with a request that has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyVerdict {
    /// The key is new: carry the request out.
    Run,
    /// Answer with the response that is kept.
    Replay,
    /// Refuse: the key was used with another request.
    Mismatch,
    /// Refuse for now: the first request is still running.
    InFlight,
    /// Refuse: the first request died, and whether it had its effect is not known.
    Unknown,
}

/// What to do with a request whose key is recorded like this; `None` if it is not recorded.
pub fn judge(recorded: Option<RecordedKey>) -> KeyVerdict {
    match recorded {
        None => KeyVerdict::Run,
        Some(RecordedKey { is_same_request: false, .. }) => KeyVerdict::Mismatch,
        Some(RecordedKey { has_response: true, .. }) => KeyVerdict::Replay,
        Some(RecordedKey { is_running: true, .. }) => KeyVerdict::InFlight,
        Some(_) => KeyVerdict::Unknown,
    }
}

/// The parts of a request as one text, from which it is told from others. Each part is preceded by its length, so that
/// no two lists of parts are the same text.
pub fn meaning(parts: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::new();
    for part in parts {
        text.extend((part.len() as u64).to_be_bytes());
        text.extend(*part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_key_runs_and_only_the_same_request_learns_how_it_went() {
        assert_eq!(judge(None), KeyVerdict::Run);
        for bits in 0..8 {
            let [is_same_request, has_response, is_running] = [1, 2, 4].map(|bit| bits & bit != 0);
            let verdict = judge(Some(RecordedKey { is_same_request, has_response, is_running }));
            let expected = match (is_same_request, has_response, is_running) {
                (false, ..) => KeyVerdict::Mismatch,
                (true, true, _) => KeyVerdict::Replay,
                (true, false, true) => KeyVerdict::InFlight,
                (true, false, false) => KeyVerdict::Unknown,
            };
            assert_eq!(verdict, expected);
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(meaning(&[b"ab", b"c"]), meaning(&[b"a", b"bc"]));
        assert_ne!(meaning(&[b"a", b""]), meaning(&[b"a"]));
    }
}
