//! Notifications: each build's Ready exactly once and not too early, and each event at least once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};

use super::evidence::{EventFact, Evidence, HookFact};

/// The maximum difference between the clocks of a gateway and of the stand-in.
const CLOCKS: Duration = Duration::milliseconds(500);

fn is_ready(kind: &str) -> bool {
    ["image_cache.ready", "image_cache.updated"].contains(&kind)
}

/// Every build before the last was reported Ready, or there could have been no update; so was the last one, if it
/// counts.
pub(super) fn ready_once(evidence: &Evidence) -> Vec<String> {
    let mut times: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for event in evidence.events.iter().filter(|event| is_ready(&event.kind)) {
        *times.entry((&event.image_cache, event.generation)).or_default() += 1;
    }
    let found_ready = evidence.transitions.iter().filter(|row| row.sequence == 1 && row.to == "ready");
    let found_ready: BTreeSet<_> = found_ready.map(|row| row.image_cache.as_str()).collect();
    let mut found = Vec::new();
    for row in &evidence.caches {
        for generation in 1..=row.generation {
            let told = times.get(&(row.id.as_str(), generation)).copied().unwrap_or_default();
            // What was ready when it was adopted is not reported as ready.
            let new = generation > 1 || !found_ready.contains(row.id.as_str());
            let due = new && (generation < row.generation || row.status == "ready");
            if told > 1 || (due && told == 0) {
                found.push(format!("{row:?}: {told} for generation {generation}"));
            }
        }
    }
    found
}

/// Neither the receipt nor the event's own time is before the end of the build.
pub(super) fn ready_early(evidence: &Evidence) -> Vec<String> {
    let done = builds(evidence);
    let when = |cache: &str, generation: i64| done.get(&(cache.to_owned(), generation)).copied().flatten();
    let early_event = |event: &&EventFact| {
        is_ready(&event.kind)
            && when(&event.image_cache, event.generation).is_none_or(|done| event.occurred_at + CLOCKS < done)
    };
    let early_hook = |hook: &&HookFact| {
        is_ready(&hook.kind) && when(&hook.image_cache, hook.generation).is_none_or(|done| hook.at < done)
    };
    let events = evidence.events.iter().filter(early_event).map(|event| format!("{event:?}"));
    events.chain(evidence.hooks.iter().filter(early_hook).map(|hook| format!("{hook:?}"))).collect()
}

/// When each build of each of our caches ends: the generation follows the dot in the token.
fn builds(evidence: &Evidence) -> BTreeMap<(String, i64), Option<DateTime<Utc>>> {
    let ours = evidence.caches.iter().filter_map(|row| Some((row.eci_cache_id.as_deref()?, row.id.as_str())));
    let ours: BTreeMap<_, _> = ours.collect();
    let put = evidence.put();
    let put = put.iter().filter_map(|(id, ready_at)| Some((((*ours.get(id)?).to_owned(), 1), Some(*ready_at))));
    let mut builds: BTreeMap<_, _> = put.collect();
    for act in evidence.acts.iter().filter(|act| act.action != "DeleteImageCache") {
        let generation = act.client_token.as_deref().and_then(|token| token.rsplit_once('.')?.1.parse().ok());
        if let (Some(cache), Some(generation)) = (ours.get(act.image_cache_id.as_str()), generation) {
            builds.insert(((*cache).to_owned(), generation), act.ready_at);
        }
    }
    builds
}

/// Events that may occur repeatedly.
const OFTEN: [&str; 2] = ["image_cache.lost", "image_cache.revived"];

/// Each event was received under its id, and no event under two ids. A delete that had to be repeated is reported
/// again.
pub(super) fn delivered(evidence: &Evidence) -> Vec<String> {
    let heard: BTreeSet<_> = evidence.hooks.iter().map(|hook| hook.id.as_str()).collect();
    let missing = evidence.events.iter().filter(|event| !heard.contains(event.id.as_str()));
    let mut found: Vec<_> = missing.map(|event| format!("never received: {event:?}")).collect();
    let mut ids: BTreeMap<(&str, i64, &str), BTreeSet<&str>> = BTreeMap::new();
    let again =
        |hook: &&HookFact| OFTEN.contains(&hook.kind.as_str()) || (evidence.lied && hook.kind == "image_cache.deleted");
    for hook in evidence.hooks.iter().filter(|hook| !again(hook)) {
        ids.entry((&hook.image_cache, hook.generation, &hook.kind)).or_default().insert(&hook.id);
    }
    found.extend(ids.into_iter().filter(|(_, ids)| ids.len() > 1).map(|(what, ids)| format!("{what:?} as {ids:?}")));
    found
}

/// All signatures were valid.
pub(super) fn signed(evidence: &Evidence) -> Vec<String> {
    evidence.hooks.iter().filter(|hook| !hook.signed).map(|hook| format!("{hook:?}")).collect()
}
