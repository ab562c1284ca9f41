//! What a gateway of a test may do otherwise than usual.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use eci_cache_gateway::domain::clock::Instant;
use eci_cache_gateway::http::server::Limits;
use eci_cache_gateway::webhook::address::Policy;
use eci_cache_gateway::webhook::resolver::Lookup;
use eci_cache_gateway::{app, http};

/// When every test begins.
pub(crate) const START: &str = "2026-03-01T08:00:00Z";

/// What a gateway of a test may do otherwise than usual.
pub(crate) struct Setup {
    /// Where webhooks may go.
    pub(crate) policy: Policy,
    /// Who resolves the names of webhook endpoints, if not the system.
    pub(crate) lookup: Option<Arc<dyn Lookup>>,
    /// What clients may hold.
    pub(crate) limits: Limits,
    /// What an operator sets.
    pub(crate) settings: app::Settings,
    /// Deadlines and sizes of one request.
    pub(crate) http: http::Settings,
    /// Where the cloud is, if not at the stand-in.
    pub(crate) cloud: Option<String>,
    /// How long a call to the cloud may take.
    pub(crate) patience: Duration,
    /// The keys of the identity provider, as a JWKS document, if not the tests' own secret.
    pub(crate) jwks: Option<String>,
    /// When it begins.
    pub(crate) start: Instant,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            policy: Policy { allow_http: true, allow_loopback: true, ..Policy::default() },
            lookup: None,
            limits: Limits::default(),
            settings: app::Settings { webhook_skip_challenge: true, ..app::Settings::default() },
            http: http::Settings::default(),
            cloud: None,
            patience: Duration::from_secs(30),
            jwks: None,
            start: START.parse().unwrap(),
        }
    }
}
