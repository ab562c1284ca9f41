//! The documented order and the near misses, with literal answers.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::*;
use crate::domain::entropy::Entropy;
use crate::domain::ids::{CacheId, OperationId};
use crate::domain::image_cache::BuildEvidence;
use crate::domain::property::holds;

const HANGZHOU: &str = "cn-hangzhou";
const SHA: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn at(minute: i64) -> Instant {
    Instant::UNIX_EPOCH + chrono::Duration::minutes(minute)
}

/// A ready cache of 20 GiB that was created at `minute` and is named `name`.
pub(crate) fn cache(name: &str, minute: i64, images: &[&str]) -> ImageCache {
    let spec = json!({"name": name, "region": HANGZHOU, "images": images});
    let entropy = Entropy::from_seed(minute.unsigned_abs());
    ImageCache {
        id: CacheId::new(at(minute), &entropy),
        team: "web".parse().unwrap(),
        account: "main".into(),
        spec: serde_json::from_value(spec).unwrap(),
        status: Status::Ready,
        provider_status: None,
        generation: 1,
        version: 1,
        sequence: 1,
        operation: OperationId::new(at(minute), &entropy),
        eci_cache_id: None,
        container_group_id: None,
        snapshot_id: None,
        flash_snapshot_id: None,
        progress_percent: None,
        failure: None,
        created_at: at(minute),
        updated_at: at(minute),
        ready_at: None,
        expires_at: None,
        evidence: BuildEvidence::default(),
        last_matched_at: None,
        provider: None,
        misses: 0,
        reconciled: crate::domain::image_cache::drift::Reconciled::default(),
        poll_bucket: None,
    }
}

fn sized(size: i32, cache: ImageCache) -> ImageCache {
    let mut cache = cache;
    cache.spec.size_gib = Some(size);
    cache
}

/// The fields of the caches that the store reads for the matching.
fn weighed(caches: &[ImageCache]) -> Vec<WeighedCache> {
    let one = |cache: &ImageCache| WeighedCache {
        id: cache.id,
        eci_cache_id: cache.eci_cache_id.clone(),
        account: cache.account.clone(),
        name: cache.spec.name.clone(),
        region: cache.spec.region.clone(),
        status: cache.status,
        size_gib: size_gib(cache),
        images: WeighedCache::held(&cache.spec.images),
        created_at: cache.created_at,
    };
    caches.iter().map(one).collect()
}

fn images(texts: &[&str]) -> Vec<ImageRef> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn wanted(texts: &[&str]) -> MatchQuery {
    MatchQuery::new(HANGZHOU.parse().unwrap(), &images(texts), None, false, None)
}

/// Name, whether it fits, exact, repository and size difference of each candidate; then the winner's name.
fn ranked(wanted: &MatchQuery, caches: &[ImageCache]) -> (Vec<String>, Option<String>) {
    let caches = weighed(caches);
    let ranking = rank(wanted, &caches);
    let line = |one: &Candidate<'_>| {
        let Degree { exact, repository } = one.degree;
        format!("{} {} {exact} {repository} {}", one.cache.name, one.fits, one.size_difference_gib)
    };
    (ranking.candidates.iter().map(line).collect(), ranking.winner.map(|cache| cache.name.clone()))
}

#[test]
fn each_criterion_counts_only_where_those_before_are_equal() {
    let caches = [
        cache("repository-alone", 9, &["nginx:1.26", "redis:6"]),
        sized(40, cache("too-large", 8, &["nginx:1.27", "redis:7"])),
        sized(20, cache("both-far-size", 7, &["nginx:1.27", "redis:7"])),
        sized(25, cache("both-older", 5, &["nginx:1.27", "redis:7"])),
        sized(25, cache("both-newer", 6, &["docker.io/library/nginx:1.27", "redis:7"])),
        cache("one-and-a-repository", 4, &["nginx:1.27", "redis:6"]),
        sized(30, cache("one", 3, &["nginx:1.27"])),
        cache("nothing", 2, &["mysql:8"]),
    ];
    let (lines, winner) = ranked(&wanted(&["nginx:1.27", "redis:7"]), &caches);
    let expected = [
        "both-newer true 2 2 5",
        "both-older true 2 2 5",
        "both-far-size true 2 2 10",
        "one-and-a-repository true 1 2 10",
        "one true 1 1 0",
        "repository-alone true 0 2 10",
        "too-large false 2 2 -10",
    ];
    assert_eq!((lines.as_slice(), winner.as_deref()), (&expected.map(String::from)[..], Some("both-newer")));
}

