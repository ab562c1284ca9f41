//! Ensure: makes sure that there is a cache with this content, whichever it is. A usable one is reused, one being built
//! is joined, and only if there is neither is one created.
//!
//! What must stay true: however many requests come at once, at whichever gateways, one create is recorded
//! (`store::team::ensure`); the answer is stored for its idempotency key. The policy is checked only if a cache is
//! created, because an existing one was checked when it was created. `domain::image_cache::content` decides what the
//! same content is, and which cache will do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::changes::replay;
use crate::app::image_caches::ImageCaches;
use crate::app::input::{Changed, EnsuredCache, IdempotencyKey};
use crate::app::operations::names::OperationNames;
use crate::app::platform::policy::{AccountChoice, PolicyCase, no_account, quota};
use crate::app::view::ImageCacheView;
use crate::app::{Call, Error, access};
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::identity::caller::Caller;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::content::{Ensured, choose};
use crate::domain::image_cache::spec::NewImageCache;
use crate::domain::operation::OperationKind;
use crate::domain::policy::Holdings;
use crate::store::{ChosenCache, Claimed, EnsureBegun, NewOperation};

const ENSURE: &str = "ensure_image_cache";

/// The answer to a request that found a cache, as stored for its idempotency key.
#[derive(Serialize, Deserialize)]
struct StoredOutcome {
    ensured: String,
    image_cache: ImageCacheView,
}

impl ImageCaches {
    /// A cache with the content of `new`. Name, tags, retention and the like matter only if one is created.
    pub async fn ensure_image_cache(
        &self,
        caller: &Caller,
        call: &Call,
        new: NewImageCache,
        key: Option<IdempotencyKey>,
        wait: Duration,
    ) -> Result<EnsuredCache, Error> {
        access::check(caller, ENSURE)?;
        new.check()?;
        self.cloud_accounts.check_region(&new.spec.region)?;
        let place = AccountChoice::Asked(new.cloud_account.as_deref());
        let ruling = self.policies.ruling(&caller.team, Some(&new.spec.region), place).await?;
        let (spec, _) = ruling.filled(&new.spec);
        let mut named = self.operations.named(&caller.team, key.map(|key| self.new_key(ENSURE, &key)));
        let cache = self.operations.new_cache(caller, &spec, &ruling.account, named.operation);
        if named.key.is_none()
            && let Some((found, how)) = self.chosen(&self.base.store().same_content(&cache).await?)
        {
            // Writes nothing but the audit entry, which shares its commit with others: the usual case is cheap.
            self.base.store().append_audit(self.ensured_entry(caller, call, &found, how)).await?;
            call.set_audited();
            return Ok(found_answer(found, how));
        }
        let begin = |named: &OperationNames| {
            let cache = ImageCache { operation: named.operation, ..cache.clone() };
            let (kind, logins) = (OperationKind::Create, &new.registry_credentials);
            let mut intent = self.operations.intent(caller, call, kind, &cache, spec.clone(), logins, named.clone());
            intent.operation.marks = ruling.owner_tags();
            ENSURE.clone_into(&mut intent.audit.action);
            intent.audit.parameters.insert("outcome".into(), Ensured::Created.as_str().into());
            // Boxed: this is the rarer case and by far the larger future.
            Box::pin(self.create_unless_found(caller, call, intent, cache, wait, ruling.create(&spec)))
        };
        if let Some(ensured) = begin(&named).await? {
            return Ok(ensured);
        }
        named = self.operations.named_anew(&caller.team, named).await?;
        begin(&named).await?.ok_or(Error::IdempotencyInFlight)
    }

