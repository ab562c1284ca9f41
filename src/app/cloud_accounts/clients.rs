//! The cloud clients, one per cloud account: the account from the settings, and those that an administrator added.
//!
//! What must stay true: nothing is ever sent with another account's keys. An account that was deleted, is disabled or
//! cannot be decrypted has no client, nor does one whose key belongs to another account at the cloud
//! ([`super::identity`]); whatever needs such a client waits. The table is read at most once a second, and also when a
//! name is asked for that is not in memory. So a change made through another gateway takes effect here within a second;
//! a change made here calls `forget_accounts` or `note_pinned`. While the database is unavailable, the last known
//! accounts are used.
//!
//! Everything that calls the cloud uses this module. It does not decide who may use which account
//! ([`crate::app::platform::policy`]), nor change accounts ([`crate::app::cloud_accounts`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Duration;
use secrecy::{ExposeSecret as _, SecretString};

use crate::app::Error;
use crate::app::cloud_accounts::CloudAccounts;
use crate::crypto::seal::OpenError;
use crate::domain::clock::Instant;
use crate::domain::cloud_account::CloudAccount;
use crate::domain::cloud_account::account_id::AccountId;
use crate::domain::failure::CallError;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::operation::Operation;
use crate::domain::region::Region;
use crate::eci::{BuildError, Client, CredentialSource, Credentials, Role};
use crate::store::{ACCOUNT_EXTERNAL, ACCOUNT_SECRET, PinnedIds, SealedAccount};

/// How long a reading of the table is used before the table is read again.
const GOOD_FOR: Duration = Duration::seconds(1);

/// The added accounts by name, as last read.
pub(in crate::app) type AccountsByName = BTreeMap<String, Arc<KnownAccount>>;

/// The accounts table as last read.
#[derive(Debug, Default)]
pub(in crate::app) struct Accounts {
    by_name: Arc<AccountsByName>,
    /// The cloud's account id of each account, including the one from the settings.
    pinned: Arc<PinnedIds>,
    /// When the table was last read, or when a reading started. Others use the previous values until it is finished.
    taken_at: Option<Instant>,
    /// Counts the changes made in this process: a reading that started before a change is discarded.
    changes: u64,
}

/// An added account and its client.
#[derive(Debug)]
pub(in crate::app) struct KnownAccount {
    sealed: SealedAccount,
    client: Result<Client, UnusableAccount>,
}

