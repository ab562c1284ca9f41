//! The parts of a gateway on a testbed: `assembly` builds them from settings, as for a deployment. A test or a
//! benchmark changes the settings, or replaces parts ([`assembly::Overrides`]).
//!
//! Used by `tests/it`, and by the benchmarks whose gateway is in their own process.

use std::sync::Arc;

use eci_cache_gateway::assembly::{self, Infrastructure};
use eci_cache_gateway::config::{Loaded, ServeConfig};
use eci_cache_gateway::crypto::audit_keys::AuditKeys;
use eci_cache_gateway::domain::clock::Clock;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::store::{PoolSizes, Stamp, Store};
use sqlx::postgres::PgConnectOptions;

use super::settings::variables;

/// Not used: the database comes from the infrastructure.
const NO_DATABASE: &str = "postgres://nobody@localhost/none";
/// An address where nothing listens, for testbeds that call no cloud.
pub(crate) const NO_CLOUD: &str = "http://127.0.0.1:9";

/// The settings of a gateway that uses this cloud.
pub(crate) fn config(cloud: &str) -> ServeConfig {
    let set = variables(NO_DATABASE, cloud).map(|(name, value)| (name.to_owned(), value));
    Loaded::of(None, set).for_serve().expect("the settings of a testbed are good")
}

/// The infrastructure: a database, the clock and randomness.
pub(crate) fn ground(
    database: &PgConnectOptions,
    sizes: PoolSizes,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
) -> Infrastructure {
    Infrastructure { store: Store::open(database, sizes, stamp()), clock, entropy }
}

/// The audit's keys.
pub(crate) fn audit_keys() -> AuditKeys {
    assembly::audit_keys(&config(NO_CLOUD).audit).expect("the settings of a testbed are good")
}

/// What every audit entry is stamped with.
pub(crate) fn stamp() -> Stamp {
    assembly::stamp(&audit_keys())
}
