//! What can go wrong, and at which boundaries.

use crate::cloud::Time;
use crate::worker::{LONG_PAUSE, PAUSE, READ_ONLY};
use crate::world::{OUTAGE, RunSetting};

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

/// How the database's clock leaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leap {
    NineDays,
    TenMinutesBack,
    FiveMinutesBack,
}

impl Leap {
    /// By so many seconds.
    pub(crate) fn by(self) -> Time {
        match self {
            Self::NineDays => 9 * 86_400,
            Self::TenMinutesBack => -600,
            Self::FiveMinutesBack => -300,
        }
    }
}

/// What each second look shows of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Odd {
    Failed,
    Creating,
    Nothing,
}

/// Who has the id that the cloud gives once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReusedIdOwner {
    /// A row that lives: nothing was made.
    Living,
    /// A row that has ended.
    Ended,
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
    /// From now on each second look shows the newest cache as something that it is not, for a while.
    Flap(Odd),
    /// The cloud answers a create with an id that another row has.
    ReusedId(ReusedIdOwner),
    /// The cloud says that it was done, and does nothing.
    AckedNotDone,
    /// The database's clock leaps; later it is right again.
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
    /// Whether the database is written to.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Note | Self::Settle | Self::Write)
    }

    /// What can go wrong there.
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
