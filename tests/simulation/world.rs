//! One run: a clock, the cloud, the database, a receiver, three workers, and a schedule of what goes wrong.
//!
//! Whatever is due first happens next. Workers interleave where one is paused, or dies and another takes over;
//! between two boundaries nothing can go wrong, so a worker does that at once.

use eci_cache_gateway::domain::clock::Present;
use eci_cache_gateway::domain::desk::Memory;
use eci_cache_gateway::domain::operation::{OperationKind, OperationState, Owed, Rule};
use eci_cache_gateway::domain::status::Status;

use crate::caller::Door;
use crate::clocks::{Clocks, Trust};
use crate::cloud::{Cloud, NEVER, Time};
use crate::endpoint::{NOTHING, Receiver};
use crate::failover::Lost;
use crate::schedule::{Boundary, Fault, MOST_FAULTS, Schedule, Script, Source};
use crate::store::{DELETE, EVENTS, Operation, Store, Work, instant, lag};
use crate::twin::Twin;
use crate::worker::{Hand, Worker, is_over};

pub(crate) const WORKERS: usize = 3;
/// The most boundaries that are remembered for the enumeration.
pub(crate) const MOST_BOUNDARIES: usize = 192;
/// A run that takes longer than this is stuck.
const MOST_STEPS: u32 = 3_000;
/// How long all workers stay away.
pub(crate) const OUTAGE: Time = 400;
/// Within that a create ends that met what lasted for seconds, in at most so many attempts.
const RECOVERY: Time = 20;
const FEW_ATTEMPTS: i32 = 5;
/// Within that every operation ends: a window, until nothing is accepted any more, until what is not shown is believed to
/// be nothing, for the operation and for one that it waits for; and the lease of whoever died.
const LONGEST_RECOVERY: Time = 2 * (300 + 960 + 900) + 300;

/// What differs between runs beside the faults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// How long the cloud remembers a token: never shorter than we assume.
    pub(crate) memory: Time,
    /// How long a build takes.
    pub(crate) build: Time,
    /// How far every look lags behind.
    pub(crate) lag: Time,
    /// Whether snapshots tell builds apart.
    pub(crate) comparable: bool,
    /// How long the cloud shows nothing, or one cache not, where it does.
    pub(crate) vanish: Time,
    /// Whether the account has no other caches.
    pub(crate) alone: bool,
    /// How long the database's clock is off, where it leaps.
    pub(crate) leap: Time,
}

impl Setting {
    /// The worst memory that we allow for, and nothing else in the way.
    pub(crate) const PLAIN: Self =
        Self { memory: 300, build: 50, lag: 0, comparable: true, vanish: 600, alone: false, leap: 500 };
}

/// The world of one run.
pub(crate) struct World {
    /// The truth.
    pub(crate) now: Time,
    /// What the process that acts now goes by.
    pub(crate) clock: Time,
    /// Whether it can tell by that how long ago something was.
    pub(crate) sure: bool,
    pub(crate) clocks: Clocks,
    pub(crate) cloud: Cloud,
    pub(crate) store: Store,
    pub(crate) workers: [Worker; WORKERS],
    pub(crate) setting: Setting,
    pub(crate) twin: Twin,
    pub(crate) rule: Rule,
    /// What each worker remembers of the endpoint.
    pub(crate) memories: [Memory; WORKERS],
    /// What became of the receiver.
    pub(crate) endpoint: Receiver,
    /// The database takes no writes before.
    pub(crate) read_only_until: Time,
    /// Webhooks received: the event's id and how often, by generation.
    pub(crate) received: [(u32, u32); EVENTS],
    /// Of a create through the cloud's own API.
    pub(crate) door: Door,
    /// Somebody else was given the cache, or changed it.
    pub(crate) relied: bool,
    /// A lie was believed: a build was called failed that was not, or a cache lost that was there. What follows is judged
    /// at rest, and no more on the way.
    pub(crate) misled: bool,
    /// What failovers took.
    pub(crate) lost: Lost,
    /// Until when what went wrong lasts, while the create has not ended, and altogether.
    troubled_until: (Time, Time),
    /// Nothing went wrong with the create but for seconds.
    short: bool,
    /// When the create ended, and the last operation.
    ended: (Time, Time),
    source: Source,
    pub(crate) script: Script,
    /// Requests made, and when the last was.
    requests: (usize, Time),
    /// No worker is there before.
    pub(crate) away_until: Time,
    pub(crate) boundaries: [Boundary; MOST_BOUNDARIES],
    pub(crate) boundary: u16,
    /// What went wrong in this run.
    pub(crate) met: Schedule,
    /// What happened, in words, where somebody will read it.
    pub(crate) log: Option<Vec<String>>,
    pub(crate) violation: Option<&'static str>,
}

/// A request of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Update(usize),
    Delete,
    Join,
    Resume,
}

