//! Statements with a limited wait: this makes [`Pool`] and [`PooledConnection`] executors.
//!
//! On the pool, where each statement stands alone, a statement that only reads is repeated if its connection breaks. So
//! is any statement that the server refused to start, or whose plan no longer fits the tables. In a request whose
//! commit waits for its response ([`super::HeldCommit`]), statements after the change run in its transaction, once.

use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _, iter, once, unfold};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, Postgres, SqlStr};
use tokio::time::{sleep, timeout};

use super::transaction::within;
use super::{LIMIT, PAUSE, PendingWait, Pool, PooledConnection, silent};
use crate::store::failure;

type ResultItem = Result<Either<PgQueryResult, PgRow>, sqlx::Error>;

/// The next step of a statement, with a limited wait; nothing comes after an error.
async fn next(
    state: Option<(BoxStream<'_, ResultItem>, PendingWait)>,
) -> Option<(ResultItem, Option<(BoxStream<'_, ResultItem>, PendingWait)>)> {
    let (mut steps, waiting) = state?;
    match timeout(LIMIT, steps.next()).await {
        Ok(Some(Ok(step))) => Some((Ok(step), Some((steps, waiting)))),
        Ok(Some(Err(error))) => {
            waiting.end(Some(&error));
            Some((Err(error), None))
        }
        Ok(None) => {
            waiting.end(None);
            None
        }
        Err(_) => Some((Err(silent()), None)),
    }
}

/// A statement that can be run more than once.
#[derive(Clone)]
struct RepeatableStatement {
    sql: SqlStr,
    arguments: Option<PgArguments>,
    persistent: bool,
}

impl RepeatableStatement {
    fn of<'q>(mut query: impl Execute<'q, Postgres>) -> Result<Self, sqlx::Error> {
        let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?;
        Ok(Self { persistent: query.persistent(), arguments, sql: query.sql() })
    }

    /// Whether it writes nothing and locks nothing. (Our own functions that write may be called twice.)
    fn reads(&self) -> bool {
        let sql = self.sql.as_str().trim_start();
        let writes = ["INSERT ", "UPDATE ", "DELETE ", "FOR UPDATE", "FOR SHARE", "FOR KEY SHARE"];
        (sql.starts_with("SELECT") || sql.starts_with("WITH")) && !writes.iter().any(|word| sql.contains(word))
    }
}

impl Execute<'_, Postgres> for RepeatableStatement {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        Ok(self.arguments.take())
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

type ResultItems = Vec<Either<PgQueryResult, PgRow>>;

impl Pool {
    /// Runs a single statement and returns its whole result.
    async fn alone(&self, statement: RepeatableStatement) -> Result<ResultItems, sqlx::Error> {
        if let Some(answers) = within(|| statement.clone()).await {
            return answers;
        }
        let begun = Instant::now();
        loop {
            let mut connection = self.acquire().await?;
            let answers: Result<ResultItems, _> = connection.fetch_many(statement.clone()).try_collect().await;
            match answers {
                Err(error) if begun.elapsed() < self.max_wait && may_repeat(&statement, &error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the connection is unusable; retrying");
                    drop(connection);
                    sleep(PAUSE).await;
                }
                answers => return answers,
            }
        }
    }
}

fn may_repeat(statement: &RepeatableStatement, error: &sqlx::Error) -> bool {
    failure::has_refused(error)
        || failure::is_stale_plan(error)
        || (statement.reads() && failure::is_of_connection(error))
}

impl<'p> Executor<'p> for &'p Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, ResultItem>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let statement = RepeatableStatement::of(query);
        let all = async move { Ok::<_, sqlx::Error>(iter(self.alone(statement?).await?).map(Ok)) };
        once(all).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let statement = RepeatableStatement::of(query);
        Box::pin(async move {
            let answers = self.alone(statement?).await?;
            Ok(answers.into_iter().find_map(Either::right))
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        (&self.inner).prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'p: 'e,
    {
        (&self.inner).describe(sql)
    }
}

impl<'c> Executor<'c> for &'c mut PooledConnection {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, ResultItem>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let waiting = self.waiting();
        let state = Some((self.unbounded().fetch_many(query), waiting));
        unfold(state, next).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let waiting = self.waiting();
        let fetching = self.unbounded().fetch_optional(query);
        Box::pin(async move {
            let done = timeout(LIMIT, fetching).await.map_err(|_| silent())?;
            waiting.end(done.as_ref().err());
            done
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        self.unbounded().prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        self.unbounded().describe(sql)
    }
}