    /// `None` if an earlier create has the operation's id; nothing was done.
    async fn create_unless_found(
        &self,
        caller: &Caller,
        call: &Call,
        intent: NewOperation,
        cache: ImageCache,
        wait: Duration,
        mut case: PolicyCase<'_>,
    ) -> Result<Option<EnsuredCache>, Error> {
        let (counts, since) = (case.counts(), case.since());
        let mut admits = |holdings: &Holdings| case.admits(holdings);
        let quota = quota(counts, since, &mut admits);
        let first = self.transitions.transition(&cache, None, "requested");
        let mut taken = None;
        let choose = |caches: &[ImageCache]| {
            let (found, how) = self.chosen(caches)?;
            let chosen = self.instead(caller, call, &found, how);
            taken = Some((found, how));
            Some(chosen)
        };
        match self.base.store().begin_ensure(&intent, &cache, &first, quota, choose).await? {
            EnsureBegun::Create(Claimed::Fresh) => {
                call.set_audited();
                count(Ensured::Created);
                let changed = self.carry_out(intent, cache, None, wait).await?;
                Ok(Some(EnsuredCache { outcome: Ensured::Created, changed }))
            }
            EnsureBegun::Create(Claimed::IdTaken) => Ok(None),
            EnsureBegun::Create(Claimed::OverQuota) => Err(self.policies.refused(case.into_refusals())),
            EnsureBegun::Create(Claimed::Mismatch) => Err(Error::IdempotencyMismatch),
            EnsureBegun::Create(Claimed::NoAccount) => Err(no_account(&cache.account)),
            EnsureBegun::Create(Claimed::Earlier { answer, operation }) => {
                let told = match answer.as_ref().and_then(stored_answer) {
                    Some(told) => told,
                    None => EnsuredCache { outcome: Ensured::Created, changed: replay(answer, operation)? },
                };
                Ok(Some(EnsuredCache { changed: self.replayed(caller, told.changed).await?, ..told }))
            }
            EnsureBegun::Found => {
                call.set_audited();
                let (found, how) = taken.ok_or_else(|| Error::Internal("found and not chosen".into()))?;
                Ok(Some(found_answer(found, how)))
            }
        }
    }

    /// What to write if a cache was found instead of created.
    fn instead(&self, caller: &Caller, call: &Call, found: &ImageCache, how: Ensured) -> ChosenCache {
        let kept = StoredOutcome { ensured: how.as_str().to_owned(), image_cache: found.clone().into() };
        let answer = serde_json::to_value(&kept).expect("a tree of strings and numbers always becomes JSON");
        let audit = self.ensured_entry(caller, call, found, how);
        ChosenCache { cache: found.id, operation: found.operation, answer, audit }
    }

    pub(in crate::app) fn chosen(&self, caches: &[ImageCache]) -> Option<(ImageCache, Ensured)> {
        let margin = chrono::Duration::from_std(self.base.settings().work.reuse_margin).unwrap_or_default();
        let (place, how) = choose(caches, self.base.now(), margin)?;
        Some((caches[place].clone(), how))
    }

    fn ensured_entry(&self, caller: &Caller, call: &Call, cache: &ImageCache, how: Ensured) -> AuditEntry {
        let actor = Actor::caller(caller, &call.origin);
        let mut entry = actor.entry(self.base.audit_id(), self.base.now(), ENSURE, Outcome::Succeeded);
        entry.resource = Some(cache.id.to_string());
        entry.duration_ms = Some(self.base.milliseconds_since(call));
        let mut keep = |name: &str, value: &str| entry.parameters.insert(name.to_owned(), value.to_owned());
        keep("outcome", how.as_str());
        keep("cloud_account", &cache.account);
        keep("region", cache.spec.region.as_str());
        keep("images", &cache.spec.images.join(" "));
        entry
    }
}

fn found_answer(found: ImageCache, outcome: Ensured) -> EnsuredCache {
    count(outcome);
    let changed = Changed { image_cache: found.into(), settled: true, replayed: false, status_now: None };
    EnsuredCache { outcome, changed }
}

/// The answer to an earlier request with the key, if it found a cache.
fn stored_answer(answer: &serde_json::Value) -> Option<EnsuredCache> {
    let kept = StoredOutcome::deserialize(answer).ok()?;
    let outcome = [Ensured::Joined, Ensured::Reused].into_iter().find(|how| how.as_str() == kept.ensured)?;
    let changed = Changed { image_cache: kept.image_cache, settled: true, replayed: true, status_now: None };
    Some(EnsuredCache { outcome, changed })
}

fn count(outcome: Ensured) {
    metrics::counter!("ecg_ensured_total", "outcome" => outcome.as_str()).increment(1);
}
