//! The rule, case by case. Times are minutes after the first attempt.

use super::*;

fn at(minutes: i64) -> Instant {
    Instant::UNIX_EPOCH + Duration::minutes(minutes)
}

/// A time from a clock that is in no doubt.
fn sure(at: Instant) -> Present {
    Present { at, sure: true }
}

/// A time from a clock that may be wrong.
fn unsure(at: Instant) -> Present {
    Present { at, sure: false }
}

fn seconds(seconds: i64) -> Instant {
    Instant::UNIX_EPOCH + Duration::seconds(seconds)
}

/// Three attempts, the last signed after four minutes; settled after twenty.
fn in_doubt(kind: OperationKind) -> Progress {
    Progress {
        window_opened_at: Some(at(0)),
        last_signed_at: Some(at(4)),
        attempts: 3,
        in_doubt: true,
        ..Progress::new(kind)
    }
}

fn due(progress: Progress, now: Instant) -> Effect {
    decide(
        progress,
        OperationInput::Due { unwanted: false, overtaken_until: None },
        sure(now),
        &OperationTimings::default(),
    )
    .1
}

fn unwanted(progress: Progress, now: Instant) -> Effect {
    decide(
        progress,
        OperationInput::Due { unwanted: true, overtaken_until: None },
        sure(now),
        &OperationTimings::default(),
    )
    .1
}

fn answered(progress: Progress, answer: CallOutcome, now: Instant) -> (Progress, Effect) {
    decide(progress, OperationInput::Answered(answer), sure(now), &OperationTimings::default())
}

fn looked(progress: Progress, sight: LookupResult, now: Instant) -> (Progress, Effect) {
    decide(progress, OperationInput::Looked { sight, unwanted: false }, sure(now), &OperationTimings::default())
}

const ONCE: LookupResult = LookupResult::Found { twice: false };

#[test]
fn a_create_in_doubt_repeats_its_token_within_the_window_then_looks() {
    let create = in_doubt(OperationKind::Create);
    assert_eq!(due(create, at(4)), Effect::Sign);
    assert_eq!(due(create, at(5)), Effect::LookUp);
    let (early, effect) = looked(create, LookupResult::Absent, at(5));
    assert_eq!((early.unseen_since, effect), (None, Effect::Wait(at(6))), "too early to say");
    let resolved = unseen_for_long(create);
    assert_eq!((resolved.in_doubt, resolved.unseen_since, due(resolved, at(35))), (false, None, Effect::Sign));
    assert_eq!(resolved.signed(sure(at(36))).window_opened_at, Some(at(36)), "a new window");
    assert_eq!(create.signed(sure(at(4))).window_opened_at, Some(at(0)), "still the old one");
}

/// Three lookups over a quarter of an hour find nothing.
fn unseen_for_long(progress: Progress) -> Progress {
    let (first, effect) = looked(progress, LookupResult::Absent, at(20));
    assert_eq!((first.unseen_since, effect), (Some(at(20)), Effect::Wait(seconds(1_650))));
    let (second, effect) = looked(first, LookupResult::Absent, seconds(1_650));
    assert_eq!((second, effect), (first, Effect::Wait(at(35))));
    assert_eq!(due(second, at(34)), Effect::LookUp, "never sent before that");
    looked(second, LookupResult::Absent, at(35)).0
}

#[test]
fn what_is_hidden_for_a_while_is_found() {
    let (first, _) = looked(in_doubt(OperationKind::Create), LookupResult::Absent, at(20));
    let (failed, effect) = looked(first, LookupResult::Failed, at(35));
    assert_eq!((failed, effect), (first, Effect::Wait(at(35) + LOOK_AGAIN_AFTER)), "a look without an answer is none");
    assert_eq!(looked(first, ONCE, at(35)).1, Effect::Succeed { unsettled_until: None });
    let (late, effect) = looked(in_doubt(OperationKind::Create), LookupResult::Absent, at(900));
    assert_eq!((late.in_doubt, effect), (true, Effect::Wait(seconds(54_450))), "one look never decides");
    let (back, _) = looked(first, LookupResult::Absent, at(19));
    assert_eq!(back.unseen_since, Some(at(20)), "too early");
    let ahead = Progress { unseen_since: Some(at(90)), ..first };
    assert_eq!(looked(ahead, LookupResult::Absent, at(35)).0.unseen_since, Some(at(35)), "by a clock that was ahead");
}

#[test]
fn a_shown_cache_without_a_trace_of_the_update_is_proof_enough() {
    let update = in_doubt(OperationKind::Update);
    assert_eq!(looked(update, LookupResult::Nothing, at(5)).1, Effect::Wait(at(6)));
    let (resolved, effect) = looked(update, LookupResult::Nothing, at(20));
    assert_eq!((resolved.in_doubt, effect), (false, Effect::Wait(at(20))));
    assert!(!unseen_for_long(update).in_doubt);
}

