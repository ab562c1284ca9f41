//! Decides whether a pipeline may continue: whether there is an image cache with the images that it needs, or when
//! there will be one, or why not.
//!
//! What must stay true: a cache counts only if it holds exactly every requested image; a usable one takes precedence
//! over all others, and one that may still become usable over those that failed or that the cloud reports as failed.
//!
//! Called by `app`. It does not choose as ECI's automatic matching would ([`super::matching`] does).

use chrono::Duration;

use super::clock::Instant;
use super::image_cache::status::Status;
use super::image_cache::{Failure, ImageCache};
use super::image_ref::ImageRef;
use super::matching::{Degree, size_gib};
use super::region::Region;

/// The shortest time that any estimate predicts.
const LEAST: Duration = Duration::seconds(10);
/// The longest extra time that a build that takes longer than usual is given at once.
const MOST: Duration = Duration::minutes(5);
/// How long a build takes if there is no history.
const TYPICAL: Duration = Duration::minutes(3);

/// What a pipeline asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateRequest {
    /// The region of the pod.
    pub region: Region,
    /// The images, all in one cache: 1 to 20, because a pod uses one cache.
    pub images: Vec<ImageRef>,
    /// The pod's ephemeral storage in GiB, if the cache must fit it.
    pub ephemeral_storage_gib: Option<i32>,
}

impl GateRequest {
    /// Whether a cache holds all of the images.
    pub fn is_held_by(&self, cache: &ImageCache) -> bool {
        let held: Vec<ImageRef> = cache.spec.images.iter().filter_map(|image| image.parse().ok()).collect();
        cache.spec.region == self.region
            && self.ephemeral_storage_gib.is_none_or(|storage| size_gib(cache) <= storage)
            && Degree::of(&self.images, &held).exact == self.images.len()
    }
}

/// The answer to a pipeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GateVerdict<'a> {
    /// Continue, with this cache.
    Usable(&'a ImageCache),
    /// This one may become usable without another request.
    NotYet(&'a ImageCache),
    /// None will become usable without another request; this is the newest one that failed.
    Failed(&'a ImageCache),
    /// There is none.
    Nothing,
}

/// Judges caches that all hold the requested images, given newest first.
pub fn judge<'a>(caches: &[&'a ImageCache]) -> GateVerdict<'a> {
    if let Some(usable) = caches.iter().copied().find(|cache| is_usable(cache)) {
        return GateVerdict::Usable(usable);
    }
    // As far as anyone can tell, the build that started first is ready first.
    let coming = caches.iter().copied().filter(|cache| is_coming(cache.status)).min_by_key(|cache| begun(cache));
    if let Some(coming) = coming {
        return GateVerdict::NotYet(coming);
    }
    let failed = |cache: &ImageCache| matches!(cache.status, Status::Ready | Status::Failed | Status::UpdateFailed);
    caches.iter().copied().find(|cache| failed(cache)).map_or(GateVerdict::Nothing, GateVerdict::Failed)
}

/// Whether it is ready here and, as far as we know, at the cloud.
fn is_usable(cache: &ImageCache) -> bool {
    cache.status == Status::Ready && !cache.reconciled.is_unusable()
}

/// Why a cache whose status is ready here cannot be used.
pub fn unusable(cache: &ImageCache) -> Option<Failure> {
    let word = cache.provider_status.clone().filter(|_| cache.reconciled.is_unusable())?;
    let message = format!("the image cache was ready, and the cloud now shows it as {word}");
    Some(Failure { code: word, message, retryable: false, provider_request_id: None })
}

/// Whether it may become usable without another request.
pub fn is_coming(status: Status) -> bool {
    !status.is_settled()
}

/// When the current build began.
fn begun(cache: &ImageCache) -> Instant {
    cache.evidence.accepted_at.unwrap_or(cache.created_at)
}

/// How long a build usually takes, from the history if there is one.
pub fn usual(usually: Option<Duration>) -> Duration {
    usually.unwrap_or(TYPICAL)
}

