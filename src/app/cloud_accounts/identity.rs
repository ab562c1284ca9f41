//! Whether a cloud account's key is of the account of the cloud that its image caches are in.
//!
//! The answers about image caches name no account, and with the key of another one they show nothing. So STS is asked
//! whose the credentials are before a client is first used. The number is pinned when it is first known; with
//! credentials of another one nothing is sent, so that nothing is believed, made or removed there: what is for the
//! account waits, as for one that is disabled, until it has a key of the right one again or an operator has said that
//! the other is meant.
//!
//! What must stay true: whoever uses a client has come by [`CloudAccounts::check_owner`]; where STS cannot be asked
//! everything goes on, and the rule of mass vanishing ([`crate::app::vanishings`]) is what is left.
//!
//! Who calls it: [`super::clients`] for each client that it gives away, readiness, the command line. What it does not
//! do: ask by itself (`eci::client`), or compare (`domain::account_id`).

use super::is_same_key;
use crate::app::cloud_accounts::CloudAccounts;
use crate::app::{Call, Error, access};
use crate::domain::cloud_account::account_id::{ASK_AGAIN, AccountId, AccountVerdict, Mismatch, judge};
use crate::domain::event::EventType;
use crate::domain::failure::CallError;
use crate::domain::identity::caller::Caller;
use crate::domain::log_limit::LogLimit;
use crate::eci::{Client, CredentialOwner};
use crate::store::{PinnedIds, SealedAccount};

const ACCEPT: &str = "accept_cloud_account_id";

/// Which foreign keys were told of.
static SAID: LogLimit = LogLimit::new();

impl CloudAccounts {
    /// Refuses a client whose credentials are known to be of another account than the one that is pinned.
    ///
    /// # Errors
    /// `NotSent`: nothing is sent with them. Also where it cannot be read what is pinned, and never was.
    pub(in crate::app) async fn check_owner(&self, account: &str, client: &Client) -> Result<(), CallError> {
        let name = account.to_owned();
        let asking = client.learn_owner(&self.base.settings().sts_endpoint, move |owner| tell(&name, owner));
        crate::app::admission::without_permit(asking).await;
        self.judge_owner(account, client).await
    }

    /// The same by what is known of it.
    pub(in crate::app) async fn judge_owner(&self, account: &str, client: &Client) -> Result<(), CallError> {
        let owner = client.owner();
        let Some(found) = owner.id() else { return Ok(()) };
        let pinned = self.pinned_ids().await.map_err(|error| unread(&error))?;
        let verdict = match judge(pinned.get(account), Some(found)) {
            AccountVerdict::Unpinned(id) => {
                judge(self.pin(account, &id).await.map_err(|error| unread(&error))?.as_ref(), Some(found))
            }
            judged => judged,
        };
        let AccountVerdict::Foreign(mismatch) = verdict else {
            note_foreign(account, false);
            return Ok(());
        };
        note_foreign(account, true);
        let cause = format!("{account} {}", mismatch.found);
        if let Some(left_out) = SAID.may(&cause, std::time::Instant::now()) {
            tracing::error!(left_out, "{}", mismatch_message(account, &mismatch));
        }
        Err(CallError::NotSent(mismatch.to_string()))
    }

    /// What it is pinned to from now on: nothing, while too much of it is missing.
    async fn pin(&self, account: &str, id: &AccountId) -> Result<Option<AccountId>, Error> {
        let pinned = self.base.store().pin_id(account, id, self.base.now()).await?;
        if let Some(pinned) = &pinned {
            self.note_pinned(account, pinned);
        }
        Ok(pinned)
    }

    /// The accounts whose keys are of another account of the cloud, in sentences for an operator.
    pub(in crate::app) async fn foreign_accounts(&self) -> Result<Vec<String>, Error> {
        Ok(self.mismatches().await?.iter().map(|(name, mismatch)| mismatch_message(name, mismatch)).collect())
    }

    /// The accounts whose keys this process knows to be of another account of the cloud.
    pub(in crate::app) async fn mismatches(&self) -> Result<Vec<(String, Mismatch)>, Error> {
        let (pinned, added) = (self.pinned_ids().await?, self.added_accounts(None).await?);
        let own = &self.base.settings().account;
        let added = added.iter().filter(|(name, _)| *name != own);
        let added = added.filter_map(|(name, known)| Some((name, known.client().ok()?)));
        let all = std::iter::once((own, &self.client)).chain(added);
        Ok(all.filter_map(|(name, client)| Some((name.clone(), foreign(&pinned, name, client)?))).collect())
    }

