//! Cloud accounts, as administrators see them: everything but their secrets.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::cloud_account::account_id::Mismatch;
use crate::domain::region::Region;
use crate::store::SealedAccount;

/// A cloud account: one set of credentials for the cloud. Its secrets are never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CloudAccount)]
pub struct CloudAccountView {
    /// The name of the cloud account.
    pub name: String,
    /// Who manages the resource: `settings` (the operator; it cannot be changed through the API) or `api`.
    pub managed_by: String,
    /// The id of the access key (`AccessKeyId`).
    pub access_key_id: String,
    /// The role that the key assumes. Absent if requests are signed with the key itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub role: Option<AccountRoleView>,
    /// The regions in which the account may be used. Empty means all regions of the gateway.
    pub regions: Vec<String>,
    /// The cloud's address. Absent if the address from the gateway's settings is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub api_endpoint: Option<String>,
    /// Whether requests can be sent with the account. While they cannot, work for the account waits.
    pub usable: bool,
    /// Why no requests can be sent with the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<String>,
    /// When the account was disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disabled_at: Option<DateTime<Utc>>,
    /// The version, which is incremented by each change and used in the `ETag`. 0 for the resource from the gateway's
    /// settings.
    pub version: i64,
    /// When the cloud account was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub created_at: Option<DateTime<Utc>>,
    /// When the cloud account was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub updated_at: Option<DateTime<Utc>>,
}

/// A role that the key of a cloud account assumes (STS `AssumeRole`), as returned by the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CloudAccountRole)]
pub struct AccountRoleView {
    /// The ARN of the role: `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// The name of the session in the cloud's own logs. Absent for the account from the gateway's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session_name: Option<String>,
    /// How long the credentials of the role last, in seconds. Absent for the account from the gateway's settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub duration_seconds: Option<i32>,
    /// Whether an external id is stored, which the owner of the role requires.
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
