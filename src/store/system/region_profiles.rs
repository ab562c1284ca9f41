//! Region profiles. They belong to cloud accounts and so to no team.

use sqlx::AssertSqlSafe;

use crate::domain::audit::AuditEntry;
use crate::domain::policy::{ProfileId, RegionProfile};
use crate::store::rows::policies::ProfileRow;
use crate::store::{Store, StoreError};

impl Store {
    /// Up to `limit` profiles by account and region, after `after`.
    pub async fn region_profiles(
        &self,
        after: Option<&ProfileId>,
        limit: i64,
    ) -> Result<Vec<RegionProfile>, StoreError> {
        let sql = format!(
            "SELECT {} FROM region_profiles p WHERE $1::text IS NULL OR (account, region) > ($1, $2)
             ORDER BY account, region LIMIT $3",
            ProfileRow::columns("p")
        );
        let rows: Vec<ProfileRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(after.map(|id| &id.account))
            .bind(after.map(|id| id.region.as_str()))
            .bind(limit)
            .fetch_all(&self.requests)
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// One profile.
    pub async fn region_profile(&self, id: &ProfileId) -> Result<Option<RegionProfile>, StoreError> {
        let sql =
            format!("SELECT {} FROM region_profiles p WHERE account = $1 AND region = $2", ProfileRow::columns("p"));
        let row: Option<ProfileRow> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(&id.account)
            .bind(id.region.as_str())
            .fetch_optional(&self.requests)
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Writes a profile over the version in it, which is 0 if there was none. `false` if it has changed in the
    /// meantime.
    pub async fn put_region_profile(&self, profile: &RegionProfile, entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "INSERT INTO region_profiles AS p (account, region, vswitch_ids, security_group_id, eip_instance_id,
                 resource_group_id, zone_id, version, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $9)
             ON CONFLICT (account, region) DO UPDATE SET vswitch_ids = EXCLUDED.vswitch_ids,
                 security_group_id = EXCLUDED.security_group_id, eip_instance_id = EXCLUDED.eip_instance_id,
                 resource_group_id = EXCLUDED.resource_group_id, zone_id = EXCLUDED.zone_id,
                 version = p.version + 1, updated_at = EXCLUDED.updated_at
             WHERE p.version = $8",
        )
        .bind(&profile.id.account)
        .bind(profile.id.region.as_str())
        .bind(&profile.vswitch_ids)
        .bind(&profile.security_group_id)
        .bind(&profile.eip_instance_id)
        .bind(&profile.resource_group_id)
        .bind(&profile.zone_id)
        .bind(profile.version)
        .bind(profile.updated_at)
        .execute(&mut *transaction)
        .await?;
        self.end_audited(transaction, &done, entry).await
    }

    /// Deletes a profile. `false` if there is none.
    pub async fn remove_region_profile(
        &self,
        id: &ProfileId,
        version: i64,
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query("DELETE FROM region_profiles WHERE account = $1 AND region = $2 AND version = $3")
            .bind(&id.account)
            .bind(id.region.as_str())
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        self.end_audited(transaction, &done, entry).await
    }
}
