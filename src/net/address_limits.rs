//! How many connections each address has open, so that no address has all of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::limits::address_block;

/// The number of connections by address. It has at most as many entries as there are connections.
#[derive(Debug, Clone, Default)]
pub(super) struct AddressLimits(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection, which is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    address_limits: AddressLimits,
    address: IpAddr,
}

impl AddressLimits {
    /// Counts one more of `address`; `None` if there would be more than `most`.
    pub(super) fn count(&self, address: IpAddr, most: usize) -> Option<Counted> {
        let address = address_block(address);
        let mut open = self.open();
        let count = open.get(&address).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        open.insert(address, count + 1);
        Some(Counted { address_limits: self.clone(), address })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// The number of open connections of its address.
    pub(super) fn count(&self) -> usize {
        self.address_limits.open().get(&self.address).copied().unwrap_or_default()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.address_limits.open();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_count_and_nothing_stays() {
        let address_limits = AddressLimits::default();
        let count = |address: &str| address_limits.count(address.parse().unwrap(), 2);
        let (first, second) = (count("2001:db8::1"), count("2001:db8::2"));
        assert!(count("2001:db8::3").is_none() && count("2001:db8:0:1::1").is_some());
        drop(first);
        let again = count("2001:db8::3");
        assert!(again.is_some());
        drop((again, second));
        assert!(address_limits.open().is_empty());
    }
}
