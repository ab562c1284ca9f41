//! Ledgers that are in order pass; each broken one is caught by the rule that is meant for it, and by its name.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::check::evidence::{
    Act, AuditRow, CacheRow, ClientFact, EventRow, Evidence, Hook, OperationRow, Recovery, TransitionRow,
};
use super::check::{RULES, judge};

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

fn act(action: &str, token: &str, ready: Option<i64>) -> Act {
    Act {
        action: action.into(),
        image_cache_id: "imc-1".into(),
        client_token: Some(token.into()),
        operation_tag: Some("op_1".into()),
        ready_at: ready.map(at),
    }
}

fn event(kind: &str, generation: i64, second: i64) -> EventRow {
    EventRow {
        id: format!("evt_{kind}_{generation}"),
        kind: format!("image_cache.{kind}"),
        image_cache: "ic_1".into(),
        generation,
        occurred_at: at(second),
    }
}

fn hook(event: &EventRow, second: i64) -> Hook {
    Hook {
        at: at(second),
        id: event.id.clone(),
        kind: event.kind.clone(),
        image_cache: "ic_1".into(),
        generation: event.generation,
        signed: true,
    }
}

fn operation(id: &str, kind: &str) -> OperationRow {
    OperationRow {
        id: id.into(),
        image_cache: "ic_1".into(),
        kind: kind.into(),
        state: "succeeded".into(),
        code: None,
        seconds: Some(1.0),
    }
}

fn steps(words: &[&str]) -> Vec<TransitionRow> {
    let from = std::iter::once(None).chain(words.iter().map(|word| Some((*word).to_owned())));
    let steps = (1..).zip(from.zip(words));
    let row = |(sequence, (from, to)): (i64, (Option<String>, &&str))| TransitionRow {
        image_cache: "ic_1".into(),
        sequence,
        from,
        to: (*to).to_owned(),
    };
    steps.map(row).collect()
}

/// The beginning and the end of an operation.
fn audited(operation: &str, kind: &str) -> [AuditRow; 2] {
    let action = format!("{kind}_image_cache");
    ["accepted", "succeeded"].map(|outcome| AuditRow {
        operation: operation.into(),
        action: action.clone(),
        outcome: outcome.into(),
    })
}

/// A cache that was made, became ready, was updated and became ready again.
fn good() -> Evidence {
    let events = [event("created", 1, 1), event("ready", 1, 11), event("updating", 2, 20), event("updated", 2, 31)];
    let asked = ClientFact::Asked { key: "key-create".into(), action: "create".into() };
    Evidence {
        clients: vec![asked, answered("create", "req_1"), answered("update", "req_2")],
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
        recoveries: vec![Recovery { fault: "kill".into(), took: Some(Duration::from_secs(19)) }],
    }
}

#[test]
fn what_is_in_order_passes() {
    assert_eq!(judge(&good()), []);
}

type Break = fn(&mut Evidence);

/// Which rule must catch what.
const BROKEN: [(&str, Break); 35] = [
    ("every wish is answered", |e| e.clients.push(ClientFact::GaveUp { key: "key-create".into() })),
    ("no acknowledged create is lost", |e| e.caches[0].id = "ic_2".into()),
    ("no acknowledged create is lost", |e| e.caches[0].eci_cache_id = Some("imc-2".into())),
    ("who was told of a cache keeps it", |e| e.clients.push(ClientFact::Told { eci_cache_id: "imc-2".into() })),
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
    ("no operation is carried out twice", |e| {
        let again = Act { client_token: Some("op_1.other".into()), ..e.acts[0].clone() };
        e.acts.push(again);
    }),
    ("no operation is carried out twice", |e| e.acts.push(e.acts[1].clone())),
    ("no orphan at the stand-in", |e| {
        let other =
            Act { image_cache_id: "imc-9".into(), operation_tag: None, client_token: None, ..e.acts[0].clone() };
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
    ("database and stand-in agree", |e| e.acts.push(act("DeleteImageCache", "op_3.2", None))),
    ("database and stand-in agree", |e| e.caches[0].status = "deleted".into()),
    ("database and stand-in agree", |e| e.caches[0].status = "lost".into()),
    ("one Ready event for each cache and generation", |e| e.events.push(e.events[1].clone())),
    ("one Ready event for each cache and generation", |e| e.events.retain(|event| event.generation == 1)),
    ("no Ready before the stand-in's", |e| e.events[3].occurred_at = at(29)),
    ("no Ready before the stand-in's", |e| e.hooks[1].at = at(9)),
    ("each event is delivered, with one id", |e| e.hooks.retain(|hook| hook.kind != "image_cache.updated")),
    ("each event is delivered, with one id", |e| {
        let again = Hook { id: "evt_other".into(), ..e.hooks[1].clone() };
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

#[test]
fn every_rule_is_tried() {
    let tried: Vec<_> = BROKEN.iter().map(|(rule, _)| *rule).collect();
    let others = ["every webhook is signed", "recovery within the limit"];
    for (rule, _) in RULES {
        assert!(tried.contains(&rule) || others.contains(&rule), "{rule}");
    }
}