    /// Refuses to write an account whose new key is known to be of another account than the one that is pinned.
    pub(in crate::app) async fn check_new_owner(
        &self,
        sealed: &SealedAccount,
        before: Option<&SealedAccount>,
    ) -> Result<(), Error> {
        let unused = sealed.account.disabled_at.is_some();
        if unused || before.is_some_and(|before| is_same_key(sealed, before)) {
            return Ok(());
        }
        let name = sealed.account.name.as_str();
        let Some(pinned) = self.base.store().pinned_ids().await?.remove(name) else { return Ok(()) };
        let Ok(client) = self.client_of(sealed) else { return Ok(()) };
        // Where it cannot be asked now, it is asked before the key is used.
        let found = crate::app::admission::without_permit(client.ask_owner(&self.base.settings().sts_endpoint)).await;
        let AccountVerdict::Foreign(Mismatch { pinned, found }) = judge(Some(&pinned), found.as_ref().ok()) else {
            return Ok(());
        };
        let detail = format!(
            "the image caches of the cloud account {name} are in the cloud's account {pinned}, but this key belongs \
             to the account {found}; if that is intended, the operator must first run: accept-account --account \
             {name} --id {found}"
        );
        Err(Error::Conflict { code: "cloud_account_mismatch", detail })
    }

    /// An operator says which account of the cloud a cloud account stands for from now on: this one, or that of the key
    /// which it has. Tells what was accepted.
    pub async fn accept_account(
        &self,
        caller: &Caller,
        call: &Call,
        account: &str,
        id: Option<AccountId>,
    ) -> Result<String, Error> {
        access::check(caller, "put_cloud_account")?;
        let is_known =
            account == self.base.settings().account || self.added_accounts(Some(account)).await?.contains_key(account);
        if !is_known {
            return Err(Error::NotFound("cloud account"));
        }
        let id = match id {
            Some(id) => id,
            None => self.owner_of(account).await?,
        };
        let before = self.base.store().pinned_ids().await?.remove(account);
        let mut entry = self.base.admin_entry(caller, call, ACCEPT, account);
        entry.team = None;
        let mut keep = |name: &str, value: String| entry.parameters.insert(name.to_owned(), value);
        keep("cloud_account", account.to_owned());
        keep("account_id", id.to_string());
        if let Some(before) = &before {
            keep("account_id_before", before.to_string());
        }
        let told = self.platform_events.platform_events(EventType::CloudAccountChanged, &entry).await?;
        self.base.store().pin_id_anew(account, &id, self.base.now(), &told, &entry).await?;
        self.accounts_changed();
        let before = before.map(|before| format!(" (before: {before})")).unwrap_or_default();
        Ok(format!("the image caches of {account} are in the cloud's account {id}{before}"))
    }

    /// Whose the key is that an account has.
    async fn owner_of(&self, account: &str) -> Result<AccountId, Error> {
        let unasked = |fault: CallError| {
            let detail =
                format!("could not determine the owner of the key of {account}: {fault}; pass the number with --id");
            Error::Conflict { code: "cloud_account_unasked", detail }
        };
        let client = self.client_at(account).await.map_err(unasked)?;
        client.ask_owner(&self.base.settings().sts_endpoint).await.map_err(unasked)
    }
}

fn foreign(pinned: &PinnedIds, account: &str, client: &Client) -> Option<Mismatch> {
    match judge(pinned.get(account), client.owner().id()) {
        AccountVerdict::Foreign(mismatch) => Some(mismatch),
        AccountVerdict::Same | AccountVerdict::Unknown | AccountVerdict::Unpinned(_) => None,
    }
}

/// What was found, and how it goes on.
fn mismatch_message(account: &str, mismatch: &Mismatch) -> String {
    let Mismatch { pinned, found } = mismatch;
    format!(
        "cloud account {account}: {mismatch}; nothing is sent with it, and nothing read with it is trusted, until it \
         has a key of {pinned} again or `accept-account --account {account}` confirms {found}"
    )
}

/// Said once for each answer that is new.
fn tell(account: &str, owner: &CredentialOwner) {
    match owner {
        CredentialOwner::Known(id) => {
            tracing::info!(account, account_id = %id, "identified the owner of the cloud account's key");
        }
        CredentialOwner::Unknown { why, .. } => tracing::warn!(
            account,
            why,
            again_in_seconds = ASK_AGAIN.num_seconds(),
            "STS does not report the owner of the cloud account's key (ECG_CLOUD_STS_ENDPOINT): continuing without \
             this check"
        ),
        CredentialOwner::Unasked => {}
    }
}

fn unread(error: &Error) -> CallError {
    tracing::debug!(
        error = error as &dyn std::error::Error,
        "could not read the account ids that the cloud accounts \
        are pinned to"
    );
    CallError::NotSent("could not read which account of the cloud this one is".to_owned())
}

fn note_foreign(account: &str, foreign: bool) {
    metrics::gauge!("ecg_cloud_account_foreign", "account" => account.to_owned()).set(f64::from(u8::from(foreign)));
}
