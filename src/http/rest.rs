//! The REST routes, on one page. A handler's name is its operation id, and the name of the method in every
//! generated client; what it needs stands in `app::access`.

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::DoorState;
use super::openapi;

mod access_keys;
mod adoption;
mod api_keys;
mod audit_entries;
mod audit_export;
mod audit_proofs;
mod bodies;
mod cloud_accounts;
mod deliveries;
mod ensure;
mod events;
mod found;
mod gate;
mod image_cache_query;
mod image_caches;
mod issuers;
mod key_bodies;
mod lists;
mod matches;
mod me;
mod operations;
pub(super) mod pages;
mod policies;
mod policy_bodies;
mod provider;
mod region_profiles;
mod revocations;
mod streams;
mod teams;
mod token_exchange;
mod waits;
mod webhook_bodies;
mod webhook_endpoint_acts;

pub(super) use lists::EventList;
mod webhook_endpoints;

/// Every route that stands in the document, and the document as far as the handlers tell it.
pub(super) fn routes() -> OpenApiRouter<DoorState> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(image_caches::create_image_cache, image_caches::list_image_caches))
        .routes(routes!(
            image_caches::get_image_cache,
            image_caches::update_image_cache,
            image_caches::delete_image_cache
        ))
        .routes(routes!(waits::wait_for_image_cache))
        .routes(routes!(streams::stream_image_cache_events))
        .routes(routes!(image_caches::list_transitions))
        .routes(routes!(ensure::ensure_image_cache))
        .routes(routes!(ensure::dry_run_image_cache))
        .routes(routes!(adoption::adopt_image_caches))
        .routes(routes!(found::list_found_image_caches))
        .routes(routes!(matches::match_image_caches))
        .routes(routes!(provider::get_provider_record))
        .routes(routes!(provider::list_usage))
        .routes(routes!(operations::list_operations))
        .routes(routes!(operations::get_operation))
        .routes(routes!(operations::list_team_costs))
        .routes(routes!(events::list_events))
        .routes(routes!(streams::stream_events))
        .routes(routes!(gate::check_gate))
        .routes(routes!(webhook_endpoints::create_webhook_endpoint, webhook_endpoints::list_webhook_endpoints))
        .routes(routes!(
            webhook_endpoints::get_webhook_endpoint,
            webhook_endpoint_acts::update_webhook_endpoint,
            webhook_endpoints::delete_webhook_endpoint
        ))
        .routes(routes!(webhook_endpoint_acts::verify_webhook_endpoint))
        .routes(routes!(webhook_endpoint_acts::rotate_webhook_secret))
        .routes(routes!(webhook_endpoint_acts::test_webhook_endpoint))
        .routes(routes!(webhook_endpoint_acts::pause_webhook_endpoint))
        .routes(routes!(webhook_endpoint_acts::resume_webhook_endpoint))
        .routes(routes!(webhook_endpoint_acts::recover_webhook_endpoint))
        .routes(routes!(webhook_endpoint_acts::replay_webhook_endpoint))
        .routes(routes!(deliveries::list_deliveries))
        .routes(routes!(deliveries::get_delivery))
        .routes(routes!(deliveries::list_delivery_attempts))
        .routes(routes!(deliveries::resend_delivery))
        .routes(routes!(audit_entries::list_audit_entries))
        .routes(routes!(audit_entries::get_audit_entry))
        .routes(routes!(audit_proofs::get_audit_proof))
        .routes(routes!(audit_export::export_audit_entries))
        .routes(routes!(audit_proofs::list_audit_checkpoints))
        .routes(routes!(audit_proofs::get_audit_consistency))
        .routes(routes!(access_keys::create_access_key, access_keys::list_access_keys))
        .routes(routes!(access_keys::rotate_access_key))
        .routes(routes!(access_keys::revoke_access_key))
        .routes(routes!(api_keys::create_api_key, api_keys::list_api_keys))
        .routes(routes!(api_keys::get_api_key, api_keys::revoke_api_key))
        .routes(routes!(api_keys::rotate_api_key))
        .routes(routes!(revocations::create_revocation, revocations::list_revocations))
        .routes(routes!(revocations::delete_revocation))
        .routes(routes!(token_exchange::exchange_token))
        .routes(routes!(policies::get_policy))
        .routes(routes!(teams::create_team, teams::list_teams))
        .routes(routes!(teams::get_team, teams::update_team))
        .routes(routes!(policies::get_team_policy, policies::put_team_policy, policies::delete_team_policy))
        .routes(routes!(policies::get_default_policy, policies::put_default_policy))
        .routes(routes!(region_profiles::list_region_profiles))
        .routes(routes!(
            region_profiles::get_region_profile,
            region_profiles::put_region_profile,
            region_profiles::delete_region_profile
        ))
        .routes(routes!(cloud_accounts::list_cloud_accounts))
        .routes(routes!(
            cloud_accounts::get_cloud_account,
            cloud_accounts::put_cloud_account,
            cloud_accounts::update_cloud_account,
            cloud_accounts::delete_cloud_account
        ))
        .routes(routes!(issuers::list_issuers))
        .routes(routes!(issuers::get_issuer, issuers::put_issuer, issuers::delete_issuer))
        .routes(routes!(issuers::explain_token))
        .routes(routes!(me::get_me))
        .routes(routes!(pages::healthz))
        .routes(routes!(pages::readyz))
        .routes(routes!(pages::metrics))
}