impl World {
    pub(crate) fn new(script: Script, setting: Setting, source: Source, twin: Twin) -> Self {
        Self {
            now: 0,
            clock: 0,
            sure: true,
            clocks: Clocks::RIGHT,
            cloud: Cloud::new(setting.memory, setting.build),
            store: Store::new(twin),
            workers: [Worker::default(); WORKERS],
            setting,
            twin,
            rule: Rule::default(),
            memories: [NOTHING; WORKERS],
            endpoint: Receiver::default(),
            read_only_until: 0,
            received: [(0, 0); EVENTS],
            door: if script.asks_without_token() { Door::ASKED } else { Door::NONE },
            relied: false,
            misled: false,
            lost: Lost::default(),
            troubled_until: (0, 0),
            short: true,
            ended: (NEVER, 0),
            source,
            script,
            requests: (0, 0),
            away_until: 0,
            boundaries: [Boundary::Note; MOST_BOUNDARIES],
            boundary: 0,
            met: Schedule::new(script),
            log: None,
            violation: None,
        }
    }

    /// Runs until nothing is left to do; what is wrong then, if anything.
    pub(crate) fn run(&mut self) -> Option<&'static str> {
        let create = &mut self.store.operations[0];
        create.state = Some(OperationState::Running);
        let owed = self.script.asks_without_token() && self.twin != Twin::ForgetsUntold;
        self.store.owed = owed.then_some(Owed::Unsent);
        for _ in 0..MOST_STEPS {
            if !self.step() {
                return self.violation.or(self.store.fault).or_else(|| self.check());
            }
            if self.violation.or(self.store.fault).is_some() {
                return self.violation.or(self.store.fault);
            }
        }
        Some("stuck: it never comes to rest")
    }

    /// Does what is due first. `false`: nothing is.
    fn step(&mut self) -> bool {
        let late = self.cloud.next_late();
        let (mut busy_at, mut busy, mut idle) = (NEVER, 0, None);
        for (place, worker) in self.workers.iter().enumerate().rev() {
            if worker.hand == Hand::Idle {
                idle = Some(place);
            } else if worker.resume <= busy_at {
                (busy_at, busy) = (worker.resume, place);
            }
        }
        // Most steps: a worker that has something in hand goes on at once.
        if busy_at <= self.now && self.now < late {
            self.act(busy);
            return true;
        }
        let (asked_at, asked) = self.next_request();
        let (work_at, work) = self.next_work(&mut idle);
        let away_until = self.away_until.max(self.read_only_until);
        let work_at = work_at.max(away_until);
        let door_at = self.door.due(&self.store);
        let clock_at = self.clocks.due();
        let first = late.min(asked_at).min(work_at).min(busy_at).min(door_at).min(clock_at);
        if first == NEVER {
            return false;
        }
        if !self.clocks.agree() && self.clean_meanwhile(first) {
            return true;
        }
        self.now = self.now.max(first);
        if first == late {
            while let Some(request) = self.cloud.take_late(self.now) {
                let (answer, _) = self.cloud.arrive(request, self.now);
                self.note(|| format!("{request:?} arrives late: {answer:?}"));
            }
        } else if first == clock_at {
            self.tick();
        } else if first == busy_at {
            self.act(busy);
        } else if first == door_at {
            self.answer();
        } else if first == asked_at {
            self.request(asked);
        } else if let Some(worker) = idle {
            self.begin(worker, work);
        }
        true
    }

    /// The work that an idle worker takes up first, and which that is: the first one, where the clocks agree.
    fn next_work(&self, idle: &mut Option<usize>) -> (Time, Work) {
        let Some(place) = *idle else { return (NEVER, Work::Track) };
        if self.clocks.agree() {
            return self.store.next_work(Trust::FULL);
        }
        let mut first = (NEVER, Work::Track);
        let mut looked = None;
        for place in (place..WORKERS).filter(|place| self.workers[*place].hand == Hand::Idle) {
            let trust = self.clocks.of(place);
            if looked == Some(trust) {
                continue;
            }
            looked = Some(trust);
            let next = self.store.next_work(trust);
            if next.0 < first.0 {
                (first, *idle) = (next, Some(place));
            }
        }
        first
    }

    fn next_request(&self) -> (Time, Asked) {
        let (made, last) = self.requests;
        if made >= self.script.requests() {
            return (NEVER, Asked::Delete);
        }
        let status = self.store.row.core.status;
        let free = !self.store.operations.iter().any(|operation| operation.is(OperationState::Running));
        let when_ready = if status == Status::Ready && free { self.now } else { NEVER };
        let when_updatable = if status == Status::UpdateFailed && free { self.now } else { when_ready };
        let (at, asked) = match (self.script, made) {
            (Script::CreateDelete, 0) => (2, Asked::Delete),
            (Script::ReadyDelete, 0) => (when_ready, Asked::Delete),
            (Script::Update | Script::UpdateTwice | Script::UpdateDelete | Script::AskUpdate, 0) => {
                (when_ready, Asked::Update(1))
            }
            (Script::Resume, 0) => (self.endpoint.is_resumed_at(), Asked::Resume),
            (Script::AskJoin, 0) => (2, Asked::Join),
            (Script::AskJoinReady, 0) => (when_ready, Asked::Join),
            (Script::UpdateTwice, 1) => (when_updatable, Asked::Update(2)),
            (Script::UpdateDelete, 1) => (last + 2, Asked::Delete),
            _ => (NEVER, Asked::Delete),
        };
        let away_until = self.away_until.max(self.read_only_until);
        (if at == NEVER { NEVER } else { at.max(away_until) }, asked)
    }

    /// What the door and `app` do with a request, in one transaction.
    fn request(&mut self, asked: Asked) {
        self.requests = (self.requests.0 + 1, self.now);
        self.go_by_clock_of(0);
        self.note(|| format!("the caller asks for {asked:?}"));
        let status = self.store.row.core.status;
        let (place, state) = match asked {
            Asked::Delete if status.is_final() || status == Status::Deleting => return,
            Asked::Delete => (DELETE, self.delete_state()),
            Asked::Join => return self.join(),
            Asked::Resume => return self.resume(),
            Asked::Update(place) => (place, OperationState::Running),
        };
        if self.script.asks_without_token() {
            self.store.name();
            self.relied = true;
        }
        let operation = &mut self.store.operations[place];
        (operation.state, operation.due) = (Some(state), self.clock);
        self.store.row.newest = place;
        self.store.row.version += 1;
        self.store.changed = self.store.changed.max(self.clock);
    }

    /// A delete waits for what runs; a create that nothing was sent of is taken up at once.
    fn delete_state(&mut self) -> OperationState {
        let now = self.clock;
        let running = |operation: &&mut Operation| operation.is(OperationState::Running);
        let Some(earlier) = self.store.operations.iter_mut().find(running) else { return OperationState::Running };
        if earlier.progress.kind == OperationKind::Create && !earlier.progress.in_doubt {
            earlier.due = now;
        }
        OperationState::Waiting
    }

    /// The present, as the process that acts now takes it.
    pub(crate) fn present(&self) -> Present {
        Present { at: instant(self.clock), sure: self.sure }
    }

    /// How long a look may lag behind, as far as that process can tell.
    pub(crate) fn lag(&self) -> chrono::Duration {
        if self.sure { lag() } else { self.present().lag(lag()) }
    }

    /// What goes wrong at this boundary.
    pub(crate) fn fault(&mut self, boundary: Boundary) -> Option<Fault> {
        let number = self.boundary;
        self.boundary += 1;
        if let Some(known) = self.boundaries.get_mut(usize::from(number)) {
            *known = boundary;
        }
        let fault = match &mut self.source {
            Source::Given(schedule) => {
                let given = schedule.faults[..schedule.count].iter().find(|(at, _)| *at == number);
                given.map(|(_, fault)| *fault).filter(|fault| boundary.faults().contains(fault))
            }
            Source::Drawn { random, odds, left } => {
                let meets = *left > 0 && random.below(256) < u32::from(*odds);
                *left -= usize::from(meets);
                meets.then(|| random.pick(boundary.faults()))
            }
        };
        if let Some(fault) = fault {
            let (lasts, short) = fault.lasts(&self.setting);
            self.troubled_until.1 = self.troubled_until.1.max(self.now + lasts);
            if self.ended.0 == NEVER {
                self.troubled_until.0 = self.troubled_until.0.max(self.now + lasts);
                self.short &= short;
            }
        }
        if let Some(fault) = fault
            && self.met.count < MOST_FAULTS
        {
            self.met = self.met.with(number, fault);
        }
        self.note(|| format!("boundary {number}: {boundary:?}{}", fault.map_or(String::new(), |f| format!(": {f:?}"))));
        fault
    }

    /// An operation may have ended.
    pub(crate) fn note_end(&mut self, place: usize) {
        if is_over(self.store.operations[place].state) {
            self.ended.1 = self.now;
            if place == 0 && self.ended.0 == NEVER {
                self.ended.0 = self.now;
            }
        }
    }

    /// The create ended long after what went wrong for seconds.
    pub(crate) fn recovered_late(&self) -> bool {
        let few = self.store.operations[0].progress.attempts <= FEW_ATTEMPTS;
        // What somebody wants to delete meanwhile is sent no more, only looked for.
        let wanted = self.script != Script::CreateDelete;
        wanted && self.short && few && self.ended.0 != NEVER && self.ended.0 > self.troubled_until.0 + RECOVERY
    }

    /// An operation ended long after everything that went wrong, and after it was asked for.
    pub(crate) fn ended_late(&self) -> bool {
        self.ended.1 > self.troubled_until.1.max(self.requests.1) + LONGEST_RECOVERY
    }

    /// Every worker dies.
    pub(crate) fn outage(&mut self) {
        self.away_until = self.now + OUTAGE;
        self.drop_all();
    }

    /// Nobody has anything in hand any more.
    pub(crate) fn drop_all(&mut self) {
        self.workers = [Worker::default(); WORKERS];
        self.memories = [NOTHING; WORKERS];
        (0..WORKERS).for_each(|place| self.clocks.die(place, self.store.skew));
        self.door.die();
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(format!("{:>6} s  {}", self.now, line()));
        }
    }
}