#[test]
fn what_is_found_early_may_still_come_twice() {
    let create = in_doubt(OperationKind::Create);
    assert_eq!(looked(create, ONCE, at(5)).1, Effect::Succeed { unsettled_until: Some(at(20)) });
    assert_eq!(looked(create, ONCE, at(20)).1, Effect::Succeed { unsettled_until: None });
    let twice = LookupResult::Found { twice: true };
    assert_eq!(looked(create, twice, at(20)).1, Effect::Succeed { unsettled_until: Some(at(20)) });
    assert_eq!(looked(create, LookupResult::Failed, at(5)).1, Effect::Wait(at(5) + LOOK_AGAIN_AFTER));
}

#[test]
fn what_surely_did_not_happen_is_sent_at_once() {
    let known = Progress { in_doubt: false, ..in_doubt(OperationKind::Create) };
    assert_eq!(due(known, at(60)), Effect::Sign);
    assert_eq!(due(in_doubt(OperationKind::Delete), at(60)), Effect::Sign, "repeating it does no harm");
    assert_eq!(due(in_doubt(OperationKind::Update), at(60)), Effect::LookUp, "it would build twice");
}

#[test]
fn only_an_unknown_outcome_leaves_doubt() {
    let first = Progress::new(OperationKind::Create).signed(sure(at(0)));
    assert_eq!(answered(first, CallOutcome::Refused, at(0)), (first, Effect::Refuse));
    assert_eq!(answered(first, CallOutcome::NotDone, at(0)), (first, Effect::Wait(seconds(1))));
    let (after, effect) = answered(first, CallOutcome::Unknown, at(0));
    assert_eq!((after.in_doubt, effect), (true, Effect::Wait(seconds(1))));
    assert!(answered(in_doubt(OperationKind::Create), CallOutcome::NotDone, at(4)).0.in_doubt, "the earlier one's");
}

#[test]
fn a_refusal_after_doubt_is_held_until_nothing_can_come_any_more() {
    let (held, effect) = answered(in_doubt(OperationKind::Create), CallOutcome::Refused, at(4));
    assert_eq!((held.held, effect), (Some(HoldReason::Refusal), Effect::Wait(at(4))));
    assert_eq!(due(held, at(4)), Effect::LookUp, "never sent again");
    assert_eq!(looked(held, LookupResult::Absent, at(5)).1, Effect::Wait(at(6)));
    assert_eq!(looked(held, ONCE, at(5)).1, Effect::Succeed { unsettled_until: Some(at(20)) });
    let (unseen, _) = looked(held, LookupResult::Absent, at(20));
    assert_eq!(looked(unseen, LookupResult::Absent, at(35)).1, Effect::Refuse);
}

#[test]
fn a_mismatch_is_held_whatever_went_before() {
    let first = Progress::new(OperationKind::Create).signed(sure(at(0)));
    let (held, effect) = answered(first, CallOutcome::Mismatch, at(0));
    assert_eq!((held.held, held.in_doubt, effect), (Some(HoldReason::Mismatch), true, Effect::Wait(at(0))));
    assert_eq!(due(held, at(0)), Effect::LookUp);
    assert_eq!(looked(held, LookupResult::Absent, at(15)).1, Effect::Wait(at(16)));
    let (unseen, _) = looked(held, LookupResult::Absent, at(16));
    assert_eq!(looked(unseen, LookupResult::Absent, at(31)).1, Effect::Refuse);
}

#[test]
fn a_held_update_is_looked_at_once_what_was_before_it_is_shown_no_more() {
    let first = Progress::new(OperationKind::Update).signed(sure(at(0)));
    assert_eq!(answered(first, CallOutcome::Mismatch, at(0)).1, Effect::Wait(at(1)));
}

#[test]
fn what_is_not_shown_yet_is_looked_for_ever_more_seldom_until_that_can_be_told() {
    let mut now = at(0);
    let held = answered(Progress::new(OperationKind::Create).signed(sure(now)), CallOutcome::Mismatch, now).0;
    for next in [1, 2, 4, 8, 16].map(at) {
        assert_eq!(looked(held, LookupResult::Absent, now).1, Effect::Wait(next));
        now = next;
    }
}

