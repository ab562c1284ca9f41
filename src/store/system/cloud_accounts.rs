//! Cloud accounts that an administrator added. They belong to no team.
//!
//! What must stay true: no image cache is recorded for an account that is deleted or disabled, at whichever gateway:
//! whoever records one holds the account's row in the meantime ([`account`](crate::store::writes::holds::account)), and
//! whoever deletes an account locks the row before checking.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow};

use crate::domain::audit::AuditEntry;
use crate::domain::cloud_account::{AccountName, AccountRole, CloudAccount};
use crate::domain::region::Region;
use crate::store::columns::{ColumnSet, Numbers, StatementParameters, Table as _, sql, table};
use crate::store::database::pool::PooledConnection;
use crate::store::unreadable::readable;
use crate::store::values::word;
use crate::store::words::{ENDED, OPEN};
use crate::store::writes::audit_entries;
use crate::store::writes::platform_events;
use crate::store::{PlatformEvent, Store, StoreError};

const TABLE: &str = "cloud_accounts";

/// An account with its encrypted secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAccount {
    /// The account.
    pub account: CloudAccount,
    /// The key's secret, encrypted.
    pub secret: Vec<u8>,
    /// The external id that the role's owner requires, encrypted.
    pub external_id: Option<Vec<u8>>,
}

/// The result of deleting an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountRemoval {
    /// It is deleted.
    Done,
    /// It was changed or deleted meanwhile.
    Moved,
    /// It holds image caches, or has operations that have not ended.
    InUse,
}

table! {
    #[derive(FromRow)]
    struct AccountRow of "cloud_accounts" {
        name: String = new.account.name.as_str(),
        access_key_id: String = new.account.access_key_id.as_str(),
        secret: Vec<u8> = new.secret.as_slice(),
        role_arn: Option<String> = new.account.role.as_ref().map(|role| role.arn.as_str()),
        role_session: Option<String> = new.account.role.as_ref().map(|role| role.session.as_str()),
        role_seconds: Option<i32> = new.account.role.as_ref().map(|role| role.seconds),
        external_id: Option<Vec<u8>> = new.external_id.as_deref(),
        regions: Vec<String> = new.account.regions.iter().map(Region::as_str).collect::<Vec<_>>(),
        endpoint: Option<String> = new.account.endpoint.as_deref(),
        version: i64 = new.account.version => "n.version + 1",
        created_at: DateTime<Utc> = new.account.created_at,
        updated_at: DateTime<Utc> = new.account.updated_at,
        disabled_at: Option<DateTime<Utc>> = new.account.disabled_at,
    }
    written one by one from |new: &'a SealedAccount| {}
}

impl TryFrom<AccountRow> for SealedAccount {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        let role = match (row.role_arn, row.role_session, row.role_seconds) {
            (Some(arn), Some(session), Some(seconds)) => Some(AccountRole { arn, session, seconds }),
            _ => None,
        };
        let regions = row.regions.iter().map(|region| word(region.parse().ok(), TABLE, "regions"));
        let account = CloudAccount {
            name: word(row.name.parse::<AccountName>().ok(), TABLE, "name")?,
            access_key_id: row.access_key_id,
            role,
            regions: regions.collect::<Result<_, _>>()?,
            endpoint: row.endpoint,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            disabled_at: row.disabled_at,
        };
        Ok(Self { account, secret: row.secret, external_id: row.external_id })
    }
}

static PUT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO cloud_accounts AS a ({}) SELECT {} FROM {}
         -- One that was changed meanwhile may be gone by now: it is not made anew.
         WHERE n.version = 0 OR EXISTS (SELECT FROM cloud_accounts c WHERE c.name = n.name)
         ON CONFLICT (name) DO UPDATE SET {} WHERE a.version = EXCLUDED.version - 1",
        AccountRow::names(ColumnSet::All),
        AccountRow::values(ColumnSet::All),
        Numbers::default().one::<AccountRow>(ColumnSet::All),
        AccountRow::overwrite(ColumnSet::All, &["name", "created_at"]),
    )
});

