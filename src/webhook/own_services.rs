//! The gateway's own services: its listeners, database, proxies, the issuers of its tokens, the cloud. A webhook to one
//! of them would come from an internal address, which they trust.
//!
//! What must stay true: they are recognized by the address that is connected to, however it is written and whichever
//! name resolves to it. Names are resolved like those of receivers, and the results are cached for a while.
//!
//! [`super::resolver`] calls it for each connection. `assembly` lists the services.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::address::{AddressPolicy, ClosedReason, is_special};
use super::embedded::inner;
use super::lookup::Lookup;
use crate::domain::clock::Uptime;

/// How long a result is used before the name is resolved again.
const FRESH: Duration = Duration::from_secs(30);
/// How long an address counts after it was last returned: names with many addresses return a few at a time.
const KEPT: Duration = Duration::from_mins(10);
/// The longest wait for a result.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// One of the gateway's own services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnService {
    /// Its host: a name or an address; `0.0.0.0` and `::` stand for every address of this machine.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether receivers may have the same address and port: an HTTP service may be behind the same ingress or CDN.
    /// Then its name is refused; its address is refused too, unless it is public, where everybody can reach it without
    /// us, or the operator allows the receiver's host by name.
    pub shared: bool,
}

/// All of the gateway's own services.
pub(super) struct Own {
    services: Vec<OwnService>,
    lookup: Arc<dyn Lookup>,
    found: Mutex<HashMap<String, ResolvedAddresses>>,
}

#[derive(Default)]
struct ResolvedAddresses {
    asked: Option<Uptime>,
    addresses: HashMap<IpAddr, Uptime>,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own").field("services", &self.services).finish_non_exhaustive()
    }
}

impl Own {
    pub(super) fn new(services: Vec<OwnService>, lookup: Arc<dyn Lookup>) -> Self {
        Self { services, lookup, found: Mutex::default() }
    }

    /// Whether a request to `host`, which resolves to `address`, would reach one of them.
    pub(super) async fn judge(
        &self,
        policy: &AddressPolicy,
        host: &str,
        address: SocketAddr,
    ) -> Result<(), ClosedReason> {
        let ip = inner(address.ip());
        for service in &self.services {
            if service.shared && is_same(host, &service.host) && (service.port == address.port() || is_name(host)) {
                return Err(ClosedReason::Own);
            }
            let free = service.shared && (!is_special(ip) || policy.names(host));
            if service.port == address.port() && !free && self.is_at(service, ip).await {
                return Err(ClosedReason::Own);
            }
        }
        Ok(())
    }

    async fn is_at(&self, service: &OwnService, ip: IpAddr) -> bool {
        let bare = service.host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(own) if own.is_unspecified() => is_of_this_machine(ip),
            Ok(own) => inner(own) == ip,
            Err(_) => self.leads_to(bare, service.port, ip).await,
        }
    }

    async fn leads_to(&self, name: &str, port: u16, ip: IpAddr) -> bool {
        let now = Uptime::now();
        let is_fresh = |found: &ResolvedAddresses| found.asked.is_some_and(|asked| now.since(asked) < FRESH);
        if !self.found().get(name).is_some_and(is_fresh) {
            // If it cannot be resolved, the known addresses still count: the receiver is checked nevertheless.
            let answer = timeout(MAX_WAIT, self.lookup.lookup(name.to_owned(), port)).await;
            let addresses = answer.ok().and_then(Result::ok).unwrap_or_default();
            let mut all = self.found();
            let found = all.entry(name.to_owned()).or_default();
            found.asked = Some(now);
            found.addresses.extend(addresses.into_iter().map(|address| (inner(address.ip()), now)));
            found.addresses.retain(|_, seen| now.since(*seen) < KEPT);
        }
        self.found().get(name).is_some_and(|found| found.addresses.contains_key(&ip))
    }

    fn found(&self) -> MutexGuard<'_, HashMap<String, ResolvedAddresses>> {
        // Nothing panics while the lock is held.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two hosts have the same name.
fn is_same(host: &str, own: &str) -> bool {
    host.trim_end_matches('.').eq_ignore_ascii_case(own.trim_end_matches('.'))
}

/// Whether a host has a name of its own: an address or `localhost` is shared by many services of a machine.
fn is_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches([']', '.']);
    bare.parse::<IpAddr>().is_err() && !bare.eq_ignore_ascii_case("localhost")
}

/// Whether an interface of this machine has the address: only then can a socket be bound to it.
fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}
