//! Adopts caches that exist in the cloud but not here: the `import` of REST.
//!
//! What must stay true: the cloud is only read; a cache that a row has, that a running create may be about to learn of,
//! or that may be in the process of being deleted, is left alone, and its owner is not revealed; a cache whose row has
//! ended is revived under that row; each cache is adopted in its own transaction, so a failure half way leaves complete
//! rows. An adopted cache has an operation like any other: a create that has already succeeded, without an attempt.

use chrono::Duration;

use crate::app::admission::without_permit;
use crate::app::image_caches::ImageCaches;
use crate::app::input::{AdoptionOrder, AdoptionTarget};
use crate::app::platform::policy::{AccountChoice, PolicyCase, no_account, quota};
use crate::app::view::{AdoptedCacheView, AdoptionView, SkippedCacheView};
use crate::app::{Call, Error, access};
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::clock::Instant;
use crate::domain::failure::CallError;
use crate::domain::identity::caller::Caller;
use crate::domain::ids::{CacheId, OperationId};
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::observation::Observation;
use crate::domain::image_cache::status::Status;
use crate::domain::operation::{Operation, OperationKind, OperationState, Progress};
use crate::domain::policy::{Holdings, Refusal, Shape};
use crate::domain::problem::Code;
use crate::domain::reconcile::adoption::{Adopter, MAX_ADOPTIONS, SkipReason, adopted};
use crate::domain::reconcile::comes_back;
use crate::domain::region::Region;
use crate::domain::transition::change;
use crate::eci::{Client, DescribeQuery};
use crate::store::{Adopted, CacheWrite, NewAdoption, TrackerGroup};

const ADOPT: &str = "adopt_image_caches";

/// A cache of the cloud, and the RequestId of the answer that showed it.
struct ListedCache {
    seen: Observation,
    request_id: String,
}

/// Where to look for caches.
struct AdoptionSource<'a> {
    account: &'a str,
    region: &'a Region,
    cloud: Client,
}

/// The caches that one request found.
#[derive(Default)]
struct AdoptionSearch {
    free: Vec<ListedCache>,
    /// Caches whose rows here have ended.
    ended: Vec<Observation>,
    skipped: Vec<SkippedCacheView>,
    has_more: bool,
}

impl AdoptionSearch {
    fn skip(&mut self, eci_cache_id: &str, why: SkipReason) {
        if self.skipped.len() < MAX_ADOPTIONS {
            let (eci_cache_id, reason) = (eci_cache_id.to_owned(), why.as_str().to_owned());
            self.skipped.push(SkippedCacheView { eci_cache_id, reason, refusals: Vec::new() });
        }
    }

    fn refuse(&mut self, eci_cache_id: &str, refusals: Vec<Refusal>) {
        self.skip(eci_cache_id, SkipReason::PolicyRefused);
        if let Some(last) = self.skipped.last_mut().filter(|last| last.eci_cache_id == eci_cache_id) {
            last.refusals = refusals.into_iter().map(Into::into).collect();
        }
    }
}

impl ImageCaches {
    /// Adopts caches of the cloud into the caller's team. The teams share the account, so only the platform may do this
    /// ([`access`]).
    pub async fn adopt_image_caches(
        &self,
        caller: &Caller,
        call: &Call,
        order: &AdoptionOrder,
    ) -> Result<AdoptionView, Error> {
        access::check(caller, ADOPT)?;
        self.cloud_accounts.check_region(&order.region)?;
        let place = AccountChoice::Asked(order.account.as_deref());
        let ruling = self.policies.ruling(&caller.team, Some(&order.region), place).await?;
        let source = AdoptionSource {
            account: &ruling.account,
            region: &order.region,
            cloud: self.cloud_accounts.cloud_of(&ruling.account).await.map_err(unread)?,
        };
        let looked_at = self.base.now();
        let mut found = match &order.target {
            AdoptionTarget::Id(id) => self.find_one(&source, id).await?,
            AdoptionTarget::Filter(_) => self.find_all(&source, order).await?,
        };
        for seen in std::mem::take(&mut found.ended) {
            let revived = self.revive(&source, &seen, looked_at, order.dry_run).await?;
            found.skip(&seen.eci_cache_id, if revived { SkipReason::Revived } else { SkipReason::AlreadyManaged });
        }
        let mut holdings = self.base.store().holdings(&caller.team, ruling.since()).await?;
        let mut adopted = Vec::new();
        for sighted in std::mem::take(&mut found.free) {
            let cache = self.row_of(caller, &source, &sighted.seen);
            let (id, mut case) = (&sighted.seen.eci_cache_id, ruling.adoption(&cache.spec));
            if order.dry_run {
                if case.admits(&holdings) {
                    holdings.shapes.push((Shape::of(&cache.spec), 1));
                    adopted.push(adopted_view(&cache, false));
                } else {
                    found.refuse(id, case.into_refusals());
                }
                continue;
            }
            match self.adopt(caller, call, &cache, sighted.request_id, &mut case).await? {
                Adopted::Done => adopted.push(adopted_view(&cache, true)),
                Adopted::Taken => found.skip(id, SkipReason::AlreadyManaged),
                Adopted::BeingRemoved => found.skip(id, SkipReason::BeingRemoved),
                Adopted::OverQuota => found.refuse(id, case.into_refusals()),
                Adopted::NoAccount => return Err(no_account(&cache.account)),
            }
        }
        Ok(AdoptionView { dry_run: order.dry_run, adopted, skipped: found.skipped, has_more: found.has_more })
    }