#[test]
fn a_success_after_doubt_is_settled_later() {
    let first = Progress::new(OperationKind::Create).signed(sure(at(0)));
    assert_eq!(answered(first, CallOutcome::Done, at(0)).1, Effect::Succeed { unsettled_until: None });
    let done = |kind| answered(in_doubt(kind), CallOutcome::Done, at(4)).1;
    assert_eq!(done(OperationKind::Create), Effect::Succeed { unsettled_until: Some(at(20)) });
    assert_eq!(done(OperationKind::Update), Effect::Succeed { unsettled_until: Some(at(20)) });
    assert_eq!(done(OperationKind::Delete), Effect::Succeed { unsettled_until: None });
}

#[test]
fn a_create_that_nobody_wants_is_not_sent_any_more() {
    assert_eq!(unwanted(Progress::new(OperationKind::Create), at(0)), Effect::Withdraw);
    let create = in_doubt(OperationKind::Create);
    assert_eq!(unwanted(create, at(4)), Effect::LookUp);
    let nothing = OperationInput::Looked { sight: LookupResult::Absent, unwanted: true };
    assert_eq!(decide(create, nothing, sure(at(20)), &OperationTimings::default()).1, Effect::Withdraw);
    assert_eq!(unwanted(Progress::new(OperationKind::Delete), at(0)), Effect::Sign);
}

#[test]
fn an_update_waits_for_the_copies_of_an_earlier_one() {
    let overtaken = |now| {
        let input = OperationInput::Due { unwanted: false, overtaken_until: Some(at(20)) };
        decide(Progress::new(OperationKind::Update), input, sure(now), &OperationTimings::default()).1
    };
    assert_eq!(overtaken(at(19)), Effect::Wait(at(20)));
    assert_eq!(overtaken(at(20)), Effect::Wait(at(20) + SETTLES_SOON), "until that is settled");
    assert_eq!(due(Progress::new(OperationKind::Update), at(20)), Effect::Sign);
}

#[test]
fn the_pause_doubles_up_to_half_a_minute_and_a_paused_attempt_is_stale() {
    let pauses = [1, 2, 6, 99].map(|attempts| backoff(attempts).num_seconds());
    assert_eq!(pauses, [1, 2, 32, 32]);
    assert!(!is_stale(at(0), seconds(10)) && is_stale(at(0), seconds(11)));
}

#[test]
fn whoever_is_not_sure_of_the_time_tells_nothing_by_it() {
    let (create, rule) = (in_doubt(OperationKind::Create), OperationTimings::default());
    let at_once = OperationInput::Due { unwanted: false, overtaken_until: None };
    assert_eq!(decide(create, at_once, unsure(at(4)), &rule).1, Effect::LookUp, "the window may be over");
    let looked = |sight, now| decide(create, OperationInput::Looked { sight, unwanted: false }, now, &rule);
    for sight in [LookupResult::Absent, LookupResult::Nothing] {
        let (after, effect) = looked(sight, unsure(at(900)));
        assert_eq!((after.in_doubt, after.unseen_since), (true, None), "a copy may still come");
        assert_eq!(effect, Effect::Wait(at(900) + LOOK_AGAIN_AFTER));
    }
    assert_eq!(looked(ONCE, unsure(at(900))).1, Effect::Succeed { unsettled_until: Some(at(20)) });
    let update = decide(in_doubt(OperationKind::Update), at_once, unsure(at(4)), &rule).1;
    assert_eq!(update, Effect::Wait(at(4) + LOOK_AGAIN_AFTER), "a look may show what was before it");
    let first = Progress::new(OperationKind::Create).signed(unsure(at(0)));
    let doubted = answered(first, CallOutcome::Unknown, at(0)).0;
    assert_eq!(due(doubted, at(1)), Effect::LookUp, "it opens no window");
}

#[test]
fn what_was_decided_long_ago_is_not_signed_outside_the_window() {
    let (create, rule) = (in_doubt(OperationKind::Create), OperationTimings::default());
    assert!(create.may_sign(sure(at(4)), &rule) && !create.may_sign(sure(at(5)), &rule));
    assert!(Progress::new(OperationKind::Create).may_sign(sure(at(5)), &rule));
    assert!(in_doubt(OperationKind::Delete).may_sign(sure(at(90)), &rule));
}

#[test]
fn a_clock_that_was_put_back_opens_no_window_again() {
    let create = in_doubt(OperationKind::Create);
    assert_eq!(due(create, at(3)), Effect::LookUp, "signed later than now");
    let (looked_for, _) = looked(create, LookupResult::Failed, at(3));
    assert_eq!(due(looked_for, at(4)), Effect::LookUp, "for good");
    let behind = create.signed(unsure(at(2)));
    assert_eq!(behind.last_signed_at, Some(at(4)), "the earlier attempt may still be accepted");
    let opened = Progress { window_opened_at: Some(at(5)), ..create };
    assert_eq!(due(opened, at(4)), Effect::LookUp, "opened later than now");
}
