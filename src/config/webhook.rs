//! Where webhooks may go, and how.

use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;
use crate::egress::Proxy;

/// `webhook.*`: where webhooks may go. Metadata addresses are never open, whatever is set here.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the settings")]
pub struct WebhookConfig {
    /// Whether loopback addresses are open.
    pub allow_loopback: bool,
    /// Whether `http` is accepted besides `https`.
    pub allow_http: bool,
    /// Networks that are open; the form (`10.0.0.0/8`) is checked.
    pub allow_cidrs: Vec<String>,
    /// Hosts that are open together with all below them.
    pub allow_host_suffixes: Vec<String>,
    /// If given, no other port is open.
    pub allow_ports: Option<Vec<u16>>,
    /// Whether the public internet is open.
    pub allow_public: bool,
    /// Whether a caller may add an endpoint that has not echoed a challenge.
    pub allow_skip_challenge: bool,
    /// How long one delivery may take, its body included.
    pub timeout: Duration,
    /// How many endpoints a team may have.
    pub endpoints_per_team: u32,
    /// How many deliveries may wait for an endpoint that is not enabled.
    pub waiting_while_off: u32,
    /// Certificates (PEM) to trust besides the system's.
    pub extra_ca_file: Option<PathBuf>,
    /// The proxy that receivers are reached through, if any.
    pub proxy: Option<Proxy>,
}

impl WebhookConfig {
    pub(super) fn read(r: &mut Reader) -> Self {
        Self {
            allow_loopback: r.flag("webhook.allow_loopback"),
            allow_http: r.flag("webhook.allow_http"),
            allow_cidrs: r.cidrs("webhook.allow_cidrs"),
            allow_host_suffixes: r.host_suffixes("webhook.allow_host_suffixes"),
            allow_ports: r.ports("webhook.allow_ports"),
            allow_public: r.flag("webhook.allow_public"),
            allow_skip_challenge: r.flag("webhook.allow_skip_challenge"),
            timeout: r.seconds("webhook.timeout_seconds", 5..=30, 15),
            endpoints_per_team: r.number("webhook.endpoints_per_team", 1..=10_000, 50),
            waiting_while_off: r.number("webhook.waiting_while_off", 0..=1_000_000, 10_000),
            extra_ca_file: r.path("webhook.extra_ca_file"),
            proxy: r.proxy("webhook.proxy"),
        }
    }
}
