//! Places in the feed, and the lives of the database that they are of.
//!
//! What must stay true: a place from before a dump was restored into another server, or from before a standby took
//! over, is never compared with the numbers of transactions of after. Each session begins the life of its server, if
//! that is a new one, before it writes anything (`feed_begin_life` in the migrations); an event is of the life whose
//! numbers it has.
//!
//! Who calls it: the pools, for each new connection; the files that read the feed.

use sqlx::PgConnection;

/// There is no such function: the database is not migrated yet, and has no feed.
const UNDEFINED_FUNCTION: &str = "42883";

/// A place in the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPosition {
    /// Which life of the database: the number from which on events are of it.
    pub life: i64,
    /// The transaction that wrote the event, as the server of that life numbers it.
    pub transaction: u64,
    /// The event's number in it. They begin at 1, so 0 is before all of the transaction.
    pub number: i64,
}

impl FeedPosition {
    /// Before all that was ever told.
    pub const BEGINNING: Self = Self::before(0, 0);

    /// Before all of a transaction.
    pub const fn before(life: i64, transaction: u64) -> Self {
        Self { life, transaction, number: 0 }
    }
}

/// Begins the life of the session's server, unless it has begun.
pub(in crate::store) async fn begin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match sqlx::raw_sql("SELECT feed_begin_life()").execute(connection).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_FUNCTION) => Ok(()),
        done => done.map(drop),
    }
}
