//! The gateway's own services according to the settings, to which no webhooks are sent; and warnings about settings
//! that would allow a cloud's metadata service.

use std::net::SocketAddr;

use url::Url;

use crate::config::{AuthKeys, ServeConfig};
use crate::domain::database::address::DatabaseAddress;
use crate::egress::Proxy;
use crate::webhook::address::AddressPolicy;
use crate::webhook::metadata;
use crate::webhook::own_services::OwnService;

/// The default port of a database.
const POSTGRES: u16 = 5432;

/// The gateway's own services; `ours` are its listeners.
pub(super) fn services(config: &ServeConfig, ours: &[SocketAddr]) -> Vec<OwnService> {
    let alone = |host: String, port| OwnService { host, port, shared: false };
    let mut all: Vec<_> = ours.iter().map(|address| alone(address.ip().to_string(), address.port())).collect();
    all.extend(database(&config.database_url).into_iter().map(|(host, port)| alone(host, port)));
    let proxies = [&config.cloud.settings.proxy, &config.webhook.proxy, &config.auth.reach.egress.proxy];
    for proxy in proxies.into_iter().flatten().map(Proxy::address) {
        all.extend(of_url(proxy).map(|(host, port)| alone(host, port)));
    }
    let (cloud, server) = (&config.cloud.settings, &config.server);
    let regions: Vec<_> = cloud.regions.iter().map(ToString::to_string).collect();
    let endpoints = match regions.as_slice() {
        _ if !cloud.endpoint.contains("{region}") => vec![cloud.endpoint.clone()],
        // Without a list the regions are unknown; their default endpoints are public, so everybody can reach them
        // anyway.
        [] => Vec::new(),
        regions => regions.iter().map(|region| cloud.endpoint.replace("{region}", region)).collect(),
    };
    let others = [Some(cloud.sts_endpoint.clone()), server.public_url.clone()];
    for url in endpoints.into_iter().chain(issuers(config)).chain(others.into_iter().flatten()) {
        all.extend(of_url(&url).map(|(host, port)| OwnService { host, port, shared: true }));
    }
    all
}

/// The issuers in the settings, and the URLs of their keys. Issuers added at runtime are not included; webhooks to them
/// are only subject to the general address rules.
fn issuers(config: &ServeConfig) -> Vec<String> {
    let default = config.auth.default.iter().flat_map(|default| {
        let keys = match &default.keys {
            AuthKeys::JwksUrl(url) => Some(url.to_string()),
            _ => None,
        };
        std::iter::once(default.issuer.clone()).chain(keys)
    });
    let others = config
        .auth
        .issuers
        .iter()
        .flat_map(|issuer| std::iter::once(issuer.issuer.clone()).chain(issuer.keys.url.clone()));
    default.chain(others).collect()
}

/// The hosts and the port of a database; an address has one host. A server that is reached by a Unix socket usually
/// listens on loopback too.
fn database(address: &DatabaseAddress) -> Vec<(String, u16)> {
    // `hostaddr` has already replaced the host, because it is what is connected to.
    let host = address.get("host").unwrap_or_default();
    let port = address.get("port").and_then(|port| port.parse().ok()).unwrap_or(POSTGRES);
    let socket = host.is_empty() || host.starts_with(['/', '@']);
    let hosts = if socket { vec!["127.0.0.1", "::1"] } else { vec![host] };
    hosts.into_iter().map(|host| (host.to_owned(), port)).collect()
}

fn of_url(url: &str) -> Option<(String, u16)> {
    let url = Url::parse(url).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}

/// Warns about each setting that would allow a metadata service, and names the service: it is refused nevertheless.
pub(super) fn tell_of_metadata(policy: &AddressPolicy) {
    for network in &policy.allow_cidrs {
        for service in metadata::opened_by(network) {
            tracing::warn!(
                network = %service.network,
                "ECG_WEBHOOK_ALLOW_CIDRS: {network} contains {}, {}: webhooks are never sent there, whatever is \
                 allowed",
                service.network,
                service.whose
            );
        }
    }
    for suffix in &policy.allow_host_suffixes {
        for name in metadata::named_by(suffix) {
            tracing::warn!(
                name,
                "ECG_WEBHOOK_ALLOW_HOST_SUFFIXES: {suffix} matches {name}, a cloud's metadata service: webhooks are \
                 never sent there, whatever is allowed"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_known_by_what_is_connected_to() {
        let of = |url: &str| database(&DatabaseAddress::parse(url).unwrap());
        let at = |host: &str, port| (host.to_owned(), port);
        assert_eq!(of("postgres://u:p@db.example/x"), [at("db.example", 5432)]);
        let by_socket = of("postgres://u@localhost:5555/x?host=/run/postgresql");
        assert_eq!(by_socket, [at("127.0.0.1", 5555), at("::1", 5555)]);
        assert_eq!(of("postgres:///x"), [at("127.0.0.1", 5432), at("::1", 5432)]);
        let by_number = of("postgres://u@db.example/x?hostaddr=10.0.0.7");
        assert_eq!(by_number, [at("10.0.0.7", 5432)], "which is what is connected to");
    }
}
