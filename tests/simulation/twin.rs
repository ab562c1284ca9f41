//! Rules that are broken on purpose: the test of the test. Each must be caught.

use crate::schedule::Script;

/// Which rule is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twin {
    /// None: the real rules.
    Sound,
    /// A new token for each attempt.
    FreshToken,
    /// Sent again where it must be looked for.
    ResendForLookUp,
    /// A refusal ends the operation although an earlier attempt is in doubt.
    RefuseAtOnce,
    /// Nothing is looked after once an operation has ended.
    NoAftercare,
    /// The tracker writes whatever version the row has.
    NoCompareAndSet,
    /// After an update any Ready is believed.
    NoEvidence,
    /// An update does not wait for an earlier one's copies.
    NoOvertaking,
    /// What a caller was not told is known to its door alone.
    ForgetsUntold,
    /// An answer leaves before it is durable that it may have left.
    ClearsAfterwards,
    /// An answer leaves although the create may have been given up meanwhile.
    AnswersUnasked,
    /// Who joins is not recorded.
    JoinsUnrecorded,
    /// A request is sent although the database refused to record that it would be.
    SendsUnrecorded,
    /// That a caller was not told is tried to be recorded once.
    GivesUpOnce,
    /// A deliverer does not hear that somebody acted upon an endpoint.
    RestsOn,
    /// How an attempt ended counts for the endpoint although somebody acted upon it meanwhile.
    CountsOldEnds,
    /// A create that is repeated with its key has a new operation's id where the database has lost the first.
    ForgetsKeys,
    /// What the cloud does not show is gone, however much that is at once.
    BelievesVanishing,
    /// What has ended stays so, whatever the cloud shows.
    NeverRevives,
    /// A removal that the cloud has accepted is not asked for again.
    NeverSendsAgain,
    /// One look that does not show what was made is proof that it was not.
    BelievesOneLook,
    /// After an attempt that came to nothing it rests for minutes.
    RestsLong,
    /// A create whose id of the cloud another row has is tried again and again.
    RepeatsTaken,
    /// What one list shows is a drift, however unlikely.
    ComparesOnce,
    /// What failed once stays so, whatever the cloud shows.
    FailsForGood,
    /// Looks that miss a cache count, also where others between them have shown it.
    CountsAllMisses,
    /// The database's clock is gone by at once, wherever it leaps.
    BelievesLeaps,
    /// A process that begins while the database's clock is off tells by it how long ago something was.
    BelievesTheFirst,
    /// Leases and due times stay as far ahead as a clock that leapt has put them.
    LeavesFarTimes,
}

impl Twin {
    pub(crate) const BROKEN: [Self; 28] = [
        Self::FreshToken,
        Self::ResendForLookUp,
        Self::RefuseAtOnce,
        Self::NoAftercare,
        Self::NoCompareAndSet,
        Self::NoEvidence,
        Self::NoOvertaking,
        Self::ForgetsUntold,
        Self::ClearsAfterwards,
        Self::AnswersUnasked,
        Self::JoinsUnrecorded,
        Self::SendsUnrecorded,
        Self::GivesUpOnce,
        Self::RestsOn,
        Self::CountsOldEnds,
        Self::ForgetsKeys,
        Self::BelievesVanishing,
        Self::NeverRevives,
        Self::NeverSendsAgain,
        Self::BelievesOneLook,
        Self::RestsLong,
        Self::RepeatsTaken,
        Self::ComparesOnce,
        Self::FailsForGood,
        Self::CountsAllMisses,
        Self::BelievesLeaps,
        Self::BelievesTheFirst,
        Self::LeavesFarTimes,
    ];
}

impl Twin {
    /// The scripts in which it is looked for: for a broken one the first that can show it.
    pub(crate) fn scripts(self) -> &'static [Script] {
        match self {
            Self::Sound => &Script::ALL,
            Self::NoEvidence => &[Script::Update],
            Self::NoOvertaking => &[Script::UpdateTwice],
            Self::ForgetsUntold | Self::ClearsAfterwards | Self::AnswersUnasked | Self::GivesUpOnce => &[Script::Ask],
            Self::JoinsUnrecorded => &[Script::AskJoin],
            Self::RestsOn | Self::CountsOldEnds => &[Script::Resume],
            Self::ForgetsKeys => &[Script::Keyed],
            Self::NeverSendsAgain => &[Script::CreateDelete],
            _ => &[Script::Create],
        }
    }

    /// How to name it on the command line.
    pub(crate) fn argument(self) -> String {
        if self == Self::Sound { String::new() } else { format!(" --twin {self:?}") }
    }
}

impl std::str::FromStr for Twin {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::BROKEN.into_iter().find(|twin| format!("{twin:?}") == name);
        found.ok_or_else(|| format!("no twin is called {name}"))
    }
}
