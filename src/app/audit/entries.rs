//! Reads of audit entries, by teams and by the platform.

use super::{any_audit, audit_reach};
use crate::app::audit::Audit;
use crate::app::cursor::{CursorList, one_more, unreadable};
use crate::app::view::AuditEntryView;
use crate::app::{Error, access};
use crate::domain::filter::{AuditFilter, Page, Slice};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::AuditId;

impl Audit {
    /// The team's audit entries, newest first.
    pub async fn list_audit_entries(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        page: &Page,
    ) -> Result<Slice<AuditEntryView>, Error> {
        access::check(caller, "list_audit_entries")?;
        let list = CursorList::new(&self.base, caller, "audit_entries", filter);
        let before = list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()?;
        let entries =
            self.base.store().audit_entries(&audit_reach(caller, filter)?, filter, before, one_more(page)).await?;
        let judged = self.judged(entries).await?;
        Ok(list.slice(judged, page, |judged| judged.found.number.to_string()))
    }

    /// One audit entry of the team.
    pub async fn get_audit_entry(&self, caller: &Caller, id: AuditId) -> Result<AuditEntryView, Error> {
        access::check(caller, "get_audit_entry")?;
        let entry = self.base.store().audit_entry(&any_audit(caller), id).await?;
        let judged = self.judged(Vec::from_iter(entry)).await?;
        judged.into_iter().next().map(Into::into).ok_or(Error::NotFound("audit entry"))
    }
}
