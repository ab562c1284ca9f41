//! What was changed in a cache outside the gateway: field by field, what was asked for and what the cloud reports.
//!
//! A field that was never asked for cannot drift: a size or a resource group that the cloud chose is the cloud's.
//! Images are compared in their full form and as a set, tags without the cloud's own and the gateway's. Retention is
//! compared with the end that the cloud reported when the build was done: from then on only a deliberate change moves
//! it.
//!
//! Called by [`super::compare`], for caches that are ready. It does not check what an answer does not contain
//! (networks, registries, copies).

use std::collections::BTreeSet;

use chrono::SecondsFormat;

use super::adoption::own_tags;
use crate::domain::clock::Instant;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::content::plain;
use crate::domain::image_cache::drift::{Drift, STATUS};
use crate::domain::image_cache::observation::Observation;
use crate::domain::image_cache::spec::EliminationStrategy;
use crate::domain::image_cache::spec::fields::FIELDS;
use crate::domain::image_cache::spec::values::Word;
use crate::domain::image_cache::status::Status;

const EXPIRES_AT: &str = "expires_at";

/// Every difference, in a fixed order.
pub fn between(cache: &ImageCache, seen: &Observation) -> Vec<Drift> {
    let spec = &cache.spec;
    let mut found = Vec::new();
    let mut note = |field: &str, same: bool, expected: Vec<String>, seen: Vec<String>| {
        if !same {
            found.push(Drift { field: field.to_owned(), expected, seen });
        }
    };
    // A status that we do not know has made the row unknown already, and is not compared.
    let status = Status::from_provider(&seen.status);
    note(STATUS, status == Status::Ready, vec![Status::Ready.to_string()], vec![status.to_string()]);
    let named = seen.name.is_empty() || seen.name == spec.name;
    note(FIELDS.name.name, named, vec![spec.name.clone()], vec![seen.name.clone()]);
    let set = |images: &[String]| images.iter().map(|image| plain(image)).collect::<BTreeSet<_>>();
    note(FIELDS.images.name, set(&spec.images) == set(&seen.images), spec.images.clone(), seen.images.clone());
    let sized = spec.size_gib.is_none() || seen.size_gib.is_none() || spec.size_gib == seen.size_gib;
    note(FIELDS.size_gib.name, sized, number(spec.size_gib), number(seen.size_gib));
    let end = expected_end(cache);
    note(EXPIRES_AT, end == seen.expires_at.map(text), list(end), list(seen.expires_at.map(text)));
    let tags = own_tags(seen);
    note(FIELDS.tags.name, spec.tags == tags, pairs(&spec.tags), pairs(&tags));
    let grouped = spec.resource_group_id.is_none() || spec.resource_group_id == seen.resource_group_id;
    let group = FIELDS.resource_group_id.name;
    note(group, grouped, list(spec.resource_group_id.clone()), list(seen.resource_group_id.clone()));
    let wanted = word(spec.elimination_strategy.unwrap_or(EliminationStrategy::Keep).as_wire());
    let shown = strategy_word(seen);
    let strategy = FIELDS.elimination_strategy.name;
    note(strategy, wanted == shown, vec![wanted.to_owned()], vec![shown.to_owned()]);
    found
}

/// The end before somebody moved it: the one recorded with the drift, else the row's.
fn expected_end(cache: &ImageCache) -> Option<String> {
    match cache.reconciled.drift.iter().find(|drift| drift.field == EXPIRES_AT) {
        Some(noted) => noted.expected.first().cloned(),
        None => cache.expires_at.map(text),
    }
}

fn text(instant: Instant) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn list(value: Option<String>) -> Vec<String> {
    value.into_iter().collect()
}

fn number(value: Option<i32>) -> Vec<String> {
    list(value.map(|value| value.to_string()))
}

fn pairs(tags: &std::collections::BTreeMap<String, String>) -> Vec<String> {
    tags.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

/// The elimination strategy that the cloud reports, in the words of REST.
pub fn strategy_word(seen: &Observation) -> &str {
    word(seen.elimination_strategy.as_deref().unwrap_or_default())
}

/// A word of the cloud that we do not know is returned unchanged.
fn word(wire: &str) -> &str {
    EliminationStrategy::from_wire(wire).map_or(wire, |known| known.as_str())
}
