//! Changes of an endpoint take effect for every deliverer at once, whatever it remembers about the endpoint: each
//! action in each state, at another gateway than the one that delivers. What the running deliverer does not send, a new
//! one does not send either.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::app::Gateway;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::gateway::{Setup, TestGateway};
use crate::support::hook::Hook;

const LONG: &str = "429 Later\r\nretry-after: 86400";
const CREATED: &str = "image_cache.created";
/// Due deliveries of endpoints that accept them; retries are due five seconds later.
const DUE: &str = "SELECT count(*) FROM webhook_deliveries d JOIN webhook_endpoints w ON w.id = d.endpoint
        JOIN webhook_endpoint_state s ON s.endpoint = w.id
    WHERE (d.state = 1 AND w.rate_per_second IS NULL) OR (d.state = 0 AND d.next_attempt_at <= '2026-03-01T08:00:03Z' AND w.enabled
        AND s.paused_until IS NULL AND s.free_at IS NULL)";
/// Deliveries being sent; those held back by a rate limit are claimed too.
const IN_HAND: &str = "SELECT count(*) FROM webhook_deliveries d JOIN webhook_endpoints w ON w.id = d.endpoint
    WHERE d.state = 1 AND w.rate_per_second IS NULL";
/// The failing endpoints that are not resting yet: attempts in progress may still end.
const UNRESTED: &str = "SELECT 9 - count(*) FROM webhook_endpoint_state s JOIN webhook_endpoints w ON w.id = s.endpoint
    WHERE w.name_pattern = 'failing' AND s.paused_until IS NOT NULL";
/// For what has to happen, however slow the machine is.
const DEADLINE: Duration = Duration::from_mins(2);

/// The state of an endpoint when somebody changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndpointCondition {
    Enabled,
    /// The receiver asked for a day.
    Resting,
    /// It failed so often that it rests between two attempts.
    Failing,
    Paused,
    /// Disabled by a 410.
    Gone,
    /// Disabled after five days of failures.
    SwitchedOff,
    /// Its deliveries were given up.
    Exhausted,
    /// Its rate limit is used up, and the clock does not advance.
    Limited,
    /// Its URL was changed while it was resting.
    Moved,
}

const STATES: [EndpointCondition; 9] = [
    EndpointCondition::Enabled,
    EndpointCondition::Resting,
    EndpointCondition::Failing,
    EndpointCondition::Paused,
    EndpointCondition::Gone,
    EndpointCondition::SwitchedOff,
    EndpointCondition::Exhausted,
    EndpointCondition::Limited,
    EndpointCondition::Moved,
];

impl EndpointCondition {
    /// The name of the image caches of its events.
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    fn options(self) -> Value {
        match self {
            Self::Exhausted => json!({"retry_schedule_seconds": [1]}),
            Self::Limited => json!({"rate_per_second": 1}),
            _ => json!({}),
        }
    }

    /// Its receiver's answers to the first events.
    fn script(self) -> Vec<&'static str> {
        match self {
            Self::Resting | Self::Moved => vec![LONG],
            Self::Failing => vec!["500 Oops"; 12],
            Self::Gone => vec!["410 Gone"],
            Self::SwitchedOff => vec!["500 Oops"],
            Self::Exhausted => vec!["500 Oops"; 2],
            Self::Enabled | Self::Paused | Self::Limited => Vec::new(),
        }
    }

    /// How many events bring it into this state, and how many of them are sent.
    fn events(self) -> (usize, usize) {
        match self {
            Self::Failing => (12, 10),
            Self::Limited => (2, 1),
            Self::Paused => (1, 0),
            Self::Exhausted => (1, 2),
            _ => (1, 1),
        }
    }

    fn is_off(self) -> bool {
        matches!(self, Self::Paused | Self::Gone | Self::SwitchedOff)
    }
}

/// What is done to the endpoint while deliveries wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intervention {
    Nothing,
    Resume,
    Update,
    Move,
    Test,
    Rotate,
    Resend,
    Recover,
    Pause,
}

const ACTS: [Intervention; 9] = [
    Intervention::Nothing,
    Intervention::Resume,
    Intervention::Update,
    Intervention::Move,
    Intervention::Test,
    Intervention::Rotate,
    Intervention::Resend,
    Intervention::Recover,
    Intervention::Pause,
];

