//! Evaluates what the reads of a pass show, and writes it. `domain::transition::change` decides; many caches are
//! written in one transaction.

use std::collections::HashSet;

use super::Pass;
use crate::app::Error;
use crate::app::tracker::Tracker;
use crate::app::vanishings::MissingCaches;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::observation::Observation;
use crate::domain::image_cache::status::Status;
use crate::domain::poll::write_threshold::is_worth_writing;
use crate::domain::transition::change::{Change, observe};
use crate::store::CacheWrite;

impl Tracker {
    /// Writes what changed for the caches that were shown, and for those that the cloud says it does not have.
    pub(super) async fn apply(&self, pass: &mut Pass, seen: &[Observation], absent: &[String]) -> Result<(), Error> {
        let ours: Vec<&Observation> = seen.iter().filter(|seen| pass.round.follows(&seen.eci_cache_id)).collect();
        let mut changes = Vec::new();
        if !ours.is_empty() {
            for cache in self.base.store().moved_on(&pass.group, &ours).await? {
                let shown = ours.iter().find(|seen| Some(&seen.eci_cache_id) == cache.eci_cache_id.as_ref());
                changes.extend(self.change_of(&cache, shown.copied()));
            }
        }
        if !absent.is_empty() {
            let ids: Vec<&str> = absent.iter().map(String::as_str).collect();
            let missed = self.base.store().caches_of_group(&pass.group, &ids).await?;
            let missed = missed.iter().filter_map(|cache| self.change_of(cache, None)).collect();
            pass.shows |= !ours.is_empty();
            changes.extend(self.believed(pass, missed).await?);
        }
        for seen in ours {
            pass.shows = true;
            pass.round.shown(&seen.eci_cache_id);
        }
        // An absent cache is no longer in question: it was looked up by its own id.
        for id in absent {
            pass.round.shown(id);
        }
        self.write_changes(pass, changes).await
    }

    fn change_of(&self, cache: &ImageCache, seen: Option<&Observation>) -> Option<Change> {
        let lag = self.base.clock().present().lag(self.base.settings().rule.list_lag);
        observe(cache, seen, self.base.now(), lag).filter(|change| is_worth_writing(cache, change))
    }

    /// Drops changes that end a cache because the cloud does not show it, if the cloud shows nothing else either. A
    /// cache that ends by its own expiry date stays in.
    async fn believed(&self, pass: &Pass, mut changes: Vec<Change>) -> Result<Vec<Change>, Error> {
        let end = |change: &Change| change.moved.map(|(_, to)| to).filter(|to| to.is_final() && *to != Status::Expired);
        let ends: Vec<Status> = changes.iter().filter_map(end).collect();
        if ends.is_empty() || pass.shows && !self.vanishings.is_doubted(&pass.group).await? {
            return Ok(changes);
        }
        let ids: Vec<String> = changes.iter().filter_map(|change| change.next.eci_cache_id.clone()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let strict = ends.iter().any(|end| *end != Status::Deleted);
        let absence = MissingCaches { group: &pass.group, cloud: &pass.cloud, ids: &ids, strict };
        if !self.vanishings.is_absence_believed(&absence).await? {
            changes.retain(|change| end(change).is_none());
        }
        Ok(changes)
    }

    async fn write_changes(&self, pass: &mut Pass, changes: Vec<Change>) -> Result<(), Error> {
        let write = |change: &Change| self.transitions.write_of(change, self.transitions.observed("tracker", change));
        let writes: Vec<CacheWrite> = changes.iter().map(write).collect();
        let written = match self.base.store().write_observed(&writes).await {
            Ok(written) => written,
            Err(error) => {
                // One row that the database rejects must not prevent all others from being written.
                tracing::warn!(error = &error as &dyn std::error::Error, "could not write a batch of changes");
                self.write_each(&writes).await?
            }
        };
        // An operation changed the others while we were reading; the next pass sees their new state.
        for change in changes.iter().filter(|change| written.contains(&change.next.id)) {
            self.tell(pass, change);
        }
        Ok(())
    }

    async fn write_each(&self, writes: &[CacheWrite]) -> Result<HashSet<CacheId>, Error> {
        let mut written = HashSet::new();
        for write in writes {
            match self.base.store().write_change(write).await {
                Ok(true) => drop(written.insert(write.next.id)),
                Ok(false) => {}
                Err(error) => match Error::from(error) {
                    error @ Error::Unavailable { .. } => return Err(error),
                    error => {
                        tracing::error!(image_cache = %write.next.id, error = &error as &dyn std::error::Error, "could not write a change");
                    }
                },
            }
        }
        Ok(written)
    }

    fn tell(&self, pass: &mut Pass, change: &Change) {
        let cache = &change.next;
        if let Some((from, to)) = change.moved {
            metrics::counter!("ecg_transitions_total", "to" => to.as_str()).increment(1);
            if to == Status::Unknown {
                tracing::error!(image_cache = %cache.id, provider_status = ?cache.provider_status, "the cloud shows \
                    an unknown status");
            }
            tracing::info!(image_cache = %cache.id, from = %from, to = %to, "an image cache changed its status");
            let over = cache.eci_cache_id.as_ref().and_then(|id| pass.round.moved(id, to, self.base.now()));
            if let Some(over) = over {
                metrics::histogram!("ecg_tracker_delay_seconds").record(over.as_seconds_f64());
            }
        }
        self.base.signals().cache_changed(cache.id);
    }

    /// Stores what this pass learned about how long builds take.
    pub(super) async fn keep_histories(&self, pass: &mut Pass) -> Result<(), Error> {
        for (class, history) in pass.round.learned() {
            self.base.store().put_history(&pass.group, &class, &history).await?;
        }
        Ok(())
    }
}
