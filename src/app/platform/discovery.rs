//! What a client has to know before it can ask: the regions that the caller's team may use.

use std::collections::BTreeSet;

use super::Platform;
use super::policy::AccountChoice;
use crate::app::view::{RegionListView, RegionView};
use crate::app::{Error, access};
use crate::domain::identity::caller::Caller;
use crate::domain::region::Region;

impl Platform {
    /// The regions that the operator or the team's policy names, each with whether the team may use it.
    pub async fn list_regions(&self, caller: &Caller) -> Result<RegionListView, Error> {
        access::check(caller, "list_regions")?;
        let settings = self.base.settings();
        let ruling = self.policies.ruling(&caller.team, None, AccountChoice::Of(&settings.account)).await?;
        let (offered, allowed) = (&settings.regions, ruling.policy.regions.as_deref());
        let known: BTreeSet<&Region> = offered.iter().chain(allowed.into_iter().flatten()).collect();
        let may = |region: &Region| {
            (offered.is_empty() || offered.contains(region)) && allowed.is_none_or(|all| all.contains(region))
        };
        let items = known.into_iter().map(|region| RegionView { id: region.to_string(), allowed: may(region) });
        Ok(RegionListView { items: items.collect(), others_allowed: offered.is_empty() && allowed.is_none() })
    }
}
