//! What was acknowledged after a dump, and is lost with the database that it is lost from.
//!
//! What must stay true: nothing is forgotten that was told before or after; of what is, the cloud's ids stay, by the
//! keys of the creates: a repeated create must find the image cache that is there.

use chrono::{DateTime, Utc};

use super::evidence::{ClientFact, Evidence};

/// Takes out of the evidence what is lost by design.
pub(crate) fn forget(evidence: &mut Evidence) {
    let mut since: Option<DateTime<Utc>> = None;
    for fact in std::mem::take(&mut evidence.clients) {
        match (&fact, since) {
            (ClientFact::LossBegins { at }, _) => since = Some(*at),
            (ClientFact::LossEnds { at }, Some(begun)) => {
                // Whatever was told meanwhile.
                evidence.hooks.retain(|hook| !(begun..=*at).contains(&hook.at));
                since = None;
            }
            (ClientFact::Answered { key: Some(key), eci_cache_id: Some(id), .. }, Some(_)) => {
                evidence.lost.push((key.clone(), id.clone()));
            }
            (ClientFact::GaveUp { .. } | ClientFact::Anew { .. }, _) | (_, None) => evidence.clients.push(fact),
            (_, Some(_)) => {}
        }
    }
}
