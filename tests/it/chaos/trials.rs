//! Valid ledgers pass; each broken one is detected by the rule that is meant for it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::check::evidence::{
    AuditFact, CacheRow, ClientFact, EventFact, Evidence, HookFact, JournalAct, OperationFact, RecoveryTime,
    TransitionFact,
};
use super::check::{RULES, forget, judge};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

fn answered(action: &str, request: &str) -> ClientFact {
    ClientFact::Answered {
        key: Some(format!("key-{action}")),
        action: action.into(),
        status: 201,
        request_id: request.into(),
        image_cache: Some("ic_1".into()),
        eci_cache_id: Some("imc-1".into()),
    }
}

fn act(action: &str, token: &str, ready: Option<i64>) -> JournalAct {
    JournalAct {
        action: action.into(),
        image_cache_id: "imc-1".into(),
        client_token: Some(token.into()),
        operation_tag: Some("op_1".into()),
        ready_at: ready.map(at),
    }
}

fn event(kind: &str, generation: i64, second: i64) -> EventFact {
    EventFact {
        id: format!("evt_{kind}_{generation}"),
        team: "red".into(),
        kind: format!("image_cache.{kind}"),
        image_cache: "ic_1".into(),
        generation,
        occurred_at: at(second),
    }
}

fn hook(event: &EventFact, second: i64) -> HookFact {
    HookFact {
        at: at(second),
        id: event.id.clone(),
        kind: event.kind.clone(),
        image_cache: "ic_1".into(),
        generation: event.generation,
        signed: true,
    }
}

/// A page of the feed.
fn heard(events: &[EventFact]) -> ClientFact {
    ClientFact::Heard { team: "red".into(), events: events.iter().map(|event| event.id.clone()).collect() }
}

fn anew() -> ClientFact {
    ClientFact::Anew { team: "red".into() }
}

fn operation(id: &str, kind: &str) -> OperationFact {
    OperationFact {
        id: id.into(),
        image_cache: "ic_1".into(),
        kind: kind.into(),
        state: "succeeded".into(),
        code: None,
        seconds: Some(1.0),
    }
}

fn steps(words: &[&str]) -> Vec<TransitionFact> {
    let from = std::iter::once(None).chain(words.iter().map(|word| Some((*word).to_owned())));
    let steps = (1..).zip(from.zip(words));
    let row = |(sequence, (from, to)): (i64, (Option<String>, &&str))| TransitionFact {
        image_cache: "ic_1".into(),
        sequence,
        from,
        to: (*to).to_owned(),
        reason: "observed".into(),
    };
    steps.map(row).collect()
}

/// The entries for the beginning and the end of an operation.
fn audited(operation: &str, kind: &str) -> [AuditFact; 2] {
    let action = format!("{kind}_image_cache");
    ["accepted", "succeeded"].map(|outcome| AuditFact {
        operation: operation.into(),
        action: action.clone(),
        outcome: outcome.into(),
    })
}

/// A cache that was created, became ready, was updated and became ready again.
fn good() -> Evidence {
    let events = [event("created", 1, 1), event("ready", 1, 11), event("updating", 2, 20), event("updated", 2, 31)];
    let asked = ClientFact::Asked { key: "key-create".into(), action: "create".into() };
    Evidence {
        clients: vec![asked, answered("create", "req_1"), answered("update", "req_2"), heard(&events)],
        acts: vec![act("CreateImageCache", "op_1.1", Some(10)), act("UpdateImageCache", "op_2.2", Some(30))],
        hooks: events.iter().map(|event| hook(event, 40)).collect(),
        caches: vec![CacheRow {
            id: "ic_1".into(),
            name: "asked-1".into(),
            status: "ready".into(),
            generation: 2,
            eci_cache_id: Some("imc-1".into()),
            untold: false,
        }],
        operations: vec![operation("op_1", "create"), operation("op_2", "update")],
        events: events.to_vec(),
        transitions: steps(&["pending", "preparing", "ready", "updating", "ready"]),
        audited: ["req_1", "req_2"].map(String::from).into(),
        audit: [audited("op_1", "create"), audited("op_2", "update")].concat(),
        audit_findings: Vec::new(),
        waiting_deliveries: 0,
        recoveries: vec![RecoveryTime { fault: "kill".into(), took: Some(Duration::from_secs(19)) }],
        held: ["imc-1".to_owned()].into(),
        findings: [].into(),
        lied: false,
        lost: Vec::new(),
    }
}

#[test]
fn what_is_in_order_passes() {
    assert_eq!(judge(&good()), []);
}

type Break = fn(&mut Evidence);

const YOURS: &str = "nobody who was told \"yours\" loses it without asking";
const NAMED: &str = "whatever the cloud has, a living row or an open finding names it";
const FEED: &str = "each event is read in the feed exactly once";

