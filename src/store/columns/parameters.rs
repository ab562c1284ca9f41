//! The parameters of a statement: their numbers in its text, and their values.

use std::sync::LazyLock;

use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Postgres, Type};

/// A query with its values.
type BoundQuery = sqlx::query::Query<'static, Postgres, PgArguments>;

/// Numbers the parameters of one statement.
#[derive(Debug, Default)]
pub(in crate::store) struct Numbers(usize);

impl Numbers {
    /// The next number, such as `$7`.
    pub(in crate::store) fn next(&mut self) -> String {
        self.0 += 1;
        format!("${}", self.0)
    }

    /// Starts after `$1` to `$taken`, which are already in the text.
    pub(in crate::store) fn beginning_after(taken: usize) -> Self {
        Self(taken)
    }
}

/// The values of one statement, in the order of their numbers.
#[derive(Debug, Default)]
pub(in crate::store) struct StatementParameters {
    values: PgArguments,
    failed: Option<BoxDynError>,
}

impl StatementParameters {
    /// Adds the next value. If it cannot be encoded, running the statement reports that.
    pub(in crate::store) fn add<'q, T: Encode<'q, Postgres> + Type<Postgres>>(&mut self, value: T) {
        let added = self.values.add(value);
        self.failed = self.failed.take().or(added.err());
    }

    /// The same, by value.
    pub(in crate::store) fn with<'q, T: Encode<'q, Postgres> + Type<Postgres>>(mut self, value: T) -> Self {
        self.add(value);
        self
    }

    /// The query with this text.
    pub(in crate::store) fn query(self, text: &'static LazyLock<String>) -> Result<BoundQuery, sqlx::Error> {
        let failed = self.failed.map(sqlx::Error::Encode);
        failed.map_or_else(|| Ok(sqlx::query_with(AssertSqlSafe(text.as_str()), self.values)), Err)
    }
}

/// The text that `format!` makes, made once. It must not depend on anything that differs from call to call.
macro_rules! sql {
    ($($text:tt)*) => {{
        static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| format!($($text)*));
        sqlx::AssertSqlSafe(TEXT.as_str())
    }};
}
pub(in crate::store) use sql;
