//! The faults, and the boundaries at which they can happen.

use crate::cloud::Time;
use crate::worker::{LONG_PAUSE, PAUSE, READ_ONLY};
use crate::world::{OUTAGE, RunSetting};

/// Where a fault can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Boundary {
    /// An attempt is recorded.
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
    /// A caller starts to wait for its response.
    Ask,
    /// A caller is answered.
    Tell,
    /// A caller with a key was answered.
    Told,
}

/// How the database's clock is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leap {
    NineDays,
    TenMinutesBack,
    FiveMinutesBack,
}

impl Leap {
    /// By how many seconds.
    pub(crate) fn by(self) -> Time {
        match self {
            Self::NineDays => 9 * 86_400,
            Self::TenMinutesBack => -600,
            Self::FiveMinutesBack => -300,
        }
    }
}

/// What every second read returns for a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    Failed,
    Creating,
    Nothing,
}

/// Who has the id that the cloud returns a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReusedIdOwner {
    /// A living row: nothing was created.
    Living,
    /// A row that has ended.
    Ended,
}

/// What can go wrong at a step of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The worker dies before the effect (or its commit is lost, and it gives up).
    Crash,
    /// The worker dies after the effect, before it knows of it (or its commit is ambiguous, and it gives up).
    Unheard,
    /// The worker pauses for longer than its lease, then continues.
    Pause,
    /// The same for longer than the cloud remembers a token.
    LongPause,
    /// All workers die, and none restarts for longer than the cloud remembers a token.
    Outage,
    /// The request never arrives; the outcome is unknown.
    LostRequest,
    /// The request is carried out, but its response is lost.
    LostAnswer,
    /// The request arrives 90 s later; its response is lost.
    Late,
    /// The request arrives 400 s later, when the cloud has forgotten the token; its response is lost.
    LateMid,
    /// The request arrives 840 s later, shortly before it would be refused as too old; its response is lost.
    LateEnd,
    /// The cloud throttles the call.
    Throttle,
    /// The cloud refuses the call.
    Refuse,
    /// The cloud says that the token was used with other parameters.
    Mismatch,
    /// The request is carried out, and the build will fail.
    BuildFails,
    /// The read fails.
    LookFails,
    /// The read returns the state of 59 s ago.
    Lag,
    /// The receiver refuses.
    HookFails,
    /// The receiver accepts, but its response is lost.
    HookUnheard,
    /// The receiver asks for a day without deliveries.
    HookRests,
    /// The caller disconnects.
    Leaves,
    /// The database accepts no writes for eight seconds: this one is refused, and so are all others in that time.
    ReadOnly,
    /// A standby is promoted that has nothing of the create.
    Failover,
    /// From now on the cloud shows nothing for a while, and says that each cache does not exist.
    Vanish,
    /// From now on the cloud hides only the newest cache for a while.
    Hide,
    /// From now on every second read returns a wrong state of the newest cache, for a while.
    Flap(Odd),
    /// The cloud answers a create with an id that another row has.
    ReusedId(ReusedIdOwner),
    /// The cloud acknowledges the request without carrying it out.
    AckedNotDone,
    /// The database's clock is changed, and set right again later.
    StepDb(Leap),
}

use Fault::{
    AckedNotDone, BuildFails, Crash, Failover, Flap, Hide, HookFails, HookRests, HookUnheard, Lag, Late, LateEnd,
    LateMid, Leaves, LongPause, LookFails, LostAnswer, LostRequest, Mismatch, Outage, Pause, ReadOnly, Refuse,
    ReusedId, StepDb, Throttle, Unheard, Vanish,
};

impl Fault {
    /// How long it lasts, and whether a create must end soon after it.
    pub(crate) fn lasts(self, setting: &RunSetting) -> (Time, bool) {
        match self {
            Crash | Unheard | LostRequest | LostAnswer | Throttle | BuildFails | LookFails | Lag | HookFails
            | HookUnheard | HookRests | ReusedId(_) => (0, true),
            ReadOnly => (READ_ONLY, true),
            Pause => (PAUSE, false),
            LongPause => (LONG_PAUSE, false),
            Outage => (OUTAGE, false),
            Vanish | Hide | Flap(_) => (setting.vanish, false),
            StepDb(_) => (setting.leap, false),
            Late => (90, false),
            LateMid => (400, false),
            LateEnd => (840, false),
            Refuse | Mismatch | Leaves | Failover | AckedNotDone => (0, false),
        }
    }

    pub(crate) const ALL: [Self; 33] = [
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
        Flap(Odd::Failed),
        Flap(Odd::Creating),
        Flap(Odd::Nothing),
        ReusedId(ReusedIdOwner::Living),
        ReusedId(ReusedIdOwner::Ended),
        AckedNotDone,
        StepDb(Leap::NineDays),
        StepDb(Leap::TenMinutesBack),
        StepDb(Leap::FiveMinutesBack),
    ];
}

impl Boundary {
    /// Whether the database is written.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Note | Self::Settle | Self::Write)
    }

    /// The faults that can happen there.
    pub(crate) fn faults(self) -> &'static [Fault] {
        match self {
            Self::Note => &[
                Crash,
                Unheard,
                Pause,
                Outage,
                ReadOnly,
                StepDb(Leap::NineDays),
                StepDb(Leap::TenMinutesBack),
                StepDb(Leap::FiveMinutesBack),
            ],
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
                ReusedId(ReusedIdOwner::Living),
                ReusedId(ReusedIdOwner::Ended),
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
            Self::Look => &[
                Crash,
                Pause,
                Outage,
                LookFails,
                Lag,
                Vanish,
                Hide,
                Flap(Odd::Failed),
                Flap(Odd::Creating),
                Flap(Odd::Nothing),
                StepDb(Leap::NineDays),
                StepDb(Leap::FiveMinutesBack),
            ],
            Self::Post => &[Crash, Unheard, Pause, HookFails, HookUnheard, HookRests],
            Self::Ask => &[Crash, Leaves],
            Self::Tell => &[Crash, Unheard, Pause, LongPause, Outage, Leaves],
            Self::Told => &[Failover],
        }
    }
}