/// Which rule must detect what.
const BROKEN: [(&str, Break); 50] = [
    ("every wish is answered", |e| e.clients.push(ClientFact::GaveUp { key: "key-create".into() })),
    ("no acknowledged create is lost", |e| e.caches[0].id = "ic_2".into()),
    ("no acknowledged create is lost", |e| e.caches[0].eci_cache_id = Some("imc-2".into())),
    (YOURS, |e| e.clients.push(ClientFact::Told { eci_cache_id: "imc-2".into() })),
    (YOURS, |e| e.clients.push(ClientFact::Yours { image_cache: "ic_2".into(), outcome: "joined".into() })),
    (YOURS, |e| {
        e.clients.push(ClientFact::Yours { image_cache: "ic_1".into(), outcome: "joined".into() });
        e.caches[0].status = "deleted".into();
    }),
    ("nothing lives that nobody was told of", |e| e.caches[0].untold = true),
    ("every answered request has its audit entry", |e| {
        e.audited.remove("req_2");
    }),
    ("the cloud's ledger and the audit agree", |e| {
        e.audit.pop();
    }),
    ("the cloud's ledger and the audit agree", |e| {
        e.acts.pop();
    }),
    ("each operation has its two audit entries", |e| {
        e.audit.remove(0);
    }),
    ("each operation has its two audit entries", |e| e.audit.push(e.audit[1].clone())),
    ("each operation has its two audit entries", |e| e.audit[3].outcome = "accepted".into()),
    ("each operation has its two audit entries", |e| e.audit.extend(audited("op_9", "delete"))),
    ("the audit verifies", |e| e.audit_findings.push("leaf 1".into())),
    ("one key, one cache", |e| {
        if let ClientFact::Answered { key, image_cache, .. } = &mut e.clients[2] {
            (*key, *image_cache) = (Some("key-create".into()), Some("ic_2".into()));
        }
    }),
    ("one key, one cache", |e| e.lost.push(("key-create".into(), "imc-9".into()))),
    ("one key, one cache", |e| e.lost.push(("key-other".into(), "imc-1".into()))),
    (NAMED, |e| e.held.extend(["imc-9".to_owned()])),
    (NAMED, |e| e.caches[0].status = "lost".into()),
    (FEED, |e| drop(e.clients.pop())),
    (FEED, |e| e.clients.push(heard(&e.events[..1]))),
    (FEED, |e| e.clients.push(ClientFact::Heard { team: "red".into(), events: vec!["evt_other".into()] })),
    (FEED, |e| e.clients.push(anew())),
    (FEED, |e| e.events[0].team = "blue".into()),
    ("no operation is carried out twice", |e| {
        let again = JournalAct { client_token: Some("op_1.other".into()), ..e.acts[0].clone() };
        e.acts.push(again);
    }),
    ("no operation is carried out twice", |e| e.acts.push(e.acts[1].clone())),
    ("no orphan at the stand-in", |e| {
        let other =
            JournalAct { image_cache_id: "imc-9".into(), operation_tag: None, client_token: None, ..e.acts[0].clone() };
        e.acts.push(other);
    }),
    ("nothing is refused that should not be", |e| e.operations[1].state = "refused".into()),
    ("nothing is refused that should not be", |e| {
        (e.operations[0].state, e.operations[0].code) = ("refused".into(), Some("withdrawn".into()));
        e.caches[0].name = "chaos-1".into();
    }),
    ("no operation is stuck", |e| e.operations[0].state = "running".into()),
    ("no operation is stuck", |e| e.caches[0].status = "creating".into()),
    ("no operation is stuck", |e| e.waiting_deliveries = 1),
    ("every transition is legal", |e| {
        e.transitions.remove(1);
    }),
    ("every transition is legal", |e| e.transitions = steps(&["pending", "ready", "preparing", "ready"])),
    ("every transition is legal", |e| e.transitions = steps(&["pending", "preparing"])),
    ("every transition is legal", |e| e.transitions[4].from = Some("ready".into())),
    ("every transition is legal", |e| came_back(e, "shown_again", false)),
    ("every transition is legal", |e| came_back(e, "observed", true)),
    ("each operation has its two audit entries", |e| e.audit[0].outcome = "succeeded".into()),
    ("no Ready before the stand-in's", |e| {
        e.acts.remove(0);
        e.clients.push(ClientFact::Put { eci_cache_id: "imc-1".into(), ready_at: at(12) });
    }),
    ("database and stand-in agree", |e| e.acts.push(act("DeleteImageCache", "op_3.2", None))),
    ("database and stand-in agree", |e| e.caches[0].status = "deleted".into()),
    ("database and stand-in agree", |e| e.caches[0].status = "lost".into()),
    ("one Ready event for each cache and generation", |e| e.events.push(e.events[1].clone())),
    ("one Ready event for each cache and generation", |e| e.events.retain(|event| event.generation == 1)),
    ("no Ready before the stand-in's", |e| e.events[3].occurred_at = at(29)),
    ("no Ready before the stand-in's", |e| e.hooks[1].at = at(9)),
    ("each event is delivered, with one id", |e| e.hooks.retain(|hook| hook.kind != "image_cache.updated")),
    ("each event is delivered, with one id", |e| {
        let again = HookFact { id: "evt_other".into(), ..e.hooks[1].clone() };
        e.hooks.push(again);
    }),
];

