//! A schedule is a script and a list of faults, each at one boundary.
//!
//! A boundary is the moment before an effect: a commit, a call to the cloud, a webhook. They are numbered in the order
//! in which they occur. The same schedule always results in the same run.

use std::fmt;
use std::str::FromStr;

use crate::faults::Fault;
use crate::random::Random;

/// The maximum number of faults in a schedule.
pub(crate) const MOST_FAULTS: usize = 12;

/// What the caller requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Create,
    /// A create, and a delete two seconds later.
    CreateDelete,
    /// A create, and a delete once it is ready.
    ReadyDelete,
    /// A create, and an update once it is ready.
    Update,
    /// A create, an update once it is ready, and another one once it is ready again.
    UpdateTwice,
    /// A create, an update once it is ready, and a delete two seconds later.
    UpdateDelete,
    /// A create through the cloud's own API without a token.
    Ask,
    /// The same; two seconds later somebody requests the same content.
    AskJoin,
    /// The same; once it is ready somebody requests the same content.
    AskJoinReady,
    /// A create through the cloud's own API without a token; once it is ready somebody updates it.
    AskUpdate,
    /// A create; two seconds after the receiver asks for a rest, its team resumes the endpoint.
    Resume,
    /// A create with a key, which its caller repeats after a failover.
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

    /// The number of requests after the create.
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

/// A script, and faults at boundaries, in order.
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

/// The source of a run's faults.
#[derive(Clone, Copy)]
pub(crate) enum FaultSource {
    /// A given schedule.
    Given(Schedule),
    /// Drawn during the run: with a probability of `odds`/256 at each boundary.
    Drawn { random: Random, odds: u8, left: usize },
}
