//! Statements, each waited for no longer than the limit: what makes [`Pool`] and [`Connection`] executors.

use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, StreamExt as _, unfold};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, Postgres, SqlStr};
use tokio::time::timeout;

use super::{Connection, LIMIT, Pool, Waiting, silent};

type Step = Result<Either<PgQueryResult, PgRow>, sqlx::Error>;

/// The next step of a statement, the wait for it bounded; nothing comes after an error.
async fn next(state: Option<(BoxStream<'_, Step>, Waiting)>) -> Option<(Step, Option<(BoxStream<'_, Step>, Waiting)>)> {
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

impl<'p> Executor<'p> for &'_ Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Step>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let state = Some(((&self.inner).fetch_many(query), self.waiting()));
        unfold(state, next).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let (fetching, waiting) = ((&self.inner).fetch_optional(query), self.waiting());
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

impl<'c> Executor<'c> for &'c mut Connection {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Step>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let waiting = self.waiting();
        let state = Some((self.raw().fetch_many(query), waiting));
        unfold(state, next).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let waiting = self.waiting();
        let fetching = self.raw().fetch_optional(query);
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
        self.raw().prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        self.raw().describe(sql)
    }
}
