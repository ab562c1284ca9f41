//! `policy.*`: what holds where no policy says it.

use super::reader::Reader;
use crate::domain::policy::Prices;
use crate::domain::team::UnknownTeams;

/// `policy.*`: what holds where no policy says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyConfig {
    /// What holds for teams that nobody registered.
    pub unknown_teams: UnknownTeams,
    /// Who can change a policy: an address or a name for those who are refused.
    pub contact: Option<String>,
    /// What image caches cost.
    pub prices: Prices,
}

impl PolicyConfig {
    pub(super) fn read(r: &mut Reader) -> Self {
        Self {
            unknown_teams: r.unknown_teams("policy.unknown_teams").unwrap_or_default(),
            contact: r.word("policy.contact"),
            prices: r.prices("policy.prices", "policy.currency"),
        }
    }
}
