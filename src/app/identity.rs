//! Authentication and credentials: tokens and keys become callers; keys are created, rotated and revoked; tokens are
//! exchanged and revoked; and it is decided which issuers to trust.

pub(super) mod access_keys;
pub(super) mod api_keys;
pub(super) mod authentication;
pub(super) mod issuer_keys;
pub(super) mod issuers;
pub(super) mod key_rules;
pub(super) mod revocations;
pub(super) mod token_exchange;

use std::sync::Arc;

use super::base::Base;
use super::platform::policy::Policies;
use super::webhooks::platform_events::PlatformEvents;
use crate::auth::own::OwnTokens;
use crate::auth::verify::Verifier;
use authentication::KnownCredentials;

/// Authentication and credentials; cheap to clone.
#[derive(Debug, Clone)]
pub struct Identity {
    base: Base,
    policies: Policies,
    platform_events: PlatformEvents,
    verifier: Arc<Verifier>,
    own_tokens: Arc<OwnTokens>,
    /// What is known about credentials in this process.
    credentials: Arc<KnownCredentials>,
}

impl Identity {
    pub(super) fn new(
        base: &Base,
        policies: &Policies,
        platform_events: &PlatformEvents,
        verifier: Verifier,
        own_tokens: OwnTokens,
    ) -> Self {
        Self {
            base: base.clone(),
            policies: policies.clone(),
            platform_events: platform_events.clone(),
            verifier: Arc::new(verifier),
            own_tokens: Arc::new(own_tokens),
            credentials: Arc::default(),
        }
    }
}
