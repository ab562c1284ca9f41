//! What is said of each item of a batch.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;

use crate::app::input::{Changed, EnsuredCache};
use crate::app::view::ImageCacheView;
use crate::http::problem::{Occasion, Problem, ProblemResponse};

/// The result of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::rest) struct ImageCacheBatch {
    /// A verdict for each item of the request, in its order.
    items: Vec<Verdict>,
    /// How many of them have a `problem`.
    failed: i32,
}

impl FromIterator<Verdict> for ImageCacheBatch {
    fn from_iter<I: IntoIterator<Item = Verdict>>(verdicts: I) -> Self {
        let items: Vec<Verdict> = verdicts.into_iter().collect();
        let failed = items.iter().filter(|verdict| verdict.problem.is_some()).count();
        Self { items, failed: i32::try_from(failed).unwrap_or(i32::MAX) }
    }
}

/// What became of one item of a batch: it has either an `image_cache` or a `problem`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ImageCacheVerdict)]
pub(super) struct Verdict {
    /// The position of the item in the request, from 0.
    index: i32,
    /// The id of the image cache: the one in the request, or that of the image cache that was ensured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<String>,
    /// The name in the request, from an ensure. An image cache that was reused may have another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    name: Option<String>,
    /// The HTTP status that the item would have had as a request of its own.
    http_status: i32,
    /// From an ensure: `created`, `joined` or `reused`; see `EnsuredImageCache.outcome`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    outcome: Option<String>,
    /// From an ensure: `true` if an earlier request with the same `Idempotency-Key`, which was interrupted, did this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replayed: Option<bool>,
    /// The image cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ImageCacheView>, nullable = false)]
    image_cache: Option<Box<RawValue>>,
    /// Why the item was refused or failed. Pointers in its `errors` begin at the item.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<Problem>,
}

/// What is shown of an item that was done.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    id: Option<String>,
    outcome: Option<String>,
    replayed: Option<bool>,
    image_cache: Box<RawValue>,
}

impl Shown {
    /// An image cache that is JSON already.
    pub(super) fn rendered(text: String) -> Result<Self, ProblemResponse> {
        let image_cache = RawValue::from_string(text).map_err(ProblemResponse::internal)?;
        Ok(Self { id: None, outcome: None, replayed: None, image_cache })
    }

    pub(super) fn changed(changed: &Changed) -> Result<Self, ProblemResponse> {
        let image_cache = to_raw_value(&changed.image_cache).map_err(ProblemResponse::internal)?;
        Ok(Self { id: None, outcome: None, replayed: None, image_cache })
    }

    pub(super) fn ensured(ensured: &EnsuredCache) -> Result<Self, ProblemResponse> {
        let changed = &ensured.changed;
        Ok(Self {
            id: Some(changed.image_cache.id.clone()),
            outcome: Some(ensured.outcome.as_str().to_owned()),
            replayed: changed.replayed.then_some(true),
            ..Self::changed(changed)?
        })
    }
}

impl Verdict {
    /// What is said of the item at this place of the request.
    pub(super) fn new(place: usize, done: Result<(StatusCode, Shown), ProblemResponse>, occasion: &Occasion) -> Self {
        let status = done.as_ref().map_or_else(ProblemResponse::status, |(status, _)| *status);
        let problem = done.as_ref().err().map(|refusal| refusal.problem(occasion));
        let (id, outcome, replayed, image_cache) = match done {
            Ok((_, shown)) => (shown.id, shown.outcome, shown.replayed, Some(shown.image_cache)),
            Err(_) => (None, None, None, None),
        };
        let http_status = i32::from(status.as_u16());
        Self { index: 0, id, name: None, http_status, outcome, replayed, image_cache, problem }.at(place)
    }

    /// The same about the image cache of this id.
    pub(super) fn about(self, id: String) -> Self {
        Self { id: Some(id), ..self }
    }

    /// The same about an item with this name.
    pub(super) fn named(self, name: Option<String>) -> Self {
        Self { name, ..self }
    }

    /// The same at another place.
    pub(super) fn at(self, place: usize) -> Self {
        Self { index: i32::try_from(place).unwrap_or(i32::MAX), ..self }
    }
}
