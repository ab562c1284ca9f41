//! Whose an account's key is at the cloud, and whether that is where its image caches are.

use serde::Serialize;

use crate::app::cloud_accounts::CloudAccounts;
use crate::domain::cloud_account::account_id::{AccountVerdict, judge};
use crate::eci::Client;

/// Whose a key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyIdentity {
    /// What follows from it.
    pub verdict: KeyVerdict,
    /// The number of the account at the cloud that the key, or the role that it assumes, is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The number of the account that the image caches are in; none where none was known yet, or it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_account_id: Option<String>,
    /// Why it is not known whose the key is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// What follows from whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyVerdict {
    /// It is of the account that the image caches are in.
    Same,
    /// It is known whose it is, and nothing to compare that with.
    Unpinned,
    /// It is of another account: nothing is sent with it.
    Foreign,
    /// It could not be asked: nothing is compared.
    Unknown,
}

impl CloudAccounts {
    /// Asks STS, and pins nothing.
    pub(super) async fn identity_of(&self, account: &str, client: &Client) -> KeyIdentity {
        let found = client.ask_owner(&self.base.settings().sts_endpoint).await;
        let pinned = self.pinned_ids().await.ok().and_then(|pinned| pinned.get(account).cloned());
        let verdict = match judge(pinned.as_ref(), found.as_ref().ok()) {
            AccountVerdict::Same => KeyVerdict::Same,
            AccountVerdict::Unpinned(_) => KeyVerdict::Unpinned,
            AccountVerdict::Foreign(_) => KeyVerdict::Foreign,
            AccountVerdict::Unknown => KeyVerdict::Unknown,
        };
        KeyIdentity {
            verdict,
            pinned_account_id: pinned.map(|id| id.to_string()),
            unknown: found.as_ref().err().map(ToString::to_string),
            account_id: found.ok().map(|id| id.to_string()),
        }
    }
}
