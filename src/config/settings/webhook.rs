//! Where webhooks may be sent, and how. Addresses of metadata services are never allowed, whatever is set here.

use std::time::Duration;

use crate::config::kinds::{authorities, flag, host_suffix, networks, number, proxy, seconds, text};
use crate::config::section::section;
use crate::egress::{Authorities, Egress, Proxy};
use crate::webhook::address::AddressPolicy;
use crate::webhook::cidr::Cidr;
use crate::webhook::sender;

section! {
    /// Where webhooks may be sent, and how.
    WebhookConfig, "Webhooks";

    /// The networks to which webhooks may be sent, except the clouds' metadata services and the gateway's own
    /// services, which are never allowed (docs/webhook-addresses.md). Without this and the next four, nothing is
    /// allowed.
    allow_cidrs: Vec<Cidr> = networks("webhook.allow_cidrs").many();

    /// The hosts to which webhooks may be sent, including all their subdomains.
    allow_host_suffixes: Vec<String> = host_suffix("webhook.allow_host_suffixes").many();

    /// The ports to which webhooks may be sent, if not all are allowed.
    allow_ports: Option<Vec<u16>> = text("webhook.allow_ports", PORTS, port).many().never_empty("all");

    /// Whether webhooks may be sent to the public internet.
    allow_public: bool = flag("webhook.allow_public");

    /// Whether webhooks may be sent to loopback addresses.
    allow_loopback: bool = flag("webhook.allow_loopback");

    /// Whether webhooks may be sent over `http` as well as `https`.
    allow_http: bool = flag("webhook.allow_http");

    /// Whether an endpoint may be added without answering a challenge.
    allow_skip_challenge: bool = flag("webhook.allow_skip_challenge");

    /// How long one delivery may take, including its body.
    timeout: Duration = seconds("webhook.timeout_seconds", 5..=30, 15);

    /// How long a connection to a receiver is kept for the next delivery.
    keep_idle: Duration = seconds("webhook.keep_idle_seconds", 0..=300, sender::KEEP_IDLE.as_secs());

    /// How many deliveries one process sends at once.
    running: usize = number("webhook.running", 1..=10_000, 256);

    /// How many deliveries of one team are sent at once, in all processes together.
    running_per_team: usize = number("webhook.running_per_team", 1..=10_000, 64);

    /// How many deliveries to one endpoint are sent at once, in all processes together.
    running_per_endpoint: usize = number("webhook.running_per_endpoint", 1..=10_000, 8);

    /// How many webhook endpoints a team may have.
    endpoints_per_team: i64 = number("webhook.endpoints_per_team", 1..=10_000, 50);

    /// How many deliveries may wait for an endpoint that is paused or disabled. Further events are counted and can be
    /// replayed.
    waiting_while_off: i64 = number("webhook.waiting_while_off", 0..=1_000_000, 10_000);

    /// The HTTP proxy through which receivers are reached, in a tunnel to the address that was checked.
    proxy: Option<Proxy> = proxy("webhook.proxy");

    /// Certificates (PEM) to trust for receivers, in addition to the system's.
    authorities: Option<Authorities> = authorities("webhook.extra_ca_file");
}

const PORTS: &str = "a port from 1 to 65535";

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

impl WebhookConfig {
    /// The addresses that webhooks may be sent to.
    pub fn policy(&self) -> AddressPolicy {
        AddressPolicy {
            allow_http: self.allow_http,
            allow_loopback: self.allow_loopback,
            allow_cidrs: self.allow_cidrs.clone(),
            allow_host_suffixes: self.allow_host_suffixes.clone(),
            allow_ports: self.allow_ports.clone(),
            allow_public: self.allow_public,
            never: Vec::new(),
        }
    }

    /// How connections to receivers are made.
    pub fn egress(&self) -> Egress {
        Egress::new(self.proxy.clone(), self.authorities.clone())
    }
}
