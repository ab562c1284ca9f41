//! Which account at the cloud each cloud account is pinned to. Belongs to no team.
//!
//! What must stay true: a pinned id is written once, and changed only together with an audit entry that names who
//! changed it; nothing is pinned while too many image caches of the account are missing, because its key may be the
//! wrong one.
//!
//! `app::cloud_accounts::identity` calls it. `domain::cloud_account::account_id` compares.

use std::collections::BTreeMap;

use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::cloud_account::account_id::AccountId;
use crate::store::values::word;
use crate::store::writes::audit_entries;
use crate::store::writes::platform_events;
use crate::store::{PlatformEvent, Store, StoreError};

const TABLE: &str = "account_ids";

/// The pinned ids, by the gateway's account names.
pub type PinnedIds = BTreeMap<String, AccountId>;

impl Store {
    /// All pinned ids: one row for each account, so there are few.
    pub async fn pinned_ids(&self) -> Result<PinnedIds, StoreError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT account, account_id FROM account_ids ORDER BY account")
                .fetch_all(&self.requests)
                .await?;
        rows.into_iter().map(|(account, id)| Ok((account, read(&id)?))).collect()
    }

    /// Pins an account, unless it is pinned already or too many of its caches are missing. Returns what it is pinned to
    /// then.
    pub async fn pin_id(&self, account: &str, id: &AccountId, now: Instant) -> Result<Option<AccountId>, StoreError> {
        sqlx::query(
            "INSERT INTO account_ids (account, account_id, pinned_at) SELECT $1, $2, $3
             WHERE NOT EXISTS (SELECT FROM mass_vanishings WHERE account = $1 AND accepted_missing IS NULL)
             ON CONFLICT (account) DO NOTHING",
        )
        .bind(account)
        .bind(id.as_str())
        .bind(now)
        .execute(&self.requests)
        .await?;
        let pinned: Option<String> = sqlx::query_scalar("SELECT account_id FROM account_ids WHERE account = $1")
            .bind(account)
            .fetch_optional(&self.requests)
            .await?;
        pinned.map(|id| read(&id)).transpose()
    }

    /// Pins an account to this id, whatever it was pinned to before.
    pub async fn pin_id_anew(
        &self,
        account: &str,
        id: &AccountId,
        now: Instant,
        told: &[PlatformEvent],
        entry: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut transaction = self.requests.begin().await?;
        sqlx::query(
            "INSERT INTO account_ids (account, account_id, pinned_at) VALUES ($1, $2, $3)
             ON CONFLICT (account) DO UPDATE SET account_id = EXCLUDED.account_id, pinned_at = EXCLUDED.pinned_at",
        )
        .bind(account)
        .bind(id.as_str())
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        platform_events::tell(&mut transaction, told).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        platform_events::committed(told);
        Ok(())
    }
}

fn read(id: &str) -> Result<AccountId, StoreError> {
    word(id.parse().ok(), TABLE, "account_id")
}
