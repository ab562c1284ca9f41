//! How much a team, an address and all clients together may ask for: rates, counts, and who is served first.
//!
//! [`bucket`] is a rate, [`book`] keeps one account per team or address in bounded memory, [`queue`] decides which
//! request runs next and which is turned away when there is more to do than can be done. The caller passes the time to
//! all of them. Called by `app::admission`. Nothing here waits.

pub mod book;
pub mod bucket;
pub mod queue;
mod shares;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::identity::caller::TeamId;
use bucket::Rate;
use queue::Capacity;

/// What one team may do at one gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TeamLimits {
    /// Requests per second.
    pub rate: Rate,
    /// Requests that run at once, including those that wait for the cloud's answer.
    pub running: u32,
    /// Requests that wait for an event at once: long polls and exports. Streams are counted separately.
    pub waiting: u32,
}

/// What all clients may do at one gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The limits of each team.
    pub team: TeamLimits,
    /// Requests from one address that are refused before the caller is known.
    pub unauthenticated: Rate,
    /// Tests and challenges of one team's webhook endpoints: requests to an address of the caller's choice.
    pub trials: Rate,
    /// The capacity for all requests together.
    pub room: Capacity,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            team: TeamLimits { rate: Rate { per_second: 200, burst: 1_000 }, running: 256, waiting: 1_024 },
            unauthenticated: Rate { per_second: 20, burst: 1_000 },
            trials: Rate { per_second: 1, burst: 30 },
            room: Capacity {
                running: 8,
                lists: 2,
                queue: 8_192,
                max_wait: Duration::from_secs(4),
                target: Duration::from_millis(10),
                lately: Duration::from_secs(1),
            },
        }
    }
}

/// Who a request counts against, as far as is known: whose turn it takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Party {
    /// A team with a valid credential.
    Team(TeamId),
    /// A request that is not authenticated yet; the address block that it came from, if known.
    Unauthenticated(Option<IpAddr>),
}

/// The block that counts as one address: one IPv4 address, or 64 bits of IPv6, because a site has all the rest to
/// itself.
pub fn address_block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbourhood_is_an_address_or_64_bits() {
        for (address, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2::", "2001:db8:1:2::"),
        ] {
            assert_eq!(address_block(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap(), "{address}");
        }
    }
}
