//! Cloud accounts: list, get, put, update, delete.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::input::{NewAccountRole, NewCloudAccount};
use crate::app::view::CloudAccountView;
use crate::domain::cloud_account::AccountName;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::region::Region;
use crate::http::extract::{Authorized, Id, Json, JsonBody, Query};
use crate::http::headers;
use crate::http::problem::ProblemResponse;
use crate::http::rest::image_caches::bodies::given;
use crate::http::rest::lists::CloudAccountList;
use crate::http::rest::query::PageQuery;
use crate::http::{DoorState, answer};

/// A cloud account. Everything is replaced, except regions that are left out, and secrets: these are kept as long as
/// what they belong to does not change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudAccountPut)]
pub(in crate::http::rest) struct CloudAccountBody {
    /// The id of the access key (`AccessKeyId`).
    #[schema(min_length = 1, max_length = 128, example = "LTAI5tExample")]
    access_key_id: String,
    /// The secret of the access key. It is never shown or logged. If it is left out, the stored secret is kept,
    /// provided that it belongs to this access key and that `api_endpoint` and `role` do not change.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, value_type = Option<String>, format = Password)]
    access_key_secret: Option<SecretString>,
    /// A role that the key assumes (STS `AssumeRole`). If it is left out, requests are signed with the key itself.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    role: Option<AccountRoleBody>,
    /// The regions in which the account may be used, each of which the gateway must offer. Empty means all of these.
    /// If the field is left out, the current regions are kept; a new account may be used in all regions.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_items = 100)]
    regions: Option<Vec<String>>,
    /// The cloud's address, in which `{region}` is replaced by the region. Defaults to the address from the gateway's
    /// settings. It must be https, to a host of the cloud or one that the operator allows
    /// (`cloud.endpoint_suffixes`).
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, example = "https://eci.{region}.aliyuncs.com")]
    api_endpoint: Option<String>,
    /// Whether the account is disabled. While it is, nothing is sent with it: no image cache can be created in it,
    /// and operations in progress wait.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    disabled: Option<bool>,
}

/// Changes to a cloud account. Fields that are left out are not changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudAccountUpdate)]
pub(in crate::http::rest) struct CloudAccountChangesBody {
    /// Whether the account is disabled. While it is, nothing is sent with it: no image cache can be created in it,
    /// and operations in progress wait.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    disabled: Option<bool>,
}

/// A role that the key of a cloud account assumes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CloudAccountRolePut)]
struct AccountRoleBody {
    /// The ARN of the role: `acs:ram::<account>:role/<name>`.
    #[schema(example = "acs:ram::1234567890123456:role/image-caches")]
    arn: String,
    /// The name of the session in the cloud's own logs: 2 to 64 letters, digits and . @ - _.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, min_length = 2, max_length = 64)]
    session_name: Option<String>,
    /// How long the credentials of the role last, in seconds: 900 to 43200. Defaults to 3600.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, minimum = 900, maximum = 43200)]
    duration_seconds: Option<i32>,
    /// The external id that the owner of the role requires. If it is left out, the stored one is kept, provided that
    /// it belongs to this role; empty means none. A different one can be set only together with `access_key_secret`.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, value_type = Option<String>, format = Password)]
    external_id: Option<SecretString>,
}

impl TryFrom<CloudAccountBody> for NewCloudAccount {
    type Error = Vec<FieldError>;

    fn try_from(body: CloudAccountBody) -> Result<Self, Vec<FieldError>> {
        let (mut regions, mut errors) = (Vec::new(), Vec::new());
        for (place, text) in body.regions.iter().flatten().enumerate() {
            match text.parse::<Region>() {
                Ok(region) if regions.contains(&region) => {}
                Ok(region) => regions.push(region),
                Err(error) => {
                    errors.push(FieldError::new(format!("/regions/{place}"), FieldCode::Invalid, error.to_string()));
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self {
            access_key_id: body.access_key_id,
            access_key_secret: body.access_key_secret,
            role: body.role.map(Into::into),
            regions: body.regions.map(|_| regions),
            api_endpoint: body.api_endpoint,
            disabled: body.disabled.unwrap_or(false),
        })
    }
}

impl JsonBody for CloudAccountBody {
    fn value_errors(self) -> Vec<FieldError> {
        NewCloudAccount::try_from(self).err().unwrap_or_default()
    }
}

impl JsonBody for CloudAccountChangesBody {}

impl From<AccountRoleBody> for NewAccountRole {
    fn from(body: AccountRoleBody) -> Self {
        Self {
            arn: body.arn,
            session_name: body.session_name,
            duration_seconds: body.duration_seconds,
            external_id: body.external_id,
        }
    }
}

/// List cloud accounts
///
/// Returns the accounts, sorted by name. The account from the gateway's settings is included, with `managed_by` set
/// to `settings`.
#[utoipa::path(get, path = "/v1/cloud-accounts", tag = "cloud-accounts",
    responses((status = 200, description = "One page of the list.", body = CloudAccountList)),
)]
pub(in crate::http::rest) async fn list_cloud_accounts(
    State(door): State<DoorState>,
    who: Authorized,
    uri: Uri,
    Query(query): Query<PageQuery>,
) -> Result<Response, ProblemResponse> {
    let slice = door.gateway.cloud_accounts().list_cloud_accounts(&who.caller, &query.page).await?;
    Ok(answer::listed::<_, CloudAccountList>(&uri, slice))
}