/// Why nothing can be sent with an account.
#[derive(Debug, thiserror::Error)]
pub(in crate::app) enum UnusableAccount {
    /// An administrator disabled it.
    #[error("the cloud account is disabled")]
    Disabled,
    /// Its secrets were encrypted with another master key, or were altered.
    #[error("the secrets of the cloud account cannot be decrypted: {0}")]
    Sealed(#[from] OpenError),
    /// A secret is not valid UTF-8.
    #[error("a secret of the cloud account is no text")]
    NoText,
    /// The settings do not allow calls to its endpoint.
    #[error("the cloud account's api_endpoint must {0}")]
    Foreign(String),
    /// No client can be built for it: its address is not valid.
    #[error("the cloud account cannot be used: {0}")]
    Built(#[from] BuildError),
}

impl KnownAccount {
    /// The client, or why there is none.
    pub(in crate::app) fn client(&self) -> Result<&Client, String> {
        self.client.as_ref().map_err(ToString::to_string)
    }

    /// The account as it was configured.
    pub(in crate::app) fn account(&self) -> &CloudAccount {
        &self.sealed.account
    }
}

impl CloudAccounts {
    /// What an unfinished operation is waiting for, apart from its turn.
    pub(in crate::app) async fn waits_for(&self, operation: &Operation) -> Result<Option<&'static str>, Error> {
        if operation.state.is_over() {
            return Ok(None);
        }
        let Some(cache) = self.base.store().image_cache(&operation.team, operation.cache).await? else {
            return Ok(None);
        };
        Ok(match self.client_known(&cache.account).await {
            Err(_) => Some("cloud_account"),
            Ok(cloud) => cloud.lacks_credentials().then_some("cloud_credentials"),
        })
    }

    /// Refuses a region that the operator does not offer.
    pub(in crate::app) fn check_region(&self, region: &Region) -> Result<(), Error> {
        let allowed = &self.base.settings().regions;
        if allowed.is_empty() || allowed.contains(region) {
            return Ok(());
        }
        let names: Vec<&str> = allowed.iter().map(Region::as_str).collect();
        let detail = format!("must be one of {}", names.join(", "));
        Err(Error::Invalid(vec![FieldError::new("/region", FieldCode::NotAllowed, detail)]))
    }

    /// The client of an account.
    ///
    /// # Errors
    /// `NotSent` if the account has no client: it is disabled, unknown, cannot be decrypted, or is another account at
    /// the cloud. What needs the client waits.
    pub(in crate::app) async fn cloud_of(&self, account: &str) -> Result<Client, CallError> {
        let client = self.client_at(account).await?;
        self.check_owner(account, &client).await?;
        Ok(client)
    }

    /// Like `cloud_of`, but uses only what is already known about the owner of the key and does not ask the
    /// cloud.
    pub(in crate::app) async fn client_known(&self, account: &str) -> Result<Client, CallError> {
        let client = self.client_at(account).await?;
        self.judge_owner(account, &client).await?;
        Ok(client)
    }

    /// Like `cloud_of`, but does not check the owner of the key.
    pub(in crate::app) async fn client_at(&self, account: &str) -> Result<Client, CallError> {
        if account == self.base.settings().account {
            return Ok(self.client.clone());
        }
        let known = match self.added_accounts(Some(account)).await {
            Ok(known) => known,
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "could not read the cloud accounts");
                Arc::clone(&self.accounts().by_name)
            }
        };
        match known.get(account).map(|known| &known.client) {
            Some(Ok(client)) => Ok(client.clone()),
            Some(Err(why)) => Err(CallError::NotSent(why.to_string())),
            None => Err(CallError::NotSent("the cloud account is not known".to_owned())),
        }
    }

    /// The cloud's account id of each account. While the database is unavailable, the ids that were read last.
    pub(in crate::app) async fn pinned_ids(&self) -> Result<Arc<PinnedIds>, Error> {
        match self.accounts_read(None).await {
            Ok((_, pinned)) => Ok(pinned),
            Err(error) => {
                let known = self.accounts();
                if known.taken_at.is_some() { Ok(Arc::clone(&known.pinned)) } else { Err(error) }
            }
        }
    }

    /// The added accounts. Reads the table again if `wanted` is not among them.
    pub(in crate::app) async fn added_accounts(&self, wanted: Option<&str>) -> Result<Arc<AccountsByName>, Error> {
        Ok(self.accounts_read(wanted).await?.0)
    }

    async fn accounts_read(&self, wanted: Option<&str>) -> Result<(Arc<AccountsByName>, Arc<PinnedIds>), Error> {
        let now = self.base.now();
        let changes = {
            let mut known = self.accounts();
            let fresh = known.taken_at.is_some_and(|at| (now - at).abs() < GOOD_FOR);
            if fresh && wanted.is_none_or(|name| known.by_name.contains_key(name)) {
                return Ok((Arc::clone(&known.by_name), Arc::clone(&known.pinned)));
            }
            // During the first reading there is nothing to use instead, so everybody reads.
            known.taken_at = known.taken_at.map(|_| now);
            known.changes
        };
        // Not while holding the lock: a slow database must not block those who can use the previous values.
        let (read, pinned) =
            (self.base.store().cloud_accounts().await?, Arc::new(self.base.store().pinned_ids().await?));
        let before = Arc::clone(&self.accounts().by_name);
        let next = Arc::new(self.known_from(read, &before));
        let mut known = self.accounts();
        if known.changes == changes {
            (known.by_name, known.pinned, known.taken_at) = (Arc::clone(&next), Arc::clone(&pinned), Some(now));
        }
        Ok((next, pinned))
    }

    /// Every (account, region) where accounts may be used. These are compared with the cloud even if nothing was
    /// created there yet.
    pub(in crate::app) async fn places(&self) -> Result<Vec<(String, Region)>, Error> {
        let settings = self.base.settings();
        let own = settings.regions.iter().map(|region| (settings.account.clone(), region.clone()));
        let added = self.added_accounts(None).await?;
        let added = added.iter().filter(|(name, known)| **name != settings.account && known.client.is_ok());
        let added = added.flat_map(|(name, known)| {
            let regions = if known.account().regions.is_empty() { &settings.regions } else { &known.account().regions };
            regions.iter().map(|region| (name.clone(), region.clone()))
        });
        Ok(own.chain(added).collect())
    }

    /// The accounts in which operations can be carried out. `None` if no account was added, so that there is nothing to
    /// tell apart.
    pub(in crate::app) async fn several_accounts(&self) -> Result<Option<Vec<String>>, Error> {
        let added = self.added_accounts(None).await?;
        let own = &self.base.settings().account;
        let usable = added.iter().filter(|(name, known)| *name != own && known.client.is_ok());
        let names = usable.map(|(name, _)| name.clone());
        Ok((!added.is_empty()).then(|| std::iter::once(own.clone()).chain(names).collect()))
    }

    /// Remembers the id that an account was just pinned to; the next reading will find it in the table as well.
    pub(in crate::app) fn note_pinned(&self, account: &str, id: &AccountId) {
        let mut known = self.accounts();
        Arc::make_mut(&mut known.pinned).insert(account.to_owned(), id.clone());
        known.changes += 1;
    }

    /// Invalidates the accounts in memory: the next caller reads the table.
    pub(in crate::app) fn forget_accounts(&self) {
        let mut known = self.accounts();
        known.taken_at = None;
        known.changes += 1;
    }

    /// Builds the accounts from a reading. Clients that did not change are reused, because they may hold a session.
    fn known_from(&self, read: Vec<SealedAccount>, before: &AccountsByName) -> AccountsByName {
        let known = |sealed: SealedAccount| match before.get(sealed.account.name.as_str()) {
            Some(known) if known.sealed == sealed => Arc::clone(known),
            _ => Arc::new(self.known_account(sealed)),
        };
        let next: AccountsByName =
            read.into_iter().map(|sealed| (sealed.account.name.to_string(), known(sealed))).collect();
        for gone in before.keys().filter(|name| !next.contains_key(*name)) {
            note_usable(gone, false);
        }
        next
    }

    fn known_account(&self, sealed: SealedAccount) -> KnownAccount {
        let name = sealed.account.name.as_str();
        let client = match sealed.account.disabled_at {
            Some(_) => Err(UnusableAccount::Disabled),
            None => self.client_of(&sealed),
        };
        match &client {
            Ok(_) => tracing::info!(account = name, version = sealed.account.version, "a cloud account is in use"),
            Err(why) => {
                tracing::warn!(account = name, why = %why, "a cloud account is not usable: operations in it wait");
            }
        }
        note_usable(name, client.is_ok());
        KnownAccount { sealed, client }
    }

    /// Builds the client of an account from its sealed secrets.
    pub(in crate::app) fn client_of(&self, sealed: &SealedAccount) -> Result<Client, UnusableAccount> {
        let account = &sealed.account;
        if let Some(endpoint) = &account.endpoint {
            self.base.settings().account_endpoints.judge(endpoint).map_err(UnusableAccount::Foreign)?;
        }
        let own = Credentials {
            access_key_id: account.access_key_id.clone(),
            access_key_secret: self.open_account(&sealed.secret, ACCOUNT_SECRET, account)?,
            security_token: None,
        };
        let Some(role) = &account.role else {
            return Ok(self.client.of_account(account.endpoint.clone(), CredentialSource::Own(own))?);
        };
        let external = sealed.external_id.as_ref();
        let role = Role {
            arn: role.arn.clone(),
            session: role.session.clone(),
            lasts: std::time::Duration::from_secs(u64::try_from(role.seconds).unwrap_or_default()),
            external_id: external.map(|id| self.open_account(id, ACCOUNT_EXTERNAL, account)).transpose()?,
            endpoint: self.base.settings().sts_endpoint.clone(),
        };
        Ok(self.client.of_account(account.endpoint.clone(), CredentialSource::Assumed(own, role))?)
    }

    pub(in crate::app) fn open_account(
        &self,
        sealed: &[u8],
        context: &str,
        account: &CloudAccount,
    ) -> Result<SecretString, UnusableAccount> {
        let plain = self.base.sealer().open(sealed, &format!("{context}{}", account.name))?;
        let text = std::str::from_utf8(plain.expose_secret()).map_err(|_| UnusableAccount::NoText)?;
        Ok(SecretString::from(text))
    }
}

fn note_usable(account: &str, usable: bool) {
    metrics::gauge!("ecg_cloud_account_usable", "account" => account.to_owned()).set(f64::from(u8::from(usable)));
}