#[test]
fn each_broken_ledger_is_caught_by_its_rule() {
    for (number, (rule, spoil)) in BROKEN.into_iter().enumerate() {
        let mut evidence = good();
        spoil(&mut evidence);
        let found = judge(&evidence);
        assert!(found.iter().any(|violation| violation.rule == rule), "{number}: {rule}: {found:?}");
    }
    let mut unsigned = good();
    unsigned.hooks[0].signed = false;
    assert_eq!(judge(&unsigned)[0].rule, "every webhook is signed");
    for took in [None, Some(Duration::from_millis(20_001))] {
        let mut late = good();
        late.recoveries[0].took = took;
        assert_eq!(judge(&late)[0].rule, "recovery within the limit");
    }
}

/// The cache was lost and came back.
fn came_back(evidence: &mut Evidence, reason: &str, lied: bool) {
    evidence.transitions = steps(&["pending", "preparing", "ready", "lost", "ready"]);
    evidence.transitions[4].reason = reason.into();
    evidence.lied = lied;
}

#[test]
fn what_is_shown_again_after_a_lie_goes_on() {
    let mut evidence = good();
    came_back(&mut evidence, "shown_again", true);
    assert_eq!(judge(&evidence), []);
}

#[test]
fn what_is_adopted_or_left_as_it_was_found_is_in_order() {
    let mut evidence = good();
    evidence.held.insert("imc-2".into());
    evidence.findings.insert("imc-2".into());
    // Adopted while it was building, so no create reported it.
    evidence.acts.remove(0);
    evidence.clients.push(ClientFact::Put { eci_cache_id: "imc-1".into(), ready_at: at(10) });
    evidence.clients.push(ClientFact::Told { eci_cache_id: "imc-1".into() });
    evidence.transitions.remove(0);
    (evidence.transitions[0].from, evidence.transitions[0].reason) = (None, "adopted".into());
    evidence.transitions.iter_mut().for_each(|row| row.sequence -= 1);
    let adoption =
        AuditFact { operation: "op_1".into(), action: "adopt_image_caches".into(), outcome: "succeeded".into() };
    evidence.audit.splice(..2, [adoption]);
    assert_eq!(judge(&evidence), []);
    // Adopted when it was ready, so its readiness is not reported.
    let of_first = |event: &EventFact| event.kind != "image_cache.ready";
    evidence.events.retain(of_first);
    evidence.clients.push(anew());
    evidence.clients.push(heard(&evidence.events.clone()));
    evidence.transitions.remove(0);
    evidence.transitions[0].from = None;
    evidence.transitions[0].reason = "adopted".into();
    evidence.transitions.iter_mut().for_each(|row| row.sequence -= 1);
    assert_eq!(judge(&evidence), []);
}

#[test]
fn whoever_begins_anew_reads_everything_again() {
    let mut evidence = good();
    evidence.clients.push(anew());
    evidence.clients.push(heard(&evidence.events[..1]));
    evidence.clients.push(heard(&evidence.events[1..]));
    assert_eq!(judge(&evidence), []);
}

#[test]
fn what_is_lost_by_design_is_forgotten_and_its_keys_are_not() {
    let mut evidence = good();
    let mut others = evidence.clients.split_off(1);
    let late = |at_cloud: &str| ClientFact::Answered {
        key: Some("key-create".into()),
        action: "create".into(),
        status: 201,
        request_id: "req_lost".into(),
        image_cache: Some("ic_lost".into()),
        eci_cache_id: Some(at_cloud.into()),
    };
    let read = ClientFact::Heard { team: "red".into(), events: vec!["evt_lost".into()] };
    evidence.clients.extend([
        ClientFact::LossBegins { at: at(2) },
        late("imc-1"),
        read,
        ClientFact::LossEnds { at: at(5) },
    ]);
    evidence.clients.append(&mut others);
    let told = event("lost", 1, 3);
    evidence.hooks.push(hook(&told, 3));
    forget(&mut evidence);
    assert_eq!((judge(&evidence), evidence.lost.len()), (Vec::new(), 1));

    evidence.clients.insert(0, ClientFact::LossBegins { at: at(2) });
    evidence.clients.insert(1, late("imc-2"));
    evidence.clients.insert(2, ClientFact::GaveUp { key: "key-create".into() });
    evidence.clients.insert(3, ClientFact::LossEnds { at: at(5) });
    forget(&mut evidence);
    let rules: Vec<_> = judge(&evidence).into_iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, ["every wish is answered", "one key, one cache"]);
}

#[test]
fn every_rule_is_tried() {
    let tried: Vec<_> = BROKEN.iter().map(|(rule, _)| *rule).collect();
    let others = ["every webhook is signed", "recovery within the limit"];
    for (rule, _) in RULES {
        assert!(tried.contains(&rule) || others.contains(&rule), "{rule}");
    }
}
