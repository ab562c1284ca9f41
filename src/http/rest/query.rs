//! Queries, and members of them, that several resources have.

use std::time::Duration;

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

/// `wait_seconds`: how long to wait. More than the longest wait counts as the longest, as `Prefer: wait` does.
pub(in crate::http::rest) fn wait_seconds(pairs: &mut QueryPairs) -> Option<Duration> {
    let seconds: u64 = pairs.one("wait_seconds")?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}
