//! What goes wrong, and where: a schedule is a script and a list of faults, each at one boundary.
//!
//! A boundary is the moment before an effect: a commit, a call to the cloud, a webhook. They are numbered as they
//! come. The same schedule always makes the same run.

use std::fmt;
use std::str::FromStr;

use crate::faults::Fault;
use crate::random::Random;

/// The most faults of one schedule.
pub(crate) const MOST_FAULTS: usize = 12;

/// What the caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
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

/// A script, and what goes wrong at which boundaries, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) script: Script,
    pub(crate) faults: [(u16, Fault); MOST_FAULTS],
    pub(crate) count: usize,
}

impl Schedule {
    pub(crate) fn new(script: Script) -> Self {
        Self { script, faults: [(0, Fault::Crash); MOST_FAULTS], count: 0 }
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
#[derive(Clone, Copy)]
pub(crate) enum FaultSource {
    /// A schedule, given beforehand.
    Given(Schedule),
    /// Drawn as the run goes: `odds` in 256 at each boundary.
    Drawn { random: Random, odds: u8, left: usize },
}
