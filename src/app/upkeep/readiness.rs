//! Whether the gateway can do its work: what `/readyz` reports.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant as Deadline, sleep_until};

use crate::app::Error;
use crate::app::input::Readiness;
use crate::app::upkeep::Upkeep;

/// What readiness says if a statement was denied.
const LACKS_RIGHT: &str = "the database's role lacks a privilege that was needed within the last half minute: \
                           `doctor database` names it, and `migrate` grants it";

impl Upkeep {
    /// Whether the gateway can do its work. Returns within 2 s.
    pub async fn readiness(&self) -> Readiness {
        let deadline = Deadline::now() + Duration::from_secs(2);
        let looked = async {
            self.base.store().takes_writes().await.ok()?;
            let migrations = self.base.store().is_migrated().await.ok()?;
            let workers = migrations && self.has_workers().await.ok()?;
            let held = self.look_at_horizon().await.ok()?;
            let (mut degraded, migrated) = (Vec::from_iter(held), migrations);
            if migrated {
                degraded.extend(self.cloud_accounts.foreign_accounts().await.ok()?);
                degraded.extend(self.vanishings.vanishings().await.ok()?);
                degraded.extend(self.audit.look_at_sealing().await.ok()?);
            }
            Some((true, migrations, workers, degraded))
        };
        let looked = tokio::select! {
            looked = looked => looked,
            () = sleep_until(deadline) => None,
        };
        let (database, migrations, workers, mut degraded): (_, _, _, Vec<String>) = looked.unwrap_or_default();
        degraded.extend(self.identity.ailing_issuers());
        degraded.extend(self.base.store().lacks_right().then(|| LACKS_RIGHT.to_owned()));
        let ailment = if database { None } else { self.base.store().ailment() };
        Readiness { database, migrations, workers, ailment, ailing_tasks: self.base.ailing_tasks(), degraded }
    }

    /// Whether any worker has sent a heartbeat lately.
    async fn has_workers(&self) -> Result<bool, Error> {
        let signs = self.base.store().heartbeats().await?;
        Ok(self.heartbeats.lock().unwrap_or_else(PoisonError::into_inner).saw(&signs, self.base.uptime()))
    }
}
