//! Cloud accounts, as the platform's administrators manage them.
//!
//! What must stay true: secrets are encrypted before they are stored, and never returned; the account from the settings
//! can be read but not changed; an account that holds image caches is not deleted.

use crate::app::base::Base;
use crate::app::cloud_accounts::budget::CallBuckets;
use crate::app::cloud_accounts::clients::Accounts;
use crate::app::webhooks::platform_events::PlatformEvents;
use crate::eci::Client;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use secrecy::{ExposeSecret as _, SecretString};

use super::cursor::{CursorList, one_more};
use super::input::{NewAccountRole, NewCloudAccount};
use super::precondition::Precondition;
use super::view::CloudAccountView;
use super::{Call, Error, access};
use crate::app::precondition::moved;
use crate::domain::cloud_account::{AccountName, AccountRole, CloudAccount};
use crate::domain::event::EventType;
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::caller::Caller;
use crate::domain::problem::Code;
use crate::eci::BuildError;
use crate::store::{ACCOUNT_EXTERNAL, ACCOUNT_SECRET, AccountRemoval, SealedAccount};
use clients::UnusableAccount;

pub(super) mod budget;
pub(super) mod clients;
pub mod doctor;
pub(super) mod identity;
mod suspension;

const PUT: &str = "put_cloud_account";
const DELETE: &str = "delete_cloud_account";
/// The session name if none is given.
const SESSION: &str = "eci-cache-gateway";
/// The session duration in seconds if none is given.
const SECONDS: i32 = 3_600;
/// The most characters of a secret.
const LONGEST: usize = 1_224;

/// Cloud accounts, their clients and their call budgets; cheap to clone.
#[derive(Debug, Clone)]
pub struct CloudAccounts {
    base: Base,
    platform_events: PlatformEvents,
    /// The client of the account from the settings.
    client: Client,
    accounts: Arc<Mutex<Accounts>>,
    /// The calls that this process has drawn for changes, by account.
    call_buckets: Arc<tokio::sync::Mutex<CallBuckets>>,
}

impl CloudAccounts {
    pub(super) fn new(base: &Base, platform_events: &PlatformEvents, client: Client) -> Self {
        Self {
            base: base.clone(),
            platform_events: platform_events.clone(),
            client,
            accounts: Arc::default(),
            call_buckets: Arc::default(),
        }
    }

