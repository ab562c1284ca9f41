//! Queries, and members of them, that several resources have.

use utoipa::IntoParams;

use crate::domain::filter::Page;
use crate::domain::identity::caller::TeamId;
use crate::http::extract::{FromQuery, QueryPairs};
use crate::http::headers::MAX_WAIT;

/// A list without filters.
#[derive(Debug)]
pub(in crate::http::rest) struct PageQuery {
    pub(in crate::http::rest) page: Page,
}

impl FromQuery for PageQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { page: pairs.page() }
    }
}

/// The keys of which team.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct TeamQuery {
    /// Lists the keys of this team. A team other than the caller's requires the scope `platform:security`. Defaults
    /// to the caller's team.
    #[param(value_type = Option<String>, nullable = false)]
    pub(in crate::http::rest) team: Option<TeamId>,
    #[param(ignore)]
    pub(in crate::http::rest) page: Page,
}

impl FromQuery for TeamQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self { team: pairs.word("team", |word| word.parse().ok(), "a team's id"), page: pairs.page() }
    }
}

/// Takes a number of seconds from 0 to 55.
pub(in crate::http::rest) fn seconds(pairs: &mut QueryPairs, name: &str, default: u64) -> u64 {
    let seconds = pairs.one(name).unwrap_or(default);
    within(pairs, name, seconds)
}

/// Refuses a number of seconds above 55.
pub(in crate::http::rest) fn within(pairs: &mut QueryPairs, name: &str, seconds: u64) -> u64 {
    if seconds > MAX_WAIT.as_secs() {
        pairs.refuse(name, "out_of_range", "must be 0 to 55");
    }
    seconds
}
