//! The judge: compares what clients were told, what the stand-in did and what the receiver received with the database,
//! after everything has come to rest.
//!
//! What must stay true: pure code over the [`Evidence`]; every rule is in [`RULES`], and `tests/it/chaos` tests each
//! with a broken ledger. A rule that finds nothing because nothing happened proves nothing: the caller prints how much
//! evidence there was.
//!
//! Called by `tests/chaos/main.rs`, and by its tests in `tests/it`.

mod audit;
pub(crate) mod evidence;
mod feed;
mod lives;
mod lost_writes;
mod notifications;
mod promises;

pub(crate) use evidence::Evidence;
pub(crate) use lost_writes::forget;

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    /// What was found.
    pub(crate) detail: String,
}

type Rule = fn(&Evidence) -> Vec<String>;

/// All rules by name.
pub(crate) const RULES: [(&str, Rule); 22] = [
    ("every wish is answered", promises::given_up),
    ("no acknowledged create is lost", promises::lost_creates),
    ("nobody who was told \"yours\" loses it without asking", promises::taken_away),
    ("nothing lives that nobody was told of", promises::untold),
    ("every answered request has its audit entry", audit::lost_audit),
    ("the cloud's ledger and the audit agree", audit::carried_out),
    ("each operation has its two audit entries", audit::endings),
    ("the audit verifies", audit::verifies),
    ("one key, one cache", promises::keys),
    ("no operation is carried out twice", promises::duplicates),
    ("no orphan at the stand-in", promises::orphans),
    ("whatever the cloud has, a living row or an open finding names it", promises::unnamed),
    ("nothing is refused that should not be", promises::refusals),
    ("no operation is stuck", lives::stuck),
    ("every transition is legal", lives::transitions),
    ("database and stand-in agree", lives::agreement),
    ("one Ready event for each cache and generation", notifications::ready_once),
    ("no Ready before the stand-in's", notifications::ready_early),
    ("each event is delivered, with one id", notifications::delivered),
    ("every webhook is signed", notifications::signed),
    ("each event is read in the feed exactly once", feed::read_once),
    ("recovery within the limit", lives::recovery),
];

/// Returns all violations.
pub(crate) fn judge(evidence: &Evidence) -> Vec<Violation> {
    let found =
        |(rule, judge): (&'static str, Rule)| judge(evidence).into_iter().map(move |detail| Violation { rule, detail });
    RULES.into_iter().flat_map(found).collect()
}
