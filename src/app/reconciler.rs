//! Compares the cloud with the records, one (account, region) at a time: which caches vanished and how, which came
//! back, which were changed outside the gateway, which will expire, and which ones no row knows.
//!
//! What must stay true: an incomplete list proves nothing, so nothing follows from one, nor from a list in which too
//! much is missing at once ([`super::vanishings`]); a finding, its event and its audit entry are one transaction, and a
//! compare-and-set on the row makes sure that it is recorded once, however many gateways compare; what did not change
//! is not written.
//!
//! This file contains the pass; [`reads`] reads the cloud, [`revisits`] looks up what vanished a short while ago,
//! [`unmanaged`] records caches that no row knows.
//! `domain::reconcile` decides what a difference means.
//!
//! The workers call it. It does not follow builds (the tracker does), and does not settle operations.

use crate::app::base::Base;
use crate::app::cloud_accounts::CloudAccounts;
use crate::app::transitions::Transitions;
use crate::app::vanishings::Vanishings;
use chrono::Duration;

use super::Error;
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::clock::Instant;
use crate::domain::failure::CallError;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::spec::EliminationStrategy;
use crate::domain::reconcile::{self, ComparisonTimings, Fill, Listed};
use crate::domain::transition::change::Change;
use crate::store::{ComparedList, ReconcileLease};

mod reads;
mod revisits;
mod unmanaged;

use reads::CloudList;

/// The actor in audit entries of findings.
const RECONCILER: &str = "reconciler";
/// The most lookups by id in one pass. The rest wait for the next pass, so that a mass of deletions does not use up the
/// account's budget.
const SINGLE_LOOKS: i64 = 100;
/// How long a group pauses while it is not evaluated.
const REST_IN_DOUBT: Duration = Duration::seconds(60);

/// Why a pass ends early: the cloud could not be read, or we failed.
enum Stop {
    Cloud(CallError),
    Ours(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<crate::store::StoreError> for Stop {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Ours(error.into())
    }
}

impl From<CallError> for Stop {
    fn from(fault: CallError) -> Self {
        Self::Cloud(fault)
    }
}

/// Compares the cloud with the records; cheap to clone.
#[derive(Debug, Clone)]
pub struct Reconciler {
    base: Base,
    cloud_accounts: CloudAccounts,
    vanishings: Vanishings,
    transitions: Transitions,
}

impl Reconciler {
    pub(super) fn new(
        base: &Base,
        cloud_accounts: &CloudAccounts,
        vanishings: &Vanishings,
        transitions: &Transitions,
    ) -> Self {
        Self {
            base: base.clone(),
            cloud_accounts: cloud_accounts.clone(),
            vanishings: vanishings.clone(),
            transitions: transitions.clone(),
        }
    }
}

impl Reconciler {
    /// Compares the group that has been due for longest. Returns `false` if none is due, or if the clock is in doubt,
    /// because then nobody knows how long ago something changed.
    pub async fn reconcile(&self) -> Result<bool, Error> {
        if !self.base.clock().is_sure() {
            self.note_age().await?;
            return Ok(false);
        }
        let settings = self.base.settings();
        let (lease, known) = (settings.work.lease.as_secs_f64(), self.cloud_accounts.places().await?);
        let claimed = self.base.store().claim_reconciliation(&known, self.base.now(), self.base.uuid(), lease).await?;
        let Some(lease) = claimed else {
            self.note_age().await?;
            return Ok(false);
        };
        let mut list = None;
        let next = match self.pass(&lease, &mut list).await {
            Ok(next) => next,
            Err(Stop::Ours(error)) => return Err(error),
            // What was compared still counts: a lookup that fails after the list does not make us read the list again.
            Err(Stop::Cloud(fault)) => {
                let group = &lease.group;
                tracing::warn!(account = group.account, region = group.region, fault = %fault, "could not compare \
                    the cloud with the records");
                None
            }
        };
        let revisit = self.next_revisit(&lease).await?;
        let next = match next {
            Some(next) => next,
            None => self.base.now() + self.rest(&lease, revisit).await?,
        };
        let due_at = revisit.map_or(next, |revisit| revisit.min(next));
        self.base.store().release_reconciliation(&lease, due_at, list).await?;
        Ok(true)
    }

    /// Records the metrics for alerts: the age of the oldest comparison, and how many groups are not evaluated.
    async fn note_age(&self) -> Result<(), Error> {
        if let Some(oldest) = self.base.store().oldest_reconciliation().await? {
            #[expect(clippy::cast_precision_loss, reason = "an age in seconds is far below 2^52")]
            let seconds = (self.base.now() - oldest).num_seconds().max(0) as f64;
            metrics::gauge!("ecg_reconcile_oldest_pass_seconds").set(seconds);
        }
        let vanishings = u32::try_from(self.base.store().mass_vanishings().await?.len()).unwrap_or(u32::MAX);
        metrics::gauge!("ecg_mass_vanishings").set(vanishings);
        Ok(())
    }

