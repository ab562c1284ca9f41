//! Creates that begin and end in one transaction: the result of each must be the same as alone.
//!
//! Everything that is requested before the writer runs is one batch: the tests' runtime has one thread.
#![cfg(test)]

use std::collections::BTreeSet;
use std::sync::Arc;

use eci_cache_gateway::domain::audit::AuditEntry;
use eci_cache_gateway::domain::clock::{Present, Uptime};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::failure::CloudError;
use eci_cache_gateway::domain::filter::AuditFilter;
use eci_cache_gateway::domain::ids::{AuditId, CacheId, EventId, OperationId, TransitionId, uuid_v7};
use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::image_cache::{BuildEvidence, ImageCache, Transition};
use eci_cache_gateway::domain::operation::{Operation, OperationKind, OperationState, Progress};
use eci_cache_gateway::domain::transition::change;
use eci_cache_gateway::store::{
    CacheWrite, Claimed, Dispatch, NewCreate, NewEvent, NewKey, NewOperation, Outlet, OwedAnswer, Settled, Settlement,
    Store,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TEAM, TestGateway, new_cache};
use crate::support::hook::Hook;

/// Written, and nobody waits for the ids.
const DONE: Settled = Settled::Done { sending: false };

/// Makes creates and ends like those of a request.
struct Maker {
    app: TestGateway,
    store: Store,
    cache: ImageCache,
    operation: Operation,
    audit: AuditEntry,
    outlet: Arc<Outlet>,
    entropy: Entropy,
}

impl Maker {
    async fn new() -> Self {
        let app = TestGateway::start().await;
        let id: CacheId = app.created().await.parse().unwrap();
        let (store, team) = (app.store(false), TEAM.parse().unwrap());
        let cache = store.image_cache(&team, id).await.unwrap().unwrap();
        let operation = store.operation(Some(&team), cache.operation).await.unwrap().unwrap();
        let filter = AuditFilter::default();
        let audit = store
            .audit_entries(&eci_cache_gateway::domain::filter::AuditReach::Team(team.clone()), &filter, None, 1)
            .await
            .unwrap()
            .remove(0)
            .entry;
        let (to, _) = tokio::sync::mpsc::unbounded_channel();
        let outlet = Arc::new(Outlet { to, look: tokio::sync::Notify::new() });
        Self { app, store, cache, operation, audit, outlet, entropy: Entropy::from_seed(11) }
    }

    /// A new create, with `key` if there is one.
    fn create(&self, key: Option<&str>) -> Arc<NewCreate> {
        let (now, entropy) = (self.app.now(), &self.entropy);
        let operation = Operation {
            id: OperationId::new(now, entropy),
            cache: CacheId::new(now, entropy),
            progress: Progress::new(OperationKind::Create),
            state: OperationState::Running,
            provider_request_id: None,
            finished_at: None,
            ..self.operation.clone()
        };
        let cache = ImageCache {
            id: operation.cache,
            operation: operation.id,
            status: Status::Pending,
            version: 1,
            sequence: 1,
            eci_cache_id: None,
            container_group_id: None,
            evidence: BuildEvidence::default(),
            ..self.cache.clone()
        };
        let new = NewOperation {
            credentials: None,
            lease_token: uuid_v7(now, entropy),
            lease_seconds: 60.0,
            taken: Uptime::now(),
            audit: self.entry(operation.id),
            key: key.map(|key| NewKey {
                action: "create_image_cache",
                key: key.to_owned(),
                fingerprint: vec![1],
                others: Vec::new(),
            }),
            account: None,
            noted: Some(operation.progress.signed(Present { at: now, sure: true })),
            waiter: None,
            operation,
        };
        let first = self.transition(&cache, None, "requested");
        Arc::new(NewCreate { new, cache, first })
    }

    fn entry(&self, operation: OperationId) -> AuditEntry {
        let id = AuditId::new(self.app.now(), &self.entropy);
        AuditEntry { id, operation: Some(operation), ..self.audit.clone() }
    }

