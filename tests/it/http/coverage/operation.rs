//! The operations of the document, each with a valid request.

use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::http::openapi::document_3_1;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::NOBODYS;
use super::fixtures::{accounted, issuer, made, profiled, registered, trusted};
use crate::platform::cloud_accounts::account;
use crate::support::gateway::{TestGateway, new_cache};
use crate::support::setup::SECOND;

/// Ids of what belongs to the platform: its administrators see it whatever team they act for.
const PLATFORMS: [&str; 5] = ["revocation_id", "team_id", "region_profile_id", "cloud_account_name", "issuer_name"];
/// One operation of the document.
#[derive(Debug)]
pub(crate) struct DocumentedOperation {
    pub(crate) id: String,
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The name of the id in its path.
    pub(crate) id_name: Option<String>,
    /// The scopes, one of which is sufficient; empty if any credentials are.
    pub(crate) scopes: Vec<Scope>,
}

/// Every operation under `/v1` that needs credentials.
pub(super) fn operations() -> Vec<DocumentedOperation> {
    let document: Value = serde_json::from_str(&document_3_1()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|_| path.starts_with("/v1/")) {
            // The exchanged token is itself the credential.
            if operation["security"] == json!([]) {
                assert_eq!(operation["operationId"], "exchange_token", "{operation}");
                continue;
            }
            let scopes = operation["x-required-scopes"].as_array().unwrap();
            let name = path.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(name, _)| name.to_owned());
            found.push(DocumentedOperation {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                id_name: name,
                scopes: scopes.iter().map(|scope| Scope::from_word(scope.as_str().unwrap()).unwrap()).collect(),
            });
        }
    }
    found
}

impl DocumentedOperation {
    /// A valid body. There is no default, so that a new operation is not forgotten.
    pub(crate) fn body(&self) -> Option<Value> {
        match self.id.as_str() {
            "create_image_cache" | "ensure_image_cache" | "dry_run_image_cache" => Some(new_cache("nginx:1.27")),
            "batch_get_image_caches" | "batch_delete_image_caches" => Some(json!({"ids": [format!("ic_{NOBODYS}")]})),
            "batch_ensure_image_caches" => Some(json!({"items": [new_cache("nginx:1.27")]})),
            "update_image_cache" => Some(json!({"images": ["nginx:1.28"]})),
            "create_access_key"
            | "rotate_webhook_secret"
            | "rotate_api_key"
            | "rotate_access_key"
            | "put_team_policy"
            | "put_default_policy"
            | "put_region_profile" => Some(json!({})),
            "put_cloud_account" => Some(account(SECOND)),
            "update_cloud_account" => Some(json!({"disabled": false})),
            "put_issuer" => Some(issuer()),
            "explain_token" => Some(json!({"token": "no token"})),
            "create_api_key" => Some(json!({"name": "ci", "scopes": ["read"]})),
            "create_revocation" => Some(json!({"jti": "nobodys"})),
            "create_team" => Some(json!({"id": "web", "display_name": "Web"})),
            "update_team" => Some(json!({"display_name": "Other"})),
            "match_image_caches" => Some(json!({"region": "cn-beijing", "images": ["nginx:1.27"]})),
            "adopt_image_caches" => Some(json!({"region": "cn-beijing", "filter": {}})),
            "create_webhook_endpoint" => Some(json!({"url": "http://127.0.0.1:9/hook", "skip_challenge": true})),
            "update_webhook_endpoint" => Some(json!({"description": "theirs"})),
            "recover_webhook_endpoint" | "replay_webhook_endpoint" => {
                Some(json!({"created_after": "2026-03-01T00:00:00Z"}))
            }
            "list_image_caches"
            | "get_image_cache"
            | "delete_image_cache"
            | "wait_for_image_cache"
            | "list_transitions"
            | "get_operation"
            | "list_operations"
            | "list_team_costs"
            | "get_provider_record"
            | "list_usage"
            | "list_found_image_caches"
            | "list_events"
            | "stream_events"
            | "stream_image_cache_events"
            | "check_gate"
            | "list_webhook_endpoints"
            | "get_webhook_endpoint"
            | "delete_webhook_endpoint"
            | "test_webhook_endpoint"
            | "verify_webhook_endpoint"
            | "pause_webhook_endpoint"
            | "resume_webhook_endpoint"
            | "list_deliveries"
            | "get_delivery"
            | "list_delivery_attempts"
            | "resend_delivery"
            | "list_audit_entries"
            | "get_audit_entry"
            | "get_audit_proof"
            | "export_audit_entries"
            | "list_audit_checkpoints"
            | "get_audit_consistency"
            | "list_access_keys"
            | "revoke_access_key"
            | "list_api_keys"
            | "get_api_key"
            | "revoke_api_key"
            | "list_revocations"
            | "delete_revocation"
            | "get_policy"
            | "list_teams"
            | "get_team"
            | "get_team_policy"
            | "delete_team_policy"
            | "get_default_policy"
            | "list_region_profiles"
            | "get_region_profile"
            | "delete_region_profile"
            | "list_issuers"
            | "get_issuer"
            | "delete_issuer"
            | "list_cloud_accounts"
            | "get_cloud_account"
            | "delete_cloud_account"
            | "list_regions"
            | "list_event_types"
            | "get_me" => None,
            other => panic!("{other} has no case: give it one"),
        }
    }