impl Store {
    /// Every account, by name; there are few.
    pub async fn cloud_accounts(&self) -> Result<Vec<SealedAccount>, StoreError> {
        let sql = format!("SELECT {} FROM cloud_accounts a ORDER BY name", AccountRow::columns("a"));
        let rows: Vec<AccountRow> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&self.requests).await?;
        Ok(readable(rows))
    }

    /// One account.
    pub async fn cloud_account(&self, name: &AccountName) -> Result<Option<SealedAccount>, StoreError> {
        let sql = format!("SELECT {} FROM cloud_accounts a WHERE name = $1", AccountRow::columns("a"));
        let row: Option<AccountRow> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(name.as_str()).fetch_optional(&self.requests).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Writes an account over the version in it, which is 0 if there was none. `false` if it has changed in the
    /// meantime.
    pub async fn put_cloud_account(
        &self,
        sealed: &SealedAccount,
        told: &[PlatformEvent],
        entry: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.requests.begin().await?;
        let parameters = StatementParameters::default().one::<AccountRow>(ColumnSet::All, &sealed);
        let done = parameters.query(&PUT)?.execute(&mut *transaction).await?;
        self.end_announced(transaction, &done, told, entry).await
    }

    /// Deletes an account that holds nothing, with its groups and the findings in it.
    pub async fn remove_cloud_account(
        &self,
        name: &AccountName,
        version: i64,
        told: &[PlatformEvent],
        entry: &AuditEntry,
    ) -> Result<AccountRemoval, StoreError> {
        let mut transaction = self.requests.begin().await?;
        // Waits for creates that hold the row; later ones find it gone.
        let sql = "SELECT 1 FROM cloud_accounts WHERE name = $1 AND version = $2 FOR UPDATE";
        let locked: Option<i32> =
            sqlx::query_scalar(sql).bind(name.as_str()).bind(version).fetch_optional(&mut *transaction).await?;
        if locked.is_none() {
            return Ok(AccountRemoval::Moved);
        }
        if is_used(&mut transaction, name).await? {
            return Ok(AccountRemoval::InUse);
        }
        for sql in [
            "DELETE FROM cloud_accounts WHERE name = $1",
            "DELETE FROM tracker_groups WHERE account = $1",
            "DELETE FROM reconcile_groups WHERE account = $1",
            "DELETE FROM mass_vanishings WHERE account = $1",
            "DELETE FROM account_ids WHERE account = $1",
            "UPDATE found_caches SET ended_at = clock_timestamp() WHERE account = $1 AND ended_at IS NULL",
        ] {
            sqlx::query(sql).bind(name.as_str()).execute(&mut *transaction).await?;
        }
        platform_events::tell(&mut transaction, told).await?;
        audit_entries::insert(&mut transaction, &self.stamp, std::slice::from_ref(entry)).await?;
        transaction.commit().await?;
        platform_events::committed(told);
        Ok(AccountRemoval::Done)
    }
}

/// Whether the cloud may have an image cache in the account, or an operation has work to do there. This includes
/// operations that have ended while a copy may still be carried out.
async fn is_used(connection: &mut PooledConnection, name: &AccountName) -> Result<bool, StoreError> {
    let used = sqlx::query_scalar(sql!(
        "SELECT EXISTS (SELECT FROM image_caches WHERE account = $1
                 AND status NOT IN ({ENDED})
                 AND NOT (status = 'failed' AND (eci_cache_id IS NULL OR gone_at IS NOT NULL)))
             OR EXISTS (SELECT FROM operations o JOIN image_caches c ON c.team = o.team AND c.id = o.image_cache
                 WHERE c.account = $1 AND (o.state IN ({OPEN}) OR o.unsettled_until IS NOT NULL))"
    ))
    .bind(name.as_str())
    .fetch_one(connection)
    .await?;
    Ok(used)
}
