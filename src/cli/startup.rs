//! Before a process serves or writes, and while its database cannot be used: the operator is told the cause, at once
//! and every 10 s, and what only other settings can mend ends the process.
//!
//! Who calls it: the subcommands that use a database.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::app::upkeep::startup::{self, StartupError};
use crate::crypto::audit_keys::AuditKeys;
use crate::crypto::seal::Sealer;
use crate::store::Store;

/// The exit code where the database refuses the gateway, whatever is tried: password, role, name, schema, pooler.
pub(super) const DATABASE_REFUSES: u8 = 4;
/// The exit code where the audit key or the master key is not the one of this database.
pub(super) const WRONG_KEY: u8 = 5;
/// How often a cause that lasts is told again.
const AGAIN: Duration = Duration::from_secs(10);
/// Between the first two tries, and twice as long between each further two.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_secs(2);
/// How long a command waits for a database that may come.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Tells of a database that cannot be used.
#[derive(Debug, Default)]
pub(super) struct DatabaseWatch(Option<(String, Instant)>);

impl DatabaseWatch {
    /// Tells why not: at once where the cause is new, else now and then.
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

    /// It can be used.
    pub(super) fn works(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("the database is available again");
        }
    }
}

/// Pauses that grow.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(PAUSE)
    }
}

impl Pauses {
    /// The next one.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        pause
    }
}

/// What a command needs of its database, asked again for a while where that may pass.
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

/// Whether what a command writes with these keys is good.
pub(super) async fn keys_fit(store: &Store, audit: &AuditKeys) -> Result<(), StartupError> {
    startup::reach(store).await?;
    startup::check_keys(store, Some(audit), None).await
}

/// The same of a rotation.
pub(super) async fn may_rotate(store: &Store, audit: &AuditKeys, sealer: &Sealer) -> Result<(), StartupError> {
    startup::reach(store).await?;
    startup::check_rotation(store, audit, sealer).await
}

/// Ends a command whose database cannot be reached.
pub(super) async fn reached(store: &Store) -> Result<(), StartupError> {
    patiently(|| startup::reach(store)).await
}

/// The exit code of a process that may not begin.
pub(super) fn exit_code(unfit: &StartupError) -> u8 {
    match unfit {
        StartupError::Database { fault, .. } if fault.is_final() => DATABASE_REFUSES,
        StartupError::AuditKey { .. } | StartupError::MasterKey { .. } => WRONG_KEY,
        _ => 1,
    }
}

/// Everything that an error says, and nothing of it twice: many repeat their cause.
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
