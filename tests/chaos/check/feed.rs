//! The feed: a reader that keeps its cursor misses nothing and reads nothing twice, whatever happens to the database.

use std::collections::BTreeMap;

use super::evidence::{ClientFact, Evidence};

/// Since a reader was last told to start again, it has read each event of its team exactly once; before that, none
/// twice.
pub(super) fn read_once(evidence: &Evidence) -> Vec<String> {
    let mut found = Vec::new();
    let mut read: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for fact in &evidence.clients {
        match fact {
            ClientFact::Heard { team, events } => {
                let times = read.entry(team).or_default();
                for event in events {
                    *times.entry(event).or_default() += 1;
                    if times[event.as_str()] == 2 {
                        found.push(format!("{team} read {event} twice"));
                    }
                }
            }
            ClientFact::Anew { team } => drop(read.insert(team, BTreeMap::new())),
            _ => {}
        }
    }
    for event in &evidence.events {
        let was_read = read.get_mut(event.team.as_str()).and_then(|times| times.remove(event.id.as_str()));
        if was_read.is_none() {
            found.push(format!("{} never read {event:?}", event.team));
        }
    }
    let invented = read.into_iter().flat_map(|(team, times)| times.into_keys().map(move |event| (team, event)));
    found.extend(invented.map(|(team, event)| format!("{team} read {event}, which there is not")));
    found
}
