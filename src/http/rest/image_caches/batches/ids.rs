//! The ids of a batch: one that is repeated is worked for once, and its verdict stands at each of its places.

use std::collections::HashMap;

use axum::http::StatusCode;

use super::verdicts::{ImageCacheBatch, Shown, Verdict};
use crate::http::problem::{Occasion, ProblemResponse};
use crate::http::rest::batch::ItemFacts;

/// The longest id in an audit entry, in characters; as in a path.
const LONGEST: usize = 128;

/// The ids of a request.
pub(super) struct DistinctIds {
    /// Each id once, in the order in which they first stand there.
    distinct: Vec<String>,
    /// Which of them stands at each place.
    places: Vec<usize>,
    /// What the entry of each says besides.
    parameters: Vec<(String, String)>,
}

impl DistinctIds {
    pub(super) fn new(ids: Vec<String>, parameters: &[(&str, &str)]) -> Self {
        let (mut known, mut distinct, mut places) = (HashMap::new(), Vec::new(), Vec::new());
        for id in ids {
            places.push(*known.entry(id.clone()).or_insert(distinct.len()));
            if places.last() == Some(&distinct.len()) {
                distinct.push(id);
            }
        }
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { distinct, places, parameters }
    }

    /// What there is to do.
    pub(super) fn items(&self) -> Vec<(ItemFacts, String)> {
        let facts = |id: &String| ItemFacts {
            resource: Some(id.chars().take(LONGEST).collect()),
            parameters: self.parameters.clone(),
        };
        self.distinct.iter().map(|id| (facts(id), id.clone())).collect()
    }

    /// A verdict for each place, from what became of each id.
    pub(super) fn verdicts(
        &self,
        done: Vec<Result<(StatusCode, Shown), ProblemResponse>>,
        occasion: &Occasion,
    ) -> ImageCacheBatch {
        let verdict = |(id, done): (&String, _)| Verdict::new(0, done, occasion).about(id.clone());
        let of_ids: Vec<Verdict> = self.distinct.iter().zip(done).map(verdict).collect();
        self.places.iter().enumerate().map(|(place, id)| of_ids[*id].clone().at(place)).collect()
    }
}
