//! The addresses to listen on, and how clients reach the gateway.

use std::net::SocketAddr;

use crate::config::kinds::{flag, networks, parsed, public_url};
use crate::config::section::section;
use crate::webhook::cidr::Cidr;

section! {
    /// The addresses to listen on, and how clients reach the gateway.
    ServerConfig, "Listening";

    /// The address on which the API listens.
    listen: SocketAddr = parsed("listen", ADDRESS).or("127.0.0.1:8080");

    /// The address on which `/healthz`, `/readyz` and `/metrics` are served without authentication, for `serve` and
    /// `worker` (a worker serves them nowhere else). On the API's address, `/metrics` requires the scope
    /// `platform:read`.
    metrics_listen: Option<SocketAddr> = parsed("metrics_listen", ADDRESS).otherwise("beside the API");

    /// The address with which links begin, without a trailing slash. If it is not set, links are paths
    /// (docs/links-and-egress.md).
    public_url: Option<String> = public_url("public_url");

    /// The proxies that are trusted to report their client (`X-Forwarded-For`, else `Forwarded`) and the prefix that
    /// they removed from the path (`X-Forwarded-Prefix`). Nobody else and no other header is trusted
    /// (docs/proxies.md#who-the-client-is).
    trusted_proxies: Vec<Cidr> = networks("trusted_proxies").many();

    /// Whether cursors are written unencrypted. Versions before encrypted cursors cannot read them: set `true` for an
    /// upgrade during which both run (docs/compose.md#a-newer-version-without-a-gap).
    clear_cursors: bool = flag("clear_cursors");
}

const ADDRESS: &str = "an address and a port such as 127.0.0.1:8080";
