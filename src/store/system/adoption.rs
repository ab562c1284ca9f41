//! What is known of the cloud's caches, of whichever team: asked before one is taken over. Says that a row
//! has it, never whose it is.

use std::collections::HashSet;

use sqlx::FromRow;

use crate::domain::region::Region;
use crate::store::columns::sql;
use crate::store::words::ENDED;
use crate::store::{Store, StoreError};

/// What may not be taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// The cloud's ids that a row has.
    pub ids: HashSet<String>,
    /// Those of them whose row has ended: nobody manages them.
    pub ended: HashSet<String>,
    /// The names of caches whose create has not ended: the cloud may have them already, and we not their ids.
    pub names: HashSet<String>,
}

#[derive(FromRow)]
struct TakenRow {
    eci_cache_id: Option<String>,
    name: String,
    ended: bool,
}

impl Store {
    /// What of these ids of the cloud has a row already, and what is being created. Ask it after the cloud was
    /// read: a cache of ours that was listed is either still being created or has its id in its row.
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