/// When a build will be done: `usually` after its start. If it takes longer, a quarter of its age from now, 10 s to 5
/// min. An estimate, not a promise.
pub fn expected_at(cache: &ImageCache, usually: Option<Duration>, now: Instant) -> Instant {
    let (begun, usually) = (begun(cache), usual(usually));
    let overdue = ((now - begun) / 4).clamp(LEAST, MOST);
    if now - begun < usually { (begun + usually).max(now + LEAST) } else { now + overdue }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::image_cache::drift::{Drift, STATUS};
    use crate::domain::matching::tests::cache;

    fn cache_of(status: Status, images: &[&str], size_gib: Option<i32>) -> ImageCache {
        let mut cache = cache("web", 1, images);
        cache.status = status;
        cache.spec.size_gib = size_gib;
        cache
    }

    fn asked(images: &[&str], storage: Option<i32>) -> GateRequest {
        let images = images.iter().map(|image| image.parse().unwrap()).collect();
        GateRequest { region: "cn-hangzhou".parse().unwrap(), images, ephemeral_storage_gib: storage }
    }

    fn word(verdict: GateVerdict<'_>) -> &'static str {
        match verdict {
            GateVerdict::Usable(_) => "usable",
            GateVerdict::NotYet(_) => "not yet",
            GateVerdict::Failed(_) => "failed",
            GateVerdict::Nothing => "nothing",
        }
    }

    #[test]
    fn all_images_must_be_held_exactly_and_fit() {
        let cache = cache_of(Status::Ready, &["nginx:1", "redis:7"], Some(40));
        assert!(asked(&["docker.io/library/nginx:1"], None).is_held_by(&cache));
        assert!(asked(&["redis:7", "nginx:1"], Some(40)).is_held_by(&cache));
        assert!(!asked(&["nginx:1", "redis:8"], None).is_held_by(&cache));
        assert!(!asked(&["nginx:1"], Some(39)).is_held_by(&cache));
        let elsewhere = GateRequest { region: "cn-beijing".parse().unwrap(), ..asked(&["nginx:1"], None) };
        assert!(!elsewhere.is_held_by(&cache));
    }

    #[test]
    fn the_best_hope_decides() {
        for (statuses, expected) in [
            (vec![], "nothing"),
            (vec![Status::Deleted, Status::Deleting, Status::Lost], "nothing"),
            (vec![Status::Failed, Status::Deleted], "failed"),
            (vec![Status::UpdateFailed], "failed"),
            (vec![Status::Failed, Status::Creating], "not yet"),
            (vec![Status::Updating], "not yet"),
            (vec![Status::Pending], "not yet"),
            (vec![Status::Unknown], "not yet"),
            (vec![Status::Failed, Status::Creating, Status::Ready], "usable"),
        ] {
            let caches: Vec<ImageCache> = statuses.iter().map(|status| cache_of(*status, &["nginx:1"], None)).collect();
            assert_eq!(word(judge(&caches.iter().collect::<Vec<_>>())), expected, "{statuses:?}");
        }
    }

    #[test]
    fn what_the_cloud_shows_as_failed_is_not_usable() {
        let mut cache = cache_of(Status::Ready, &["nginx:1"], None);
        assert_eq!(unusable(&cache), None);
        cache.provider_status = Some("Failed".into());
        cache.reconciled.drift =
            vec![Drift { field: STATUS.into(), expected: vec!["ready".into()], seen: vec!["failed".into()] }];
        assert_eq!(word(judge(&[&cache])), "failed");
        assert_eq!(unusable(&cache).map(|why| why.code).as_deref(), Some("Failed"));
        let other = cache_of(Status::Ready, &["nginx:1"], None);
        assert_eq!(word(judge(&[&cache, &other])), "usable");
    }

    #[test]
    fn the_expectation_follows_history_then_age() {
        let cache = cache_of(Status::Creating, &["nginx:1"], None);
        let after = |seconds| cache.created_at + Duration::seconds(seconds);
        let of = |usually: Option<i64>, age| {
            (expected_at(&cache, usually.map(Duration::seconds), after(age)) - after(age)).num_seconds()
        };
        assert_eq!((of(Some(60), 0), of(Some(60), 40), of(Some(60), 55)), (60, 20, 10));
        assert_eq!((of(Some(60), 60), of(Some(60), 400), of(Some(60), 40_000)), (15, 100, 300));
        assert_eq!(of(None, 0), 180);
    }
}
