//! Every difference, and what follows from it.

use serde_json::json;

use super::adoption::{Adopter, adopted};
use super::unmanaged::{Unmanaged, judge, tagged};
use super::*;
use crate::domain::entropy::Entropy;
use crate::domain::event::EventType;
use crate::domain::ids::{CacheId, OperationId};
use crate::domain::image_cache::drift::Drift;
use crate::domain::image_cache::spec::OPERATION_TAG;
use crate::domain::operation::{self, Operation, OperationKind, OperationState, Progress};
use crate::domain::transition::reason::SHOWN_AGAIN;

const RULE: ComparisonTimings =
    ComparisonTimings { list_lag: Duration::minutes(1), expiring_within: Duration::hours(24) };

fn at(minute: i64) -> Instant {
    Instant::UNIX_EPOCH + Duration::minutes(minute)
}

fn seen(status: &str) -> Observation {
    Observation {
        eci_cache_id: "imc-1".into(),
        status: status.into(),
        progress_percent: Some(100),
        container_group_id: None,
        snapshot_id: Some("s-1".into()),
        flash_snapshot_id: None,
        created_at: Some(at(0)),
        expires_at: Some(at(3 * 1_440)),
        images: vec!["nginx:1".into(), "redis:7".into()],
        tags: vec![("env".into(), "prod".into()), ("acs:x".into(), "1".into())],
        name: "web".into(),
        size_gib: Some(40),
        resource_group_id: Some("rg-1".into()),
        elimination_strategy: Some("LRU".into()),
        last_matched_at: None,
        raw: serde_json::Value::Null,
        events: vec![],
    }
}

/// A row whose status is the one that the cloud reports.
fn cache(status: &str) -> ImageCache {
    let entropy = Entropy::from_seed(7);
    let adopter = Adopter {
        cache: CacheId::new(at(0), &entropy),
        operation: OperationId::new(at(0), &entropy),
        team: "web".parse().unwrap(),
        account: "default".into(),
        region: "cn-hangzhou".parse().unwrap(),
    };
    adopted(&seen(status), &adopter, at(0))
}

const FULL: Fill = Fill { listed: 500, quota: Some(500) };

#[test]
fn which_way_a_cache_went() {
    let plain = ImageCache { expires_at: None, ..cache("Ready") };
    let mut kept = plain.clone();
    kept.spec.elimination_strategy = None;
    let ended = |minute| ImageCache { expires_at: Some(at(minute)), ..plain.clone() };
    let room = Fill { listed: 100, quota: Some(500) };
    let unknown = Fill { listed: 500, quota: None };
    for (cache, now, fill, status, reason) in [
        (&ended(10), 10, FULL, Status::Expired, RETENTION_ENDED),
        (&ended(11), 10, FULL, Status::Evicted, EVICTED),
        (&plain, 10, Fill { listed: 475, ..FULL }, Status::Evicted, EVICTED),
        (&plain, 10, Fill { listed: 474, ..FULL }, Status::Lost, DELETED_ELSEWHERE),
        (&plain, 10, room, Status::Lost, DELETED_ELSEWHERE),
        (&plain, 10, unknown, Status::Lost, DELETED_ELSEWHERE),
        (&kept, 10, FULL, Status::Lost, DELETED_ELSEWHERE),
        (&cache("UpdateFailed"), 10, FULL, Status::Evicted, EVICTED),
        (&cache("Failed"), 1_439, FULL, Status::Failed, DELETED_ELSEWHERE),
        (&cache("Failed"), 1_440, FULL, Status::Failed, DROPPED),
    ] {
        assert_eq!(fate(cache, at(now), fill), (status, reason), "{:?} {fill:?}", cache.expires_at);
    }
}

#[test]
fn only_a_second_look_apart_from_the_first_ends_it() {
    let before = cache("Ready");
    assert_eq!(missed(&before, at(0), FULL, &RULE), None, "it has just changed: it may not be listed yet");
    let once = missed(&before, at(1), FULL, &RULE).unwrap();
    assert_eq!((once.moved, once.event, once.next.misses), (None, None, 1));
    assert_eq!(missed(&once.next, at(1) + Duration::seconds(59), FULL, &RULE), None);
    let twice = missed(&once.next, at(2), FULL, &RULE).unwrap();
    assert_eq!((twice.moved, twice.reason), (Some((Status::Ready, Status::Evicted)), EVICTED));
    assert_eq!(twice.event, Some(EventType::Evicted));
    assert_eq!(missed(&twice.next, at(9), FULL, &RULE), None, "it is over");
    let back = compare(&once.next, &seen("Ready"), at(3), at(3), &RULE).unwrap();
    assert_eq!((back.next.misses, back.event), (0, None), "it was there all the time");
    for building in ["Preparing", "Creating", "Updating"] {
        assert_eq!(missed(&cache(building), at(9), FULL, &RULE), None, "{building} is the tracker's");
    }
}

