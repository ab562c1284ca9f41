//! Events: written once, with one delivery for each endpoint that wants them; and the team's feed of them.
//!
//! What must stay true: a reader sees no event before all those that precede it. An event whose transaction is not
//! older than every running one is held back, because an event with an earlier position might still be committed.

use crate::store::rows::feed::COLUMNS;
use crate::store::rows::feed::EventRow;
use crate::store::rows::feed::LIVES;
use crate::store::rows::feed::NOW;
use crate::store::rows::feed::SETTLED;
use crate::store::rows::feed::Stretch;

use sqlx::{Postgres, QueryBuilder};

use crate::domain::event::EventType;
use crate::domain::filter::EventFilter;
use crate::domain::identity::caller::TeamId;
use crate::store::input::NOBODYS;
use crate::store::writes::platform_events::UNTOLD;
use crate::store::{FeedPosition, Store, StoreError};

/// The positions up to which events of the team, and of no team, were removed.
fn push_removed(query: &mut QueryBuilder<Postgres>, team: &TeamId, nobodys: bool) {
    let whose = [Some(team.as_str()), nobodys.then_some(NOBODYS)].into_iter().flatten().collect::<Vec<_>>();
    query.push(" LEFT JOIN LATERAL (SELECT txid, seq FROM events_removed WHERE team = ANY (").push_bind(whose);
    query.push(") ORDER BY feed_life(seq) DESC, txid DESC, seq DESC LIMIT 1) r ON true");
}

/// Starts the query for the events of a team, or of none, after `place`, that pass the filter.
fn push_those_of(query: &mut QueryBuilder<Postgres>, team: &str, filter: &EventFilter, place: FeedPosition) {
    query.push("SELECT id, txid, seq, type, image_cache, body FROM events p WHERE team = ").push_bind(team.to_owned());
    query.push(" AND (txid, seq) > (").push_bind(place.transaction.to_string());
    query.push("::text::xid8, ").push_bind(place.number).push(") AND ").push(SETTLED);
    // Destructured completely, so that a new filter field that is not used here does not compile.
    let EventFilter { kinds, cache, platform } = filter;
    if let Some(cache) = cache {
        query.push(" AND image_cache = ").push_bind(cache.uuid());
    }
    if !kinds.is_empty() {
        let kinds: Vec<&str> = kinds.iter().map(|kind| EventType::as_str(*kind)).collect();
        query.push(" AND type = ANY (").push_bind(kinds).push(")");
    }
    if !platform {
        query.push(" AND type NOT LIKE 'platform.%'");
    }
}

impl Store {
    /// The position before everything that cannot be read yet.
    pub async fn feed_end(&self) -> Result<FeedPosition, StoreError> {
        let (life, horizon): (i64, i64) = sqlx::query_as(
            "SELECT max(first_seq), pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM feed_lives",
        )
        .fetch_one(&self.requests)
        .await?;
        Ok(FeedPosition::before(life, horizon.unsigned_abs()))
    }

    /// Up to `limit` events after `place` that pass `filter`, oldest first, without gaps.
    pub async fn events(
        &self,
        team: &TeamId,
        filter: &EventFilter,
        place: FeedPosition,
        limit: usize,
    ) -> Result<Stretch, StoreError> {
        // Events of no team are not about an image cache.
        let nobodys = filter.platform && filter.cache.is_none();
        let limited = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut query: QueryBuilder<Postgres> = QueryBuilder::new(NOW);
        query.push(" SELECT ").push(COLUMNS).push(", feed_life(r.seq) AS removed_life");
        query.push(", r.txid::text::bigint AS removed_txid, r.seq AS removed_seq");
        query.push(" FROM now LEFT JOIN ").push(LIVES).push(" l ON l.life = ").push_bind(place.life);
        push_removed(&mut query, team, nobodys);
        query.push(" LEFT JOIN LATERAL (");
        if nobodys {
            query.push("(");
        }
        push_those_of(&mut query, team.as_str(), filter, place);
        if nobodys {
            query.push(" ORDER BY txid, seq LIMIT ").push(limited).push(") UNION ALL (");
            push_those_of(&mut query, NOBODYS, filter, place);
            query.push(" AND ").push(UNTOLD.0).push_bind(team.as_str()).push(UNTOLD.1);
            query.push(" ORDER BY txid, seq LIMIT ").push(limited);
            query.push(")");
        }
        query.push(" ORDER BY txid, seq LIMIT ").push(limited).push(") e ON true ORDER BY e.txid, e.seq");
        let rows: Vec<EventRow> = query.build_query_as().fetch_all(&self.requests).await?;
        Ok(Stretch::of(rows, limit, place))
    }
}
