//! What goes wrong, and where: a schedule is a script and a list of faults, each at one boundary.
//!
//! A boundary is the moment before an effect: a commit, a call to the cloud, a webhook. They are numbered as they
//! come. The same schedule always makes the same run.

use std::fmt;
use std::str::FromStr;

use crate::random::Random;

/// The most faults of one schedule.
pub(crate) const MOST_FAULTS: usize = 12;

/// What the caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// A create.
    Create,
    /// A create, and two seconds later a delete.
    CreateDelete,
    /// A create; once ready a delete.
    ReadyDelete,
    /// A create; once ready an update.
    Update,
    /// A create; once ready an update; once ready again another one.
    UpdateTwice,
    /// A create; once ready an update, and two seconds later a delete.
    UpdateDelete,
    /// A create through the cloud's own API, without a token.
    Ask,
    /// The same; two seconds later somebody asks for the same content.
    AskJoin,
    /// The same, once it is ready.
    AskJoinReady,
    /// A create through the cloud's own API, without a token; once ready somebody updates it.
    AskUpdate,
    /// A create; two seconds after the receiver asks for a rest, its team resumes the endpoint.
    Resume,
    /// A create with a key, which its caller repeats where it hears of a failover.
    Keyed,
}

impl Script {
    pub(crate) const ALL: [Self; 12] = [
        Self::Create,
        Self::CreateDelete,
        Self::ReadyDelete,
        Self::Update,
        Self::UpdateTwice,
        Self::UpdateDelete,
        Self::Ask,
        Self::AskJoin,
        Self::AskJoinReady,
        Self::AskUpdate,
        Self::Resume,
        Self::Keyed,
    ];

    /// How often something is asked for after the create.
    pub(crate) fn requests(self) -> usize {
        match self {
            Self::Create | Self::Ask | Self::Keyed => 0,
            Self::UpdateTwice | Self::UpdateDelete => 2,
            _ => 1,
        }
    }

    /// Whether the create's caller must be answered now or never.
    pub(crate) fn asks_without_token(self) -> bool {
        matches!(self, Self::Ask | Self::AskJoin | Self::AskJoinReady | Self::AskUpdate)
    }
}

/// Where something can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// The attempt is recorded.
    Note,
    /// The outcome of an operation is written.
    Settle,
    /// Anything else is written.
    Write,
    /// A create or update is sent.
    Build,
    /// A delete is sent.
    Delete,
    /// The cloud is read.
    Look,
    /// A webhook is sent.
    Post,
    /// A caller begins to wait for its answer.
    Ask,
    /// A caller is answered.
    Tell,
    /// A caller with a key has been answered.
    Told,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The worker dies before the effect (or its commit is lost, and it gives up).
    Crash,
    /// The effect happens; the worker dies before it hears of it (or its commit is ambiguous, and it gives up).
    Unheard,
    /// The worker stands still, longer than its lease lasts, then goes on.
    Pause,
    /// The same, longer than the cloud remembers a token.
    LongPause,
    /// Every worker dies, and none is back for longer than the cloud remembers a token.
    Outage,
    /// The request never arrives; nobody knows.
    LostRequest,
    /// The request is carried out; nobody hears of it.
    LostAnswer,
    /// The request arrives 90 s later; nobody hears of it.
    Late,
    /// The request arrives 400 s later, after the cloud's memory of a token.
    LateMid,
    /// The request arrives 840 s later, shortly before it is refused as too old.
    LateEnd,
    /// The cloud wants fewer calls.
    Throttle,
    /// The cloud refuses.
    Refuse,
    /// The cloud says that it knows the token with other parameters.
    Mismatch,
    /// The request is carried out, and the build will fail.
    BuildFails,
    /// The look has no answer.
    LookFails,
    /// The look shows what was 59 s ago.
    Lag,
    /// The receiver refuses.
    HookFails,
    /// The receiver takes it; the answer is lost.
    HookUnheard,
    /// The receiver asks for a day without deliveries.
    HookRests,
    /// The caller is gone.
    Leaves,
    /// The database takes no writes for eight seconds: this one is refused, and so is whatever else is written then.
    ReadOnly,
    /// A standby takes over that has nothing of the create.
    Failover,
    /// From now on the cloud shows nothing for a while, and says of each cache that it is not there.
    Vanish,
    /// From now on the cloud does not show the newest cache for a while; all others it does.
    Hide,
    /// The cloud says that it was done, and does nothing.
    AckedNotDone,
}

