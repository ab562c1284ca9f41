//! Which account of the cloud the client's credentials belong to (STS `GetCallerIdentity`, 2015-04-01): asked when they
//! are first used, and never again once it is known, for a key and a role stay in their account.
//!
//! What must stay true: it is asked with what signs the calls themselves, so that of a role's session it is the role's
//! account that is told; only the first who ask wait for the answer, and no longer than [`LONGEST`]; a client whose
//! question has failed goes on without the answer, and is asked again behind everybody's back after [`ASK_AGAIN`].
//!
//! Who calls it: `app`, before each use of a client. What it does not do: compare it with what is pinned.

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

/// The longest that anybody waits for the answer: a network without a way to STS drops what is sent there.
const LONGEST: Duration = Duration::from_secs(3);

/// What is known of whose the credentials are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CredentialOwner {
    /// Nobody has asked yet, or there were no credentials to ask with.
    #[default]
    Unasked,
    /// The account's number.
    Known(AccountId),
    /// It could not be asked.
    Unknown {
        /// Why not, for operators: nothing secret is in it.
        why: String,
        /// When it was tried.
        asked_at: Instant,
    },
}

/// What a client knows, and whether somebody asks.
#[derive(Debug, Default)]
pub(super) struct Ownership {
    known: Mutex<CredentialOwner>,
    asking: Arc<tokio::sync::Mutex<()>>,
}

/// The answer. The rest of it (`Arn`, `IdentityType`, `PrincipalId`, `UserId` or `RoleId`) says nothing to us.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CallerIdentity {
    account_id: String,
}

impl CredentialOwner {
    /// The number, if it is known.
    pub fn id(&self) -> Option<&AccountId> {
        match self {
            Self::Known(id) => Some(id),
            Self::Unasked | Self::Unknown { .. } => None,
        }
    }
}

impl Client {
    /// What is known of whose the credentials are.
    pub fn owner(&self) -> CredentialOwner {
        self.known().clone()
    }

    /// Asks the STS at that address, unless it was asked before. `told` hears of each answer that is new.
    pub async fn learn_owner(&self, sts: &str, told: impl FnOnce(&CredentialOwner) + Send + 'static) {
        match self.owner() {
            CredentialOwner::Known(_) => {}
            CredentialOwner::Unknown { asked_at, .. } => {
                if (self.now() - asked_at).abs() >= ASK_AGAIN {
                    self.ask_behind(sts.to_owned(), told);
                }
            }
            CredentialOwner::Unasked => {
                // Nobody waits for many others, one behind the other.
                let turn = tokio::time::timeout(LONGEST, self.0.ownership.asking.lock()).await;
                // Whoever had the turn before may have brought it.
                if turn.is_ok() && self.owner() == CredentialOwner::Unasked {
                    told(&self.ask_and_keep(sts).await);
                }
            }
        }
    }

    /// Asks the STS at that address, whatever is known.
    ///
    /// # Errors
    /// If it cannot be asked, or answers with no number.
    pub async fn ask_owner(&self, sts: &str) -> Result<AccountId, CallError> {
        if !knows_keys_of(sts, &self.0.settings.endpoint) {
            return Err(CallError::NotSent("the API is at another's address, and STS at the cloud's own".to_owned()));
        }
        let late = |_| CallError::Unknown(format!("no answer within {} s", LONGEST.as_secs()));
        tokio::time::timeout(LONGEST, self.ask_sts(sts)).await.map_err(late)?
    }

    /// Nobody waits for it.
    fn ask_behind(&self, sts: String, told: impl FnOnce(&CredentialOwner) + Send + 'static) {
        let Ok(turn) = Arc::clone(&self.0.ownership.asking).try_lock_owned() else { return };
        let client = self.clone();
        tokio::spawn(async move {
            told(&client.ask_and_keep(&sts).await);
            drop(turn);
        });
    }

    /// Only while one holds the turn.
    async fn ask_and_keep(&self, sts: &str) -> CredentialOwner {
        let owner = match self.ask_owner(sts).await {
            Ok(id) => CredentialOwner::Known(id),
            // Without them nothing else can be sent either: whoever has some is the first to ask.
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
