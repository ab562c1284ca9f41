//! How it stands with the keys that tokens are checked with: fetched ahead, shown in metrics, and told by `/readyz`.
//!
//! What must stay true: one issuer of several that has no keys stops nobody else's tokens, and is told; where none has
//! any, the gateway is not ready.
//!
//! Who calls it: the process while it runs, and the pages of readiness.

use crate::app::identity::Identity;
use crate::auth::jwks::KeyState;

impl Identity {
    /// Fetches the keys that tokens are checked with, where they were not yet or are old, so that it is known at once
    /// where that fails, and shows how old they are. Whether those of every issuer are there.
    pub async fn prepare_tokens(&self) -> bool {
        let all = self.verifier.prepare().await;
        self.measure_issuer_keys();
        all
    }

    /// Whether no token can be checked: no issuer's keys can be had.
    pub fn lacks_issuer_keys(&self) -> bool {
        self.verifier.lacks_keys()
    }

    fn measure_issuer_keys(&self) {
        for (issuer, state) in self.verifier.key_states() {
            let age = state.age.unwrap_or_default().as_seconds_f64();
            metrics::gauge!("ecg_issuer_keys_age_seconds", "issuer" => issuer.clone()).set(age);
            let faults = f64::from(u32::try_from(state.faults).unwrap_or(u32::MAX));
            metrics::gauge!("ecg_issuer_keys_skipped", "issuer" => issuer).set(faults);
        }
    }

    /// What is the matter with the keys of issuers, a sentence each.
    pub(in crate::app) fn ailing_issuers(&self) -> Vec<String> {
        let states = self.verifier.key_states();
        states.into_iter().filter_map(|(issuer, state)| ailing(&issuer, &state)).collect()
    }
}

/// What is the matter with the keys of one issuer, if anything is.
fn ailing(issuer: &str, state: &KeyState) -> Option<String> {
    let age = state.age.map_or(0, |age| age.num_seconds());
    match (&state.failure, state.missing) {
        (Some(_), true) => Some(format!(
            "the keys of the issuer {issuer} cannot be fetched: requests with its tokens are answered \
                          with 503"
        )),
        (Some(_), false) => Some(format!(
            "the keys of the issuer {issuer} cannot be refreshed: those fetched {age} s ago are trusted until they \
             are too old"
        )),
        (None, _) => None,
    }
}