#[test]
fn a_failed_cache_stays_failed_and_is_judged_once() {
    let mut before = cache("Failed");
    before.misses = 1;
    let gone = missed(&before, at(1_440), FULL, &RULE).unwrap();
    assert_eq!((gone.moved, gone.reason, gone.event), (None, DROPPED, Some(EventType::Dropped)));
    assert_eq!((gone.next.status, gone.next.reconciled.gone_at), (Status::Failed, Some(at(1_440))));
    assert_eq!(missed(&gone.next, at(9_999), FULL, &RULE), None);
}

#[test]
fn what_is_as_it_was_asked_for_is_not_written() {
    assert_eq!(compare(&cache("Ready"), &seen("Ready"), at(1), at(1), &RULE), None);
    let spelled = Observation {
        images: vec!["docker.io/library/redis:7".into(), "docker.io/library/nginx:1".into()],
        raw: serde_json::Value::Null,
        ..seen("Ready")
    };
    assert_eq!(compare(&cache("Ready"), &spelled, at(1), at(1), &RULE), None);
}

#[test]
fn each_field_that_was_changed_elsewhere_is_named() {
    let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let others = [
        (Observation { name: "other".into(), ..seen("Ready") }, "name", text(&["web"]), text(&["other"])),
        (
            Observation { images: vec!["nginx:2".into()], ..seen("Ready") },
            "images",
            text(&["nginx:1", "redis:7"]),
            text(&["nginx:2"]),
        ),
        (Observation { size_gib: Some(50), ..seen("Ready") }, "size_gib", text(&["40"]), text(&["50"])),
        (Observation { expires_at: None, ..seen("Ready") }, "expires_at", text(&["1970-01-04T00:00:00Z"]), vec![]),
        (Observation { tags: vec![], ..seen("Ready") }, "tags", text(&["env=prod"]), vec![]),
        (Observation { resource_group_id: None, ..seen("Ready") }, "resource_group_id", text(&["rg-1"]), vec![]),
        (
            Observation { elimination_strategy: None, ..seen("Ready") },
            "elimination_strategy",
            text(&["lru"]),
            text(&["keep"]),
        ),
    ];
    for (seen, field, expected, found) in others {
        let change = compare(&cache("Ready"), &seen, at(1), at(1), &RULE).unwrap();
        assert_eq!(change.next.reconciled.drift, [Drift { field: field.into(), expected, seen: found }]);
        assert_eq!((change.event, change.reason), (Some(EventType::Drifted), "drifted"));
        let again = compare(&change.next, &seen, at(9), at(9), &RULE);
        assert_eq!(again.and_then(|change| change.event), None, "told once: {field}");
    }
}

#[test]
fn a_drift_ends_when_the_cloud_shows_again_what_was_asked_for() {
    let moved = Observation { expires_at: Some(at(9 * 1_440)), ..seen("Ready") };
    let drifted = compare(&cache("Ready"), &moved, at(1), at(1), &RULE).unwrap().next;
    assert_eq!(drifted.expires_at, moved.expires_at, "the row has what is true");
    assert_eq!(drifted.reconciled.drift[0].expected, ["1970-01-04T00:00:00Z"]);
    let further = Observation { expires_at: Some(at(10 * 1_440)), ..seen("Ready") };
    let further = compare(&drifted, &further, at(3), at(3), &RULE).unwrap();
    assert_eq!(further.event, Some(EventType::Drifted), "another drift is told of");
    assert_eq!(further.next.reconciled.drift[0].expected, ["1970-01-04T00:00:00Z"]);
    let resolved = compare(&further.next, &seen("Ready"), at(9), at(9), &RULE).unwrap();
    assert_eq!((resolved.event, resolved.next.reconciled.drift.len()), (Some(EventType::DriftResolved), 0));
    assert_eq!(resolved.next.expires_at, seen("Ready").expires_at);
}

