//! The answer that is owed to whoever creates an image cache through the cloud's own API. That API has no word for
//! "later", so a caller who was not answered takes it that nothing was done, and without a `ClientToken` can never
//! learn otherwise.
//!
//! What must stay true: nobody who was told the ids loses the cache without asking. An answer leaves only after
//! [`Owed::Sending`] is durable, so [`Owed::Unsent`] means that surely nobody was told; only such a create is
//! given up, and only as long as nobody else relies on it (who joins or changes the cache ends what is owed).
//!
//! Where a gateway ends between recording [`Owed::Sending`] and clearing it, nobody can know whether its caller heard:
//! the cache stays, and so does the record of that. While it lives it knows, however late: an answer that could not be
//! written gives the create up.
//!
//! Who calls it: `app`, and the simulation.

/// What is owed to the caller of a create. None where nothing is: it was told, it can ask again by its key, the cloud
/// refused, or somebody else relies on the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owed {
    /// The ids, and surely they were not told.
    Unsent,
    /// The ids, and they may have been told.
    Sending,
}

impl Owed {
    /// All that this version knows.
    pub const ALL: [Self; 2] = [Self::Unsent, Self::Sending];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unsent => "unsent",
            Self::Sending => "sending",
        }
    }

    /// What is owed once the cloud has created it. `waits`: the caller is there, at the process that records this, and
    /// is answered next. `keyed`: a repeat with the same key is told the ids.
    pub fn after_success(waits: bool, keyed: bool) -> Option<Self> {
        match (keyed, waits) {
            (true, _) => None,
            (false, true) => Some(Self::Sending),
            (false, false) => Some(Self::Unsent),
        }
    }

    /// Whether the create is given up if it is still owed when no answer can be on its way any more.
    pub fn is_given_up(self) -> bool {
        self == Self::Unsent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_was_not_told_is_given_up() {
        assert!(Owed::Unsent.is_given_up() && !Owed::Sending.is_given_up());
        assert_eq!(Owed::after_success(true, false), Some(Owed::Sending));
        assert_eq!(Owed::after_success(false, false), Some(Owed::Unsent));
        assert_eq!([true, false].map(|waits| Owed::after_success(waits, true)), [None, None]);
    }
}
