//! Removes from the evidence what was acknowledged after a dump and lost with the old database.
//!
//! What must stay true: nothing is removed that a client was told before or after, nor that an event in the dump was
//! received; of what is removed, the cloud's ids are kept by the keys of the creates: a repeated create must find the
//! existing image cache.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::evidence::{ClientFact, Evidence};

/// Removes from the evidence what is lost by design.
pub(crate) fn forget(evidence: &mut Evidence) {
    let mut since: Option<DateTime<Utc>> = None;
    let kept: BTreeSet<String> = evidence.events.iter().map(|event| event.id.clone()).collect();
    for fact in std::mem::take(&mut evidence.clients) {
        match (&fact, since) {
            (ClientFact::LossBegins { at }, _) => since = Some(*at),
            (ClientFact::LossEnds { at }, Some(begun)) => {
                // Everything about what was lost.
                evidence.hooks.retain(|hook| kept.contains(&hook.id) || !(begun..=*at).contains(&hook.at));
                since = None;
            }
            (ClientFact::Answered { key: Some(key), eci_cache_id: Some(id), .. }, Some(_)) => {
                evidence.lost.push((key.clone(), id.clone()));
            }
            (ClientFact::Heard { team, events }, Some(_)) => {
                let events = events.iter().filter(|event| kept.contains(*event)).cloned().collect();
                evidence.clients.push(ClientFact::Heard { team: team.clone(), events });
            }
            (ClientFact::GaveUp { .. } | ClientFact::Anew { .. }, _) | (_, None) => evidence.clients.push(fact),
            (_, Some(_)) => {}
        }
    }
}
