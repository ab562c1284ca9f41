//! Looks up what an operation may have done although its answer was never received.
//!
//! What must stay true: a cache that some row has is never taken for this operation's. If there are several, the oldest
//! is adopted, and the others are deleted once no more can appear ([`super::unsettled`]). Finding nothing proves
//! something only if the cloud shows other caches.

use super::attempt::AttemptResult;
use super::{AttemptRecord, IdempotentAnswer, is_unwanted};
use crate::app::Error;
use crate::app::operations::Operations;
use crate::app::vanishings::MissingCaches;
use crate::domain::failure::CallError;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::observation::Observation;
use crate::domain::image_cache::spec::MAX_TAGS;
use crate::domain::operation::{LookupResult, Operation, OperationInput, OperationKind};
use crate::domain::reconcile::is_unlikely;
use crate::domain::transition::change::was_updated;
use crate::eci::{Client, DescribeQuery};
use crate::store::{LeasedOperation, TrackerGroup};

/// The answer of a lookup, and what to record of it.
struct LookupAnswer {
    sight: LookupResult,
    done: Option<AttemptResult>,
    /// Whether the answer depends on something not being shown.
    absent: bool,
}

impl Operations {
    /// Looks up what an earlier attempt may have done; the rule decides what that means.
    pub(super) async fn look_up(
        &self,
        leased: &LeasedOperation,
        cache: ImageCache,
    ) -> Result<Option<IdempotentAnswer>, Error> {
        let operation = &leased.operation;
        let cloud = match self.cloud_accounts.cloud_of(&cache.account).await {
            Ok(cloud) => cloud,
            Err(fault) => return self.wait_for_account(leased, &cache, &fault).await,
        };
        if let Some(at) = self.cloud_accounts.spend_for_change(&cache.account).await? {
            return self.put_back(leased, operation.progress, at, AttemptRecord::default()).await;
        }
        let looked = match operation.progress.kind {
            OperationKind::Create => self.look_for_create(&cloud, operation, &cache).await?,
            OperationKind::Update | OperationKind::Delete => self.look_at_target(&cloud, operation, &cache).await,
        };
        if let Err(fault) = &looked {
            self.cloud_accounts.note_fault(&cache.account, fault).await?;
        }
        let LookupAnswer { mut sight, done, absent } = looked.unwrap_or_else(|fault| {
            tracing::warn!(operation = %operation.id, fault = %fault, "the lookup failed");
            LookupAnswer { sight: LookupResult::Failed, done: None, absent: false }
        });
        if absent && !self.is_absent(&cloud, operation, &cache).await? {
            sight = LookupResult::Failed;
        }
        let unwanted = is_unwanted(operation, &cache);
        let (progress, effect) = self.decide(operation.progress, OperationInput::Looked { sight, unwanted });
        let learned = AttemptRecord { done, ..AttemptRecord::default() };
        self.carry_on(leased, cache, progress, effect, learned).await
    }

    /// Whether to believe that there is nothing.
    pub(super) async fn is_absent(
        &self,
        cloud: &Client,
        operation: &Operation,
        cache: &ImageCache,
    ) -> Result<bool, Error> {
        let group = TrackerGroup { account: cache.account.clone(), region: cache.spec.region.to_string() };
        let own: Vec<&str> = cache.eci_cache_id.as_deref().into_iter().collect();
        let strict = operation.progress.kind == OperationKind::Update;
        self.vanishings.is_absence_believed(&MissingCaches { group: &group, cloud, ids: &own, strict }).await
    }

    async fn look_for_create(
        &self,
        cloud: &Client,
        operation: &Operation,
        cache: &ImageCache,
    ) -> Result<Result<LookupAnswer, CallError>, Error> {
        let (mut found, request_id) = match self.find_by_tag(cloud, operation).await {
            Ok(found) => found,
            Err(fault) => return Ok(Err(fault)),
        };
        self.without_taken(cache, &mut found).await?;
        found.sort_by_key(|seen| seen.created_at);
        let twice = found.len() > 1;
        let Some(first) = found.into_iter().next() else {
            return Ok(Ok(LookupAnswer { sight: LookupResult::Absent, done: None, absent: true }));
        };
        let done = Some(AttemptResult { created: Some((first.eci_cache_id, first.container_group_id)), request_id });
        Ok(Ok(LookupAnswer { sight: LookupResult::Found { twice }, done, absent: false }))
    }