#[test]
fn only_usable_caches_of_the_region_are_candidates() {
    let mut caches = vec![cache("elsewhere", 1, &["nginx"])];
    caches[0].spec.region = "cn-beijing".parse().unwrap();
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Ready) {
        caches.push(ImageCache { status, ..cache(status.as_str(), 2, &["nginx"]) });
    }
    assert_eq!(ranked(&wanted(&["nginx"]), &caches), (vec![], None));
}

#[test]
fn the_instance_has_thirty_gib_where_nothing_is_said() {
    let caches = [sized(30, cache("thirty", 1, &["nginx"])), sized(31, cache("more", 2, &["nginx"]))];
    let (lines, winner) = ranked(&wanted(&["nginx"]), &caches);
    assert_eq!(
        (lines, winner.as_deref()),
        (vec!["thirty true 1 1 0".into(), "more false 1 1 -1".into()], Some("thirty"))
    );
    let roomy = MatchQuery { ephemeral_storage_gib: 40, ..wanted(&["nginx"]) };
    assert_eq!(ranked(&roomy, &caches).1.as_deref(), Some("more"));
}

#[test]
fn as_many_must_match_exactly_as_are_asked_for() {
    let caches = [cache("one", 1, &["nginx:1", "redis:6"])];
    let with = |full, minimum| {
        let images = images(&["nginx:1", "redis:7", "docker.io/library/nginx:1"]);
        rank(&MatchQuery::new(HANGZHOU.parse().unwrap(), &images, None, full, minimum), &weighed(&caches))
            .winner
            .is_some()
    };
    assert_eq!(
        [with(false, None), with(false, Some(1)), with(false, Some(2)), with(true, None)],
        [true, true, false, false]
    );
    let both = [cache("both", 1, &["nginx:1", "redis:7"])];
    let all = images(&["nginx:1", "redis:7", "docker.io/library/nginx:1"]);
    let full = MatchQuery::new(HANGZHOU.parse().unwrap(), &all, None, true, None);
    assert!(rank(&full, &weighed(&both)).winner.is_some(), "two spellings of one image count once");
}

/// Wanted image, cache and reasons of each near miss.
fn misses(wanted: &MatchQuery, caches: &[ImageCache]) -> Vec<String> {
    let caches = weighed(caches);
    let near = near_misses(wanted, &caches, &rank(wanted, &caches));
    let reasons = |miss: &NearMiss<'_>| miss.reasons.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(",");
    near.iter().map(|miss| format!("{} {} {}", miss.image, miss.cache.name, reasons(miss))).collect()
}

#[test]
fn every_obstacle_is_named() {
    let vpc = "registry-vpc.cn-hangzhou.aliyuncs.com/ns/app:v1";
    let public = "registry.cn-hangzhou.aliyuncs.com/ns/app:v1";
    let mut elsewhere = cache("elsewhere", 4, &[public]);
    elsewhere.spec.region = "cn-beijing".parse().unwrap();
    let caches = [
        cache("host", 1, &[vpc]),
        sized(50, cache("large", 2, &[public])),
        ImageCache { status: Status::Creating, ..cache("building", 3, &[public]) },
        elsewhere,
        sized(50, cache("host-tag-large", 5, &["registry-vpc.cn-hangzhou.aliyuncs.com/ns/app:v2"])),
        cache("unrelated", 6, &["nginx"]),
    ];
    let expected = [
        "building not_ready",
        "large too_large",
        "host other_registry_host",
        "elsewhere other_region",
        "host-tag-large too_large,other_tag,other_registry_host",
    ];
    assert_eq!(misses(&wanted(&[public]), &caches), expected.map(|rest| format!("{public} {rest}")));
}

#[test]
fn digests_and_tags_miss_apart() {
    let pinned = format!("nginx@{SHA}");
    let caches = [cache("tags", 1, &["nginx:1", "nginx:2"])];
    assert_eq!(misses(&wanted(&["nginx:3"]), &caches), ["docker.io/library/nginx:3 tags other_tag"]);
    assert_eq!(misses(&wanted(&[&pinned]), &caches), [format!("docker.io/library/{pinned} tags other_digest")]);
    assert_eq!(misses(&wanted(&["nginx:2"]), &caches), [] as [String; 0], "the winner holds it");
}