    fn transition(&self, cache: &ImageCache, from: Option<Status>, reason: &str) -> Transition {
        Transition {
            id: TransitionId::new(self.app.now(), &self.entropy),
            cache: cache.id,
            sequence: cache.sequence,
            generation: cache.generation,
            from,
            to: cache.status,
            provider_status: None,
            reason: reason.to_owned(),
            at: cache.updated_at,
        }
    }

    /// Its end: succeeded or refused.
    fn end(&self, create: &NewCreate, refused: bool) -> Settlement {
        let (now, operation) = (self.app.now(), create.new.operation.id);
        let error = refused.then(|| CloudError {
            code: "QuotaExceeded".into(),
            message: "no".into(),
            request_id: Some("r-1".into()),
            http_status: 403,
            denied: None,
        });
        let change = match &error {
            Some(error) => change::refused(&create.cache, OperationKind::Create, error, now),
            None => change::created(&create.cache, &format!("imc-{operation}"), Some("eci-1"), now),
        };
        let event = NewEvent {
            id: EventId::new(now, &self.entropy),
            kind: change.event.unwrap(),
            dedupe_key: change.event.unwrap().dedupe_key_of(&change.next),
            body: json!({"of": operation.to_string()}).to_string(),
            at: now,
            dispatch: Dispatch::new(None, Arc::default(), Arc::clone(&self.outlet)),
        };
        let transition = self.transition(&change.next, change.moved.map(|(from, _)| from), change.reason);
        Settlement {
            operation,
            kind: OperationKind::Create,
            lease_token: create.new.lease_token,
            state: if refused { OperationState::Refused } else { OperationState::Succeeded },
            error,
            provider_request_id: Some("r-1".into()),
            at: now,
            answer: Some(json!({"told": operation.to_string()})),
            write: CacheWrite {
                next: change.next,
                transition: Some(transition),
                event: Some(event),
                audit: Some(self.entry(operation)),
            },
            look_at: Some(now),
            unsettled_until: None,
            owed: OwedAnswer::Untouched,
        }
    }

    /// How many transactions wrote audit entries for these operations, and the number of these entries.
    async fn audited(&self, of: &[&NewCreate]) -> (i64, i64) {
        let ids: Vec<_> = of.iter().map(|create| create.new.operation.id.uuid()).collect();
        let sql = "SELECT count(DISTINCT txid), count(*) FROM audit_entries WHERE operation = ANY ($1)";
        sqlx::query_as(sql).bind(ids).fetch_one(self.app.sql()).await.unwrap()
    }

    /// Everything that is stored about a create, except what distinguishes it from others.
    async fn kept(&self, create: &NewCreate) -> Value {
        let (cache, operation) = (create.cache.id.uuid(), create.new.operation.id.uuid());
        let mut kept = json!({});
        for (table, of, without) in [
            ("image_caches", format!("id = '{cache}'"), "{id,operation,rendered,rendered_version,rendered_form}"),
            ("operations", format!("id = '{operation}'"), "{id,image_cache,lease_token,lease_until}"),
            ("operation_attempts", format!("operation = '{operation}'"), "{operation}"),
            ("transitions", format!("image_cache = '{cache}' ORDER BY sequence"), "{id,image_cache}"),
            ("idempotency_keys", format!("operation = '{operation}'"), "{key,operation}"),
            ("events", format!("image_cache = '{cache}'"), "{id,seq,txid,image_cache,dedupe_key}"),
            ("audit_entries", format!("operation = '{operation}' ORDER BY seq"), "{id,seq,txid,operation,stamp}"),
        ] {
            let sql = format!("SELECT to_jsonb(t) - '{without}'::text[] FROM {table} t WHERE {of}");
            let rows: Vec<Value> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(self.app.sql()).await.unwrap();
            assert!(!rows.is_empty() || table == "events" || table == "idempotency_keys", "{table}");
            kept[table] = rows.into();
        }
        let text = kept.to_string().replace(&create.new.operation.id.to_string(), "OPERATION");
        serde_json::from_str(&text).unwrap()
    }

    async fn begun(&self, create: &Arc<NewCreate>) {
        assert!(self.store.begin_together(create).await.unwrap());
    }
}

