//! The REST routes, on one page. A handler's name is its operation id, and the name of the method in every
//! generated client; what it needs stands in `app::access`.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::DoorState;

mod audit;
mod batch;
mod discovery;
mod events;
mod frame;
mod identity;
mod image_caches;
mod lists;
mod operations;
pub(super) mod pages;
mod platform;
mod query;
mod webhooks;

pub(super) use audit::export::EXPORT_FORMATS;

/// What the operations are about: the tags of the document, and what it says of them.
const TAGS: &[(&str, &str)] = &[
    ("image-caches", "Create, track and delete image caches."),
    ("operations", "The progress and outcome of changes."),
    ("events", "A team's events, in order."),
    ("webhooks", "Endpoints to which events are delivered."),
    ("audit", "A record of who did what, when, and with what outcome."),
    ("access-keys", "Keys for the cloud's own API at `/`, for unmodified SDKs and Terraform."),
    ("api-keys", "Keys for this API, as an alternative to tokens of an identity provider."),
    ("issuers", "Identity providers whose tokens are accepted, and the rules that interpret their claims."),
    ("token-exchange", "Tokens of the gateway, issued in exchange for tokens of an identity provider (RFC 8693)."),
    ("revocations", "Tokens that are refused although their signature is valid."),
    ("policies", "What teams may do, and how much of it they use."),
    ("teams", "Teams and their costs, for the platform's administrators."),
    ("cloud-accounts", "Accounts of the cloud in which image caches are created."),
    ("region-profiles", "Defaults for image caches in one region of one cloud account."),
    ("me", "The caller of the API."),
    ("operations-pages", "Health and metrics, for operators of the gateway."),
];

/// Every route that stands in the document, and the document as far as the handlers tell it.
pub(super) fn routes() -> OpenApiRouter<DoorState> {
    OpenApiRouter::with_openapi(frame::frame(TAGS))
        .routes(routes!(image_caches::create_image_cache, image_caches::list_image_caches))
        .routes(routes!(
            image_caches::get_image_cache,
            image_caches::update_image_cache,
            image_caches::delete_image_cache
        ))
        .routes(routes!(image_caches::batches::batch_get_image_caches))
        .routes(routes!(image_caches::batches::batch_ensure_image_caches))
        .routes(routes!(image_caches::batches::batch_delete_image_caches))
        .routes(routes!(image_caches::waits::wait_for_image_cache))
        .routes(routes!(events::streams::stream_image_cache_events))
        .routes(routes!(image_caches::list_transitions))
        .routes(routes!(image_caches::ensure::ensure_image_cache))
        .routes(routes!(image_caches::ensure::dry_run_image_cache))
        .routes(routes!(image_caches::adoption::adopt_image_caches))
        .routes(routes!(image_caches::found::list_found_image_caches))
        .routes(routes!(image_caches::matches::match_image_caches))
        .routes(routes!(image_caches::provider::get_provider_record))
        .routes(routes!(image_caches::provider::list_usage))
        .routes(routes!(operations::list_operations))
        .routes(routes!(operations::get_operation))
        .routes(routes!(operations::list_team_costs))
        .routes(routes!(events::feed::list_events))
        .routes(routes!(events::streams::stream_events))
        .routes(routes!(image_caches::gate::check_gate))
        .routes(routes!(webhooks::endpoints::create_webhook_endpoint, webhooks::endpoints::list_webhook_endpoints))
        .routes(routes!(
            webhooks::endpoints::get_webhook_endpoint,
            webhooks::endpoint_actions::update_webhook_endpoint,
            webhooks::endpoints::delete_webhook_endpoint
        ))
        .routes(routes!(webhooks::endpoint_actions::verify_webhook_endpoint))
        .routes(routes!(webhooks::endpoint_actions::rotate_webhook_secret))
        .routes(routes!(webhooks::endpoint_actions::test_webhook_endpoint))
        .routes(routes!(webhooks::endpoint_actions::pause_webhook_endpoint))
        .routes(routes!(webhooks::endpoint_actions::resume_webhook_endpoint))
        .routes(routes!(webhooks::endpoint_actions::recover_webhook_endpoint))
        .routes(routes!(webhooks::endpoint_actions::replay_webhook_endpoint))
        .routes(routes!(webhooks::deliveries::list_deliveries))
        .routes(routes!(webhooks::deliveries::get_delivery))
        .routes(routes!(webhooks::deliveries::list_delivery_attempts))
        .routes(routes!(webhooks::deliveries::resend_delivery))
        .routes(routes!(audit::entries::list_audit_entries))
        .routes(routes!(audit::entries::get_audit_entry))
        .routes(routes!(audit::proofs::get_audit_proof))
        .routes(routes!(audit::export::export_audit_entries))
        .routes(routes!(audit::proofs::list_audit_checkpoints))
        .routes(routes!(audit::proofs::get_audit_consistency))
        .routes(routes!(identity::access_keys::create_access_key, identity::access_keys::list_access_keys))
        .routes(routes!(identity::access_keys::rotate_access_key))
        .routes(routes!(identity::access_keys::revoke_access_key))
        .routes(routes!(identity::api_keys::create_api_key, identity::api_keys::list_api_keys))
        .routes(routes!(identity::api_keys::get_api_key, identity::api_keys::revoke_api_key))
        .routes(routes!(identity::api_keys::rotate_api_key))
        .routes(routes!(identity::revocations::create_revocation, identity::revocations::list_revocations))
        .routes(routes!(identity::revocations::delete_revocation))
        .routes(routes!(identity::token_exchange::exchange_token))
        .routes(routes!(platform::policies::get_policy))
        .routes(routes!(platform::teams::create_team, platform::teams::list_teams))
        .routes(routes!(platform::teams::get_team, platform::teams::update_team))
        .routes(routes!(
            platform::policies::get_team_policy,
            platform::policies::put_team_policy,
            platform::policies::delete_team_policy
        ))
        .routes(routes!(platform::policies::get_default_policy, platform::policies::put_default_policy))
        .routes(routes!(platform::region_profiles::list_region_profiles))
        .routes(routes!(
            platform::region_profiles::get_region_profile,
            platform::region_profiles::put_region_profile,
            platform::region_profiles::delete_region_profile
        ))
        .routes(routes!(platform::cloud_accounts::list_cloud_accounts))
        .routes(routes!(
            platform::cloud_accounts::get_cloud_account,
            platform::cloud_accounts::put_cloud_account,
            platform::cloud_accounts::update_cloud_account,
            platform::cloud_accounts::delete_cloud_account
        ))
        .routes(routes!(identity::issuers::list_issuers))
        .routes(routes!(identity::issuers::get_issuer, identity::issuers::put_issuer, identity::issuers::delete_issuer))
        .routes(routes!(identity::issuers::explain_token))
        .routes(routes!(identity::me::get_me))
        .routes(routes!(discovery::list_regions))
        .routes(routes!(discovery::list_event_types))
        .routes(routes!(discovery::get_version))
        .routes(routes!(pages::healthz))
        .routes(routes!(pages::readyz))
        .routes(routes!(pages::metrics))
}
