//! What trouble on one connection says about all others of this process, and the questions that settle it.
//!
//! What must stay true: a test waits no longer than [`TEST`]; what fails it is closed, without a word in the log, for the
//! trouble itself was told by whoever met it.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::time::timeout;

use super::{RESTED, failure, silent};

/// How long a connection that is tested has to answer.
pub(super) const TEST: Duration = Duration::from_secs(1);
/// How long a doubt lasts.
pub(super) const LASTS: Duration = Duration::from_secs(30);
/// What ends unfinished after this is suspicious.
const SUSPICIOUS: Duration = Duration::from_secs(2);

/// Whether the server follows another one, and whether it takes writes. In recovery no transaction does.
const QUESTION: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::bool";

/// Why a database that answers cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Ailment {
    /// It is a standby, or recovers from a crash.
    InRecovery,
    /// `default_transaction_read_only` is on: for the server, the database or the role.
    ReadOnly,
}

impl Ailment {
    /// In words, for operators.
    pub(in crate::store) fn words(self) -> &'static str {
        match self {
            Self::InRecovery => "the server is in recovery (a standby), so it cannot be written to",
            Self::ReadOnly => "default_transaction_read_only is on, so it cannot be written to",
        }
    }
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

impl std::error::Error for Ailment {}

/// The doubt of a process about its connections to one database.
#[derive(Debug, Default)]
pub(in crate::store) struct Doubt(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When it was last raised.
    raised: Option<Instant>,
    /// What was found when a server was last asked.
    ailment: Option<Ailment>,
}

impl Doubt {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn raise(&self) {
        self.state().raised = Some(Instant::now());
    }

    /// What was the matter with the server that was asked last.
    pub(in crate::store) fn ailment(&self) -> Option<Ailment> {
        self.state().ailment
    }

    /// A connection that broke, or whose server only reads, says something about the others, too.
    pub(super) fn judge(&self, error: &sqlx::Error) {
        if failure::is_of_connection(error) {
            self.raise();
        }
    }

    /// Asks a connection's server whether it can be written to.
    pub(super) async fn ask(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let asked = timeout(TEST, sqlx::raw_sql(QUESTION).fetch_one(connection)).await.map_err(|_| silent());
        let answer = asked.flatten().inspect_err(|error| self.judge(error))?;
        let ailment = match (answer.try_get(0)?, answer.try_get(1)?) {
            (true, _) => Some(Ailment::InRecovery),
            (false, true) => Some(Ailment::ReadOnly),
            (false, false) => None,
        };
        self.state().ailment = ailment;
        let Some(ailment) = ailment else { return Ok(()) };
        self.raise();
        Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, ailment)))
    }

    /// Whether a connection that rested for so long may be used. One from before the doubt is asked; one that rested for
    /// long, and any while the doubt lasts, must give a sign of life.
    pub(super) async fn passes(&self, connection: &mut PgConnection, rested: Duration) -> bool {
        let raised = self.state().raised.map(|raised| raised.elapsed());
        match raised {
            Some(ago) if rested >= ago => self.ask(connection).await.is_ok(),
            Some(ago) if ago < LASTS => self.answers(connection).await,
            _ => rested < RESTED || self.answers(connection).await,
        }
    }

    /// Whether a connection that was used may be kept.
    pub(super) async fn may_stay(&self, connection: &mut PgConnection) -> bool {
        let raised = self.state().raised;
        raised.is_none_or(|raised| raised.elapsed() >= LASTS) || self.ask(connection).await.is_ok()
    }

    async fn answers(&self, connection: &mut PgConnection) -> bool {
        let answered = timeout(TEST, connection.ping()).await.map_err(|_| silent()).flatten();
        answered.inspect_err(|error| self.judge(error)).is_ok()
    }
}

/// Something that is being waited for. Dropped before it has ended, and late: a doubt.
pub(super) struct Waiting {
    since: Instant,
    doubt: Arc<Doubt>,
    ended: bool,
}

impl Waiting {
    pub(super) fn on(doubt: &Arc<Doubt>) -> Self {
        Self { since: Instant::now(), doubt: Arc::clone(doubt), ended: false }
    }

    pub(super) fn end(mut self, error: Option<&sqlx::Error>) {
        self.ended = true;
        if let Some(error) = error {
            self.doubt.judge(error);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.ended && self.since.elapsed() >= SUSPICIOUS {
            self.doubt.raise();
        }
    }
}
