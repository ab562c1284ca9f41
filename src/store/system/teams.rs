//! Teams and the default policy, as the platform's administrators manage them. Each change is one transaction with its
//! audit entry, and checks the version that was read.

use sqlx::AssertSqlSafe;

use crate::domain::audit::AuditEntry;
use crate::domain::clock::Instant;
use crate::domain::identity::caller::TeamId;
use crate::domain::policy::Policy;
use crate::domain::policy::team::Team;
use crate::store::rows::policies::TeamRow;
use crate::store::stored_names::POLICY;
use crate::store::unreadable::{self, Keyed as _};
use crate::store::writes::audit_entries;
use crate::store::writes::platform_events;
use crate::store::{PlatformEvent, Store, StoreError};

impl Store {
    /// Up to `limit` teams by id, after `after`.
    pub async fn teams(&self, after: Option<&TeamId>, limit: i64) -> Result<Vec<Team>, StoreError> {
        let first = after.map(TeamId::to_string);
        let read = |place: Option<String>, wanted: i64| self.team_rows(place.or_else(|| first.clone()), wanted);
        let convert = |row: TeamRow| unreadable::read(row.key(), row.try_into());
        unreadable::filled(limit, read, TeamRow::key, convert).await
    }

    async fn team_rows(&self, after: Option<String>, limit: i64) -> Result<Vec<TeamRow>, StoreError> {
        let sql = format!(
            "SELECT {} FROM teams t WHERE $1::text IS NULL OR id > $1 ORDER BY id LIMIT $2",
            TeamRow::columns("t")
        );
        Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(after).bind(limit).fetch_all(&self.requests).await?)
    }

    /// Registers a team. `false` if it is already registered.
    pub async fn add_team(&self, team: &Team, entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "INSERT INTO teams (id, display_name, contacts, cost_centre, policy, disabled_at, version, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING",
        )
        .bind(team.id.as_str())
        .bind(&team.display_name)
        .bind(&team.contacts)
        .bind(&team.cost_centre)
        .bind(team.policy.as_ref().map(|policy| POLICY.write(policy)))
        .bind(team.disabled_at)
        .bind(team.version)
        .bind(team.created_at)
        .execute(&mut *transaction)
        .await?;
        self.end_audited(transaction, &done, entry).await
    }

    /// Whether anything of a team was ever here, registered or not.
    pub async fn has_met_team(&self, id: &TeamId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT FROM audit_entries WHERE team = $1)
            OR EXISTS (SELECT FROM api_keys WHERE team = $1) OR EXISTS (SELECT FROM access_keys WHERE team = $1)
            OR EXISTS (SELECT FROM image_caches WHERE team = $1)";
        Ok(sqlx::query_scalar(sql).bind(id.as_str()).fetch_one(&self.requests).await?)
    }

    /// Writes a team over the version in it. `false` if it has changed in the meantime.
    pub async fn change_team(&self, team: &Team, entry: &AuditEntry) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "UPDATE teams SET display_name = $3, contacts = $4, cost_centre = $5, policy = $6, disabled_at = $7,
                 updated_at = $8, version = version + 1
             WHERE id = $1 AND version = $2",
        )
        .bind(team.id.as_str())
        .bind(team.version)
        .bind(&team.display_name)
        .bind(&team.contacts)
        .bind(&team.cost_centre)
        .bind(team.policy.as_ref().map(|policy| POLICY.write(policy)))
        .bind(team.disabled_at)
        .bind(team.updated_at)
        .execute(&mut *transaction)
        .await?;
        self.end_audited(transaction, &done, entry).await
    }

    /// The teams whose requests are refused; there are few.
    pub async fn disabled_teams(&self) -> Result<Vec<TeamId>, StoreError> {
        let ids: Vec<String> =
            sqlx::query_scalar("SELECT id FROM teams WHERE disabled_at IS NOT NULL").fetch_all(&self.requests).await?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// The default policy and its version, if somebody has written one.
    pub async fn default_policy(&self) -> Result<Option<(Policy, i64)>, StoreError> {
        let row: Option<(serde_json::Value, i64)> =
            sqlx::query_as("SELECT policy, version FROM default_policy").fetch_optional(&self.requests).await?;
        row.map(|(policy, version)| Ok((POLICY.read(policy, "default_policy", "policy")?, version))).transpose()
    }

    /// Writes the default policy over that version, which is 0 if there was none. `false` if it has changed in the
    /// meantime.
    pub async fn put_default_policy(
        &self,
        policy: &Policy,
        version: i64,
        at: Instant,
        told: &[PlatformEvent],
        entry: Option<&AuditEntry>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let done = sqlx::query(
            "INSERT INTO default_policy AS d (policy, version, updated_at) SELECT $1, 1, $3 WHERE $2 = 0
             ON CONFLICT DO NOTHING",
        )
        .bind(POLICY.write(policy))
        .bind(version)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
        let changed = sqlx::query(
            "UPDATE default_policy SET policy = $1, version = version + 1, updated_at = $3 WHERE version = $2",
        )
        .bind(POLICY.write(policy))
        .bind(version)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() + changed.rows_affected() == 0 {
            return Ok(false);
        }
        platform_events::tell(&mut transaction, told).await?;
        audit_entries::insert(&mut transaction, &self.stamp, entry.map_or(&[], std::slice::from_ref)).await?;
        transaction.commit().await?;
        platform_events::committed(told);
        Ok(true)
    }
}
