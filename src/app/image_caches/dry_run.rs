//! The dry run of a create: makes all decisions that come before recording, and reports them instead of acting.
//!
//! What must stay true: nothing is written but the audit entry; the report says what a create or an ensure would meet
//! at this moment, by the same rules. It does not reserve quota.

use super::changes::check_updatable;
use crate::app::image_caches::ImageCaches;
use crate::app::input::{ChangeOptions, MatchQuestion};
use crate::app::platform::policy::{AccountChoice, PolicyCase};
use crate::app::view::{AmountsView, CostView, DryRunView, PlannedImageCacheView};
use crate::app::{Error, access};
use crate::domain::clock::Instant;
use crate::domain::gate::{expected_at, usual};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::content::Ensured;
use crate::domain::image_cache::spec::{ImageCacheChanges, ImageCacheSpec, NewImageCache};
use crate::domain::policy::Shape;

const DRY_RUN: &str = "dry_run_image_cache";

impl ImageCaches {
    /// Whether a create would be accepted at this moment. Nothing is recorded.
    pub async fn check_create(&self, caller: &Caller, new: &NewImageCache) -> Result<(), Error> {
        access::check(caller, DRY_RUN)?;
        new.check()?;
        self.cloud_accounts.check_region(&new.spec.region)?;
        let place = AccountChoice::Asked(new.cloud_account.as_deref());
        let ruling = self.policies.ruling(&caller.team, Some(&new.spec.region), place).await?;
        let (spec, _) = ruling.filled(&new.spec);
        self.check_case(caller, ruling.create(&spec), ruling.since()).await
    }

    /// Whether an update would be accepted at this moment. Nothing is recorded.
    pub async fn check_update(&self, caller: &Caller, id: CacheId, changes: &ImageCacheChanges) -> Result<(), Error> {
        access::check(caller, DRY_RUN)?;
        let cache = self.current(caller, id, &ChangeOptions::default()).await?;
        let spec = changes.apply(&cache.spec)?;
        check_updatable(cache.status)?;
        let ruling = self.policies.ruling(&caller.team, Some(&spec.region), AccountChoice::Of(&cache.account)).await?;
        self.check_case(caller, ruling.update(&cache.spec, &spec), ruling.since()).await
    }

    async fn check_case(&self, caller: &Caller, mut case: PolicyCase<'_>, since: Instant) -> Result<(), Error> {
        let holdings = self.base.store().holdings(&caller.team, since).await?;
        if case.admits(&holdings) { Ok(()) } else { Err(self.policies.refused(case.into_refusals())) }
    }

    /// What would happen to a create or an ensure of `new`.
    pub async fn dry_run_image_cache(&self, caller: &Caller, new: &NewImageCache) -> Result<DryRunView, Error> {
        access::check(caller, DRY_RUN)?;
        new.check()?;
        self.cloud_accounts.check_region(&new.spec.region)?;
        let (settings, place) = (self.base.settings(), AccountChoice::Asked(new.cloud_account.as_deref()));
        let ruling = self.policies.ruling(&caller.team, Some(&new.spec.region), place).await?;
        let (spec, filled_in) = ruling.filled(&new.spec);
        let holdings = self.base.store().holdings(&caller.team, ruling.since()).await?;
        let mut case = ruling.create(&spec);
        let allowed = case.admits(&holdings);
        let (prices, before) = (&settings.prices, holdings.usage(&settings.prices));
        let after = case.proposed_change().after(&before, prices);
        let cost = prices.is_set().then(|| prices.cost(&Shape::of(&spec), spec.retention_days));
        let refusals = case.into_refusals();
        let wanted = self.operations.new_cache(
            caller,
            &spec,
            &ruling.account,
            self.operations.named(&caller.team, None).operation,
        );
        let found = self.chosen(&self.base.store().same_content(&wanted).await?);
        let usually = self.base.store().usual_build(&caller.team, &spec.region).await?;
        let ensure_ready_at = match &found {
            Some((_, Ensured::Reused)) => self.base.now(),
            Some((cache, _)) => expected_at(cache, usually, self.base.now()),
            None => self.base.now() + usual(usually),
        };
        Ok(DryRunView {
            allowed,
            refusals: refusals.into_iter().map(Into::into).collect(),
            policy_source: ruling.source.as_str().to_owned(),
            contact: settings.policy_contact.clone(),
            filled_in: filled_in.into_iter().map(str::to_owned).collect(),
            used: AmountsView::used(&before, prices),
            used_after: AmountsView::used(&after, prices),
            limits: AmountsView::limits(&ruling.policy),
            cost: cost.map(|cost| CostView::of(&cost, &prices.currency)),
            expected_seconds: usual(usually).num_seconds(),
            ensure_outcome: found.as_ref().map_or(Ensured::Created, |(_, how)| *how).as_str().to_owned(),
            ensure_image_cache_id: found.map(|(cache, _)| cache.id.to_string()),
            ensure_ready_at,
            matches: self.matches_of(caller, &ruling.account, &spec).await?,
            image_cache: PlannedImageCacheView::of(ruling.account.clone(), spec),
        })
    }

    /// Which cache automatic matching would choose today, if every image can be parsed as a reference.
    async fn matches_of(
        &self,
        caller: &Caller,
        account: &str,
        spec: &ImageCacheSpec,
    ) -> Result<Option<crate::app::view::MatchView>, Error> {
        let question = MatchQuestion {
            account: Some(account.to_owned()),
            region: spec.region.to_string(),
            images: spec.images.clone(),
            ephemeral_storage_gib: None,
            full_match: false,
            minimum_matches: None,
        };
        match self.matched(caller, &question).await {
            Ok(found) => Ok(Some(found)),
            Err(Error::Invalid(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
