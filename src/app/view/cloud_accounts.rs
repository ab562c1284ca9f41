//! Cloud accounts, as administrators see them: everything but their secrets.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::cloud_account::account_id::Mismatch;
use crate::domain::region::Region;
use crate::store::SealedAccount;

/// A cloud account: one set of credentials of the cloud. Its secrets are never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CloudAccount)]
pub struct CloudAccountView {
    /// Its name.
    pub name: String,
    /// Who changes it: `settings` (the operator; it cannot be changed here) or `api`.
    pub managed_by: String,
    /// The access key (`AccessKeyId`).
    pub access_key_id: String,
    /// The role that the key assumes; absent where the key signs by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub role: Option<AccountRoleView>,
    /// Where it may be used; empty for wherever the gateway may.
    pub regions: Vec<String>,
    /// The cloud's address; absent for that of the gateway's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub api_endpoint: Option<String>,
    /// Whether something can be sent with it. What is for it waits while it cannot.
    pub usable: bool,
    /// Why nothing can be sent with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<String>,
    /// Since when it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled_at: Option<DateTime<Utc>>,
    /// Counts the changes; `ETag`. 0 for that of the settings.
    pub version: i64,
    /// When it was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_at: Option<DateTime<Utc>>,
    /// When it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub updated_at: Option<DateTime<Utc>>,
}

/// A role that a cloud account's key assumes (STS `AssumeRole`), as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CloudAccountRole)]
pub struct AccountRoleView {
    /// `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// How the session is called in the cloud's own logs. Absent for the account of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session_name: Option<String>,
    /// How long its credentials last. Absent for the account of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub duration_seconds: Option<i32>,
    /// Whether the role's owner demands an external id.
    pub has_external_id: bool,
}

impl CloudAccountView {
    /// Nothing is sent with it, for its key is of another account of the cloud.
    pub(crate) fn is_foreign(&mut self, mismatch: &Mismatch) {
        self.usable = false;
        self.problem.get_or_insert_with(|| mismatch.to_string());
    }

    /// One that an administrator added; `problem` says why nothing can be sent with it.
    pub(crate) fn added(sealed: &SealedAccount, problem: Option<String>) -> Self {
        let account = &sealed.account;
        let role = account.role.as_ref().map(|role| AccountRoleView {
            arn: role.arn.clone(),
            session_name: Some(role.session.clone()),
            duration_seconds: Some(role.seconds),
            has_external_id: sealed.external_id.is_some(),
        });
        Self {
            name: account.name.to_string(),
            managed_by: "api".to_owned(),
            access_key_id: account.access_key_id.clone(),
            role,
            regions: account.regions.iter().map(ToString::to_string).collect(),
            api_endpoint: account.endpoint.clone(),
            usable: problem.is_none(),
            problem,
            disabled_at: account.disabled_at,
            version: account.version,
            created_at: Some(account.created_at),
            updated_at: Some(account.updated_at),
        }
    }

    /// That of the settings; `role` is the one that its key assumes, and whether that takes an external id.
    pub(crate) fn of_settings(name: &str, access_key_id: &str, role: Option<(&str, bool)>, regions: &[Region]) -> Self {
        let role = role.map(|(arn, has_external_id)| AccountRoleView {
            arn: arn.to_owned(),
            session_name: None,
            duration_seconds: None,
            has_external_id,
        });
        Self {
            name: name.to_owned(),
            managed_by: "settings".to_owned(),
            access_key_id: access_key_id.to_owned(),
            role,
            regions: regions.iter().map(ToString::to_string).collect(),
            api_endpoint: None,
            usable: true,
            problem: None,
            disabled_at: None,
            version: 0,
            created_at: None,
            updated_at: None,
        }
    }
}
