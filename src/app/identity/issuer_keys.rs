//! The state of the keys that tokens are verified with: fetched ahead, shown in metrics, and reported by `/readyz`.
//!
//! What must stay true: if one of several issuers has no keys, that is reported and does not stop other issuers'
//! tokens; if none has keys, the gateway is not ready.
//!
//! The process calls it while it runs, and so does readiness.

use crate::app::identity::Identity;
use crate::auth::jwks::KeyState;

impl Identity {
    /// Fetches the verification keys that are missing or old, so that a failure is known at once, and updates the
    /// metrics of their age. Returns whether every issuer's keys are there.
    pub async fn prepare_tokens(&self) -> bool {
        let all = self.verifier.prepare().await;
        self.measure_issuer_keys();
        all
    }

    /// Whether no token can be verified, because no issuer's keys are available.
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

    /// The problems with issuers' keys, one sentence each.
    pub(in crate::app) fn ailing_issuers(&self) -> Vec<String> {
        let states = self.verifier.key_states();
        states.into_iter().filter_map(|(issuer, state)| ailing(&issuer, &state)).collect()
    }
}

/// The problem with one issuer's keys, if there is one.
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
