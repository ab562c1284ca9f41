//! What happened to everything that somebody waits for: one query for all of them, of any team.
//!
//! A waiter has read what it waits for before, under its team. Both statements need one index probe per thing waited
//! for (two for a feed), however many wait for each.

use sqlx::{AssertSqlSafe, FromRow};

use crate::domain::identity::caller::TeamId;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::store::input::NOBODYS;
use crate::store::rows::ImageCacheRow;
use crate::store::rows::feed::{COLUMNS, EventRow, LIVES, NOW, SETTLED, Stretch};
use crate::store::unreadable::readable;
use crate::store::values::word;
use crate::store::writes::platform_events::UNTOLD;
use crate::store::{FeedPosition, Store, StoreError};

#[derive(FromRow)]
struct FeedRow {
    team: String,
    #[sqlx(flatten)]
    event: EventRow,
}

impl Store {
    /// The feeds of these teams, each after its position, up to `limit` events of each.
    pub async fn feeds_after(
        &self,
        places: &[(TeamId, FeedPosition)],
        limit: usize,
    ) -> Result<Vec<(TeamId, Stretch)>, StoreError> {
        let untold = format!("{}w.team{}", UNTOLD.0, UNTOLD.1);
        let sql = format!(
            "{NOW} SELECT w.team, {COLUMNS}
             FROM now CROSS JOIN UNNEST($1::text[], $2::text[], $3::bigint[], $5::bigint[]) AS w (team, txid, seq, life)
             LEFT JOIN {LIVES} l ON l.life = w.life
             -- What is of no team as well: whoever waits takes it only if they may see it.
             LEFT JOIN LATERAL (
                 (SELECT id, txid, seq, type, image_cache, body FROM events WHERE team = w.team
                      AND (txid, seq) > (w.txid::xid8, w.seq) AND {SETTLED} ORDER BY txid, seq LIMIT $4)
                 UNION ALL
                 (SELECT id, txid, seq, type, image_cache, body FROM events p WHERE team = '{NOBODYS}'
                      AND (txid, seq) > (w.txid::xid8, w.seq) AND {SETTLED} AND {untold}
                      ORDER BY txid, seq LIMIT $4)
                 ORDER BY txid, seq LIMIT $4) e ON true
             ORDER BY w.team, e.txid, e.seq"
        );
        let rows: Vec<FeedRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(places.iter().map(|(team, _)| team.as_str()).collect::<Vec<_>>())
            .bind(places.iter().map(|(_, place)| place.transaction.to_string()).collect::<Vec<_>>())
            .bind(places.iter().map(|(_, place)| place.number).collect::<Vec<_>>())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1))
            .bind(places.iter().map(|(_, place)| place.life).collect::<Vec<_>>())
            .fetch_all(&self.workers)
            .await?;
        let mut found: Vec<(TeamId, Stretch)> = Vec::new();
        let mut rows = rows.into_iter().peekable();
        while let Some(first) = rows.next() {
            let team: TeamId = word(first.team.parse().ok(), "events", "team")?;
            let mut of_team = vec![first.event];
            while let Some(row) = rows.next_if(|row| row.team == team.as_str()) {
                of_team.push(row.event);
            }
            let place =
                places.iter().find(|(known, _)| *known == team).map_or(FeedPosition::BEGINNING, |(_, place)| *place);
            found.push((team, Stretch::of(of_team, limit, place)));
        }
        Ok(found)
    }

    /// Those of these image caches that have a higher version than the given one.
    pub async fn moved_caches(&self, known: &[(CacheId, i64)]) -> Result<Vec<ImageCache>, StoreError> {
        let sql = format!(
            "SELECT {} FROM UNNEST($1::uuid[], $2::bigint[]) AS w (id, version)
             JOIN image_caches c ON c.id = w.id AND c.version > w.version",
            ImageCacheRow::columns("c")
        );
        let rows: Vec<ImageCacheRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(known.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
            .bind(known.iter().map(|(_, version)| *version).collect::<Vec<_>>())
            .fetch_all(&self.workers)
            .await?;
        Ok(readable(rows))
    }
}