    async fn find_one(&self, source: &AdoptionSource<'_>, id: &str) -> Result<AdoptionSearch, Error> {
        let query = DescribeQuery { eci_cache_id: Some(id.to_owned()), ..DescribeQuery::default() };
        let page = without_permit(source.cloud.describe(source.region, &query)).await.map_err(unread)?;
        let mut found = AdoptionSearch::default();
        let seen: Vec<Observation> = page.caches.into_iter().filter(|seen| seen.eci_cache_id == id).collect();
        if seen.is_empty() {
            found.skip(id, SkipReason::NotFound);
        }
        self.sort(source, seen, &page.request_id, &mut found).await?;
        Ok(found)
    }

    /// Reads page by page until enough is found, before anything is written, so that an error of the cloud leaves
    /// nothing half done.
    async fn find_all(&self, source: &AdoptionSource<'_>, order: &AdoptionOrder) -> Result<AdoptionSearch, Error> {
        let (mut found, mut query) = (AdoptionSearch::default(), DescribeQuery::default());
        let mut known = std::collections::HashSet::new();
        loop {
            let page = without_permit(source.cloud.describe(source.region, &query)).await.map_err(unread)?;
            let fresh: Vec<Observation> =
                page.caches.into_iter().filter(|seen| known.insert(seen.eci_cache_id.clone())).collect();
            let progress = !fresh.is_empty();
            let fitting = fresh.into_iter().filter(|seen| lets(&order.target, seen)).collect();
            self.sort(source, fitting, &page.request_id, &mut found).await?;
            match page.next_token {
                // A page with nothing new that still names a next page would never end.
                Some(token) if progress && !found.has_more => query.next_token = Some(token),
                _ => return Ok(found),
            }
        }
    }

    /// Separates caches that can be adopted from those that cannot.
    async fn sort(
        &self,
        source: &AdoptionSource<'_>,
        seen: Vec<Observation>,
        request_id: &str,
        found: &mut AdoptionSearch,
    ) -> Result<(), Error> {
        let ids: Vec<String> = seen.iter().map(|seen| seen.eci_cache_id.clone()).collect();
        let taken = self.base.store().taken_caches(source.account, source.region, &ids).await?;
        for seen in seen {
            if taken.ended.contains(&seen.eci_cache_id) && found.ended.len() < MAX_ADOPTIONS {
                found.ended.push(seen);
            } else if taken.ids.contains(&seen.eci_cache_id) {
                found.skip(&seen.eci_cache_id, SkipReason::AlreadyManaged);
            } else if taken.names.contains(&seen.name) {
                found.skip(&seen.eci_cache_id, SkipReason::CreateInProgress);
            } else if found.free.len() < MAX_ADOPTIONS {
                found.free.push(ListedCache { seen, request_id: request_id.to_owned() });
            } else {
                found.has_more = true;
            }
        }
        Ok(())
    }

    /// Revives a row that has ended because the cloud shows its cache, as the reconciler would in its next pass. Its
    /// owner is not revealed.
    async fn revive(
        &self,
        source: &AdoptionSource<'_>,
        seen: &Observation,
        looked_at: Instant,
        dry_run: bool,
    ) -> Result<bool, Error> {
        let group = TrackerGroup { account: source.account.to_owned(), region: source.region.to_string() };
        let rows = self.base.store().caches_of_group(&group, &[&seen.eci_cache_id]).await?;
        let rule = self.reconciler.reconcile_rule();
        let back = |row: &ImageCache| comes_back(row, seen, looked_at, self.base.now(), &rule);
        let Some(change) = rows.first().and_then(back) else { return Ok(false) };
        if !dry_run {
            self.reconciler.keep_finding(change).await?;
        }
        Ok(true)
    }