    /// One pass over a group. Returns when the group is due again (`None` if nothing could be read), and sets `list` to
    /// the list that was compared.
    async fn pass(&self, lease: &ReconcileLease, list: &mut Option<ComparedList>) -> Result<Option<Instant>, Stop> {
        self.revisit(lease).await?;
        if lease.list_at <= self.base.now() {
            let Some(read) = self.read_list(lease).await? else {
                // Another worker has the lease by now, or reading took too long: conclude nothing.
                return Ok(None);
            };
            if !self.believes(lease, &read).await? {
                self.warn_of_expiry(lease).await?;
                return Ok(Some(self.base.now() + REST_IN_DOUBT));
            }
            let unlikely = self.compare_list(lease, &read).await?;
            let listed = i64::try_from(read.seen.len()).unwrap_or(i64::MAX);
            *list = Some(ComparedList { at: read.begun_at, listed, next_at: self.next_list() });
            self.look_twice(lease, unlikely).await?;
            self.revive_listed(lease, &read).await?;
            self.look_for_unlisted(lease, &read).await?;
        } else if self.vanishings.is_doubted(&lease.group).await? {
            return Ok(Some(self.base.now() + REST_IN_DOUBT));
        }
        let listed = list.map_or(0, |list| list.listed).max(lease.listed);
        self.look_again(lease, listed).await?;
        self.warn_of_expiry(lease).await?;
        self.remove_orphans(lease).await?;
        let next = list.map_or(lease.list_at, |list| list.next_at);
        let again = self.base.store().any_missed(&lease.group).await?;
        let soon = self.base.now() + self.reconcile_rule().list_lag;
        Ok(Some(if again { next.min(soon) } else { next }))
    }

    /// When to read the next list, with a jitter of ten percent so that groups do not all run at once.
    fn next_list(&self) -> Instant {
        let every = Duration::from_std(self.base.settings().work.reconcile_every).unwrap_or(Duration::minutes(10));
        self.base.now() + every + every * self.base.entropy().permille() / 10_000
    }

    pub(super) fn reconcile_rule(&self) -> ComparisonTimings {
        let within = Duration::from_std(self.base.settings().work.expiring_within).unwrap_or(Duration::days(1));
        ComparisonTimings { list_lag: self.base.settings().rule.list_lag, expiring_within: within }
    }

    /// Everything that follows from the list alone, without further calls to the cloud. Returns the caches that have to
    /// be confirmed by a lookup.
    async fn compare_list(&self, lease: &ReconcileLease, list: &CloudList) -> Result<Vec<ImageCache>, Error> {
        let (rule, mut unlikely) = (self.reconcile_rule(), Vec::new());
        for cache in self.base.store().differing(&lease.group, &list.to_json()).await? {
            let Some((seen, at)) = list.find(&cache) else { continue };
            match reconcile::listed(&cache, seen, at, self.base.now(), &rule) {
                Listed::LookById => unlikely.push(cache),
                Listed::Change(change) => self.keep_finding(*change).await?,
                Listed::Nothing => {}
            }
        }
        self.record_unmanaged(lease, list).await?;
        Ok(unlikely)
    }

    /// Confirms unlikely changes: what the list shows of these caches is believed only if a lookup by id shows it too.
    async fn look_twice(&self, lease: &ReconcileLease, unlikely: Vec<ImageCache>) -> Result<(), Stop> {
        let rule = self.reconcile_rule();
        for cache in unlikely.into_iter().take(usize::try_from(SINGLE_LOOKS).unwrap_or(usize::MAX)) {
            let at = self.base.now();
            let Some(seen) = self.read_one(lease, &cache).await? else { return Ok(()) };
            if let Some(change) = seen.and_then(|seen| reconcile::confirmed(&cache, &seen, at, self.base.now(), &rule))
            {
                self.keep_finding(change).await?;
            }
        }
        Ok(())
    }

    /// Whether the list can be believed: too much missing from it means that nothing follows from it.
    async fn believes(&self, lease: &ReconcileLease, list: &CloudList) -> Result<bool, Error> {
        let before = list.begun_at - self.reconcile_rule().list_lag;
        let census = self.base.store().census(&lease.group, &list.ids(), before, self.base.now()).await?;
        self.vanishings.is_list_believed(&lease.group, census).await
    }

