//! The platform's view of all teams: operations in progress, and which teams there are.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::clock::Instant;
use crate::domain::filter::AuditReach;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::OperationId;
use crate::domain::operation::Operation;
use crate::store::rows::OperationRow;
use crate::store::unreadable::{self, Keyed as _};
use crate::store::values::word;
use crate::store::{Store, StoreError};

/// The position in a list of operations: the time of the last one's request, and its id.
pub type OperationPlace = (Instant, OperationId);

impl Store {
    /// Up to `limit` operations in `reach` that have not ended, oldest first.
    pub async fn open_operations(
        &self,
        reach: &AuditReach,
        place: Option<OperationPlace>,
        limit: i64,
    ) -> Result<Vec<Operation>, StoreError> {
        let place = place.map(|(at, id)| (at, id.uuid()));
        let read = |last: Option<(DateTime<Utc>, Uuid)>, wanted: i64| {
            self.open_operation_rows(reach.team(), last.or(place), wanted)
        };
        let convert = |row: OperationRow| unreadable::read(row.key(), row.try_into());
        unreadable::filled(limit, read, OperationRow::place, convert).await
    }

    async fn open_operation_rows(
        &self,
        team: Option<&TeamId>,
        place: Option<(DateTime<Utc>, Uuid)>,
        limit: i64,
    ) -> Result<Vec<OperationRow>, StoreError> {
        let (at, id) = place.unzip();
        // A waiting operation waits for a running one on the same image cache: there are few of those, and an index.
        let sql = format!(
            "SELECT {} FROM operations o
             WHERE o.id IN (SELECT r.id FROM operations r WHERE r.state = 'running'
                            UNION ALL
                            SELECT w.id FROM operations r JOIN operations w ON w.image_cache = r.image_cache
                            WHERE r.state = 'running' AND w.state = 'waiting')
               AND ($1::text IS NULL OR o.team = $1)
               AND ($2::timestamptz IS NULL OR (o.created_at, o.id) > ($2, $3))
             ORDER BY o.created_at, o.id LIMIT $4",
            OperationRow::columns("o")
        );
        Ok(sqlx::query_as(AssertSqlSafe(sql))
            .bind(team.map(TeamId::as_str))
            .bind(at)
            .bind(id)
            .bind(limit)
            .fetch_all(&self.requests)
            .await?)
    }

    /// Up to `limit` teams that are registered, or have or had image caches, by id, after `after`; each with whether it
    /// is registered.
    pub async fn known_teams(&self, after: Option<&TeamId>, limit: i64) -> Result<Vec<(TeamId, bool)>, StoreError> {
        // Goes from one team to the next by the index, because there are many more image caches than teams.
        let rows: Vec<(String, bool)> = sqlx::query_as(
            "WITH RECURSIVE next AS (
                 SELECT least((SELECT min(team) FROM image_caches WHERE team > $1),
                              (SELECT min(id) FROM teams WHERE id > $1)) AS team, 1 AS number
                 UNION ALL
                 SELECT least((SELECT min(team) FROM image_caches c WHERE c.team > next.team),
                              (SELECT min(id) FROM teams t WHERE t.id > next.team)), number + 1
                 FROM next WHERE next.team IS NOT NULL AND number < $2
             )
             SELECT team, EXISTS (SELECT FROM teams t WHERE t.id = next.team) FROM next
             WHERE team IS NOT NULL ORDER BY number LIMIT $2",
        )
        .bind(after.map_or("", TeamId::as_str))
        .bind(limit)
        .fetch_all(&self.requests)
        .await?;
        rows.into_iter().map(|(team, known)| Ok((word(team.parse().ok(), "image_caches", "team")?, known))).collect()
    }
}
