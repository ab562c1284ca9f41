//! The gate for pipelines: may I go on with these images? It answers at once if waiting would not help.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;

use crate::app::events::wait_limit::WaitLimit;
use crate::app::image_caches::ImageCaches;
use crate::app::input::{GateAnswer, GateQuestion};
use crate::app::view::{FailureView, GateView, MatchAnnotationsView};
use crate::app::{Call, Error, access};
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::gate::{GateRequest, GateVerdict, expected_at, is_coming, judge, unusable};
use crate::domain::identity::caller::Caller;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::spec::{MAX_IMAGES, SIZE_GIB};
use crate::domain::image_ref::ImageRef;
use crate::domain::matching::size_gib;
use crate::domain::region::Region;

/// The most caches that are considered: the newest ones.
const MAX_WEIGHED: i64 = 200;
/// The most caches that are watched during a wait.
const MAX_WATCHED: usize = 16;

impl ImageCaches {
    /// Whether one of the team's image caches holds all these images and is usable. Waits at most `wait` for one that
    /// is being built.
    pub async fn check_gate(
        &self,
        caller: &Caller,
        call: &Call,
        question: &GateQuestion,
        wait: Duration,
    ) -> Result<GateAnswer, Error> {
        access::check(caller, "check_gate")?;
        let asked = gate_request(question)?;
        let wait_limit = self.events.wait_limit(caller, call, wait)?;
        loop {
            let caches = self.weighed(caller, &asked).await?;
            if wait_limit.is_over() || !matches!(verdict(&caches), GateVerdict::NotYet(_)) {
                return self.answer_of(caller, &caches).await;
            }
            // Any answer but "usable" is checked again first: another cache may have been started.
            if let Some(caches) = self.until_usable(caches, &wait_limit).await {
                return self.answer_of(caller, &caches).await;
            }
        }
    }

    /// The team's caches that hold the images, newest first.
    async fn weighed(&self, caller: &Caller, asked: &GateRequest) -> Result<Vec<Arc<ImageCache>>, Error> {
        let text = asked.images.first().map_or("", |image| image.repository());
        let text = text.rsplit('/').next().unwrap_or(text);
        let found = self.base.store().caches_naming(&caller.team, &asked.region, text, MAX_WEIGHED).await?;
        Ok(found.into_iter().filter(|cache| asked.is_held_by(cache)).map(Arc::new).collect())
    }

    /// The caches once one is usable or the time is over; `None` once none of them can become usable.
    async fn until_usable(
        &self,
        mut caches: Vec<Arc<ImageCache>>,
        wait_limit: &WaitLimit,
    ) -> Option<Vec<Arc<ImageCache>>> {
        let coming = caches.iter().enumerate().filter(|(_, cache)| is_coming(cache.status)).take(MAX_WATCHED);
        let mut watched: Vec<(usize, Receiver<_>)> =
            coming.map(|(place, cache)| (place, self.events.join_cache(cache.id, cache.version))).collect();
        loop {
            let changes = watched.iter_mut().map(|(_, news)| Box::pin(news.changed()));
            let Some((Ok(()), which, _)) = wait_limit.with(futures_util::future::select_all(changes)).await else {
                return Some(caches);
            };
            let (place, news) = &mut watched[which];
            if let Some(newer) = news.borrow_and_update().clone() {
                caches[*place] = newer;
            }
            match verdict(&caches) {
                GateVerdict::Usable(_) => return Some(caches),
                GateVerdict::NotYet(_) => {}
                GateVerdict::Failed(_) | GateVerdict::Nothing => return None,
            }
        }
    }

    async fn answer_of(&self, caller: &Caller, caches: &[Arc<ImageCache>]) -> Result<GateAnswer, Error> {
        Ok(match verdict(caches) {
            GateVerdict::Usable(cache) => {
                let annotations = MatchAnnotationsView::of(cache.eci_cache_id.as_deref());
                GateAnswer::Usable(Box::new(GateView { image_cache: cache.clone().into(), annotations }))
            }
            GateVerdict::NotYet(cache) => {
                let usually = self.base.store().usual_build(&caller.team, &cache.spec.region).await?;
                let expected_at = expected_at(cache, usually, self.base.now());
                let seconds = (expected_at - self.base.now()).num_seconds().clamp(1, 60);
                let retry_after_seconds = u32::try_from(seconds).unwrap_or(1);
                GateAnswer::NotYet { id: cache.id, status: cache.status, expected_at, retry_after_seconds }
            }
            GateVerdict::Failed(cache) => {
                let failure = unusable(cache).or_else(|| cache.failure.clone());
                let failure = failure.map(|why| FailureView::explained(why, Some(size_gib(cache))));
                GateAnswer::Failed { id: cache.id, status: cache.status, failure: failure.map(Box::new) }
            }
            GateVerdict::Nothing => GateAnswer::Nothing,
        })
    }
}

fn verdict(caches: &[Arc<ImageCache>]) -> GateVerdict<'_> {
    let caches: Vec<&ImageCache> = caches.iter().map(|cache| &**cache).collect();
    judge(&caches)
}

/// The validated question, or everything that is wrong with it.
fn gate_request(question: &GateQuestion) -> Result<GateRequest, Vec<FieldError>> {
    let mut findings = Findings::default();
    let region = question.region.as_deref().unwrap_or_default().parse::<Region>();
    if let Err(error) = &region {
        findings.require(false, "region", FieldCode::Invalid, error.to_string());
    }
    let count = (1..=MAX_IMAGES).contains(&question.images.len());
    findings.require(count, "image", FieldCode::OutOfRange, "must be given 1 to 20 times: a pod uses one image cache");
    let mut images: Vec<ImageRef> = Vec::new();
    for image in question.images.iter().take(MAX_IMAGES) {
        match image.parse() {
            Ok(image) if images.contains(&image) => {}
            Ok(image) => images.push(image),
            Err(error) => findings.require(false, "image", FieldCode::Invalid, error.to_string()),
        }
    }
    let storage = question.ephemeral_storage_gib.is_none_or(|size| (1..=*SIZE_GIB.end()).contains(&size));
    findings.require(storage, "ephemeral_storage_gib", FieldCode::OutOfRange, "must be 1 to 32768 (GiB)");
    findings.into_result()?;
    let region = region.map_err(|error| vec![FieldError::new("region", FieldCode::Invalid, error.to_string())])?;
    Ok(GateRequest { region, images, ephemeral_storage_gib: question.ephemeral_storage_gib })
}