/// Whether later events are sent.
fn is_sent(state: EndpointCondition, act: Intervention) -> bool {
    match act {
        Intervention::Pause => false,
        Intervention::Resume => true,
        _ if state.is_off() => false,
        Intervention::Nothing => {
            matches!(state, EndpointCondition::Enabled | EndpointCondition::Exhausted | EndpointCondition::Moved)
        }
        // It is subject to the rate limit too, and refused.
        Intervention::Test if state == EndpointCondition::Limited => false,
        _ => true,
    }
}

struct Case {
    state: EndpointCondition,
    act: Intervention,
    id: String,
    hook: Hook,
    /// The number of events received when all actions were done.
    before: usize,
}

impl Case {
    async fn new(app: &TestGateway, state: EndpointCondition, act: Intervention) -> Self {
        let hook = Hook::start().await;
        let mut body =
            json!({"url": hook.url(), "event_types": [CREATED], "name_pattern": state.name(), "skip_challenge": true});
        body.as_object_mut().unwrap().extend(state.options().as_object().unwrap().clone());
        hook.script(&state.script());
        let made = app.post("/v1/webhook-endpoints", &body).await.expect(201);
        Self { state, act, id: made["id"].as_str().unwrap().to_owned(), hook, before: 0 }
    }

    fn path(&self) -> String {
        format!("/v1/webhook-endpoints/{}", self.id)
    }

    /// The received events, without tests.
    fn events(&self) -> usize {
        self.hook.kinds().iter().filter(|kind| *kind == CREATED).count()
    }

    async fn move_to_another(&mut self, app: &TestGateway) {
        self.hook = Hook::start().await;
        let body = json!({"url": self.hook.url(), "skip_challenge": true});
        app.patch(&self.path(), &body).await.expect(200);
    }

    async fn post(&self, app: &TestGateway, what: &str, body: Value) {
        app.post(&format!("{}/{what}", self.path()), &body).await.expect(200);
    }

    async fn act(&mut self, app: &TestGateway) {
        match self.act {
            Intervention::Nothing => {}
            Intervention::Resume => self.bare(app, "resume").await,
            Intervention::Pause => self.bare(app, "pause").await,
            Intervention::Test if self.state == EndpointCondition::Limited => {
                let test = app.request(reqwest::Method::POST, &format!("{}/test", self.path()));
                crate::support::answer::Answer::of(test).await.problem(429, "too_many_tests");
            }
            Intervention::Test => self.bare(app, "test").await,
            Intervention::Update => drop(app.patch(&self.path(), &json!({"description": "ours"})).await.expect(200)),
            Intervention::Move => self.move_to_another(app).await,
            Intervention::Rotate => self.post(app, "rotate-secret", json!({})).await,
            Intervention::Recover => self.post(app, "recover", json!({"created_after": "2026-01-01T00:00:00Z"})).await,
            Intervention::Resend => {
                let first = app.items(&format!("/v1/deliveries?webhook_endpoint_id={}", self.id)).await.pop().unwrap();
                let path = format!("/v1/deliveries/{}/resend", first["id"].as_str().unwrap());
                crate::support::answer::Answer::of(app.request(reqwest::Method::POST, &path)).await.expect(200);
            }
        }
    }

    async fn bare(&self, app: &TestGateway, what: &str) {
        let request = app.request(reqwest::Method::POST, &format!("{}/{what}", self.path()));
        crate::support::answer::Answer::of(request).await.expect(200);
    }
}

fn deliver_on(gateway: &Gateway, stop: &CancellationToken) -> JoinHandle<()> {
    let (gateway, stop) = (gateway.clone(), stop.clone());
    tokio::spawn(async move { gateway.webhooks().deliver_until(&stop).await.unwrap() })
}

/// Creates an image cache with that name.
async fn create(app: &TestGateway, state: EndpointCondition) {
    let body = json!({"name": state.name(), "region": "cn-beijing", "images": ["nginx:1.27"]});
    app.post("/v1/image-caches", &body).await.expect(201);
}

/// Until `done`; fails with what is missing.
async fn until(cases: &[Case], what: &str, done: impl Fn(&Case) -> bool) {
    let waiting = async {
        while !cases.iter().all(&done) {
            tokio::task::yield_now().await;
        }
    };
    if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
        let missing: Vec<_> =
            cases.iter().filter(|case| !done(case)).map(|case| (case.state, case.act, case.events())).collect();
        panic!("{what}: {missing:?}");
    }
}

/// Until the query returns 0.
async fn until_counted(app: &TestGateway, sql: &'static str) {
    let counting = async {
        while app.count(sql).await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, counting).await.unwrap_or_else(|_| panic!("never none: {sql}"));
}

