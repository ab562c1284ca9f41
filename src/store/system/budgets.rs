//! The call budget of a cloud account, which all gateways share. `domain::poll::budget` decides what a draw does.

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use crate::domain::poll::budget::Budget;
use crate::store::{Store, StoreError};

/// A budget, with the version that a write must still find.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StoredBudget {
    /// The budget.
    pub budget: Budget,
    /// Counts the writes; 0 for a budget that is not stored yet.
    pub version: i64,
}

#[derive(FromRow)]
struct BudgetRow {
    version: i64,
    rate: f64,
    common: f64,
    reserve: f64,
    refilled_at: DateTime<Utc>,
    throttled_at: Option<DateTime<Utc>>,
}

impl Store {
    /// The account's budget; `None` before its first draw.
    pub async fn budget(&self, account: &str) -> Result<Option<StoredBudget>, StoreError> {
        let row: Option<BudgetRow> = sqlx::query_as(
            "SELECT version, rate, common, reserve, refilled_at, throttled_at FROM cloud_budgets WHERE account = $1",
        )
        .bind(account)
        .fetch_optional(&self.workers)
        .await?;
        Ok(row.map(|row| {
            let BudgetRow { version, rate, common, reserve, refilled_at, throttled_at } = row;
            StoredBudget { version, budget: Budget { rate, common, reserve, refilled_at, throttled_at } }
        }))
    }

    /// Writes the account's budget over the version that was read. `false` if another gateway was faster.
    pub async fn put_budget(&self, account: &str, next: &StoredBudget) -> Result<bool, StoreError> {
        let budget = &next.budget;
        // A crash may lose the last draws. That costs a few calls too many, while flushing each draw to disk would cost
        // every create a millisecond.
        let done = sqlx::query(
            "WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
             INSERT INTO cloud_budgets AS b (account, version, rate, common, reserve, refilled_at, throttled_at)
             SELECT $1, $2 + 1, $3, $4, $5, $6, $7 FROM relaxed
             ON CONFLICT (account) DO UPDATE SET version = EXCLUDED.version, rate = EXCLUDED.rate,
                 common = EXCLUDED.common, reserve = EXCLUDED.reserve, refilled_at = EXCLUDED.refilled_at,
                 throttled_at = EXCLUDED.throttled_at
             WHERE b.version = $2",
        )
        .bind(account)
        .bind(next.version)
        .bind(budget.rate)
        .bind(budget.common)
        .bind(budget.reserve)
        .bind(budget.refilled_at)
        .bind(budget.throttled_at)
        .execute(&self.workers)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