use Fault::{
    AckedNotDone, BuildFails, Crash, Failover, Hide, HookFails, HookRests, HookUnheard, Lag, Late, LateEnd, LateMid,
    Leaves, LongPause, LookFails, LostAnswer, LostRequest, Mismatch, Outage, Pause, ReadOnly, Refuse, Throttle,
    Unheard, Vanish,
};

impl Fault {
    const ALL: [Self; 25] = [
        Crash,
        Unheard,
        Pause,
        LongPause,
        Outage,
        LostRequest,
        LostAnswer,
        Late,
        LateMid,
        LateEnd,
        Throttle,
        Refuse,
        Mismatch,
        BuildFails,
        LookFails,
        Lag,
        HookFails,
        HookUnheard,
        HookRests,
        Leaves,
        ReadOnly,
        Failover,
        Vanish,
        Hide,
        AckedNotDone,
    ];
}

impl Boundary {
    /// Whether the database is written to.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Note | Self::Settle | Self::Write)
    }

    /// What can go wrong there.
    pub(crate) fn faults(self) -> &'static [Fault] {
        match self {
            Self::Note => &[Crash, Unheard, Pause, Outage, ReadOnly],
            Self::Settle => &[Crash, Unheard, Pause, LongPause, Outage, ReadOnly],
            Self::Write => &[Crash, Pause, LongPause, Outage, ReadOnly],
            Self::Build => &[
                Crash,
                Unheard,
                Pause,
                Outage,
                LostRequest,
                LostAnswer,
                Late,
                LateMid,
                LateEnd,
                Throttle,
                Refuse,
                Mismatch,
                BuildFails,
                AckedNotDone,
            ],
            Self::Delete => &[
                Crash,
                Unheard,
                Outage,
                LostRequest,
                LostAnswer,
                Late,
                LateEnd,
                Throttle,
                Refuse,
                Mismatch,
                AckedNotDone,
            ],
            Self::Look => &[Crash, Pause, Outage, LookFails, Lag, Vanish, Hide],
            Self::Post => &[Crash, Unheard, Pause, HookFails, HookUnheard, HookRests],
            Self::Ask => &[Crash, Leaves],
            Self::Tell => &[Crash, Unheard, Pause, LongPause, Outage, Leaves],
            Self::Told => &[Failover],
        }
    }
}

/// A script, and what goes wrong at which boundaries, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) script: Script,
    pub(crate) faults: [(u16, Fault); MOST_FAULTS],
    pub(crate) count: usize,
}

impl Schedule {
    pub(crate) fn new(script: Script) -> Self {
        Self { script, faults: [(0, Crash); MOST_FAULTS], count: 0 }
    }

    pub(crate) fn with(mut self, boundary: u16, fault: Fault) -> Self {
        self.faults[self.count] = (boundary, fault);
        self.count += 1;
        self
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.script)?;
        self.faults[..self.count].iter().try_for_each(|(boundary, fault)| write!(f, ",{boundary}={fault:?}"))
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let name = parts.next().unwrap_or_default();
        let script = Script::ALL.into_iter().find(|script| format!("{script:?}") == name);
        let mut schedule = Self::new(script.ok_or_else(|| format!("no script is called {name}"))?);
        for part in parts.take(MOST_FAULTS) {
            let (boundary, name) = part.split_once('=').ok_or_else(|| format!("{part}: must be boundary=Fault"))?;
            let fault = Fault::ALL.into_iter().find(|fault| format!("{fault:?}") == name);
            let boundary = boundary.parse().map_err(|_| format!("{boundary}: must be a number"))?;
            schedule = schedule.with(boundary, fault.ok_or_else(|| format!("no fault is called {name}"))?);
        }
        Ok(schedule)
    }
}

/// Where the faults of a run come from.
pub(crate) enum Source {
    /// A schedule, given beforehand.
    Given(Schedule),
    /// Drawn as the run goes: `odds` in 256 at each boundary.
    Drawn { random: Random, odds: u8, left: usize },
}
