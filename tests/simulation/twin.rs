//! Deliberately broken rules, which test the test: each must be detected.

use crate::schedule::Script;

/// Which rule is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twin {
    /// None: the real rules.
    Sound,
    /// Each attempt has a new token.
    FreshToken,
    /// A request is sent again when its outcome has to be looked up.
    ResendForLookUp,
    /// A refusal ends the operation although an earlier attempt has an unknown outcome.
    RefuseAtOnce,
    /// Ended operations get no follow-up work.
    NoAftercare,
    /// The tracker writes whatever the version of the row is.
    NoCompareAndSet,
    /// After an update, any Ready is believed.
    NoEvidence,
    /// An update does not wait for late copies of an earlier one.
    NoOvertaking,
    /// Only the door knows that its caller was not told.
    ForgetsUntold,
    /// A response is sent before it is durable that it may have been sent.
    ClearsAfterwards,
    /// A response is sent although the create may have been given up meanwhile.
    AnswersUnasked,
    /// Joining is not recorded.
    JoinsUnrecorded,
    /// A request is sent although the database refused to record the attempt.
    SendsUnrecorded,
    /// The door tries only once to record that a caller was not told.
    GivesUpOnce,
    /// A deliverer does not notice that an endpoint was changed.
    RestsOn,
    /// The result of an attempt counts for the endpoint although it was changed meanwhile.
    CountsOldEnds,
    /// A create repeated with its key has the id of a new operation if the database lost the first one.
    ForgetsKeys,
    /// What the cloud does not show is gone, however much that is at once.
    BelievesVanishing,
    /// What has ended stays ended, whatever the cloud shows.
    NeverRevives,
    /// A delete that the cloud has acknowledged is never repeated.
    NeverSendsAgain,
    /// A single read that does not show what was created proves that it was not created.
    BelievesOneLook,
    /// After a failed attempt it pauses for minutes.
    RestsLong,
    /// A create that gets the id of another row is repeated forever.
    RepeatsTaken,
    /// A difference in a single list is a drift, however unlikely.
    ComparesOnce,
    /// What has failed stays failed, whatever the cloud shows.
    FailsForGood,
    /// Reads that miss a cache count even if others in between have shown it.
    CountsAllMisses,
    /// The database's clock is believed at once, however it changes.
    BelievesLeaps,
    /// A process that starts while the database's clock is wrong uses it to tell how long ago something was.
    BelievesTheFirst,
    /// Leases and due times stay as far in the future as a wrong clock has set them.
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
    /// The scripts that are run; for a broken rule the first that can show it.
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

    /// Its name on the command line.
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
