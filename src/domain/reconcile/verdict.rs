//! The result of a comparison with the cloud, from the few facts that it needs. The simulation runs this code
//! unchanged.
//!
//! What must stay true: an unlikely state in a list is believed only if a lookup by the id confirms it; what was read
//! too early to show the row's last change judges nothing; a cache that has ended becomes active again if the cloud
//! lists it, and one at rest counts as gone only because of lookups by its id.

use crate::domain::image_cache::status::Status;

/// The facts of the row that decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of the row, and none follows from another")]
pub struct Facts {
    /// The row's status, before the cloud was read.
    pub status: Status,
    /// The cloud has given it an id.
    pub known: bool,
    /// It stays `failed`, and the cloud has dropped it.
    pub gone: bool,
    /// It was already recorded that the cloud reports it as unusable.
    pub noted: bool,
    /// The cloud was read long enough after the row's last change to show its result.
    pub fresh: bool,
}

/// What to do about what the cloud reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: the tracker follows it, or what was read is too old.
    Nothing,
    /// Look it up by its id: a list alone is not believed.
    LookById,
    /// It is at rest: check whether it differs from what was asked for.
    Compare,
    /// It has ended here, or failed, and becomes active again.
    GoesOn,
}

impl Facts {
    /// Whether it is at rest: nothing changes until somebody asks for it, so the tracker leaves it alone.
    pub fn is_at_rest(self) -> bool {
        self.status.is_at_rest() && self.known && !self.gone
    }

    /// Whether it has ended, so that nothing follows it any more.
    pub fn has_ended(self) -> bool {
        self.status.is_final() || self.gone
    }

    /// Whether a list reports it, at rest, in an unlikely state that is not recorded yet.
    pub fn is_unlikely(self, shown: Status) -> bool {
        self.is_at_rest() && !self.noted && self.status.is_unlikely(shown)
    }

    /// The verdict when the full list contains it.
    pub fn listed(self, shown: Status) -> Verdict {
        if self.is_unlikely(shown) || self.has_ended() { Verdict::LookById } else { self.found(shown) }
    }

    /// The verdict when a lookup by its id found it.
    pub fn found(self, shown: Status) -> Verdict {
        if !self.fresh {
            Verdict::Nothing
        } else if self.has_ended() || self.recovers(shown) {
            Verdict::GoesOn
        } else if self.is_at_rest() {
            Verdict::Compare
        } else {
            Verdict::Nothing
        }
    }

    /// Whether a lookup by its id that did not find it counts.
    pub fn is_missed(self) -> bool {
        self.is_at_rest() && self.fresh
    }

    /// Whether it failed here, but not in the cloud.
    fn recovers(self, shown: Status) -> bool {
        self.status == Status::Failed && self.status.is_unlikely(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::{Facts, Status, Verdict};

    fn at(status: Status) -> Facts {
        Facts { status, known: true, gone: false, noted: false, fresh: true }
    }

    #[test]
    fn a_list_is_believed_where_nothing_hangs_on_it() {
        use Verdict::{Compare, LookById, Nothing};
        for (facts, shown, verdict) in [
            (at(Status::Ready), Status::Ready, Compare),
            (at(Status::Ready), Status::Updating, Compare),
            (at(Status::Ready), Status::Failed, LookById),
            (Facts { noted: true, ..at(Status::Ready) }, Status::Failed, Compare),
            (at(Status::Failed), Status::Ready, LookById),
            (at(Status::Lost), Status::Ready, LookById),
            (Facts { gone: true, ..at(Status::Failed) }, Status::Failed, LookById),
            (at(Status::Creating), Status::Ready, Nothing),
            (Facts { fresh: false, ..at(Status::Ready) }, Status::Ready, Nothing),
            (Facts { known: false, ..at(Status::Ready) }, Status::Ready, Nothing),
        ] {
            assert_eq!(facts.listed(shown), verdict, "{facts:?} listed as {shown:?}");
        }
    }

    #[test]
    fn what_a_look_by_id_shows_is_believed_unless_it_is_too_old() {
        use Verdict::{Compare, GoesOn, Nothing};
        for (facts, shown, verdict) in [
            (at(Status::Ready), Status::Failed, Compare),
            (at(Status::Failed), Status::Ready, GoesOn),
            (at(Status::Failed), Status::Failed, Compare),
            (at(Status::Deleted), Status::Ready, GoesOn),
            (Facts { gone: true, ..at(Status::Failed) }, Status::Failed, GoesOn),
            (Facts { fresh: false, ..at(Status::Deleted) }, Status::Ready, Nothing),
            (at(Status::Updating), Status::Ready, Nothing),
        ] {
            assert_eq!(facts.found(shown), verdict, "{facts:?} found as {shown:?}");
        }
    }

    #[test]
    fn a_miss_counts_for_what_is_at_rest() {
        assert!(at(Status::Ready).is_missed() && at(Status::Failed).is_missed());
        assert!(!at(Status::Updating).is_missed() && !Facts { fresh: false, ..at(Status::Ready) }.is_missed());
        assert!(!Facts { gone: true, ..at(Status::Failed) }.is_missed());
    }
}
