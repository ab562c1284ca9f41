//! Which account at the cloud a key belongs to, and whether that is the account that holds the image caches.

use serde::Serialize;

use crate::app::cloud_accounts::CloudAccounts;
use crate::domain::cloud_account::account_id::{AccountVerdict, judge};
use crate::eci::Client;

/// The owner of an access key, and whether it is the right one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyIdentity {
    /// The result of the comparison.
    pub verdict: KeyVerdict,
    /// The id of the cloud's account that owns the key, or the role that it assumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The id of the cloud's account that holds the image caches; `None` if it is not known yet, or could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_account_id: Option<String>,
    /// Why the owner of the key is unknown, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// The result of comparing the owner of a key with the pinned account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyVerdict {
    /// The key belongs to the account that holds the image caches.
    Same,
    /// The owner is known, but there is nothing to compare it with.
    Unpinned,
    /// The key belongs to another account: nothing is sent with it.
    Foreign,
    /// The owner could not be determined, so nothing is compared.
    Unknown,
}

impl CloudAccounts {
    /// Asks STS for the owner, without pinning it.
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
