//! A team's image caches in the cloud's terms, for the RPC API: found by the cloud's id, listed by the cloud's filters,
//! and counted beside the cloud's quota.

use crate::app::admission::without_permit;
use crate::app::cursor::{CursorList, unreadable};
use crate::app::image_caches::ImageCaches;
use crate::app::platform::policy::AccountChoice;
use crate::app::view::AccountUsage;
use crate::app::{Error, access};
use crate::domain::failure::CallError;
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::filter::{DescribeFilter, Page};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::status::Status;
use crate::domain::image_ref::ImageRef;
use crate::domain::matching::matching_caches;
use crate::domain::problem::Code;
use crate::domain::region::Region;

/// The most caches that are compared with images: the newest ones.
const MAX_WEIGHED: i64 = 1_000;

/// One page of caches.
#[derive(Debug)]
pub struct CachePage {
    /// The caches, newest first.
    pub caches: Vec<ImageCache>,
    /// The token of the next page; `None` at the end.
    pub next_token: Option<String>,
    /// The number of caches on all pages.
    pub total: i64,
}

impl ImageCaches {
    /// The team's cache with this cloud id. A cache that is being deleted no longer counts, as at the cloud.
    pub async fn find_image_cache(
        &self,
        caller: &Caller,
        region: &Region,
        eci_cache_id: &str,
    ) -> Result<CacheId, Error> {
        let cache = self.base.store().image_cache_of_cloud(&caller.team, region, eci_cache_id).await?;
        cache.map(|cache| cache.id).ok_or(Error::NotFound("image cache"))
    }

    /// The team's caches that the cloud would list too, by the cloud's filters.
    pub async fn describe_image_caches(&self, caller: &Caller, filter: &DescribeFilter) -> Result<CachePage, Error> {
        access::check(caller, "list_image_caches")?;
        // The page size may change between pages, the filters may not.
        let bound = DescribeFilter { limit: 0, next_token: None, ..filter.clone() };
        let page = Page { limit: filter.limit, cursor: filter.next_token.clone() };
        let list = CursorList::new(&self.base, caller, "described", &bound);
        let place = list.place(&page)?;
        if !filter.match_images.is_empty() {
            let from = place.map_or(Ok(0), |place| place.parse()).map_err(|_| unreadable())?;
            return self.matching_caches(caller, filter, &list, from).await;
        }
        let before = place.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let (caches, total) =
            self.base.store().described(&caller.team, filter, before, i64::from(filter.limit) + 1).await?;
        let slice = list.slice(caches, &page, |cache| cache.id.uuid().to_string());
        Ok(CachePage { caches: slice.items, next_token: slice.next_cursor, total })
    }

    /// The caches that match the images best, best first: one page, starting at position `from`.
    async fn matching_caches(
        &self,
        caller: &Caller,
        filter: &DescribeFilter,
        list: &CursorList<'_>,
        from: usize,
    ) -> Result<CachePage, Error> {
        let images = references(&filter.match_images)?;
        let (mut caches, _) = self.base.store().described(&caller.team, filter, None, MAX_WEIGHED).await?;
        // A cache that is not ready is of no use to an instance.
        caches.retain(|cache| cache.status == Status::Ready);
        let count = filter.image_match_count.and_then(|count| usize::try_from(count).ok());
        let best = matching_caches(&caches, &images, filter.image_full_match, count);
        let end = from.saturating_add(usize::try_from(filter.limit).unwrap_or(usize::MAX)).min(best.len());
        let page = best.get(from..end).unwrap_or_default();
        Ok(CachePage {
            caches: page.iter().copied().cloned().collect(),
            next_token: (end < best.len()).then(|| list.write(&end.to_string())),
            total: i64::try_from(best.len()).unwrap_or(i64::MAX),
        })
    }

    /// The account's quota as the cloud reports it now, and what the team has.
    pub async fn list_usage(
        &self,
        caller: &Caller,
        account: Option<&str>,
        region: Option<Region>,
    ) -> Result<AccountUsage, Error> {
        access::check(caller, "list_usage")?;
        let given = region.or_else(|| self.base.settings().regions.first().cloned());
        let region = given
            .ok_or_else(|| Error::Invalid(vec![FieldError::new("/region", FieldCode::Required, "must be given")]))?;
        self.cloud_accounts.check_region(&region)?;
        let ruling = self.policies.ruling(&caller.team, Some(&region), AccountChoice::Asked(account)).await?;
        ruling.check_account()?;
        let account = ruling.account;
        let team = self.base.store().team_usage(&caller.team, &account, &region).await?;
        let cloud = self.cloud_accounts.cloud_of(&account).await.map_err(cloud_fault)?;
        let attributes = without_permit(cloud.list_usage(&region)).await.map_err(cloud_fault)?;
        Ok(AccountUsage { account, attributes, team })
    }
}

/// The images that were asked for, or everything that is wrong with them.
fn references(texts: &[String]) -> Result<Vec<ImageRef>, Error> {
    let (mut images, mut findings) = (Vec::new(), Findings::default());
    for (place, text) in (1..).zip(texts) {
        match text.parse::<ImageRef>() {
            Ok(image) => images.push(image),
            Err(error) => findings.require(false, format!("MatchImage.{place}"), FieldCode::Invalid, error.to_string()),
        }
    }
    findings.into_result()?;
    Ok(images)
}

/// Converts an error from a read at the cloud.
fn cloud_fault(fault: CallError) -> Error {
    tracing::warn!(fault = %fault, "could not read from the cloud");
    match fault {
        CallError::Refused(error) | CallError::Throttled(error) => Error::CloudRefused { error, operation: None },
        CallError::NotSent(_) | CallError::Unknown(_) => {
            let detail = "the cloud is currently unreachable";
            Error::Unavailable { code: Code::CloudUnavailable, detail, retry_after_seconds: 5 }
        }
    }
}
