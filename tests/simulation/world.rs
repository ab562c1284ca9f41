//! One run: a clock, the cloud, the database, a receiver, three workers, and a schedule of faults.
//!
//! The next step is always what is due first. Workers interleave if one is paused, or dies and another one takes over.
//! Between two boundaries there can be no fault, so a worker does everything in between at once.

use std::ops::ControlFlow;

use eci_cache_gateway::domain::clock::Present;
use eci_cache_gateway::domain::operation::{OperationState, OperationTimings, Owed};
use eci_cache_gateway::domain::webhooks::scheduler::EndpointMemory;

use crate::caller::ModelDoor;
use crate::clocks::{Clocks, Trust};
use crate::cloud::{ModelCloud, NEVER, Time};
use crate::endpoint::{ModelReceiver, NOTHING};
use crate::failover::Lost;
use crate::faults::{Boundary, Fault};
use crate::recovery::Recovery;
use crate::schedule::{FaultSource, MOST_FAULTS, Schedule, Script};
use crate::store::{EVENTS, ModelStore, Work, instant, lag};
use crate::twin::Twin;
use crate::worker::{Hand, ModelWorker};

pub(crate) const WORKERS: usize = 3;
/// The maximum number of boundaries that are remembered for the enumeration.
pub(crate) const MOST_BOUNDARIES: usize = 192;
/// A run with more steps than this is stuck.
const MOST_STEPS: u32 = 3_000;
/// How long all workers are away.
pub(crate) const OUTAGE: Time = 400;

/// What differs between runs besides the faults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunSetting {
    /// How long the cloud remembers a token: never shorter than we assume.
    pub(crate) memory: Time,
    /// The duration of a build.
    pub(crate) build: Time,
    /// The lag of every read.
    pub(crate) lag: Time,
    /// Whether snapshots distinguish builds.
    pub(crate) comparable: bool,
    /// For how long the cloud shows nothing, or hides one cache, if it does.
    pub(crate) vanish: Time,
    /// Whether the account has no other caches.
    pub(crate) alone: bool,
    /// How long the database's clock is wrong, if it is changed.
    pub(crate) leap: Time,
}

impl RunSetting {
    /// The shortest memory that we allow for, and no other complications.
    pub(crate) const PLAIN: Self =
        Self { memory: 300, build: 50, lag: 0, comparable: true, vanish: 600, alone: false, leap: 500 };
}

/// The world of one run. It is copied where runs start to differ: see `enumerate`.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct World {
    /// The true time, which no party reads.
    pub(crate) now: Time,
    /// The time of the process that acts now.
    pub(crate) clock: Time,
    /// Whether it can use that time to tell how long ago something was.
    pub(crate) sure: bool,
    pub(crate) clocks: Clocks,
    pub(crate) cloud: ModelCloud,
    pub(crate) store: ModelStore,
    pub(crate) workers: [ModelWorker; WORKERS],
    pub(crate) setting: RunSetting,
    pub(crate) twin: Twin,
    pub(crate) rule: OperationTimings,
    /// What each worker remembers of the endpoint.
    pub(crate) memories: [EndpointMemory; WORKERS],
    /// The state of the receiver.
    pub(crate) endpoint: ModelReceiver,
    /// The database accepts no writes before this time.
    pub(crate) read_only_until: Time,
    /// Webhooks received: the event's id and how often, by generation.
    pub(crate) received: [(u32, u32); EVENTS],
    /// The door of a create through the cloud's own API.
    pub(crate) door: ModelDoor,
    /// Somebody else was given the cache, or changed it.
    pub(crate) relied: bool,
    /// Wrong data was believed: a build was called failed that was not, or a cache lost that existed. From then on only
    /// the invariants at rest are checked.
    pub(crate) misled: bool,
    /// What was lost in failovers.
    pub(crate) lost: Lost,
    /// Whether operations end soon enough.
    pub(crate) recovery: Recovery,
    source: FaultSource,
    pub(crate) script: Script,
    /// The number of requests made, and the time of the last one.
    pub(crate) requests: (usize, Time),
    /// No worker runs before this time.
    pub(crate) away_until: Time,
    pub(crate) boundaries: [Boundary; MOST_BOUNDARIES],
    pub(crate) boundary: u16,
    /// The faults of this run.
    pub(crate) met: Schedule,
    /// Whether every step is printed.
    pub(crate) told: bool,
    /// The number of steps so far.
    steps: u32,
    pub(crate) violation: Option<&'static str>,
}