    /// Revives caches that have ended in our records but are listed, if a lookup by id confirms it.
    async fn revive_listed(&self, lease: &ReconcileLease, list: &CloudList) -> Result<(), Stop> {
        let rule = self.reconcile_rule();
        let before = list.begun_at - rule.list_lag;
        for cache in self.base.store().ended_and_listed(&lease.group, &list.ids(), before, SINGLE_LOOKS).await? {
            let at = self.base.now();
            let Some(seen) = self.read_one(lease, &cache).await? else { return Ok(()) };
            if let Some(change) = seen.and_then(|seen| reconcile::comes_back(&cache, &seen, at, self.base.now(), &rule))
            {
                self.keep_finding(change).await?;
            }
        }
        Ok(())
    }

    /// The first lookups of caches that the list does not contain.
    async fn look_for_unlisted(&self, lease: &ReconcileLease, list: &CloudList) -> Result<(), Stop> {
        let before = list.begun_at - self.reconcile_rule().list_lag;
        let unlisted = self.base.store().unlisted(&lease.group, &list.ids(), before, SINGLE_LOOKS).await?;
        self.look_at(lease, unlisted, Fill::default()).await
    }

    /// The second lookups that are due.
    async fn look_again(&self, lease: &ReconcileLease, listed: i64) -> Result<(), Stop> {
        let before = self.base.now() - self.reconcile_rule().list_lag;
        let missed = self.base.store().missed_once(&lease.group, before, SINGLE_LOOKS).await?;
        let asks = |cache: &ImageCache| cache.spec.elimination_strategy == Some(EliminationStrategy::Lru);
        let quota = match missed.iter().find(|cache| asks(cache)) {
            Some(cache) => self.read_quota(lease, &cache.spec.region).await?,
            None => None,
        };
        self.look_at(lease, missed, Fill { listed, quota }).await
    }

    /// Looks up each cache by id once: no list proves that a cache is absent.
    async fn look_at(&self, lease: &ReconcileLease, caches: Vec<ImageCache>, fill: Fill) -> Result<(), Stop> {
        let rule = self.reconcile_rule();
        for cache in caches {
            let at = self.base.now();
            let Some(seen) = self.read_one(lease, &cache).await? else { return Ok(()) };
            let change = match seen {
                Some(seen) => reconcile::compare(&cache, &seen, at, self.base.now(), &rule),
                None => reconcile::missed(&cache, self.base.now(), fill, &rule),
            };
            if let Some(change) = change {
                self.keep_finding(change).await?;
            }
        }
        Ok(())
    }

    async fn warn_of_expiry(&self, lease: &ReconcileLease) -> Result<(), Stop> {
        let (now, rule) = (self.base.now(), self.reconcile_rule());
        for cache in self.base.store().expiring(&lease.group, now, now + rule.expiring_within).await? {
            if let Some(change) = reconcile::expiring(&cache, now, &rule) {
                self.keep_finding(change).await?;
            }
        }
        Ok(())
    }

    /// Writes row, transition, event, deliveries and audit entry in one transaction, or nothing if the row has changed.
    pub(super) async fn keep_finding(&self, change: Change) -> Result<(), Error> {
        let write = self.transitions.write_of(&change, self.finding_entry(&change));
        let follow = change.next.status.is_in_motion().then(|| self.base.now());
        if !self.base.store().write_finding(&write, follow).await? {
            return Ok(());
        }
        if change.event.is_some() || change.moved.is_some() {
            metrics::counter!("ecg_reconcile_findings_total", "kind" => change.reason).increment(1);
            tracing::info!(image_cache = %change.next.id, finding = change.reason, "the cloud differs from the record");
        }
        if let Some((_, to)) = change.moved {
            metrics::counter!("ecg_transitions_total", "to" => to.as_str()).increment(1);
        }
        if follow.is_some() {
            self.base.signals().tracker.notify_one();
        }
        self.base.signals().cache_changed(change.next.id);
        Ok(())
    }

    /// The audit entry of a finding; `None` for a first lookup that found nothing, and for a new time of last use.
    fn finding_entry(&self, change: &Change) -> Option<AuditEntry> {
        if change.moved.is_none() && change.event.is_none() {
            return None;
        }
        let cache = &change.next;
        let actor = Actor::worker(RECONCILER, cache.team.clone(), self.base.new_request_id());
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), "reconcile_image_cache", Outcome::Succeeded);
        entry.resource = Some(cache.id.to_string());
        let mut keep = |name: &str, value: String| entry.parameters.insert(name.to_owned(), value);
        keep("finding", change.reason.to_owned());
        keep("eci_cache_id", cache.eci_cache_id.clone().unwrap_or_default());
        keep("generation", cache.generation.to_string());
        if let Some((from, to)) = change.moved {
            keep("from", from.as_str().to_owned());
            keep("to", to.as_str().to_owned());
        }
        let fields: Vec<&str> = cache.reconciled.drift.iter().map(|drift| drift.field.as_str()).collect();
        if !fields.is_empty() {
            keep("drift", fields.join(" "));
        }
        Some(entry)
    }
}