/// Get a cloud account
///
/// Returns the account without its secret, which no response shows.
#[utoipa::path(get, path = "/v1/cloud-accounts/{cloud_account_name}", tag = "cloud-accounts",
    params(("cloud_account_name" = String, Path, description = "The name of the cloud account.")),
    responses((status = 200, description = "The cloud account.", body = CloudAccountView)),
)]
pub(in crate::http::rest) async fn get_cloud_account(
    State(door): State<DoorState>,
    who: Authorized,
    Id(name): Id<AccountName>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let view = door.gateway.cloud_accounts().get_cloud_account(&who.caller, &name).await?;
    Ok(answer::tagged_or_known(&request, &view, view.version))
}

/// Create or replace a cloud account
///
/// Creates the account, or replaces it; use this to rotate its credentials, too. Requests to the cloud are signed
/// with the new credentials after this response, and within a second on other gateways. Teams may use the account if
/// their policy allows it. The account from the gateway's settings cannot be changed here. Credentials that belong to
/// a different cloud account than the one that holds the image caches are refused with 409
/// (`cloud_account_mismatch`).
#[utoipa::path(put, path = "/v1/cloud-accounts/{cloud_account_name}", tag = "cloud-accounts",
    params(("cloud_account_name" = String, Path, description = "The name of the cloud account: 1 to 63 characters from a-z, 0-9 and -, beginning and ending with a letter or digit.")),
    responses((status = 200, description = "The cloud account.", body = CloudAccountView)),
)]
pub(in crate::http::rest) async fn put_cloud_account(
    State(door): State<DoorState>,
    who: Authorized,
    Id(name): Id<AccountName>,
    request: HeaderMap,
    body: Json<CloudAccountBody>,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    let new = body.value.try_into().map_err(ProblemResponse::invalid)?;
    let view =
        door.gateway.cloud_accounts().put_cloud_account(&who.caller, &who.call, &name, &new, &precondition).await?;
    Ok(answer::with_tag(StatusCode::OK, &view, view.version))
}

/// Update a cloud account
///
/// While an account is disabled, nothing is sent with it; on other gateways this takes effect within a second.
/// Everything else about the account is kept and does not have to be sent again. The account from the gateway's
/// settings cannot be changed here.
#[utoipa::path(patch, path = "/v1/cloud-accounts/{cloud_account_name}", tag = "cloud-accounts",
    params(("cloud_account_name" = String, Path, description = "The name of the cloud account.")),
    responses((status = 200, description = "The updated cloud account.", body = CloudAccountView)),
)]
pub(in crate::http::rest) async fn update_cloud_account(
    State(door): State<DoorState>,
    who: Authorized,
    Id(name): Id<AccountName>,
    request: HeaderMap,
    body: Json<CloudAccountChangesBody>,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    let disabled = body.value.disabled;
    let view = door
        .gateway
        .cloud_accounts()
        .update_cloud_account(&who.caller, &who.call, &name, disabled, &precondition)
        .await?;
    Ok(answer::with_tag(StatusCode::OK, &view, view.version))
}

/// Delete a cloud account
///
/// Refused with 409 while the account contains image caches, or while operations on them have not ended.
#[utoipa::path(delete, path = "/v1/cloud-accounts/{cloud_account_name}", tag = "cloud-accounts",
    params(("cloud_account_name" = String, Path, description = "The name of the cloud account.")),
    responses((status = 204, description = "The cloud account was deleted.")),
)]
pub(in crate::http::rest) async fn delete_cloud_account(
    State(door): State<DoorState>,
    who: Authorized,
    Id(name): Id<AccountName>,
    request: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let precondition = headers::precondition(&request)?;
    door.gateway.cloud_accounts().delete_cloud_account(&who.caller, &who.call, &name, &precondition).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
