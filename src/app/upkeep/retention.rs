//! Deletes what is past its retention, a little in each pass of the janitor: never the audit log, and never what is
//! still in use.
//!
//! [`crate::app::upkeep`] calls it. The retention times are settings.

use std::time::Duration;

use tokio::time::Instant;

use crate::app::Error;
use crate::app::upkeep::Upkeep;
use crate::store::Forgotten;

/// How long one kind may take in one pass: well below the 30 s after which the janitor's heartbeat is missed.
const AT_ONCE: Duration = Duration::from_secs(2);

impl Upkeep {
    /// Deletes what is past its retention, for a limited time; and counts what waits for endpoints that are not
    /// enabled.
    pub(in crate::app) async fn forget_old(&self) -> Result<(), Error> {
        let (store, settings) = (self.base.store(), self.base.settings());
        store.count_backlogs(settings.webhook.waiting_while_off).await?;
        let events = self.base.before(settings.retention.events);
        let gone = repeated(|| async { Ok(store.forget_events(events).await?) }).await?;
        let mut rows = vec![("events", gone)];
        if settings.retention.deliveries < settings.retention.events {
            let before = self.base.before(settings.retention.deliveries);
            rows.push(("deliveries", repeated(|| async { Ok(store.forget_deliveries(before).await?) }).await?));
        }
        let before = self.base.before(settings.retention.image_caches);
        rows.push(("image_caches", repeated(|| async { Ok(store.forget_image_caches(before).await?) }).await?));
        let before = self.base.before(settings.retention.credentials);
        rows.push(("credentials", store.forget_credentials(before).await?));
        // Their deliveries are deleted with the events.
        rows.push(("webhook_endpoints", store.forget_endpoints(before.min(events)).await?));
        for (kind, gone) in rows.into_iter().filter(|(_, gone)| *gone > 0) {
            metrics::counter!("ecg_forgotten_total", "kind" => kind).increment(gone);
            tracing::info!(kind, gone, "deleted rows that had reached their maximum age");
        }
        Ok(())
    }
}

/// Runs `part` again and again while there is more to do, for [`AT_ONCE`].
async fn repeated<F>(part: impl Fn() -> F) -> Result<u64, Error>
where
    F: Future<Output = Result<Forgotten, Error>>,
{
    let (begun, mut rows) = (Instant::now(), 0);
    loop {
        let Forgotten { rows: gone, more } = part().await?;
        rows += gone;
        if !more || begun.elapsed() > AT_ONCE {
            return Ok(rows);
        }
    }
}
