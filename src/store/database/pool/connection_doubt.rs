//! What trouble on one connection says about all other connections of this process, and the tests that settle it.
//!
//! There are three kinds of trouble. Something broke (a connection, or a server turned out to be read-only): every
//! connection from before is asked or closed. Tables were altered: every connection from before is closed, because it
//! holds statements that no longer fit. Something stopped answering: for a while, each connection has to answer quickly
//! before it is used.
//!
//! What must stay true: a test is bounded; a connection that fails it is closed without a log line, because whoever met
//! the trouble has reported it. A test that takes too long says nothing about other connections: a busy database must
//! not be made to accept all of them anew.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::time::timeout;

use super::RESTED;
use crate::domain::log_limit::LogLimit;
use crate::store::failure;

/// How long a tested connection has to answer: far less than a statement may take, far more than it needs.
pub(super) const TEST: Duration = Duration::from_secs(3);
/// The same while something is not answering.
const SHORT_TEST: Duration = Duration::from_secs(1);
/// How long every connection is tested after something stopped answering.
pub(super) const LASTS: Duration = Duration::from_secs(30);
/// Work that is dropped unfinished after this long counts as not answered.
const SUSPICIOUS: Duration = Duration::from_secs(2);

/// Limits how often a full disk is logged: every statement that needs space finds it.
static SAID: LogLimit = LogLimit::new();
/// Limits how often a pooler that does not preserve sessions is logged: statement after statement finds it.
static APART: LogLimit = LogLimit::new();

/// Whether the server is in recovery, and whether it accepts writes. In recovery it accepts none.
const QUESTION: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool";

/// Why a database that answers cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum UnusableReason {
    /// It is a standby, or is recovering from a crash.
    InRecovery,
    /// `default_transaction_read_only` is on: for the server, the database or the role.
    ReadOnly,
    /// Something could not be written a moment ago because the disk was full.
    DiskFull,
}

impl UnusableReason {
    /// A sentence for operators.
    pub(in crate::store) fn words(self) -> &'static str {
        match self {
            Self::InRecovery => "the server is in recovery (a standby), so it does not accept writes",
            Self::ReadOnly => "default_transaction_read_only is on, so it does not accept writes",
            Self::DiskFull => "the disk of its data is full, so it does not accept writes",
        }
    }
}

impl fmt::Display for UnusableReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl std::error::Error for UnusableReason {}

/// What a process suspects about its connections to one database.
#[derive(Debug, Default)]
pub(in crate::store) struct ConnectionDoubt(Mutex<DoubtState>);

#[derive(Debug, Default)]
struct DoubtState {
    /// When something last broke.
    broke: Option<Instant>,
    /// When the tables were last found to be altered.
    altered: Option<Instant>,
    /// When the disk was last full.
    full: Option<Instant>,
    /// When something last did not answer.
    silent: Option<Instant>,
    /// When the role last lacked a privilege.
    lacking: Option<Instant>,
    /// The result when a server was last asked.
    ailment: Option<UnusableReason>,
}

