//! Comparing the cloud with the rows, one (account, region) at a time: what vanished and which way, what came back,
//! what was changed past the gateway, what will expire, and what no row knows.
//!
//! What must stay true: an incomplete list proves nothing, so nothing at all follows from one, nor from one in which
//! too much is missing at once ([`super::vanishings`]); a finding is one transaction with its event and audit entry,
//! and compare-and-set on the row makes it one finding, however many gateways look; what is as it was is not written.
//!
//! The rooms: this page is the pass; [`reads`] reads the cloud, [`unmanaged`] records what no row knows. What a
//! difference means is decided by `domain::reconcile`.
//!
//! Who calls it: the workers. What it does not do: follow builds (the tracker), or settle operations.

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
mod unmanaged;

use reads::CloudList;

/// Who finds, in audit entries.
const RECONCILER: &str = "reconciler";
/// Single looks of one pass: the rest waits for the next, so that a mass of deletions does not eat the account's
/// budget.
const SINGLE_LOOKS: i64 = 100;
/// After a fault the group rests that long.
const REST_AFTER_FAULT: Duration = Duration::seconds(60);

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

/// Compares the cloud with the rows; cheap to clone.
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
    /// Compares the group that is longest due. `false`: none is, or it cannot be told how long ago something changed.
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
        let (mut due_at, mut list) = (self.base.now() + REST_AFTER_FAULT, None);
        match self.pass(&lease, &mut list).await {
            Ok(next) => due_at = next,
            Err(Stop::Ours(error)) => return Err(error),
            // What was compared stays compared: the list is not read again for a look that failed after it.
            Err(Stop::Cloud(fault)) => {
                let group = &lease.group;
                tracing::warn!(account = group.account, region = group.region, fault = %fault, "could not compare \
                    the cloud with the records");
            }
        }
        self.base.store().release_reconciliation(&lease, due_at, list).await?;
        Ok(true)
    }

    /// How long ago the group was compared that waits longest, and how many are not judged: what an alarm watches.
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

    /// One pass over a group: when it is due again. `list` becomes the list that was compared.
    async fn pass(&self, lease: &ReconcileLease, list: &mut Option<ComparedList>) -> Result<Instant, Stop> {
        if lease.list_at <= self.base.now() {
            let Some(read) = self.read_list(lease).await? else {
                // Somebody else's by now, or longer than we may read: no judgement.
                return Ok(self.base.now() + REST_AFTER_FAULT);
            };
            if !self.believes(lease, &read).await? {
                self.warn_of_expiry(lease).await?;
                return Ok(self.base.now() + REST_AFTER_FAULT);
            }
            let unlikely = self.compare_list(lease, &read).await?;
            let listed = i64::try_from(read.seen.len()).unwrap_or(i64::MAX);
            *list = Some(ComparedList { at: read.begun_at, listed, next_at: self.next_list() });
            self.look_twice(lease, unlikely).await?;
            self.revive_listed(lease, &read).await?;
            self.look_for_unlisted(lease, &read).await?;
        } else if self.vanishings.is_doubted(&lease.group).await? {
            return Ok(self.base.now() + REST_AFTER_FAULT);
        }
        let listed = list.map_or(0, |list| list.listed).max(lease.listed);
        self.look_again(lease, listed).await?;
        self.warn_of_expiry(lease).await?;
        self.remove_orphans(lease).await?;
        let next = list.map_or(lease.list_at, |list| list.next_at);
        let again = self.base.store().any_missed(&lease.group).await?;
        let soon = self.base.now() + self.reconcile_rule().list_lag;
        Ok(if again { next.min(soon) } else { next })
    }

    /// With a jitter of a tenth, so that groups do not march in step.
    fn next_list(&self) -> Instant {
        let every = Duration::from_std(self.base.settings().work.reconcile_every).unwrap_or(Duration::minutes(10));
        self.base.now() + every + every * self.base.entropy().permille() / 10_000
    }

    pub(super) fn reconcile_rule(&self) -> ComparisonTimings {
        let within = Duration::from_std(self.base.settings().work.expiring_within).unwrap_or(Duration::days(1));
        ComparisonTimings { list_lag: self.base.settings().rule.list_lag, expiring_within: within }
    }

    /// Everything that follows from the list alone; the cloud is not asked again. Returns what must be seen twice.
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

    /// What the list shows of these is believed only if a look by the id shows it, too.
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

    /// Whether so much is missing in the list that nothing follows from it.
    async fn believes(&self, lease: &ReconcileLease, list: &CloudList) -> Result<bool, Error> {
        let before = list.begun_at - self.reconcile_rule().list_lag;
        let census = self.base.store().census(&lease.group, &list.ids(), before, self.base.now()).await?;
        self.vanishings.is_list_believed(&lease.group, census).await
    }

    /// What has ended here and is listed goes on, if a look by its id shows it, too.
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

    /// The first looks at what the list does not show.
    async fn look_for_unlisted(&self, lease: &ReconcileLease, list: &CloudList) -> Result<(), Stop> {
        let before = list.begun_at - self.reconcile_rule().list_lag;
        let unlisted = self.base.store().unlisted(&lease.group, &list.ids(), before, SINGLE_LOOKS).await?;
        self.look_at(lease, unlisted, Fill::default()).await
    }

    /// The second looks that are due.
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

    /// One look by id at each: no list is a proof of absence.
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

    /// Row, transition, event, deliveries and audit entry at once; or nothing, where the row has moved on.
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

    /// The entry of a finding; a first look that missed, or a new time of use, is none.
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