#[tokio::test]
async fn what_is_written_together_is_what_each_alone_would_write() {
    let made = Maker::new().await;
    for refused in [false, true] {
        let (alone, one, two) = (made.create(Some("a")), made.create(Some("b")), made.create(Some("c")));
        assert_eq!(made.store.begin_create(&alone, None).await.unwrap(), Claimed::Fresh);
        let begun = join_all([&one, &two].map(|create| made.store.begin_together(create))).await;
        assert!(begun.into_iter().all(|begun| begun.unwrap()));
        assert_eq!(made.audited(&[&one, &two]).await, (1, 2), "one transaction");
        let begun = made.kept(&alone).await;
        assert_eq!(made.kept(&one).await, begun);
        assert_eq!(begun["operations"][0]["in_doubt"], true, "the attempt stands in it");
        // The end of anything but a create is written alone.
        let end = Settlement { kind: OperationKind::Update, ..made.end(&alone, refused) };
        assert_eq!(made.store.settle(&Arc::new(end)).await.unwrap(), DONE);
        let ends = [&one, &two].map(|create| Arc::new(made.end(create, refused)));
        for settled in join_all(ends.iter().map(|end| made.store.settle(end))).await {
            assert_eq!(settled.unwrap(), DONE);
        }
        assert_eq!(made.audited(&[&one, &two]).await, (2, 4), "and one more");
        let kept = made.kept(&alone).await;
        assert_eq!((made.kept(&one).await, made.kept(&two).await), (kept.clone(), kept.clone()));
        assert_eq!((kept["events"].as_array().unwrap().len(), kept["transitions"].as_array().unwrap().len()), (1, 2));
        sqlx::query("DELETE FROM idempotency_keys").execute(made.app.sql()).await.unwrap();
    }
    let due = "SELECT count(*) FROM tracker_groups WHERE due_at IS NOT NULL";
    assert_eq!(made.app.count(due).await, 1, "the tracker has been told");
}