    /// The path with this id, whatever it identifies.
    pub(crate) fn path_of(&self, id: &str) -> String {
        match &self.id_name {
            Some(name) => self.path.replace(&format!("{{{name}}}"), id),
            None if self.id == "get_audit_consistency" => format!("{}?first_size=1", self.path),
            None if self.id == "list_usage" => format!("{}?region=cn-beijing", self.path),
            None if self.id == "check_gate" => format!("{}?region=cn-beijing&image=nginx:1.27", self.path),
            None => self.path.clone(),
        }
    }

    pub(crate) fn request(&self, app: &TestGateway, id: &str) -> RequestBuilder {
        let request = app.bare(self.method.clone(), &self.path_of(id));
        match self.body() {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    /// The prefix of the ids in the path.
    pub(crate) fn prefix(&self) -> &'static str {
        match self.id_name.as_deref() {
            Some("image_cache_id") => "ic_",
            Some("operation_id") => "op_",
            Some("webhook_endpoint_id") => "we_",
            Some("delivery_id") => "dl_",
            Some("audit_entry_id") => "ae_",
            Some("access_key_id") => "LTAI",
            Some("api_key_id") => "ak_",
            Some("revocation_id") => "rv_",
            // Belongs to the platform, not to a team, so there is no id of another team.
            Some("team_id" | "region_profile_id" | "cloud_account_name" | "issuer_name") | None => "",
            Some(other) => panic!("{other} has no case: give it one"),
        }
    }

    /// Whether it is about the platform, which has no teams.
    pub(crate) fn is_platforms(&self) -> bool {
        self.id_name.as_ref().is_some_and(|name| PLATFORMS.contains(&&**name))
    }

    /// Something that exists and belongs to [`TEAM`].
    pub(crate) async fn owned(&self, app: &TestGateway) -> String {
        let list = match self.id_name.as_deref() {
            Some("access_key_id") => return made(app, "/v1/access-keys", &json!({})).await,
            Some("api_key_id") => return made(app, "/v1/api-keys", &json!({"name": "ci", "scopes": ["read"]})).await,
            Some("revocation_id") => return made(app, "/v1/revocations", &json!({"jti": "nobodys"})).await,
            Some("team_id") => return registered(app).await,
            Some("region_profile_id") => return profiled(app).await,
            Some("cloud_account_name") => return accounted(app).await,
            Some("issuer_name") => return trusted(app).await,
            Some("operation_id") => {
                return app.items("/v1/image-caches").await[0]["operation_id"].as_str().unwrap().to_owned();
            }
            Some("image_cache_id") => "/v1/image-caches",
            Some("webhook_endpoint_id") => "/v1/webhook-endpoints",
            Some("delivery_id") => "/v1/deliveries",
            Some("audit_entry_id") => "/v1/audit-entries",
            _ => return String::new(),
        };
        app.items(list).await[0]["id"].as_str().unwrap().to_owned()
    }
}
