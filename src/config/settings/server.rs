//! Where the gateway listens, and how clients reach it.

use std::net::SocketAddr;

use crate::config::kinds::{flag, networks, parsed, public_url};
use crate::config::section::section;
use crate::webhook::cidr::Cidr;

section! {
    /// Where the gateway listens, and how clients reach it.
    ServerConfig, "Listening";

    /// Where the API listens.
    listen: SocketAddr = parsed("listen", ADDRESS).or("127.0.0.1:8080");

    /// Where `/healthz`, `/readyz` and `/metrics` are served, open, for `serve` and `worker` (a worker serves them
    /// nowhere else). Beside the API `/metrics` asks for the scope `platform:read`.
    metrics_listen: Option<SocketAddr> = parsed("metrics_listen", ADDRESS).otherwise("beside the API");

    /// The address that links begin with, without a slash at its end; without it they are paths
    /// (docs/links-and-egress.md).
    public_url: Option<String> = public_url("public_url");

    /// The proxies that may say who their client is (`X-Forwarded-For`, else `Forwarded`) and which prefix they took
    /// off the path (`X-Forwarded-Prefix`); nobody else is believed, and no other header
    /// (docs/proxies.md#who-the-client-is).
    trusted_proxies: Vec<Cidr> = networks("trusted_proxies").many();

    /// Cursors are encrypted, and a version before that cannot read them: `true` for an upgrade during which both run
    /// (docs/compose.md#a-newer-version-without-a-gap).
    clear_cursors: bool = flag("clear_cursors");
}

const ADDRESS: &str = "an address and a port such as 127.0.0.1:8080";