    /// What is known of the added accounts.
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CloudAccounts {
    /// All accounts by name, including the one from the settings.
    pub async fn list_cloud_accounts(&self, caller: &Caller, page: &Page) -> Result<Slice<CloudAccountView>, Error> {
        access::check(caller, "list_cloud_accounts")?;
        let list = CursorList::new(&self.base, caller, "cloud_accounts", &());
        let after = list.place(page)?;
        let mut all: BTreeMap<String, CloudAccountView> =
            self.base.store().cloud_accounts().await?.iter().map(|sealed| named(self.account_view(sealed))).collect();
        // The account from the settings comes before a stored one of the same name.
        all.extend([named(self.own_account())]);
        for (name, mismatch) in self.mismatches().await? {
            all.entry(name).and_modify(|view| view.is_foreign(&mismatch));
        }
        let after = |name: &String| after.as_ref().is_none_or(|after| name > after);
        let rest = all.into_iter().filter(|(name, _)| after(name)).map(|(_, view)| view);
        let most = usize::try_from(one_more(page)).unwrap_or(usize::MAX);
        Ok(list.slice(rest.take(most).collect(), page, |view: &CloudAccountView| view.name.clone()))
    }

    /// One account.
    pub async fn get_cloud_account(&self, caller: &Caller, name: &AccountName) -> Result<CloudAccountView, Error> {
        access::check(caller, "get_cloud_account")?;
        let mut view = if name.as_str() == self.base.settings().account {
            self.own_account()
        } else {
            let sealed = self.base.store().cloud_account(name).await?.ok_or(Error::NotFound("cloud account"))?;
            self.account_view(&sealed)
        };
        for (_, mismatch) in self.mismatches().await?.iter().filter(|(foreign, _)| foreign == name.as_str()) {
            view.is_foreign(mismatch);
        }
        Ok(view)
    }

    /// Writes a whole account. An omitted secret is kept, as long as the access key that it belongs to stays. Applies
    /// to everything sent from now on; at other gateways, within a second.
    pub async fn put_cloud_account(
        &self,
        caller: &Caller,
        call: &Call,
        name: &AccountName,
        new: &NewCloudAccount,
        precondition: &Precondition,
    ) -> Result<CloudAccountView, Error> {
        access::check(caller, PUT)?;
        self.check_ours(name)?;
        let before = self.base.store().cloud_account(name).await?;
        let current = before.as_ref().map_or(0, |before| before.account.version);
        precondition.check(current)?;
        let sealed = self.sealed(name, new, before.as_ref())?;
        self.check_new_owner(&sealed, before.as_ref()).await?;
        let mut entry = self.base.admin_entry(caller, call, PUT, sealed.account.name.as_str());
        let mut keep = |what: &str, value: String| entry.parameters.insert(what.to_owned(), value);
        keep("access_key_id", sealed.account.access_key_id.clone());
        keep("disabled", sealed.account.disabled_at.is_some().to_string());
        let told = self.platform_events.platform_events(EventType::CloudAccountChanged, &entry).await?;
        if !self.base.store().put_cloud_account(&sealed, &told, &entry).await? {
            return Err(moved());
        }
        call.set_audited();
        self.accounts_changed();
        let account = CloudAccount { version: current + 1, ..sealed.account };
        Ok(self.account_view(&SealedAccount { account, ..sealed }))
    }

    /// Deletes an account that holds no image caches.
    pub async fn delete_cloud_account(
        &self,
        caller: &Caller,
        call: &Call,
        name: &AccountName,
        precondition: &Precondition,
    ) -> Result<(), Error> {
        access::check(caller, DELETE)?;
        self.check_ours(name)?;
        let found = self.base.store().cloud_account(name).await?.ok_or(Error::NotFound("cloud account"))?;
        let version = found.account.version;
        precondition.check(version)?;
        let entry = self.base.admin_entry(caller, call, DELETE, name.as_str());
        let told = self.platform_events.platform_events(EventType::CloudAccountChanged, &entry).await?;
        match self.base.store().remove_cloud_account(name, version, &told, &entry).await? {
            AccountRemoval::Done => call.set_audited(),
            AccountRemoval::Moved => return Err(moved()),
            AccountRemoval::InUse => {
                let detail = format!(
                    "the cloud account {name} contains image caches, or operations on them have not ended; delete \
                     them first, or disable the account"
                );
                return Err(Error::Conflict { code: Code::CloudAccountInUse, detail });
            }
        }
        self.accounts_changed();
        Ok(())
    }

    /// Wakes what was waiting for an account.
    pub(super) fn accounts_changed(&self) {
        self.forget_accounts();
        self.base.signals().operations.notify_one();
        self.base.signals().tracker.notify_one();
    }

    fn check_ours(&self, name: &AccountName) -> Result<(), Error> {
        if name.as_str() != self.base.settings().account {
            return Ok(());
        }
        let detail = format!(
            "the cloud account {name} is defined in the gateway's settings and can be changed only \
                              there"
        );
        Err(Error::Conflict { code: Code::CloudAccountOfSettings, detail })
    }

    /// The account as it will be stored, or everything that is wrong with it.
    fn sealed(
        &self,
        name: &AccountName,
        new: &NewCloudAccount,
        before: Option<&SealedAccount>,
    ) -> Result<SealedAccount, Error> {
        let secret = match &new.access_key_secret {
            Some(given) => Some(self.seal_account(given, ACCOUNT_SECRET, name)),
            None => before
                .filter(|before| before.account.access_key_id == new.access_key_id)
                .map(|before| before.secret.clone()),
        };
        let account = self.account_of(name, new, before.map(|before| &before.account));
        let mut errors = self.wrong(new, secret.is_some());
        if let Some(before) = before.filter(|_| secret.is_some() && new.access_key_secret.is_none()) {
            errors.extend(moved_without_secret(&account, before, self.is_other_external(new, before)));
        }
        errors.extend(account.check().err().into_iter().flatten());
        let (Some(secret), true) = (secret, errors.is_empty()) else { return Err(Error::Invalid(errors)) };
        let external_id = self.external_id(&account, new.role.as_ref(), before);
        let sealed = SealedAccount { account, secret, external_id };
        self.client_of(&sealed).map_err(|why| Error::Invalid(vec![unusable(&why)]))?;
        Ok(sealed)
    }

    fn account_of(&self, name: &AccountName, new: &NewCloudAccount, was: Option<&CloudAccount>) -> CloudAccount {
        let now = self.base.now();
        CloudAccount {
            name: name.clone(),
            access_key_id: new.access_key_id.clone(),
            role: new.role.as_ref().map(role),
            regions: new.regions.clone().or_else(|| was.map(|was| was.regions.clone())).unwrap_or_default(),
            endpoint: new.api_endpoint.clone(),
            version: was.map_or(0, |was| was.version),
            created_at: was.map_or(now, |was| was.created_at),
            updated_at: now,
            disabled_at: new.disabled.then(|| was.and_then(|was| was.disabled_at).unwrap_or(now)),
        }
    }

    /// What is wrong with its secrets and regions.
    fn wrong(&self, new: &NewCloudAccount, has_secret: bool) -> Vec<FieldError> {
        let mut findings = Findings::default();
        let detail = "must be given: no secret of this access key is stored yet";
        findings.require(has_secret, "/access_key_secret", FieldCode::Required, detail);
        note_secret(&mut findings, "/access_key_secret", new.access_key_secret.as_ref());
        let external = new.role.as_ref().and_then(|role| role.external_id.as_ref());
        let external = external.filter(|id| !id.expose_secret().is_empty());
        note_secret(&mut findings, "/role/external_id", external);
        for (place, region) in new.regions.iter().flatten().enumerate() {
            if let Err(Error::Invalid(errors)) = self.check_region(region) {
                let detail = errors.into_iter().next().map(|error| error.detail).unwrap_or_default();
                findings.require(false, format!("/regions/{place}"), FieldCode::NotAllowed, detail);
            }
        }
        findings.into_result().err().unwrap_or_default()
    }

    /// The external id to store: the given one; the stored one if none is given and the role is the same; none if the
    /// given one is empty.
    fn external_id(
        &self,
        account: &CloudAccount,
        role: Option<&NewAccountRole>,
        before: Option<&SealedAccount>,
    ) -> Option<Vec<u8>> {
        match role?.external_id.as_ref().map(|given| (given, given.expose_secret().is_empty())) {
            Some((_, true)) => None,
            Some((given, false)) => Some(self.seal_account(given, ACCOUNT_EXTERNAL, &account.name)),
            None => {
                let arn = |account: &CloudAccount| account.role.as_ref().map(|role| role.arn.clone());
                before.filter(|before| arn(&before.account) == arn(account))?.external_id.clone()
            }
        }
    }

    fn seal_account(&self, secret: &SecretString, context: &str, name: &AccountName) -> Vec<u8> {
        let what = format!("{context}{name}");
        self.base.sealer().seal(secret.expose_secret().as_bytes(), &what, self.base.entropy())
    }

    fn account_view(&self, sealed: &SealedAccount) -> CloudAccountView {
        let problem = match sealed.account.disabled_at {
            Some(_) => Some(UnusableAccount::Disabled.to_string()),
            None => self.client_of(sealed).err().map(|why| why.to_string()),
        };
        CloudAccountView::added(sealed, problem)
    }

    fn own_account(&self) -> CloudAccountView {
        let (settings, (key, role)) = (self.base.settings(), self.client.identity());
        CloudAccountView::of_settings(&settings.account, key, role, &settings.regions)
    }
}

/// Whether both sign with the same credentials.
pub(super) fn is_same_key(one: &SealedAccount, other: &SealedAccount) -> bool {
    let (account, before) = (&one.account, &other.account);
    account.access_key_id == before.access_key_id && one.secret == other.secret && account.role == before.role
}

fn named(view: CloudAccountView) -> (String, CloudAccountView) {
    (view.name.clone(), view)
}

fn role(new: &NewAccountRole) -> AccountRole {
    AccountRole {
        arn: new.arn.clone(),
        session: new.session_name.clone().unwrap_or_else(|| SESSION.to_owned()),
        seconds: new.duration_seconds.unwrap_or(SECONDS),
    }
}

/// Checks a secret, which goes into headers and signatures as it is. The error never repeats it.
fn note_secret(findings: &mut Findings, field: &str, secret: Option<&SecretString>) {
    let good = secret.is_none_or(|secret| {
        let text = secret.expose_secret();
        (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    });
    findings.require(good, field, FieldCode::Invalid, "must be 1 to 1224 printable ASCII characters without spaces");
}

/// Refuses changes to where calls go, or to who answers for them, unless the secret is given. Otherwise anybody who may
/// write accounts could have another's secret used, and registry logins sent, somewhere else.
fn moved_without_secret(account: &CloudAccount, before: &SealedAccount, external: bool) -> Vec<FieldError> {
    let detail = "can be changed only together with access_key_secret: send the secret, too, or leave this unchanged";
    let mut findings = Findings::default();
    findings.require(account.endpoint == before.account.endpoint, "/api_endpoint", FieldCode::SecretRequired, detail);
    findings.require(account.role == before.account.role && !external, "/role", FieldCode::SecretRequired, detail);
    findings.into_result().err().unwrap_or_default()
}

fn unusable(why: &UnusableAccount) -> FieldError {
    match why {
        UnusableAccount::Foreign(must) => {
            FieldError::new("/api_endpoint", FieldCode::NotAllowed, format!("must {must}"))
        }
        UnusableAccount::Built(BuildError::Endpoint) => {
            let detail = "must be http:// or https:// and a host, without user, path or query; {region} is replaced \
                          by the region";
            FieldError::new("/api_endpoint", FieldCode::Invalid, detail)
        }
        _ => FieldError::new(
            "/access_key_secret",
            FieldCode::Required,
            "must be given: the stored value cannot be decrypted",
        ),
    }
}