    fn row_of(&self, caller: &Caller, source: &AdoptionSource<'_>, seen: &Observation) -> ImageCache {
        let now = self.base.now();
        let adopter = Adopter {
            cache: CacheId::new(now, self.base.entropy()),
            operation: OperationId::new(now, self.base.entropy()),
            team: caller.team.clone(),
            account: source.account.to_owned(),
            region: source.region.clone(),
        };
        adopted(seen, &adopter, now)
    }

    async fn adopt(
        &self,
        caller: &Caller,
        call: &Call,
        cache: &ImageCache,
        request_id: String,
        case: &mut PolicyCase<'_>,
    ) -> Result<Adopted, Error> {
        let request_id = Some(request_id).filter(|id| !id.is_empty());
        let entry = self.adoption_entry(caller, call, cache, request_id.clone());
        let change = change::adopted(cache, self.base.now());
        let first = self.transitions.transition(cache, None, change.reason);
        let write = CacheWrite { transition: Some(first), ..self.transitions.write_of(&change, Some(entry)) };
        let soon = Duration::from_std(self.base.settings().look_least).unwrap_or_default();
        let look_at = cache.status.is_in_motion().then(|| self.base.now() + soon);
        let operation = self.done_create(caller, call, cache, request_id);
        let (counts, since) = (case.counts(), case.since());
        let mut admits = |holdings: &Holdings| case.admits(holdings);
        let quota = quota(counts, since, &mut admits);
        let account = self.operations.held_account(&cache.account);
        let done = self.base.store().adopt(&NewAdoption { operation, write, look_at, account }, quota).await?;
        if done != Adopted::Done {
            return Ok(done);
        }
        tracing::info!(image_cache = %cache.id, eci_cache_id = cache.eci_cache_id, "adopted an image cache");
        self.base.signals().cache_changed(cache.id);
        self.base.signals().tracker.notify_one();
        Ok(Adopted::Done)
    }

    fn adoption_entry(
        &self,
        caller: &Caller,
        call: &Call,
        cache: &ImageCache,
        provider_request_id: Option<String>,
    ) -> AuditEntry {
        let actor = Actor::caller(caller, &call.origin);
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), ADOPT, Outcome::Succeeded);
        entry.resource = Some(cache.id.to_string());
        entry.operation = Some(cache.operation);
        entry.provider_request_id = provider_request_id;
        entry.duration_ms = Some(self.base.milliseconds_since(call));
        entry.parameters = self.base.audit_parameters(call);
        let mut keep = |name: &str, value: String| entry.parameters.insert(name.to_owned(), value);
        keep("name", cache.spec.name.clone());
        keep("cloud_account", cache.account.clone());
        keep("region", cache.spec.region.to_string());
        keep("images", cache.spec.images.join(" "));
        keep("eci_cache_id", cache.eci_cache_id.clone().unwrap_or_default());
        entry
    }

    fn done_create(
        &self,
        caller: &Caller,
        call: &Call,
        cache: &ImageCache,
        provider_request_id: Option<String>,
    ) -> Operation {
        Operation {
            id: cache.operation,
            team: cache.team.clone(),
            cache: cache.id,
            generation: cache.generation,
            progress: Progress::new(OperationKind::Create),
            state: OperationState::Succeeded,
            spec: cache.spec.clone(),
            changes: None,
            marks: Vec::new(),
            error: None,
            provider_request_id,
            subject: caller.subject.clone(),
            credential: Some(caller.credential.clone()),
            request_id: call.origin.request_id.clone(),
            created_at: self.base.now(),
            finished_at: Some(self.base.now()),
        }
    }
}

fn lets(target: &AdoptionTarget, seen: &Observation) -> bool {
    match target {
        AdoptionTarget::Id(id) => *id == seen.eci_cache_id,
        AdoptionTarget::Filter(filter) => filter.lets(seen),
    }
}

fn adopted_view(cache: &ImageCache, done: bool) -> AdoptedCacheView {
    let status: Status = cache.status;
    AdoptedCacheView {
        image_cache_id: done.then(|| cache.id.to_string()),
        eci_cache_id: cache.eci_cache_id.clone().unwrap_or_default(),
        name: cache.spec.name.clone(),
        images: cache.spec.images.clone(),
        status: status.into(),
    }
}

/// Reading changes nothing, so anything that is not a refusal may simply be tried again.
fn unread(fault: CallError) -> Error {
    tracing::warn!(fault = %fault, "could not read from the cloud");
    match fault {
        CallError::Refused(error) => Error::CloudRefused { error, operation: None },
        CallError::Throttled(_) | CallError::NotSent(_) | CallError::Unknown(_) => {
            let detail = "the cloud is currently unavailable; nothing was changed";
            Error::Unavailable { code: Code::CloudUnavailable, detail, retry_after_seconds: 5 }
        }
    }
}