#[test]
fn what_was_read_before_the_row_changed_says_nothing() {
    let other = Observation { name: "other".into(), ..seen("Ready") };
    let mut fresh = cache("Ready");
    fresh.updated_at = at(5);
    assert_eq!(compare(&fresh, &other, at(5), at(6), &RULE), None);
    assert!(compare(&fresh, &other, at(6), at(6), &RULE).is_some());
}

#[test]
fn what_was_never_asked_for_cannot_drift() {
    let mut open = cache("Ready");
    open.spec.size_gib = None;
    open.spec.resource_group_id = None;
    let seen = Observation { size_gib: Some(99), resource_group_id: Some("rg-2".into()), ..seen("Ready") };
    assert_eq!(drift::between(&open, &seen), []);
}

#[test]
fn a_build_that_somebody_else_began_is_followed() {
    let other = Observation { images: vec!["nginx:2".into()], ..seen("Updating") };
    let change = compare(&cache("Ready"), &other, at(1), at(1), &RULE).unwrap();
    assert_eq!(change.moved, Some((Status::Ready, Status::Updating)));
    assert!(change.next.evidence.build_seen && change.next.reconciled.drift.is_empty());
}

#[test]
fn a_ready_cache_that_the_cloud_shows_as_failed_has_drifted() {
    let change = compare(&cache("Ready"), &seen("Failed"), at(1), at(1), &RULE).unwrap();
    assert_eq!((change.moved, change.event), (None, Some(EventType::Drifted)));
    let reconciled = &change.next.reconciled;
    assert!(reconciled.is_unusable() && reconciled.content_drifted(), "{reconciled:?}");
    assert_eq!(
        (reconciled.drift[0].field.as_str(), reconciled.drift[0].seen.as_slice()),
        ("status", &["failed".to_owned()][..])
    );
    let back = compare(&change.next, &seen("Ready"), at(9), at(9), &RULE).unwrap();
    assert_eq!((back.event, back.next.reconciled.is_unusable()), (Some(EventType::DriftResolved), false));
}

#[test]
fn what_had_ended_goes_on_as_the_cloud_shows_it() {
    let ended = |status| ImageCache { status, misses: 2, ..cache("Ready") };
    let back = |cache: &ImageCache, word, minute| comes_back(cache, &seen(word), at(minute), at(minute), &RULE);
    assert_eq!(back(&cache("Ready"), "Ready", 9), None, "it has not ended");
    assert_eq!(back(&ended(Status::Lost), "Ready", 0), None, "the cloud may show what was before");
    for status in [Status::Lost, Status::Expired, Status::Evicted] {
        let change = back(&ended(status), "Ready", 9).unwrap();
        assert_eq!((change.moved, change.reason), (Some((status, Status::Ready)), SHOWN_AGAIN));
        assert_eq!((change.event, change.next.misses, change.next.sequence), (Some(EventType::Revived), 0, 2));
    }
    let asked = back(&ended(Status::Deleted), "Ready", 9).unwrap();
    assert_eq!(asked.moved, Some((Status::Deleted, Status::Deleting)), "it is still to be removed");
    let odd = back(&ended(Status::Lost), "Warming", 9).unwrap();
    assert_eq!(odd.moved, Some((Status::Lost, Status::Unknown)));
    let never_ready = ImageCache { ready_at: None, ..ended(Status::Lost) };
    assert_eq!(back(&never_ready, "Ready", 9).unwrap().event, Some(EventType::Ready), "told as what it is");
    let mut dropped = cache("Failed");
    dropped.reconciled.gone_at = Some(at(0));
    let change = back(&dropped, "Failed", 9).unwrap();
    assert_eq!((change.moved, change.event, change.next.reconciled.gone_at), (None, Some(EventType::Revived), None));
}

#[test]
fn each_end_of_a_cache_that_came_back_is_told() {
    let key = |cache: &ImageCache| EventType::Lost.dedupe_key_of(cache);
    let once = cache("Ready");
    assert_ne!(key(&once), key(&ImageCache { version: once.version + 2, ..once.clone() }));
}

