//! Positions in the feed, and the lives of the database that they belong to.
//!
//! What must stay true: a position from before a dump was restored into another server, or from before a standby took
//! over, is never compared with later transaction ids. Each session starts the life of its server, if that is new,
//! before it writes anything (`feed_begin_life` in the migrations); an event belongs to the life whose numbers it has.
//!
//! The pools call it for each new connection, and so do the files that read the feed.

use sqlx::PgConnection;

/// The function does not exist: the database is not migrated yet and has no feed.
const UNDEFINED_FUNCTION: &str = "42883";

/// A position in the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPosition {
    /// The life of the database: the event number from which on events belong to it.
    pub life: i64,
    /// The transaction that wrote the event, as numbered by the server of that life.
    pub transaction: u64,
    /// The event's number within the transaction. Numbers start at 1, so 0 is before the whole transaction.
    pub number: i64,
}

impl FeedPosition {
    /// Before all events.
    pub const BEGINNING: Self = Self::before(0, 0);

    /// Before all events of a transaction.
    pub const fn before(life: i64, transaction: u64) -> Self {
        Self { life, transaction, number: 0 }
    }
}

/// Starts the life of the session's server, unless it has started.
pub(in crate::store) async fn begin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match sqlx::raw_sql("SELECT feed_begin_life()").execute(connection).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_FUNCTION) => Ok(()),
        done => done.map(drop),
    }
}
