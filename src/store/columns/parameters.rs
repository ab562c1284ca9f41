//! The parameters of a statement: their numbers in its text, and their values.

use std::sync::LazyLock;

use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Encode, Postgres, Type};

use super::{Column, Many, Table, Which};

/// A query with its values.
type Query = sqlx::query::Query<'static, Postgres, PgArguments>;

/// Numbers the parameters of one text.
#[derive(Debug, Default)]
pub(in crate::store) struct Numbers(usize);

impl Numbers {
    /// The next one: `$7`.
    pub(in crate::store) fn next(&mut self) -> String {
        self.0 += 1;
        format!("${}", self.0)
    }

    /// Those after `$1` to `$taken`, which stand in the text.
    pub(in crate::store) fn beginning_after(taken: usize) -> Self {
        Self(taken)
    }

    /// One row of values: `(SELECT $1::uuid AS id, …) AS n`.
    pub(in crate::store) fn one<T: Table>(&mut self, which: Which) -> String {
        let value = |column: &Column| format!("{}::{} AS {}", self.next(), (column.type_name)(), column.name);
        let values: Vec<_> = T::written(which).filter(|column| column.is_given).map(value).collect();
        format!("(SELECT {}) AS n", values.join(", "))
    }

    /// Rows of values, from an array for each column: `unnest($1::uuid[], …) WITH ORDINALITY AS n (id, …, place)`.
    pub(in crate::store) fn many<T: Many>(&mut self, which: Which) -> String {
        let given: Vec<_> = T::written(which).filter(|column| column.is_given).collect();
        let names: Vec<_> = given.iter().map(|column| column.name).collect();
        let arrays: Vec<_> =
            given.iter().map(|column| format!("{}::{}[]", self.next(), (column.type_name)())).collect();
        format!("unnest({}) WITH ORDINALITY AS n ({}, place)", arrays.join(", "), names.join(", "))
    }

    /// The same where the planner must not see how many they are. Of 500 it would think that reading the whole table is
    /// cheaper than looking each up, until the table is large; which costs several times the rest.
    pub(in crate::store) fn few<T: Many>(&mut self, which: Which) -> String {
        let given: Vec<_> = T::written(which).filter(|column| column.is_given).collect();
        let names: Vec<_> = given.iter().map(|column| column.name).collect();
        let arrays: Vec<_> = given
            .iter()
            .map(|column| format!("{}::{}[] AS {}", self.next(), (column.type_name)(), column.name))
            .collect();
        format!(
            "(SELECT n.* FROM (SELECT {} OFFSET 0) AS v
                CROSS JOIN LATERAL unnest(v.{}) WITH ORDINALITY AS n ({}, place)) AS n",
            arrays.join(", "),
            names.join(", v."),
            names.join(", ")
        )
    }
}

/// The values of one statement, in the order of their numbers.
#[derive(Debug, Default)]
pub(in crate::store) struct Parameters {
    values: PgArguments,
    failed: Option<BoxDynError>,
}

impl Parameters {
    /// Adds the next one. That it has no form for the database is told where the statement is run.
    pub(in crate::store) fn add<'q, T: Encode<'q, Postgres> + Type<Postgres>>(&mut self, value: T) {
        let added = self.values.add(value);
        self.failed = self.failed.take().or(added.err());
    }

    /// With the next one.
    pub(in crate::store) fn with<'q, T: Encode<'q, Postgres> + Type<Postgres>>(mut self, value: T) -> Self {
        self.add(value);
        self
    }

    /// With those of [`Numbers::one`].
    pub(in crate::store) fn one<T: Table>(mut self, which: Which, new: &T::From<'_>) -> Self {
        T::give_one(&mut self, which, new);
        self
    }

    /// With those of [`Numbers::many`].
    pub(in crate::store) fn many<T: Many>(mut self, which: Which, all: &[T::From<'_>]) -> Self {
        T::give_many(&mut self, which, all);
        self
    }

    /// The query of this text.
    pub(in crate::store) fn query(self, text: &'static LazyLock<String>) -> Result<Query, sqlx::Error> {
        let failed = self.failed.map(sqlx::Error::Encode);
        failed.map_or_else(|| Ok(sqlx::query_with(AssertSqlSafe(text.as_str()), self.values)), Err)
    }
}

/// A text as `format!` makes it, made once. What it holds must not differ from call to call.
macro_rules! sql {
    ($($text:tt)*) => {{
        static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| format!($($text)*));
        sqlx::AssertSqlSafe(TEXT.as_str())
    }};
}
pub(in crate::store) use sql;