impl World {
    pub(crate) fn new(script: Script, setting: RunSetting, source: FaultSource, twin: Twin) -> Self {
        Self {
            now: 0,
            clock: 0,
            sure: true,
            clocks: Clocks::RIGHT,
            cloud: ModelCloud::new(setting.memory, setting.build),
            store: ModelStore::new(twin),
            workers: [ModelWorker::default(); WORKERS],
            setting,
            twin,
            rule: OperationTimings::default(),
            memories: [NOTHING; WORKERS],
            endpoint: ModelReceiver::default(),
            read_only_until: 0,
            received: [(0, 0); EVENTS],
            door: if script.asks_without_token() { ModelDoor::ASKED } else { ModelDoor::NONE },
            relied: false,
            misled: false,
            lost: Lost::default(),
            recovery: Recovery::NONE,
            source,
            script,
            requests: (0, 0),
            away_until: 0,
            boundaries: [Boundary::Note; MOST_BOUNDARIES],
            boundary: 0,
            met: Schedule::new(script),
            told: false,
            steps: 0,
            violation: None,
        }
    }

    /// The caller requests the create.
    pub(crate) fn begun(mut self) -> Self {
        let create = &mut self.store.operations[0];
        create.state = Some(OperationState::Running);
        let owed = self.script.asks_without_token() && self.twin != Twin::ForgetsUntold;
        self.store.owed = owed.then_some(Owed::Unsent);
        self
    }

    /// Runs until nothing is left to do; returns what is violated, if anything.
    pub(crate) fn run(&mut self) -> Option<&'static str> {
        loop {
            if let ControlFlow::Break(wrong) = self.go_on() {
                return wrong;
            }
        }
    }

    /// Takes one step. If it was the last one, returns what is violated, if anything.
    pub(crate) fn go_on(&mut self) -> ControlFlow<Option<&'static str>> {
        self.steps += 1;
        if self.steps > MOST_STEPS {
            return ControlFlow::Break(Some("stuck: it never comes to rest"));
        }
        let rests = !self.step();
        match self.violation.or(self.store.fault) {
            None if rests => ControlFlow::Break(self.check()),
            None => ControlFlow::Continue(()),
            wrong => ControlFlow::Break(wrong),
        }
    }

    /// The same world with these faults from now on.
    pub(crate) fn with(&self, schedule: Schedule) -> Self {
        Self { source: FaultSource::Given(schedule), ..*self }
    }

    /// Does what is due first. `false` if nothing is.
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
        // Most steps: a worker with a next step takes it at once.
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

    /// The work that an idle worker claims first, and which worker that is: the first one if the clocks agree.
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

    /// The present for the process that acts now.
    pub(crate) fn present(&self) -> Present {
        Present { at: instant(self.clock), sure: self.sure }
    }

    /// How far a read may lag, as far as that process can tell.
    pub(crate) fn lag(&self) -> chrono::Duration {
        if self.sure { lag() } else { self.present().lag(lag()) }
    }

    /// The fault at this boundary.
    pub(crate) fn fault(&mut self, boundary: Boundary) -> Option<Fault> {
        let number = self.boundary;
        self.boundary += 1;
        if let Some(known) = self.boundaries.get_mut(usize::from(number)) {
            *known = boundary;
        }
        let fault = match &mut self.source {
            FaultSource::Given(schedule) => {
                let given = schedule.faults[..schedule.count].iter().find(|(at, _)| *at == number);
                given.map(|(_, fault)| *fault).filter(|fault| boundary.faults().contains(fault))
            }
            FaultSource::Drawn { random, odds, left } => {
                let meets = *left > 0 && random.below(256) < u32::from(*odds);
                *left -= usize::from(meets);
                meets.then(|| random.pick(boundary.faults()))
            }
        };
        if let Some(fault) = fault {
            self.recovery.meet(fault.lasts(&self.setting), self.now);
            if self.met.count < MOST_FAULTS {
                self.met = self.met.with(number, fault);
            }
        }
        self.note(|| format!("boundary {number}: {boundary:?}{}", fault.map_or(String::new(), |f| format!(": {f:?}"))));
        fault
    }

    /// Every worker dies.
    pub(crate) fn outage(&mut self) {
        self.away_until = self.now + OUTAGE;
        self.drop_all();
    }

    /// All workers drop their work.
    pub(crate) fn drop_all(&mut self) {
        self.workers = [ModelWorker::default(); WORKERS];
        self.memories = [NOTHING; WORKERS];
        (0..WORKERS).for_each(|place| self.clocks.die(place, self.store.skew));
        self.door.die();
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.told {
            println!("{:>6} s  {}", self.now, line());
        }
    }
}
