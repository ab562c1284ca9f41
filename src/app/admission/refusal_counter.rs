//! Audit entries for refused requests: one entry a second for each team, address and code, with the number of requests.
//!
//! A request that is refused because there are too many must cost next to nothing, so it gets no entry of its own, and
//! its answer does not wait for one. What must stay true: no refusal is forgotten as long as the process shuts down
//! properly; memory is bounded, because beyond a number of different parties in a second the rest share an entry. The
//! counts are at most a second old when they are written.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;

use super::lock;
use crate::app::admission::Admission;
use crate::domain::audit::{Actor, Outcome};
use crate::domain::identity::caller::TeamId;
use crate::domain::limits::address_block;

/// The action of the entries.
const ACTION: &str = "turned_away";
/// How often the entries are written.
const EVERY: Duration = Duration::from_secs(1);
/// The most entries that are written at once for individual parties.
const MOST: usize = 256;

/// The requests refused since the last write.
#[derive(Debug, Default)]
pub(super) struct RefusalCounter(Mutex<RefusalCounts>);

#[derive(Debug, Default)]
struct RefusalCounts {
    rows: HashMap<RefusalKey, RefusalCount>,
    /// Whether a task will write them.
    expected: bool,
}

/// Team, address, API and code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct RefusalKey(Option<TeamId>, Option<IpAddr>, &'static str, String);

#[derive(Debug)]
struct RefusalCount {
    /// The actor of the first of these requests.
    actor: Actor,
    status: i32,
    count: u64,
}

impl RefusalCounts {
    fn note(&mut self, actor: &Actor, status: i32, code: &str) {
        let door = actor.origin.door.as_str();
        let mut actor = actor.clone();
        let mut key = RefusalKey(actor.team.clone(), actor.origin.address.map(address_block), door, code.to_owned());
        if self.rows.len() >= MOST && !self.rows.contains_key(&key) {
            actor = Actor::anonymous(&actor.origin);
            actor.origin.address = None;
            key = RefusalKey(None, None, door, code.to_owned());
        }
        self.rows.entry(key).or_insert(RefusalCount { actor, status, count: 0 }).count += 1;
    }
}

impl Admission {
    /// Counts a refused request. It is written within a second.
    pub fn note_turned_away(&self, actor: &Actor, status: i32, code: &str) {
        let mut state = lock(&self.counts.refusals.0);
        state.note(actor, status, code);
        if !std::mem::replace(&mut state.expected, true) {
            let admission = self.clone();
            self.base.tasks().spawn(async move {
                tokio::time::sleep(EVERY).await;
                admission.write_turned_away().await;
            });
        }
    }

    /// Writes all refusals counted so far.
    pub async fn write_turned_away(&self) {
        let rows = {
            let mut state = lock(&self.counts.refusals.0);
            state.expected = false;
            std::mem::take(&mut state.rows)
        };
        let entries = rows.into_iter().map(|(RefusalKey(.., code), row)| {
            let mut entry = row.actor.entry(self.base.audit_id(), self.base.now(), ACTION, Outcome::Refused);
            entry.http_status = Some(row.status);
            entry.code = Some(code);
            entry.parameters.insert("count".into(), row.count.to_string());
            entry
        });
        let written = join_all(entries.map(|entry| self.base.store().append_audit(entry))).await;
        let failed: Vec<_> = written.iter().filter_map(|written| written.as_ref().err()).collect();
        if let Some(&first) = failed.first() {
            tracing::error!(
                lost = failed.len(),
                error = first as &dyn std::error::Error,
                "audit entries of refused requests were not written"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::caller::{Door, Origin};

    #[test]
    fn however_many_are_turned_away_the_entries_are_few() {
        let mut state = RefusalCounts::default();
        for number in 0..100_000_u32 {
            let address = Some(IpAddr::from(number.to_be_bytes()));
            let origin = Origin { door: Door::Rest, request_id: "req".into(), address };
            state.note(&Actor::anonymous(&origin), 429, "too_many_refused");
        }
        assert_eq!(state.rows.len(), MOST + 1);
        assert_eq!(state.rows.values().map(|row| row.count).sum::<u64>(), 100_000);
    }
}
