//! The one change to a cloud account that does not rewrite it: whether anything is sent with it. Somebody who finds the
//! key in the wrong hands can disable the account at once without losing any of its settings.

use secrecy::ExposeSecret as _;

use crate::app::cloud_accounts::CloudAccounts;
use crate::app::input::NewCloudAccount;
use crate::app::precondition::Precondition;
use crate::app::precondition::moved;
use crate::app::view::CloudAccountView;
use crate::app::{Call, Error, access};
use crate::domain::cloud_account::AccountName;
use crate::domain::event::EventType;
use crate::domain::identity::caller::Caller;
use crate::store::{ACCOUNT_EXTERNAL, SealedAccount, once_committed};

const UPDATE: &str = "update_cloud_account";

impl CloudAccounts {
    /// Disables or enables an account; with no value given, it stays as it is.
    pub async fn update_cloud_account(
        &self,
        caller: &Caller,
        call: &Call,
        name: &AccountName,
        disabled: Option<bool>,
        precondition: &Precondition,
    ) -> Result<CloudAccountView, Error> {
        access::check(caller, UPDATE)?;
        self.check_ours(name)?;
        let mut sealed = self.base.store().cloud_account(name).await?.ok_or(Error::NotFound("cloud account"))?;
        precondition.check(sealed.account.version)?;
        let now = self.base.now();
        if let Some(disabled) = disabled {
            sealed.account.disabled_at = disabled.then(|| sealed.account.disabled_at.unwrap_or(now));
        }
        sealed.account.updated_at = now;
        let entry = self.base.admin_entry(caller, call, UPDATE, name.as_str());
        let told = self.platform_events.platform_events(EventType::CloudAccountChanged, &entry).await?;
        if !self.base.store().put_cloud_account(&sealed, &told, &entry).await? {
            return Err(moved());
        }
        call.set_audited();
        let accounts = self.clone();
        once_committed(async move { accounts.accounts_changed() }).await;
        sealed.account.version += 1;
        Ok(self.account_view(&sealed))
    }

    /// Whether the given external id differs from the stored one. Somebody who guesses gets one guess per request.
    pub(super) fn is_other_external(&self, new: &NewCloudAccount, before: &SealedAccount) -> bool {
        let Some(given) = new.role.as_ref().and_then(|role| role.external_id.as_ref()) else { return false };
        let given = given.expose_secret();
        let Some(sealed) = &before.external_id else { return !given.is_empty() };
        let stored = self.open_account(sealed, ACCOUNT_EXTERNAL, &before.account);
        stored.map_or(true, |stored| stored.expose_secret() != given)
    }
}
