//! Looks up caches again that vanished a short while ago: most lies of a cloud are short, and the next complete list
//! may be far away.
//!
//! That also happens while too much is missing at once: what the cloud shows by its id is believed even then.
//! `domain::reconcile::pace` decides when.

use chrono::Duration;

use super::{SINGLE_LOOKS, Stop};
use crate::app::Error;
use crate::app::reconciler::Reconciler;
use crate::domain::clock::Instant;
use crate::domain::reconcile::{self, pace};
use crate::store::ReconcileLease;

impl Reconciler {
    /// Makes the lookups that are due, and revives what they find. At most [`SINGLE_LOOKS`], of what vanished last: if
    /// more vanish at once, the list finds the rest.
    pub(super) async fn revisit(&self, lease: &ReconcileLease) -> Result<(), Stop> {
        let (now, rule) = (self.base.now(), self.reconcile_rule());
        let since = self.base.store().revisited_at(&lease.group).await?;
        let since = since.unwrap_or_else(|| pace::revisits_over(now));
        let vanished = self.base.store().vanished_after(&lease.group, pace::revisits_over(since), SINGLE_LOOKS).await?;
        for cache in vanished {
            if !pace::is_revisit_due(cache.updated_at, since, now, rule.list_lag) {
                continue;
            }
            let at = self.base.now();
            let Some(seen) = self.read_one(lease, &cache).await? else { return Ok(()) };
            let change = seen.and_then(|seen| reconcile::comes_back(&cache, &seen, at, self.base.now(), &rule));
            if let Some(change) = change {
                self.keep_finding(change).await?;
            }
        }
        self.base.store().note_revisited(lease, now).await?;
        Ok(())
    }

    /// When a vanished cache of the group is looked up next, if one is.
    pub(super) async fn next_revisit(&self, lease: &ReconcileLease) -> Result<Option<Instant>, Error> {
        let (now, lag) = (self.base.now(), self.reconcile_rule().list_lag);
        let ends = self.base.store().vanished_at(&lease.group, pace::revisits_over(now), SINGLE_LOOKS).await?;
        Ok(ends.into_iter().filter_map(|ended_at| pace::next_revisit(ended_at, now, lag)).min())
    }

    /// How long the group rests after a pass that was given up.
    pub(super) async fn rest(&self, lease: &ReconcileLease, revisit: Option<Instant>) -> Result<Duration, Error> {
        let doubted_since = self.vanishings.doubted_since(&lease.group).await?;
        Ok(pace::rest_after_fault(doubted_since.map(|since| self.base.now() - since), revisit.is_some()))
    }
}
