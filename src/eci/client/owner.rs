//! Which cloud account the client's credentials belong to (STS `GetCallerIdentity`, 2015-04-01). It is looked up when
//! the credentials are first used, and never again once it is known: a key or a role never moves to another account.
//!
//! What must stay true: the lookup is signed like the calls themselves, so for an assumed role it returns the role's
//! account; only the first callers wait for the answer, and at most [`LONGEST`]; if the lookup has failed, the client
//! works without the answer, and the lookup is repeated in the background after [`ASK_AGAIN`].
//!
//! `app` calls it before each use of a client. It does not compare the account with the pinned one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;

use super::post::OutgoingCall;
use super::{Client, ClientSigner};
use crate::domain::clock::Instant;
use crate::domain::cloud_account::account_id::{ASK_AGAIN, AccountId, knows_keys_of};
use crate::domain::failure::CallError;
use crate::eci::Action;
use crate::eci::credentials::Credentials;
use crate::eci::params::Params;

/// The longest wait for the answer: a network without a route to STS drops the packets.
const LONGEST: Duration = Duration::from_secs(3);

/// What is known about the account of the credentials.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CredentialOwner {
    /// Not looked up yet, or there were no credentials to do it with.
    #[default]
    Unasked,
    /// The account id.
    Known(AccountId),
    /// The lookup failed.
    Unknown {
        /// Why, for operators. Contains no secret.
        why: String,
        /// When it failed.
        asked_at: Instant,
    },
}

/// What a client knows, and the lock that a lookup holds.
#[derive(Debug, Default)]
pub(super) struct Ownership {
    known: Mutex<CredentialOwner>,
    asking: Arc<tokio::sync::Mutex<()>>,
}

/// The response. The other members (`Arn`, `IdentityType`, `PrincipalId`, `UserId` or `RoleId`) are not needed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CallerIdentity {
    account_id: String,
}

impl CredentialOwner {
    /// The account id, if it is known.
    pub fn id(&self) -> Option<&AccountId> {
        match self {
            Self::Known(id) => Some(id),
            Self::Unasked | Self::Unknown { .. } => None,
        }
    }
}

impl Client {
    /// What is known about the account of the credentials.
    pub fn owner(&self) -> CredentialOwner {
        self.known().clone()
    }

    /// Looks the account up at this STS endpoint, unless that was done before. `told` is called with each new result.
    pub async fn learn_owner(&self, sts: &str, told: impl FnOnce(&CredentialOwner) + Send + 'static) {
        match self.owner() {
            CredentialOwner::Known(_) => {}
            CredentialOwner::Unknown { asked_at, .. } => {
                if (self.now() - asked_at).abs() >= ASK_AGAIN {
                    self.ask_behind(sts.to_owned(), told);
                }
            }
            CredentialOwner::Unasked => {
                // A caller must not wait for one lookup after another.
                let turn = tokio::time::timeout(LONGEST, self.0.ownership.asking.lock()).await;
                // The previous holder of the lock may have looked it up.
                if turn.is_ok() && self.owner() == CredentialOwner::Unasked {
                    told(&self.ask_and_keep(sts).await);
                }
            }
        }
    }

    /// Looks the account up at this STS endpoint, whatever is known.
    ///
    /// # Errors
    /// If the lookup fails or returns no account id.
    pub async fn ask_owner(&self, sts: &str) -> Result<AccountId, CallError> {
        if !knows_keys_of(sts, &self.0.settings.endpoint) {
            return Err(CallError::NotSent("the API is at another's address, and STS at the cloud's own".to_owned()));
        }
        let late = |_| CallError::Unknown(format!("no answer within {} s", LONGEST.as_secs()));
        tokio::time::timeout(LONGEST, self.ask_sts(sts)).await.map_err(late)?
    }

    /// In the background.
    fn ask_behind(&self, sts: String, told: impl FnOnce(&CredentialOwner) + Send + 'static) {
        let Ok(turn) = Arc::clone(&self.0.ownership.asking).try_lock_owned() else { return };
        let client = self.clone();
        tokio::spawn(async move {
            told(&client.ask_and_keep(&sts).await);
            drop(turn);
        });
    }

    /// Call it only while holding the lock.
    async fn ask_and_keep(&self, sts: &str) -> CredentialOwner {
        let owner = match self.ask_owner(sts).await {
            Ok(id) => CredentialOwner::Known(id),
            // Without credentials nothing else can be sent either; the next caller that has some looks it up.
            Err(_) if !self.has_credentials() => CredentialOwner::Unasked,
            Err(fault) => CredentialOwner::Unknown { why: fault.to_string(), asked_at: self.now() },
        };
        self.known().clone_from(&owner);
        owner
    }

    async fn ask_sts(&self, sts: &str) -> Result<AccountId, CallError> {
        match &self.0.signer {
            ClientSigner::Own(own) => self.ask_with(sts, own, &[]).await,
            ClientSigner::Session(session) => {
                let credentials = session.credentials().await?;
                self.ask_with(sts, &credentials, &session.texts().collect::<Vec<_>>()).await
            }
        }
    }

    async fn ask_with(&self, sts: &str, credentials: &Credentials, secrets: &[&str]) -> Result<AccountId, CallError> {
        let asked = OutgoingCall { url: sts, action: Action::GetCallerIdentity, signed_at: self.now() };
        let CallerIdentity { account_id } = self.0.post.ask(asked, &Params::default(), credentials, secrets).await?;
        account_id.parse().map_err(|error| CallError::Unknown(format!("AccountId {error}")))
    }

    fn has_credentials(&self) -> bool {
        match &self.0.signer {
            ClientSigner::Own(_) => true,
            ClientSigner::Session(session) => session.has_credentials(),
        }
    }

    fn now(&self) -> Instant {
        self.0.post.clock.now()
    }

    fn known(&self) -> MutexGuard<'_, CredentialOwner> {
        self.0.ownership.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
