//! What callers were promised has happened, exactly once.

use std::collections::{BTreeMap, BTreeSet};

use eci_cache_gateway::domain::image_cache::status::Status;

use super::evidence::{CacheRow, ClientFact, Evidence, OperationFact};

/// A create that was acknowledged has its row, with the cloud's id that the client was told.
pub(super) fn lost_creates(evidence: &Evidence) -> Vec<String> {
    let rows: BTreeMap<_, _> = evidence.caches.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut found = Vec::new();
    for fact in &evidence.clients {
        let ClientFact::Answered { action, status: 200..=299, image_cache, eci_cache_id, .. } = fact else { continue };
        if action != "create" {
            continue;
        }
        match image_cache.as_deref().and_then(|id| rows.get(id)) {
            None => found.push(format!("no row for {fact:?}")),
            Some(row) if eci_cache_id.is_some() && row.eci_cache_id != *eci_cache_id => {
                found.push(format!("{row:?}, but told was {eci_cache_id:?}"));
            }
            Some(_) => {}
        }
    }
    found
}

/// Clients that were told of an image cache still have it, because those that send a single request, join or adopt
/// never delete.
pub(super) fn taken_away(evidence: &Evidence) -> Vec<String> {
    let ready = || evidence.caches.iter().filter(|row| row.status == "ready");
    let at_the_cloud: BTreeSet<_> = ready().filter_map(|row| row.eci_cache_id.as_deref()).collect();
    let here: BTreeSet<_> = ready().map(|row| row.id.as_str()).collect();
    let gone = |fact: &&ClientFact| match fact {
        ClientFact::Told { eci_cache_id } => !at_the_cloud.contains(eci_cache_id.as_str()),
        ClientFact::Yours { image_cache, .. } => !here.contains(image_cache.as_str()),
        _ => false,
    };
    evidence.clients.iter().filter(gone).map(|fact| format!("{fact:?}")).collect()
}

/// No cache that nobody was told of still exists.
pub(super) fn untold(evidence: &Evidence) -> Vec<String> {
    evidence.caches.iter().filter(|row| row.untold).map(|row| format!("{row:?}")).collect()
}

/// All responses for one key name the same cache; if they were lost with the database, the same cache in the cloud.
pub(super) fn keys(evidence: &Evidence) -> Vec<String> {
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for fact in &evidence.clients {
        if let ClientFact::Answered { key: Some(key), status: 200..=299, image_cache: Some(id), .. } = fact {
            named.entry(key).or_default().insert(id);
        }
    }
    let rows: BTreeMap<&str, &CacheRow> = evidence.caches.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut found = Vec::new();
    for (key, lost) in &evidence.lost {
        let now = named.get(key.as_str()).into_iter().flatten().filter_map(|id| rows.get(*id)?.eci_cache_id.as_deref());
        let others: Vec<_> = now.filter(|id| id != lost).collect();
        if !named.contains_key(key.as_str()) || !others.is_empty() {
            found.push(format!("{key} named {lost} before the database was restored, and {others:?} after"));
        }
    }
    let several = named.into_iter().filter(|(_, ids)| ids.len() > 1);
    found.extend(several.map(|(key, ids)| format!("{key} names {ids:?}")));
    found
}

/// Creates are identified by the operation's tag, all actions by the `ClientToken`.
pub(super) fn duplicates(evidence: &Evidence) -> Vec<String> {
    let mut times: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for act in &evidence.acts {
        let tag = act.operation_tag.as_ref().filter(|_| act.action == "CreateImageCache");
        let token = act.client_token.as_ref().map(|token| format!("{} {token}", act.action));
        for name in tag.map(|tag| format!("tag {tag}")).into_iter().chain(token) {
            times.entry(name).or_default().push(&act.image_cache_id);
        }
    }
    let several = times.into_iter().filter(|(_, ids)| ids.len() > 1);
    several.map(|(name, ids)| format!("{name} was carried out {} times: {ids:?}", ids.len())).collect()
}

/// Every cache that the stand-in created has a row.
pub(super) fn orphans(evidence: &Evidence) -> Vec<String> {
    let known: BTreeSet<_> = evidence.caches.iter().filter_map(|row| row.eci_cache_id.as_deref()).collect();
    let made = evidence.acts.iter().filter(|act| act.action == "CreateImageCache");
    made.filter(|act| !known.contains(act.image_cache_id.as_str())).map(|act| format!("{act:?}")).collect()
}

/// Everything that exists and costs money has an owner or is an open finding.
pub(super) fn unnamed(evidence: &Evidence) -> Vec<String> {
    let lives = |row: &&CacheRow| row.status.parse::<Status>().is_ok_and(|status| !status.is_final());
    let rows = evidence.caches.iter().filter(lives).filter_map(|row| row.eci_cache_id.as_deref());
    let named: BTreeSet<_> = rows.chain(evidence.findings.iter().map(String::as_str)).collect();
    evidence.held.iter().filter(|id| !named.contains(id.as_str())).cloned().collect()
}

/// The stand-in has no reason to refuse anything that these clients request. A create is withdrawn if its client
/// deletes the cache before anything was done, or if its caller was not told of it.
pub(super) fn refusals(evidence: &Evidence) -> Vec<String> {
    let deleted = |cache: &str| evidence.operations.iter().any(|it| it.kind == "delete" && it.image_cache == cache);
    let asked = |cache: &str| evidence.caches.iter().any(|row| row.id == cache && row.is_asked());
    let ended = |cache: &str| deleted(cache) || asked(cache);
    let withdrawn = |it: &OperationFact| it.code.as_deref() == Some("withdrawn") && ended(&it.image_cache);
    let refused = evidence.operations.iter().filter(|it| it.state == "refused" && !withdrawn(it));
    refused.map(|it| format!("{} of {} with {:?}", it.kind, it.id, it.code)).collect()
}

/// No client had to give up.
pub(super) fn given_up(evidence: &Evidence) -> Vec<String> {
    let gave_up = evidence.clients.iter().filter(|fact| matches!(fact, ClientFact::GaveUp { .. }));
    gave_up.map(|fact| format!("{fact:?}")).collect()
}
