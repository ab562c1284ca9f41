//! Names to addresses, with the guard in between: who connects only ever learns addresses that are open.
//!
//! This is what stops a name that resolved to an open address when the endpoint was saved and to a closed one now:
//! [`super::dial`] asks again for every connection.

use std::net::SocketAddr;
use std::sync::Arc;

use super::address::{AddressPolicy, ClosedReason};
use super::lookup::Lookup;
use super::network::Networks;
use super::own_services::Own;

/// Why a name leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// It has no address, or none could be found out.
    #[error("the name has no address")]
    Unresolvable,
    /// It has addresses, and all of them are closed; the reason for the first.
    #[error("{0}")]
    Closed(ClosedReason),
    /// It has open addresses, and none in a network in which it echoed its challenge.
    #[error("the name resolves to a different network than those in which it was verified")]
    Elsewhere,
}

/// A resolver that passes on open addresses only.
#[derive(Clone)]
pub(super) struct Guarded {
    pub(super) policy: Arc<AddressPolicy>,
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) own: Arc<Own>,
}

impl Guarded {
    /// Whether `address`, to which `host` leads, is open.
    pub(super) async fn judge(&self, host: &str, address: SocketAddr) -> Result<(), ClosedReason> {
        self.policy.judge(host, address)?;
        self.own.judge(&self.policy, host, address).await
    }

    /// The open addresses of `host`: at least one. Only those within some networks, where these are given.
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
