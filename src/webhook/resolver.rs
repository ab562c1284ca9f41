//! Resolves names through the guard, so that only allowed addresses are connected to.
//!
//! This prevents DNS rebinding, where a name resolves to an allowed address when the endpoint is saved, and to another
//! one later: [`super::dial`] resolves it again for every connection.

use std::net::SocketAddr;
use std::sync::Arc;

use super::address::{AddressPolicy, ClosedReason};
use super::lookup::Lookup;
use super::network::Networks;
use super::own_services::Own;

/// Why a name cannot be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// It has no address, or could not be resolved.
    #[error("the name has no address")]
    Unresolvable,
    /// All of its addresses are refused; this is the reason for the first one.
    #[error("{0}")]
    Closed(ClosedReason),
    /// It has allowed addresses, but none in a network in which it answered its challenge.
    #[error("the name resolves to a different network than those in which it was verified")]
    Elsewhere,
}

/// A resolver that returns only allowed addresses.
#[derive(Clone)]
pub(super) struct Guarded {
    pub(super) policy: Arc<AddressPolicy>,
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) own: Arc<Own>,
}

impl Guarded {
    /// Whether `address`, to which `host` resolves, is allowed.
    pub(super) async fn judge(&self, host: &str, address: SocketAddr) -> Result<(), ClosedReason> {
        self.policy.judge(host, address)?;
        self.own.judge(&self.policy, host, address).await
    }

    /// The allowed addresses of `host`, at least one. Only those within the given networks, if any.
    pub(super) async fn open_addresses(
        &self,
        host: &str,
        port: u16,
        within: Option<&Networks>,
    ) -> Result<Vec<SocketAddr>, ResolveError> {
        let found = self.lookup.lookup(host.to_owned(), port).await.map_err(|_| ResolveError::Unresolvable)?;
        let mut open = Vec::new();
        let mut closed = None;
        for address in found {
            match self.judge(host, address).await {
                Ok(()) => open.push(address),
                Err(reason) => closed = closed.or(Some(reason)),
            }
        }
        if open.is_empty() {
            return Err(closed.map_or(ResolveError::Unresolvable, ResolveError::Closed));
        }
        open.retain(|address| within.is_none_or(|networks| networks.hold(address.ip())));
        if open.is_empty() { Err(ResolveError::Elsewhere) } else { Ok(open) }
    }
}