impl ConnectionDoubt {
    fn state(&self) -> MutexGuard<'_, DoubtState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_silent(&self) -> bool {
        self.state().silent.is_some_and(|silent| silent.elapsed() < LASTS)
    }

    /// Whether something broke since then.
    pub(super) fn broke_since(&self, instant: Instant) -> bool {
        self.state().broke.is_some_and(|broke| broke >= instant)
    }

    /// Whether a connection that was made or last used at that time may hold statements that were prepared for other
    /// tables.
    pub(super) fn altered_since(&self, instant: Instant) -> bool {
        self.state().altered.is_some_and(|altered| altered >= instant)
    }

    /// The problem of the server that was asked last.
    pub(in crate::store) fn ailment(&self) -> Option<UnusableReason> {
        let full = self.is_full().then_some(UnusableReason::DiskFull);
        self.state().ailment.or(full)
    }

    /// Records what an error says about other connections too: a broken connection, a read-only server, or prepared
    /// statements that no longer fit.
    pub(super) fn judge(&self, error: &sqlx::Error) {
        if failure::is_of_connection(error) {
            self.state().broke = Some(Instant::now());
        }
        if failure::is_stale_plan(error) {
            self.state().altered = Some(Instant::now());
        }
        if failure::lacks_right(error) {
            self.state().lacking = Some(Instant::now());
        }
        if failure::has_lost_session(error)
            && let Some(left_out) = APART.may("apart", Instant::now())
        {
            tracing::error!(
                left_out,
                "a session was not preserved: a pooler in front of the database must be in session mode (pool_mode = \
                 session)"
            );
        }
        if failure::is_full(error) {
            self.state().full = Some(Instant::now());
            metrics::counter!("ecg_database_full_total").increment(1);
            if let Some(left_out) = SAID.may("full", Instant::now()) {
                tracing::error!(
                    left_out,
                    "the disk of the database's data is full: nothing can be written until \
                                           there is free space"
                );
            }
        }
    }

    /// Fails if something could not be written lately because the disk was full. Small writes may succeed while others
    /// fail, so a successful write does not clear this.
    pub(in crate::store) fn has_room(&self) -> Result<(), sqlx::Error> {
        if !self.is_full() {
            return Ok(());
        }
        Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::StorageFull, UnusableReason::DiskFull)))
    }

    /// Whether the role lacked a privilege lately.
    pub(in crate::store) fn lacks_right(&self) -> bool {
        self.state().lacking.is_some_and(|lacking| lacking.elapsed() < LASTS)
    }

    fn is_full(&self) -> bool {
        self.state().full.is_some_and(|full| full.elapsed() < LASTS)
    }

    /// Asks the connection's server whether it accepts writes.
    pub(super) async fn ask(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let answer = sqlx::raw_sql(QUESTION).fetch_one(connection).await.inspect_err(|error| self.judge(error))?;
        let ailment = match (answer.try_get(0)?, answer.try_get(1)?) {
            (true, _) => Some(UnusableReason::InRecovery),
            (false, true) => Some(UnusableReason::ReadOnly),
            (false, false) => None,
        };
        self.state().ailment = ailment;
        let Some(ailment) = ailment else { return Ok(()) };
        let error = sqlx::Error::Io(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, ailment));
        self.judge(&error);
        Err(error)
    }

    /// Whether a connection that was idle for `rested` may be used. One from before something broke is asked whether it
    /// accepts writes. One that was idle for long is pinged, and so is every connection while something is not
    /// answering.
    pub(super) async fn passes(&self, connection: &mut PgConnection, rested: Duration) -> bool {
        if self.state().altered.is_some_and(|altered| rested >= altered.elapsed()) {
            return false;
        }
        let broke = self.state().broke;
        if broke.is_some_and(|broke| rested >= broke.elapsed()) {
            return matches!(timeout(TEST, self.ask(connection)).await, Ok(Ok(())));
        }
        if self.is_silent() {
            return self.answers(connection, SHORT_TEST).await;
        }
        rested < RESTED || self.answers(connection, TEST).await
    }

    /// Whether a connection that was used may be kept.
    pub(super) async fn may_stay(&self, connection: &mut PgConnection) -> bool {
        !self.is_silent() || self.answers(connection, SHORT_TEST).await
    }

    async fn answers(&self, connection: &mut PgConnection, limit: Duration) -> bool {
        let answered = timeout(limit, connection.ping()).await;
        answered.is_ok_and(|answered| answered.inspect_err(|error| self.judge(error)).is_ok())
    }
}

/// A wait in progress. If it is dropped late and unfinished, something is not answering.
pub(super) struct PendingWait {
    since: Instant,
    doubt: Arc<ConnectionDoubt>,
    ended: bool,
}

impl PendingWait {
    pub(super) fn on(doubt: &Arc<ConnectionDoubt>) -> Self {
        Self { since: Instant::now(), doubt: Arc::clone(doubt), ended: false }
    }

    pub(super) fn end(mut self, error: Option<&sqlx::Error>) {
        self.ended = true;
        if let Some(error) = error {
            self.doubt.judge(error);
        }
    }
}

impl Drop for PendingWait {
    fn drop(&mut self) {
        if !self.ended && self.since.elapsed() >= SUSPICIOUS {
            self.doubt.state().silent = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_doubted_for_a_while_after_it_was_last_met() {
        let doubt = ConnectionDoubt::default();
        assert!(doubt.has_room().is_ok() && doubt.ailment().is_none());
        doubt.state().full = Some(Instant::now());
        assert!(doubt.has_room().is_err());
        assert_eq!(doubt.ailment(), Some(UnusableReason::DiskFull));
        doubt.state().full = Instant::now().checked_sub(LASTS);
        assert!(doubt.has_room().is_ok() && doubt.ailment().is_none());
    }
}