/// Brings every endpoint into its state while a deliverer runs.
async fn reach_the_states(app: &TestGateway, cases: &mut [Case]) {
    for case in cases.iter().filter(|case| case.state == EndpointCondition::Paused) {
        case.bare(app, "pause").await;
    }
    let long_failing = "UPDATE webhook_endpoint_state SET consecutive_failures = 9, first_failure_at = '2026-02-20', warned_at = '2026-02-21'
        WHERE endpoint IN (SELECT id FROM webhook_endpoints WHERE name_pattern = 'switchedoff')";
    sqlx::query(long_failing).execute(app.sql()).await.unwrap();
    for state in STATES {
        for sent in 1..=state.events().0 {
            create(app, state).await;
            if state == EndpointCondition::Failing {
                // One after another: each result is recorded before the next delivery is read.
                let most = state.events().1;
                until(cases, "a failure", |case| case.state != state || case.events() >= sent.min(most)).await;
                until_counted(app, IN_HAND).await;
            }
        }
    }
    until(cases, "the first attempt", |case| case.state != EndpointCondition::Exhausted || case.events() == 1).await;
    until_counted(app, IN_HAND).await;
    app.advance(2);
    until(cases, "the states", |case| case.events() >= case.state.events().1).await;
    until_counted(app, IN_HAND).await;
    until_counted(app, UNRESTED).await;
    until_counted(app, IN_HAND).await;
    until_counted(app, "SELECT 18 - count(*) FROM webhook_endpoints WHERE disabled_reason IN ('gone', 'failing')")
        .await;
    for case in cases.iter_mut().filter(|case| case.state == EndpointCondition::Moved) {
        case.move_to_another(app).await;
    }
    until(cases, "what waited for the move", |case| case.state != EndpointCondition::Moved || case.events() >= 1).await;
}

#[tokio::test]
async fn each_act_counts_in_each_state_for_a_deliverer_that_runs_elsewhere() {
    let app = TestGateway::start().await;
    let people = app.second_gateway(Setup::default()).await;
    let mut cases = Vec::new();
    for state in STATES {
        for act in ACTS {
            cases.push(Case::new(&people, state, act).await);
        }
    }
    let stop = CancellationToken::new();
    let running = deliver_on(&app.gateway, &stop);
    reach_the_states(&people, &mut cases).await;

    for case in &mut cases {
        case.hook.recover();
        case.act(&people).await;
        case.before = case.events();
    }
    for state in STATES {
        create(&people, state).await;
    }
    until(&cases, "sent after the act", |case| !is_sent(case.state, case.act) || case.events() > case.before).await;
    until_counted(&app, DUE).await;
    stop.cancel();
    running.await.unwrap();
    for case in cases.iter().filter(|case| !is_sent(case.state, case.act)) {
        assert_eq!(case.events(), case.before, "{:?} {:?}", case.state, case.act);
    }
    let fresh = people.gateway.webhooks().deliver(&CancellationToken::new()).await.unwrap();
    assert_eq!(fresh, 0, "a fresh deliverer decides as the one that ran");
}

#[tokio::test]
async fn an_answer_to_what_was_sent_before_an_act_says_nothing_about_the_endpoint_after_it() {
    let app = TestGateway::start().await;
    let people = app.second_gateway(Setup::default()).await;
    let stop = CancellationToken::new();
    let running = deliver_on(&app.gateway, &stop);
    for (answer, act) in [
        ("410 Gone", Intervention::Move),
        (LONG, Intervention::Move),
        (LONG, Intervention::Resume),
        ("410 Gone", Intervention::Rotate),
    ] {
        let mut case = Case::new(&people, EndpointCondition::Enabled, act).await;
        let old = case.hook.clone();
        old.hold();
        old.script(&[answer]);
        create(&people, EndpointCondition::Enabled).await;
        old.wait_for(1).await;
        case.act(&people).await;
        old.release();
        until_counted(&app, IN_HAND).await;
        let shown = people.get(&case.path()).await.expect(200);
        assert_eq!(
            (&shown["disabled"], &shown["resting_until"]),
            (&json!(false), &Value::Null),
            "{answer} {act:?}: {shown}"
        );
        assert_eq!(shown["consecutive_failures"], 0, "{shown}");
        people.delete(&case.path()).await;
    }
    stop.cancel();
    running.await.unwrap();
}
