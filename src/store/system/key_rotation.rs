//! All encrypted values of all teams: found by the key that encrypted them, and written back under another key.
//!
//! What must stay true: every column that holds an envelope of `crypto::seal` is listed in [`SEALED`]; a row is only
//! rewritten if it is as it was read, so that whoever changes or wipes it in the meantime wins.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::domain::ids::{EndpointId, OperationId};
use crate::store::{Store, StoreError};

/// A column that holds envelopes. Its names come only from this file, because they are inserted into statements as they
/// are.
#[derive(Debug, Clone, Copy)]
pub struct Sealed {
    /// The kind of value that it holds, for people.
    pub what: &'static str,
    /// What is authenticated with an envelope, in front of the row's name.
    pub context: &'static str,
    name: fn(&str) -> String,
    table: &'static str,
    id: &'static str,
    column: &'static str,
}

/// All columns that hold envelopes.
pub const SEALED: [Sealed; 10] = [
    sealed("access key secrets", "access_key:", str::to_owned, ("access_keys", "id", "secret")),
    sealed("replaced access key secrets", "access_key:", str::to_owned, ("access_keys", "id", "previous_secret")),
    sealed("webhook secrets", "webhook_secret:", endpoint, ("webhook_endpoints", "id", "secret")),
    sealed("replaced webhook secrets", "webhook_secret:", endpoint, ("webhook_endpoints", "id", "old_secret")),
    sealed("webhook headers", "webhook_headers:", endpoint, ("webhook_endpoints", "id", "headers")),
    sealed("webhook URLs", "webhook_url:", endpoint, ("webhook_endpoints", "id", "url_sealed")),
    sealed("cloud account secrets", ACCOUNT_SECRET, str::to_owned, ("cloud_accounts", "name", "secret")),
    sealed("cloud account external ids", ACCOUNT_EXTERNAL, str::to_owned, ("cloud_accounts", "name", "external_id")),
    sealed("kept responses", IDEMPOTENT_RESPONSE, str::to_owned, ("idempotent_responses", "id", "response")),
    sealed("registry logins", "registry_logins:", operation, ("operations", "id", "credentials")),
];

/// The context of the response to a request with an idempotency key, in front of its row's id.
pub const IDEMPOTENT_RESPONSE: &str = "idempotent_response:";
/// The context of the secret of a cloud account's key, in front of the account's name.
pub const ACCOUNT_SECRET: &str = "cloud_account:";
/// The context of the external id of a cloud account's role, in front of the account's name.
pub const ACCOUNT_EXTERNAL: &str = "cloud_account_external_id:";

/// How many envelopes a key encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedBy {
    /// The key's id; empty if it cannot be read.
    pub key: String,
    /// The number of envelopes.
    pub count: i64,
}

const fn sealed(
    what: &'static str,
    context: &'static str,
    name: fn(&str) -> String,
    (table, id, column): (&'static str, &'static str, &'static str),
) -> Sealed {
    Sealed { what, context, name, table, id, column }
}

impl Sealed {
    /// The name of the table and the column.
    pub fn column_name(&self) -> String {
        format!("{}.{}", self.table, self.column)
    }

    /// The row's name as it is written elsewhere, such as `we_…`.
    pub fn name_of(&self, row: &str) -> String {
        (self.name)(row)
    }
}

fn endpoint(row: &str) -> String {
    row.parse::<Uuid>().map_or_else(|_| row.to_owned(), |id| EndpointId::from(id).to_string())
}

fn operation(row: &str) -> String {
    row.parse::<Uuid>().map_or_else(|_| row.to_owned(), |id| OperationId::from(id).to_string())
}

impl Store {
    /// Up to `limit` envelopes that do not start with `header`, after the row `after`: row and envelope.
    pub async fn sealed_otherwise(
        &self,
        place: &Sealed,
        header: &[u8],
        after: &str,
        limit: i64,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let Sealed { table, id, column, .. } = place;
        let sql = format!(
            "SELECT {id}::text, {column} FROM {table} WHERE octet_length({column}) > 0
               AND substring({column} FROM 1 FOR octet_length($1)) <> $1 AND {id}::text > $2 COLLATE \"C\"
             ORDER BY {id}::text COLLATE \"C\" LIMIT $3"
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(header).bind(after).bind(limit);
        Ok(query.fetch_all(&self.workers).await?)
    }

    /// A few envelopes that start with `header` and a few that do not: row and envelope.
    pub async fn sealed_samples(&self, place: &Sealed, header: &[u8]) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let Sealed { table, id, column, .. } = place;
        let one = |sign: &str| {
            format!(
                "(SELECT {id}::text, {column} FROM {table} WHERE octet_length({column}) > 0
                    AND substring({column} FROM 1 FOR octet_length($1)) {sign} $1 LIMIT 5)"
            )
        };
        let sql = format!("{} UNION ALL {}", one("="), one("<>"));
        Ok(sqlx::query_as(AssertSqlSafe(sql)).bind(header).fetch_all(&self.workers).await?)
    }

    /// Writes an envelope in place of the one that was read. `false` if the row has another by now, or none.
    pub async fn reseal(&self, place: &Sealed, row: &str, was: &[u8], is: &[u8]) -> Result<bool, StoreError> {
        let Sealed { table, id, column, .. } = place;
        let sql = format!("UPDATE {table} SET {column} = $3 WHERE {id}::text = $1 AND {column} = $2");
        let done = sqlx::query(AssertSqlSafe(sql)).bind(row).bind(was).bind(is).execute(&self.workers).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Which keys encrypted what is stored now.
    pub async fn sealed_by(&self, place: &Sealed) -> Result<Vec<SealedBy>, StoreError> {
        let Sealed { table, column, .. } = place;
        // The second byte of an envelope is the length of the key's id, which follows.
        let sql = format!(
            "SELECT CASE WHEN octet_length({column}) > 2
                    THEN encode(substring({column} FROM 3 FOR get_byte({column}, 1)), 'escape') ELSE '' END AS key,
                    count(*) FROM {table} WHERE octet_length({column}) > 0 GROUP BY 1 ORDER BY 1"
        );
        let found: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&self.workers).await?;
        Ok(found.into_iter().map(|(key, count)| SealedBy { key, count }).collect())
    }
}
