//! Checks before a process serves or writes, and while its database cannot be used: the cause is logged at once and
//! every 10 s, and a cause that only other settings can fix ends the process.
//!
//! Called by the subcommands that use a database.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::app::upkeep::startup::{self, StartupError};
use crate::crypto::audit_keys::AuditKeys;
use crate::crypto::seal::Sealer;
use crate::store::Store;

/// The exit code if the database permanently refuses the gateway: password, role, name, schema, pooler.
pub(super) const DATABASE_REFUSES: u8 = 4;
/// The exit code if the audit key or the master key is not the one of this database.
pub(super) const WRONG_KEY: u8 = 5;
/// How often a persistent cause is logged again.
const AGAIN: Duration = Duration::from_secs(10);
/// The pause between the first two attempts; it doubles each time.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_secs(2);
/// How long a command waits for a database to become available.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Logs why the database cannot be used.
#[derive(Debug, Default)]
pub(super) struct DatabaseWatch(Option<(String, Instant)>);

impl DatabaseWatch {
    /// Logs the cause: at once if it is new, otherwise every [`AGAIN`].
    pub(super) fn fails(&mut self, unfit: &StartupError) {
        let cause = unfit.to_string();
        let known = self.0.as_ref().is_some_and(|(last, told)| *last == cause && told.elapsed() < AGAIN);
        if !known {
            let error: &(dyn std::error::Error + 'static) = unfit;
            if let StartupError::Database { target, .. } = unfit {
                tracing::warn!(
                    host = target.host,
                    port = target.port,
                    database = target.database,
                    role = target.role,
                    "the database cannot be used: {cause}"
                );
            } else {
                tracing::warn!(error, "waiting: {cause}");
            }
            self.0 = Some((cause, Instant::now()));
        }
    }

    /// The database can be used.
    pub(super) fn works(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("the database is available again");
        }
    }
}

/// Pauses between attempts, each longer than the one before.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(PAUSE)
    }
}

impl Pauses {
    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        pause
    }
}

/// Checks what a command needs from its database, and repeats the check for a while if the cause may be temporary.
pub(super) async fn patiently<W>(mut look: impl FnMut() -> W) -> Result<(), StartupError>
where
    W: Future<Output = Result<(), StartupError>>,
{
    let (mut watch, mut pauses, deadline) = (DatabaseWatch::default(), Pauses::default(), Instant::now() + MAX_WAIT);
    loop {
        let Err(unfit) = look().await else { return Ok(()) };
        if unfit.is_final() || matches!(unfit, StartupError::NotMigrated) || Instant::now() >= deadline {
            return Err(unfit);
        }
        watch.fails(&unfit);
        sleep(pauses.next()).await;
    }
}

/// Whether these keys belong to the database that a command writes to.
pub(super) async fn keys_fit(store: &Store, audit: &AuditKeys) -> Result<(), StartupError> {
    startup::reach(store).await?;
    startup::check_keys(store, Some(audit), None).await
}

/// The same for a key rotation.
pub(super) async fn may_rotate(store: &Store, audit: &AuditKeys, sealer: &Sealer) -> Result<(), StartupError> {
    startup::reach(store).await?;
    startup::check_rotation(store, audit, sealer).await
}

/// Fails if the database cannot be reached.
pub(super) async fn reached(store: &Store) -> Result<(), StartupError> {
    patiently(|| startup::reach(store)).await
}

/// The exit code of a process that cannot start.
pub(super) fn exit_code(unfit: &StartupError) -> u8 {
    match unfit {
        StartupError::Database { fault, .. } if fault.is_final() => DATABASE_REFUSES,
        StartupError::AuditKey { .. } | StartupError::MasterKey { .. } => WRONG_KEY,
        _ => 1,
    }
}

/// The error with its causes, without repetitions: many errors repeat their cause.
pub(super) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let error =
            anyhow::anyhow!("port 1 is closed").context("while connecting: port 1 is closed").context("migrating");
        assert_eq!(chain(&error), "migrating: while connecting: port 1 is closed");
    }

    #[test]
    fn pauses_grow_to_two_seconds() {
        let mut pauses = Pauses::default();
        let all: Vec<_> = (0..5).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(all, [250, 500, 1_000, 2_000, 2_000]);
    }
}
