//! What each change does to a cache, and what it must not do.

use chrono::Duration;

use super::*;
use crate::domain::entropy::Entropy;
use crate::domain::ids::{CacheId, OperationId};

const LAG: Duration = Duration::minutes(1);

fn at(minutes: i64) -> Instant {
    Instant::UNIX_EPOCH + Duration::minutes(minutes)
}

fn cache(status: Status) -> ImageCache {
    let spec = serde_json::json!({"name": "web", "region": "cn-hangzhou", "images": ["nginx"]});
    ImageCache {
        id: CacheId::new(at(0), &Entropy::from_seed(1)),
        team: "red".parse().unwrap(),
        account: "default".into(),
        spec: serde_json::from_value(spec).unwrap(),
        status,
        provider_status: None,
        generation: 1,
        version: 1,
        sequence: 0,
        operation: OperationId::new(at(0), &Entropy::from_seed(2)),
        eci_cache_id: Some("imc-1".into()),
        container_group_id: None,
        snapshot_id: None,
        flash_snapshot_id: None,
        progress_percent: None,
        failure: None,
        created_at: at(0),
        updated_at: at(0),
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

fn seen(status: &str) -> Observation {
    Observation {
        eci_cache_id: "imc-1".into(),
        status: status.into(),
        progress_percent: Some(10),
        container_group_id: None,
        snapshot_id: None,
        flash_snapshot_id: None,
        created_at: None,
        expires_at: None,
        images: vec![],
        tags: vec![],
        name: "web".into(),
        size_gib: Some(20),
        resource_group_id: None,
        elimination_strategy: None,
        last_matched_at: None,
        raw: serde_json::Value::Null,
        events: vec![],
    }
}

#[test]
fn ready_is_ready_below_a_hundred_percent() {
    let change = observe(&cache(Status::Creating), Some(&seen("Ready")), at(3), LAG).unwrap();
    assert_eq!(change.moved, Some((Status::Creating, Status::Ready)));
    assert_eq!(change.event, Some(EventType::Ready));
    assert_eq!(change.next.ready_at, Some(at(3)));
}

#[test]
fn a_second_look_that_shows_nothing_new_writes_nothing() {
    let first = observe(&cache(Status::Creating), Some(&seen("Creating")), at(1), LAG).unwrap();
    assert_eq!(first.moved, None, "only the progress was new");
    assert_eq!(observe(&first.next, Some(&seen("Creating")), at(2), LAG), None);
}

#[test]
fn after_an_update_the_old_builds_ready_moves_nothing() {
    let mut ready = cache(Status::Ready);
    ready.snapshot_id = Some("s-old".into());
    let updating = updating(&ready, ready.spec.clone(), at(1)).next;
    assert_eq!((updating.status, updating.generation), (Status::Updating, 2));
    let old = Observation { snapshot_id: Some("s-old".into()), ..seen("Ready") };
    assert_eq!(observe(&updating, Some(&old), at(2), LAG).unwrap().moved, None);
    let new = Observation { snapshot_id: Some("s-new".into()), ..seen("Ready") };
    assert_eq!(observe(&updating, Some(&new), at(2), LAG).unwrap().event, Some(EventType::Updated));
    let building = observe(&updating, Some(&seen("Updating")), at(2), LAG).unwrap().next;
    assert_eq!(observe(&building, Some(&old), at(3), LAG).unwrap().event, Some(EventType::Updated));
    assert_eq!(
        observe(&updating, Some(&old), at(11), LAG).unwrap().event,
        Some(EventType::Updated),
        "nothing had to be built"
    );
}

#[test]
fn a_stale_update_failed_is_not_the_new_builds() {
    let mut failed = cache(Status::UpdateFailed);
    failed.snapshot_id = Some("s-old".into());
    let updating = updating(&failed, failed.spec.clone(), at(1)).next;
    assert_eq!(observe(&updating, Some(&seen("UpdateFailed")), at(1), LAG).unwrap().moved, None);
}

#[test]
fn a_flash_caches_late_snapshot_is_not_the_new_build() {
    let mut ready = cache(Status::Ready);
    ready.flash_snapshot_id = Some("s-flash".into());
    let updating = updating(&ready, ready.spec.clone(), at(1)).next;
    let old = Observation { snapshot_id: Some("s-late".into()), ..seen("Ready") };
    assert_eq!(observe(&updating, Some(&old), at(2), LAG).unwrap().moved, None, "the old build's standard snapshot");
    let new = Observation { flash_snapshot_id: Some("s-flash-2".into()), ..seen("Ready") };
    assert_eq!(observe(&updating, Some(&new), at(2), LAG).unwrap().event, Some(EventType::Updated));
}

#[test]
fn a_look_that_lags_behind_an_earlier_one_moves_nothing() {
    let mut ready = cache(Status::Ready);
    ready.snapshot_id = Some("s-old".into());
    let updating = updating(&ready, ready.spec.clone(), at(1)).next;
    let building = observe(&updating, Some(&seen("Updating")), at(1), LAG).unwrap().next;
    let old = Observation { snapshot_id: Some("s-old".into()), ..seen("Ready") };
    assert_eq!(observe(&building, Some(&old), at(1), LAG).unwrap().moved, None);
    let odd = observe(&updating, Some(&seen("Warming")), at(1), LAG).unwrap().next;
    assert_eq!(observe(&odd, Some(&old), at(1), LAG).unwrap().moved, None, "nor after a word of tomorrow");
}

#[test]
fn an_update_that_was_carried_out_shows() {
    let mut ready = cache(Status::Ready);
    ready.snapshot_id = Some("s-old".into());
    let snapshot = |id: &str| Observation { snapshot_id: Some(id.into()), ..seen("Ready") };
    assert!(was_updated(&ready, &seen("Updating")) && was_updated(&ready, &seen("UpdateFailed")));
    assert!(was_updated(&ready, &snapshot("s-new")) && !was_updated(&ready, &snapshot("s-old")));
}

#[test]
fn a_new_cache_may_not_be_shown_yet() {
    let new = created(&ImageCache { eci_cache_id: None, ..cache(Status::Pending) }, "imc-1", None, at(0)).next;
    assert_eq!(observe(&new, None, at(0), LAG), None);
    assert_eq!(observe(&new, None, at(1), LAG).unwrap().next.misses, 1);
    let shown = observe(&new, Some(&seen("Creating")), at(0), LAG).unwrap().next;
    assert_eq!(observe(&shown, None, at(0), LAG), None, "although it was shown before");
    assert_eq!(observe(&shown, None, at(1), LAG).unwrap().next.misses, 1);
}

#[test]
fn one_miss_is_lag_two_are_gone() {
    let once = observe(&cache(Status::Creating), None, at(1), LAG).unwrap();
    assert_eq!((once.moved, once.next.misses), (None, 1));
    let twice = observe(&once.next, None, at(2), LAG).unwrap();
    assert_eq!(twice.event, Some(EventType::Lost));
    let mut deleting = once.next.clone();
    deleting.status = Status::Deleting;
    assert_eq!(observe(&deleting, None, at(2), LAG).unwrap().event, Some(EventType::Deleted));
}

#[test]
fn a_failed_build_says_why() {
    let warning = |reason: &str, at| ProviderEvent {
        name: reason.into(),
        kind: "Warning".into(),
        reason: reason.into(),
        message: "manifest unknown".into(),
        count: 1,
        first_at: None,
        last_at: Some(at),
    };
    let failed = Observation { events: vec![warning("Pulling", at(1)), warning("Failed", at(2))], ..seen("Failed") };
    let change = observe(&cache(Status::Creating), Some(&failed), at(3), LAG).unwrap();
    assert_eq!(change.next.failure.unwrap().code, "Failed");
    assert_eq!(change.event, Some(EventType::Failed));
}

#[test]
fn a_word_of_tomorrow_is_shown_and_left_again() {
    let odd = observe(&cache(Status::Creating), Some(&seen("Warming")), at(1), LAG).unwrap();
    assert_eq!((odd.next.status, odd.event), (Status::Unknown, None));
    assert_eq!(observe(&odd.next, Some(&seen("Ready")), at(2), LAG).unwrap().event, Some(EventType::Ready));
}

#[test]
fn what_had_ended_goes_on_along_the_graph() {
    let ended = Status::ALL.into_iter().filter(|status| status.is_final());
    for before in ended {
        for word in ["Preparing", "Creating", "Ready", "Updating", "UpdateFailed", "Failed", "A word of tomorrow"] {
            let again = |shown, rebuilt| TransitionInput::ShownAgain { shown, rebuilt };
            let (from, to) = found(&cache(before), &seen(word), again, at(9), LAG).moved.unwrap();
            assert!(from == before && from.may_come_back_as(to), "{from} to {to}, shown as {word}");
            assert_eq!(to == Status::Deleting, before == Status::Deleted, "one is still to be removed");
        }
    }
    assert!(!Status::Ready.may_come_back_as(Status::Creating) && !Status::Lost.may_come_back_as(Status::Pending));
}
