//! Checks that a cloud account's key belongs to the account at the cloud that holds its image caches.
//!
//! The cloud's answers about image caches do not name an account, and a key of another account sees no caches of ours.
//! So before a client is first used, STS is asked which account its credentials belong to. The account id is pinned
//! when it is first known. With credentials of another account nothing is sent, so nothing is believed, created or
//! deleted there: whatever needs the account waits, as for a disabled one, until it has a key of the right account
//! again, or an operator has confirmed the other one.
//!
//! What must stay true: every user of a client has passed [`CloudAccounts::check_owner`]. If STS cannot be reached,
//! everything goes on, and only the rule for mass vanishing ([`crate::app::vanishings`]) protects the records.
//!
//! [`super::clients`] calls it for each client that it hands out; readiness and the command line call it too. The
//! question to STS is in `eci::client`, the comparison in `domain::cloud_account::account_id`.

use super::is_same_key;
use crate::app::cloud_accounts::CloudAccounts;
use crate::app::{Call, Error, access};
use crate::domain::cloud_account::account_id::{ASK_AGAIN, AccountId, AccountVerdict, Mismatch, judge};
use crate::domain::event::EventType;
use crate::domain::failure::CallError;
use crate::domain::identity::caller::Caller;
use crate::domain::log_limit::LogLimit;
use crate::domain::problem::Code;
use crate::eci::{Client, CredentialOwner};
use crate::store::{PinnedIds, SealedAccount};

const ACCEPT: &str = "accept_cloud_account_id";

/// Limits how often foreign keys are logged.
static SAID: LogLimit = LogLimit::new();

impl CloudAccounts {
    /// Refuses a client whose credentials are known to belong to another account than the pinned one.
    ///
    /// # Errors
    /// `NotSent` if they do, so that nothing is sent with them. Also if the pinned id cannot be read and never was.
    pub(in crate::app) async fn check_owner(&self, account: &str, client: &Client) -> Result<(), CallError> {
        let name = account.to_owned();
        let asking = client.learn_owner(&self.base.settings().sts_endpoint, move |owner| tell(&name, owner));
        crate::app::admission::without_permit(asking).await;
        self.judge_owner(account, client).await
    }

    /// The same, using only what is already known about the owner.
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

    /// Pins the account to this id and returns what it is pinned to now. Nothing is pinned while too many of its caches
    /// are missing.
    async fn pin(&self, account: &str, id: &AccountId) -> Result<Option<AccountId>, Error> {
        let pinned = self.base.store().pin_id(account, id, self.base.now()).await?;
        if let Some(pinned) = &pinned {
            self.note_pinned(account, pinned);
        }
        Ok(pinned)
    }

    /// The accounts whose keys belong to another account at the cloud, in sentences for an operator.
    pub(in crate::app) async fn foreign_accounts(&self) -> Result<Vec<String>, Error> {
        Ok(self.mismatches().await?.iter().map(|(name, mismatch)| mismatch_message(name, mismatch)).collect())
    }

    /// The accounts whose keys this process knows to belong to another account at the cloud.
    pub(in crate::app) async fn mismatches(&self) -> Result<Vec<(String, Mismatch)>, Error> {
        let (pinned, added) = (self.pinned_ids().await?, self.added_accounts(None).await?);
        let own = &self.base.settings().account;
        let added = added.iter().filter(|(name, _)| *name != own);
        let added = added.filter_map(|(name, known)| Some((name, known.client().ok()?)));
        let all = std::iter::once((own, &self.client)).chain(added);
        Ok(all.filter_map(|(name, client)| Some((name.clone(), foreign(&pinned, name, client)?))).collect())
    }

    /// Refuses to store an account whose new key is known to belong to another account than the pinned one.
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
        // If STS cannot be asked now, it is asked before the key is used.
        let found = crate::app::admission::without_permit(client.ask_owner(&self.base.settings().sts_endpoint)).await;
        let AccountVerdict::Foreign(Mismatch { pinned, found }) = judge(Some(&pinned), found.as_ref().ok()) else {
            return Ok(());
        };
        let detail = format!(
            "the image caches of the cloud account {name} are in the cloud's account {pinned}, but this key belongs \
             to the account {found}; if that is intended, the operator must first run: accept-account --account \
             {name} --id {found}"
        );
        Err(Error::Conflict { code: Code::CloudAccountMismatch, detail })
    }

    /// An operator says which account at the cloud a cloud account stands for from now on: the given one, or the owner
    /// of its current key. Returns a sentence about what was accepted.
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

    /// The owner of an account's key.
    async fn owner_of(&self, account: &str) -> Result<AccountId, Error> {
        let unasked = |fault: CallError| {
            let detail =
                format!("could not determine the owner of the key of {account}: {fault}; pass the number with --id");
            Error::Conflict { code: Code::CloudAccountUnasked, detail }
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

/// A sentence for the operator: what was found, and what to do.
fn mismatch_message(account: &str, mismatch: &Mismatch) -> String {
    let Mismatch { pinned, found } = mismatch;
    format!(
        "cloud account {account}: {mismatch}; nothing is sent with it, and nothing read with it is trusted, until it \
         has a key of {pinned} again or `accept-account --account {account}` confirms {found}"
    )
}

/// Logs the owner once for each new answer.
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