#[test]
fn one_warning_for_each_end_of_retention() {
    let before = cache("Ready");
    assert_eq!(expiring(&before, at(2 * 1_440 - 1), &RULE), None, "not yet");
    let told = expiring(&before, at(2 * 1_440), &RULE).unwrap();
    assert_eq!((told.event, told.moved), (Some(EventType::Expiring), None));
    assert_eq!(expiring(&told.next, at(2 * 1_440 + 1), &RULE), None, "told already");
    let mut longer = told.next.clone();
    longer.expires_at = Some(at(4 * 1_440));
    assert!(expiring(&longer, at(3 * 1_440), &RULE).is_some(), "another end");
    assert_ne!(
        EventType::Expiring.dedupe_key_of(&longer),
        EventType::Expiring.dedupe_key_of(&told.next),
        "another event"
    );
    assert_eq!(expiring(&before, at(3 * 1_440), &RULE), None, "it is over");
    assert_eq!(expiring(&cache("Failed"), at(2 * 1_440), &RULE), None);
}

#[test]
fn no_finding_puts_the_time_of_a_row_back() {
    // Written by a process whose clock is ahead of ours.
    let mut before = cache("Ready");
    before.updated_at = at(2 * 1_440 + 5);
    let told = expiring(&before, at(2 * 1_440), &RULE).unwrap();
    assert_eq!(told.next.updated_at, before.updated_at);
}

fn operation(state: OperationState, kind: OperationKind) -> Operation {
    let spec = json!({"name": "web", "region": "cn-hangzhou", "images": ["nginx"]});
    Operation {
        id: OperationId::new(at(0), &Entropy::from_seed(3)),
        team: "web".parse().unwrap(),
        cache: CacheId::new(at(0), &Entropy::from_seed(4)),
        generation: 1,
        progress: Progress {
            kind,
            window_opened_at: Some(at(0)),
            last_signed_at: Some(at(2)),
            attempts: 2,
            in_doubt: false,
            unseen_since: None,
            held: None,
        },
        state,
        spec: serde_json::from_value(spec).unwrap(),
        changes: None,
        marks: Vec::new(),
        error: None,
        provider_request_id: None,
        subject: "alice".into(),
        credential: None,
        request_id: "req".into(),
        created_at: at(0),
        finished_at: Some(at(3)),
    }
}

#[test]
fn only_what_our_ended_create_surely_made_is_an_orphan() {
    use OperationKind::{Create, Update};
    use OperationState::{Refused, Running, Succeeded};
    let rule = operation::OperationTimings::default();
    let ours = |state, kind| operation(state, kind);
    let (made, closed) = (Observation { created_at: Some(at(1)), ..seen("Ready") }, at(18));
    let of = |operation: &Operation, seen: &Observation, now| judge(seen, Some(operation), false, now, &rule);
    assert_eq!(of(&ours(Refused, Create), &made, closed), Unmanaged::Orphan);
    assert_eq!(of(&ours(Succeeded, Create), &made, closed), Unmanaged::Orphan);
    assert_eq!(of(&ours(Refused, Create), &made, at(17)), Unmanaged::Wait, "it may be accepted once more");
    assert_eq!(of(&ours(Running, Create), &made, at(999)), Unmanaged::Wait);
    assert_eq!(of(&ours(Succeeded, Update), &made, closed), Unmanaged::Found, "an update makes no cache");
    let copied = [
        Observation { created_at: Some(at(19)), ..made.clone() },
        Observation { created_at: Some(at(-2)), ..made.clone() },
        Observation { created_at: None, ..made.clone() },
        Observation { name: "other".into(), ..made.clone() },
    ];
    for seen in &copied {
        assert_eq!(of(&ours(Refused, Create), seen, at(99)), Unmanaged::Found, "a tag can be copied: {seen:?}");
    }
    let mut never_sent = ours(Refused, Create);
    never_sent.progress.last_signed_at = None;
    assert_eq!(of(&never_sent, &made, closed), Unmanaged::Found);
    assert_eq!(judge(&made, None, false, closed, &rule), Unmanaged::Found);
    assert_eq!(judge(&made, None, true, closed, &rule), Unmanaged::Wait, "a create of that name is under way");
    let id = ours(Running, Create).id;
    let carries = Observation { tags: vec![(OPERATION_TAG.into(), id.to_string())], ..made.clone() };
    assert_eq!((tagged(&carries), tagged(&made)), (Some(id), None));
}
