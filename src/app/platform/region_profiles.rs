//! Region profiles, as the platform's administrators manage them.

use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::platform::Platform;
use crate::app::precondition::Precondition;
use crate::app::precondition::moved;
use crate::app::view::RegionProfileView;
use crate::app::{Call, Error, access};
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::caller::Caller;
use crate::domain::policy::{ProfileId, RegionProfile};

const PUT: &str = "put_region_profile";
const DELETE: &str = "delete_region_profile";

impl Platform {
    /// The profiles, by account and region.
    pub async fn list_region_profiles(&self, caller: &Caller, page: &Page) -> Result<Slice<RegionProfileView>, Error> {
        access::check(caller, "list_region_profiles")?;
        let list = CursorList::new(&self.base, caller, "region_profiles", &());
        let after = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let profiles = self.base.store().region_profiles(after.as_ref(), one_more(page)).await?;
        Ok(list.slice(profiles, page, |profile| profile.id.to_string()))
    }

    /// One profile.
    pub async fn get_region_profile(&self, caller: &Caller, id: &ProfileId) -> Result<RegionProfileView, Error> {
        access::check(caller, "get_region_profile")?;
        let profile = self.base.store().region_profile(id).await?;
        profile.map(Into::into).ok_or(Error::NotFound("region profile"))
    }

    /// Writes a whole profile; `profile.version` is set here. Applies to creates that are recorded from now on.
    pub async fn put_region_profile(
        &self,
        caller: &Caller,
        call: &Call,
        profile: RegionProfile,
        precondition: &Precondition,
    ) -> Result<RegionProfileView, Error> {
        access::check(caller, PUT)?;
        profile.check()?;
        let current = self.base.store().region_profile(&profile.id).await?.map_or(0, |profile| profile.version);
        precondition.check(current)?;
        let profile = RegionProfile { version: current, updated_at: self.base.now(), ..profile };
        let entry = self.base.admin_entry(caller, call, PUT, &profile.id.to_string());
        if !self.base.store().put_region_profile(&profile, &entry).await? {
            return Err(moved());
        }
        call.set_audited();
        Ok(RegionProfile { version: current + 1, ..profile }.into())
    }

    /// Deletes a profile: no defaults are filled in for its account and region any more.
    pub async fn delete_region_profile(
        &self,
        caller: &Caller,
        call: &Call,
        id: &ProfileId,
        precondition: &Precondition,
    ) -> Result<(), Error> {
        access::check(caller, DELETE)?;
        let found = self.base.store().region_profile(id).await?.ok_or(Error::NotFound("region profile"))?;
        precondition.check(found.version)?;
        let entry = self.base.admin_entry(caller, call, DELETE, &id.to_string());
        if !self.base.store().remove_region_profile(id, found.version, &entry).await? {
            return Err(moved());
        }
        call.set_audited();
        Ok(())
    }
}
