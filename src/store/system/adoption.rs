//! What is known about the cloud's caches across all teams, for checks before one is adopted. Says that a row has a
//! cache, but never who owns it.

use std::collections::HashSet;

use sqlx::FromRow;

use crate::domain::region::Region;
use crate::store::columns::sql;
use crate::store::words::ENDED;
use crate::store::{Store, StoreError};

/// Caches that cannot be adopted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The cloud ids that a row has.
    pub ids: HashSet<String>,
    /// Those of them whose row has ended, so that nobody manages them.
    pub ended: HashSet<String>,
    /// The names of caches whose create has not ended: the cloud may have them already while we do not know their ids.
    pub names: HashSet<String>,
}

#[derive(FromRow)]
struct TakenRow {
    eci_cache_id: Option<String>,
    name: String,
    ended: bool,
}

impl Store {
    /// Which of these cloud ids already have a row, and what is being created. Call it after reading the cloud: a
    /// listed cache of ours is either still being created or has its id in its row.
    pub async fn taken_caches(&self, account: &str, region: &Region, ids: &[String]) -> Result<Taken, StoreError> {
        let rows: Vec<TakenRow> = sqlx::query_as(sql!(
            "SELECT eci_cache_id, name,
                 status IN ({ENDED}) OR gone_at IS NOT NULL AS ended
             FROM image_caches WHERE account = $1 AND region = $2 AND eci_cache_id = ANY ($3)
             UNION ALL
             SELECT NULL, c.name, false FROM operations o JOIN image_caches c ON c.id = o.image_cache
             WHERE o.state = 'running' AND o.kind = 'create' AND c.account = $1 AND c.region = $2"
        ))
        .bind(account)
        .bind(region.as_str())
        .bind(ids)
        .fetch_all(&self.requests)
        .await?;
        let mut taken = Taken::default();
        for row in rows {
            if let Some(id) = row.eci_cache_id.as_ref().filter(|_| row.ended) {
                taken.ended.insert(id.clone());
            }
            match row.eci_cache_id {
                Some(id) => taken.ids.insert(id),
                None => taken.names.insert(row.name),
            };
        }
        Ok(taken)
    }
}