    /// Removes caches that some row already has.
    pub(super) async fn without_taken(&self, cache: &ImageCache, found: &mut Vec<Observation>) -> Result<(), Error> {
        let ids: Vec<String> = found.iter().map(|seen| seen.eci_cache_id.clone()).collect();
        if !ids.is_empty() {
            let taken = self.base.store().taken_caches(&cache.account, &cache.spec.region, &ids).await?;
            found.retain(|seen| !taken.ids.contains(&seen.eci_cache_id));
        }
        Ok(())
    }

    /// Finds caches by the operation's tag or, if the team's own tags left no room for it, by name, with exactly these
    /// tags and created since the first attempt.
    pub(super) async fn find_by_tag(
        &self,
        cloud: &Client,
        operation: &Operation,
    ) -> Result<(Vec<Observation>, String), CallError> {
        let spec = &operation.spec;
        let tagged = is_tagged(operation);
        let mut query = DescribeQuery {
            operation_tag: tagged.then_some(operation.id),
            name: (!tagged).then(|| spec.name.clone()),
            ..DescribeQuery::default()
        };
        let mut found: Vec<Observation> = Vec::new();
        let mut read = 0;
        loop {
            let page = cloud.describe(&spec.region, &query).await?;
            let progress = !page.caches.is_empty() && read < MOST_PAGES;
            read += 1;
            found.extend(page.caches.into_iter().filter(|seen| tagged || is_of(operation, seen)));
            match page.next_token {
                // A page without caches that still names a next page would never end.
                Some(token) if progress => query.next_token = Some(token),
                _ => return Ok((found, page.request_id)),
            }
        }
    }

    /// Whether an update or delete was carried out, by the cache's own id.
    async fn look_at_target(
        &self,
        cloud: &Client,
        operation: &Operation,
        cache: &ImageCache,
    ) -> Result<LookupAnswer, CallError> {
        let query = DescribeQuery { eci_cache_id: cache.eci_cache_id.clone(), ..DescribeQuery::default() };
        let page = cloud.describe(&operation.spec.region, &query).await?;
        let seen = page.caches.iter().find(|seen| Some(&seen.eci_cache_id) == cache.eci_cache_id.as_ref());
        let done = match operation.progress.kind {
            OperationKind::Delete => seen.is_none(),
            OperationKind::Create | OperationKind::Update => seen.is_some_and(|seen| was_updated(cache, seen)),
        };
        let sight = match seen {
            _ if done => LookupResult::Found { twice: false },
            Some(seen) if is_unlikely(cache, seen) => LookupResult::Absent,
            Some(_) => LookupResult::Nothing,
            None => LookupResult::Absent,
        };
        let done = done.then_some(AttemptResult { created: None, request_id: page.request_id });
        Ok(LookupAnswer { sight, done, absent: seen.is_none() })
    }
}

/// The most pages of one lookup, so that a cloud whose list never ends does not block a worker.
const MOST_PAGES: usize = 1_000;

/// Whether there was room for the operation's tag among the team's own.
pub(super) fn is_tagged(operation: &Operation) -> bool {
    operation.spec.tags.len() < MAX_TAGS
}

/// Whether this cache can only be this operation's. The cloud's clock may be a minute behind ours.
fn is_of(operation: &Operation, seen: &Observation) -> bool {
    let since = operation.created_at - chrono::Duration::minutes(1);
    let tags = seen.tags.iter().cloned().collect();
    seen.name == operation.spec.name && operation.spec.tags == tags && seen.created_at.is_some_and(|made| made >= since)
}