#[test]
fn what_would_make_it_hit_is_a_sentence() {
    let advice = |status, size, held: &str, image: &str| {
        let caches = weighed(&[ImageCache { status, ..sized(size, cache("c", 1, &[held])) }]);
        let wanted = wanted(&[image]);
        near_misses(&wanted, &caches, &rank(&wanted, &caches)).remove(0).advice
    };
    assert_eq!(
        advice(Status::Ready, 20, "registry-vpc.cn-x.aliyuncs.com/a/b:1", "registry.cn-x.aliyuncs.com/a/b:1"),
        "It contains registry-vpc.cn-x.aliyuncs.com/a/b:1, which is not registry.cn-x.aliyuncs.com/a/b:1: use that \
         name in the pod, or add registry.cn-x.aliyuncs.com/a/b:1 to the image cache."
    );
    assert_eq!(
        advice(Status::Updating, 50, "nginx", "nginx"),
        "It is updating: wait until it is ready. It has 50 GiB and the instance 30 GiB: give the instance at least \
         50 GiB of ephemeral storage (20 GiB of extra ephemeral storage), or make the image cache smaller."
    );
    assert_eq!(
        advice(Status::UpdateFailed, 20, "nginx:1", "nginx:2"),
        "Its last update failed: update it again. It contains docker.io/library/nginx:1, which is not \
         docker.io/library/nginx:2: use that name in the pod, or add docker.io/library/nginx:2 to the image cache."
    );
}

#[test]
fn only_the_nearest_are_told() {
    let caches: Vec<ImageCache> = (0..20).map(|minute| cache(&minute.to_string(), minute, &["nginx:1"])).collect();
    let told = misses(&wanted(&["nginx:2"]), &caches);
    assert_eq!((told.len(), told[0].as_str()), (near::MAX_NEAR_MISSES, "docker.io/library/nginx:2 19 other_tag"));
}

#[test]
fn describe_orders_by_degree_and_age() {
    let caches = [
        cache("repository", 5, &["nginx:0"]),
        cache("one-old", 1, &["nginx:1"]),
        cache("one-new", 2, &["nginx:1", "redis:0"]),
        ImageCache { status: Status::Creating, ..sized(500, cache("both", 3, &["nginx:1", "redis:7"])) },
        cache("unreadable", 4, &["NGINX:1"]),
    ];
    let names = |full, count| -> Vec<String> {
        let found = matching_caches(&caches, &images(&["nginx:1", "redis:7"]), full, count);
        found.iter().map(|cache| cache.spec.name.clone()).collect()
    };
    assert_eq!(names(false, None), ["both", "one-new", "one-old", "repository"]);
    assert_eq!(names(false, Some(1)), ["both", "one-new", "one-old"]);
    assert_eq!(names(false, Some(2)), ["both"]);
    assert_eq!(names(true, None), ["both"]);
    assert_eq!(names(false, Some(3)), [] as [&str; 0]);
}

/// Caches with images of a common pool, some of the same size and age.
fn any_caches() -> impl Strategy<Value = Vec<ImageCache>> {
    let image = "[a-c]:[12]";
    let one = (vec(image, 1..4), select(&[20, 25, 30, 40][..]), 0..5_i64, any::<bool>());
    vec(one, 0..8).prop_map(|drawn| {
        let full = |(place, (images, size, minute, ready)): (usize, (Vec<String>, i32, i64, bool))| {
            let images: Vec<&str> = images.iter().map(String::as_str).collect();
            let mut cache = sized(size, cache(&place.to_string(), minute, &images));
            cache.id = CacheId::from(uuid::Uuid::from_u128(place as u128));
            cache.status = if ready { Status::Ready } else { Status::Creating };
            cache
        };
        drawn.into_iter().enumerate().map(full).collect()
    })
}

#[test]
fn the_order_in_which_caches_are_read_decides_nothing_and_the_first_that_can_win_does() {
    holds(1_000, (any_caches(), vec("[a-d]:[12]", 1..4), any::<bool>()), |(caches, asked, full)| {
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let wanted = MatchQuery::new(HANGZHOU.parse().unwrap(), &images(&asked), None, full, None);
        let (lines, winner) = ranked(&wanted, &caches);
        let mut others = caches.clone();
        others.reverse();
        prop_assert_eq!(&ranked(&wanted, &others), &(lines, winner.clone()));
        let weighed = weighed(&caches);
        let ranking = rank(&wanted, &weighed);
        prop_assert!(ranking.candidates.iter().all(|one| one.cache.status == Status::Ready));
        prop_assert!(ranking.candidates.windows(2).all(|two| two[0].fits || !two[1].fits), "what fits comes first");
        let better = ranking.candidates.iter().take_while(|one| Some(&one.cache.name) != winner.as_ref());
        prop_assert!(better.filter(|one| one.can_win()).count() == 0, "none that could win comes before the winner");
        Ok(())
    });
}
