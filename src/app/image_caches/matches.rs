//! Which image cache automatic matching would choose, and why not the others.
//!
//! Reads only the team's newest caches; `domain::matching` decides.

use crate::app::image_caches::ImageCaches;
use crate::app::input::MatchQuestion;
use crate::app::view::{MatchAnnotationsView, MatchView};
use crate::app::{Error, access};
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::identity::caller::Caller;
use crate::domain::image_cache::spec::SIZE_GIB;
use crate::domain::image_ref::ImageRef;
use crate::domain::matching::{MAX_IMAGES, MatchQuery, near_misses, rank};
use crate::domain::region::Region;

/// The most caches that are considered: those of the region first, then the newest.
const MAX_WEIGHED: i64 = 1_000;
/// The most candidates in the answer.
const MAX_SHOWN: usize = 100;

impl ImageCaches {
    /// Which of the team's image caches automatic matching would choose.
    pub async fn match_image_caches(&self, caller: &Caller, question: &MatchQuestion) -> Result<MatchView, Error> {
        access::check(caller, "match_image_caches")?;
        self.matched(caller, question).await
    }

    /// The same, for a caller whose scopes were already checked.
    pub(in crate::app) async fn matched(&self, caller: &Caller, question: &MatchQuestion) -> Result<MatchView, Error> {
        let wanted = wanted(question)?;
        let mut caches = self.base.store().matchable_caches(&caller.team, &wanted.region, MAX_WEIGHED).await?;
        // Image caches of one account cannot serve instances of another.
        caches.retain(|cache| question.account.as_ref().is_none_or(|account| cache.account == *account));
        let ranking = rank(&wanted, &caches);
        let near = near_misses(&wanted, &caches, &ranking);
        Ok(MatchView {
            winner_id: ranking.winner.map(|cache| cache.id.to_string()),
            candidates: ranking.candidates.iter().take(MAX_SHOWN).map(Into::into).collect(),
            near_misses: near.iter().map(Into::into).collect(),
            annotations: MatchAnnotationsView::of(ranking.winner.and_then(|cache| cache.eci_cache_id.as_deref())),
        })
    }
}

impl MatchQuestion {
    /// What is not allowed, with pointers into the body.
    pub fn wrong(&self) -> Vec<FieldError> {
        wanted(self).err().unwrap_or_default()
    }
}

/// The validated question, or everything that is wrong with it.
fn wanted(question: &MatchQuestion) -> Result<MatchQuery, Vec<FieldError>> {
    let mut findings = Findings::default();
    let region = question.region.parse::<Region>();
    if let Err(error) = &region {
        findings.require(false, "/region", FieldCode::Invalid, error.to_string());
    }
    let count = (1..=MAX_IMAGES).contains(&question.images.len());
    findings.require(count, "/images", FieldCode::OutOfRange, "must have 1 to 100 images");
    let mut images: Vec<ImageRef> = Vec::new();
    for (place, image) in question.images.iter().take(MAX_IMAGES).enumerate() {
        match image.parse() {
            Ok(image) => images.push(image),
            Err(error) => findings.require(false, format!("/images/{place}"), FieldCode::Invalid, error.to_string()),
        }
    }
    let storage = question.ephemeral_storage_gib.is_none_or(|size| (1..=*SIZE_GIB.end()).contains(&size));
    findings.require(storage, "/ephemeral_storage_gib", FieldCode::OutOfRange, "must be 1 to 32768 (GiB)");
    let minimum = question.minimum_matches.map(|minimum| usize::try_from(minimum).unwrap_or(0));
    let possible = minimum.is_none_or(|minimum| (1..=question.images.len()).contains(&minimum));
    findings.require(possible, "/minimum_matches", FieldCode::OutOfRange, "must be 1 to the number of images");
    findings.into_result()?;
    let region = region.map_err(|error| vec![FieldError::new("/region", FieldCode::Invalid, error.to_string())])?;
    Ok(MatchQuery::new(region, &images, question.ephemeral_storage_gib, question.full_match, minimum))
}