#[tokio::test]
async fn a_create_that_does_not_fit_is_not_written_at_all_and_the_others_are() {
    let made = Maker::new().await;
    made.begun(&made.create(Some("taken"))).await;
    let (good, late, twin) = (made.create(Some("k1")), made.create(Some("taken")), made.create(Some("k1")));
    let begun = join_all([&good, &late, &twin].map(|create| made.store.begin_together(create))).await;
    assert_eq!(begun.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(made.audited(&[&good, &late, &twin]).await, (1, 1));
    let found = made.store.begin_create(&late, None).await.unwrap();
    assert!(matches!(found, Claimed::Earlier { answer: None, .. }), "{found:?}");
    let Claimed::Earlier { operation, .. } = made.store.begin_create(&twin, None).await.unwrap() else { panic!() };
    assert_eq!(operation, good.new.operation.id);
}

#[tokio::test]
async fn what_breaks_a_statement_takes_nobody_with_it() {
    let made = Maker::new().await;
    let (good, other) = (made.create(None), made.create(None));
    made.begun(&other).await;
    // An id that exists already.
    let bad = Arc::new(NewCreate { cache: other.cache.clone(), ..(*made.create(None)).clone() });
    let begun = join_all([&good, &bad].map(|create| made.store.begin_together(create))).await;
    assert_eq!(begun.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [false, false], "rolled back, all of it");
    assert_eq!(made.audited(&[&good, &bad]).await, (0, 0));
    assert_eq!(made.store.begin_create(&good, None).await.unwrap(), Claimed::Fresh);
    let refused = made.store.begin_create(&bad, None).await.unwrap_err();
    assert!(refused.is_constraint("image_caches_pkey"), "{refused:?}");
}

#[tokio::test]
async fn an_end_that_does_not_fit_is_told_so_and_the_others_are_written() {
    let made = Maker::new().await;
    let creates: Vec<_> = (0..4).map(|_| made.create(None)).collect();
    for begun in join_all(creates.iter().map(|create| made.store.begin_together(create))).await {
        assert!(begun.unwrap());
    }
    let [good, lost, moved, twice] = &creates[..] else { panic!() };
    let sql = "UPDATE operations SET lease_token = gen_random_uuid() WHERE id = $1";
    sqlx::query(sql).bind(lost.new.operation.id.uuid()).execute(made.app.sql()).await.unwrap();
    let sql = "UPDATE image_caches SET version = version + 1 WHERE id = $1";
    sqlx::query(sql).bind(moved.cache.id.uuid()).execute(made.app.sql()).await.unwrap();
    let ends = [good, lost, moved, twice, twice].map(|create| Arc::new(made.end(create, false)));
    let settled = join_all(ends.iter().map(|end| made.store.settle(end))).await;
    let settled: Vec<_> = settled.into_iter().map(Result::unwrap).collect();
    assert_eq!(settled, [DONE, Settled::LeaseLost, Settled::Moved, DONE, Settled::LeaseLost]);
    assert_eq!(made.audited(&[good, twice]).await, (2, 4), "one transaction for each half");
    assert_eq!(made.audited(&[lost, moved]).await, (1, 2), "nothing of their ends");
    assert_eq!(made.app.count("SELECT count(*) FROM operations WHERE state = 'running'").await, 2);
}

#[tokio::test]
async fn a_row_in_somebodys_hands_holds_up_its_own_end_alone() {
    let made = Maker::new().await;
    let (free, held) = (made.create(None), made.create(None));
    made.begun(&free).await;
    made.begun(&held).await;
    let mut somebody = made.app.sql().begin().await.unwrap();
    let sql = "SELECT FROM image_caches WHERE id = $1 FOR UPDATE";
    sqlx::query(sql).bind(held.cache.id.uuid()).execute(&mut *somebody).await.unwrap();
    let ends = [&held, &free].map(|create| Arc::new(made.end(create, false)));
    let mut first = Box::pin(made.store.settle(&ends[0]));
    let second = made.store.settle(&ends[1]);
    assert!(futures_util::poll!(&mut first).is_pending());
    assert_eq!(second.await.unwrap(), DONE);
    assert!(futures_util::poll!(&mut first).is_pending());
    somebody.rollback().await.unwrap();
    assert_eq!(first.await.unwrap(), DONE);
}

#[tokio::test]
async fn many_at_the_door_are_each_created_and_told_once() {
    let app = TestGateway::start().await;
    let hook = Hook::start().await;
    app.endpoint(&hook.url()).await;
    let create = |number: usize| {
        let keyed = app.request(Method::POST, "/v1/image-caches").header("idempotency-key", format!("k{number}"));
        Answer::of(keyed.json(&new_cache("nginx:1.27")))
    };
    // Thirty creates, and each of them again while it is in progress or afterwards.
    let answers = join_all((0..60).map(|number| create(number % 30))).await;
    let fresh = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)) && fresh >= 30, "{answers:?}");
    for number in 0..30 {
        create(number).await.expect(201);
    }
    assert_eq!(app.creations().await, 30);
    assert_eq!(app.count("SELECT count(*) FROM operations WHERE state = 'succeeded' AND attempts = 1").await, 30);
    assert_eq!(app.count("SELECT count(*) FROM events WHERE type = 'image_cache.created'").await, 30);
    app.gateway.webhooks().deliver(&tokio_util::sync::CancellationToken::new()).await.unwrap();
    let told = hook.received();
    let of: BTreeSet<String> = told.iter().map(|one| one.json()["data"]["image_cache"]["id"].to_string()).collect();
    assert_eq!((told.len(), of.len()), (30, 30));
}

#[tokio::test]
async fn who_waits_for_the_commit_holds_no_place_and_is_not_answered_before_it() {
    let mut setup = Setup::default();
    setup.settings.limits.room.running = 1;
    let app = TestGateway::with(setup).await;
    let mut somebody = app.sql().begin().await.unwrap();
    sqlx::query("LOCK TABLE image_caches IN SHARE ROW EXCLUSIVE MODE").execute(&mut *somebody).await.unwrap();
    let mut create = Box::pin(app.create("nginx:1.27"));
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                   WHERE NOT l.granted AND d.datname = current_database()";
    while app.count(waiting).await == 0 {
        assert!(futures_util::poll!(&mut create).is_pending());
    }
    app.get("/v1/me").await.expect(200);
    assert!(futures_util::poll!(&mut create).is_pending());
    assert_eq!(app.creations().await, 0, "nothing is sent, either");
    somebody.rollback().await.unwrap();
    create.await.expect(201);
}
