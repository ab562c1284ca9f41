//! What a gateway on a testbed is made of: `assembly` makes its parts from settings, as those of a deployment. A test
//! or a benchmark changes the settings, or gives a part of its own ([`assembly::Overrides`]).
//!
//! Who uses it: `tests/it`, and the benchmarks that have a gateway in their own process.

use std::sync::Arc;

use eci_cache_gateway::assembly::{self, Infrastructure};
use eci_cache_gateway::config::{Loaded, ServeConfig};
use eci_cache_gateway::crypto::audit_keys::AuditKeys;
use eci_cache_gateway::domain::clock::Clock;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::store::{PoolSizes, Stamp, Store};
use sqlx::postgres::PgConnectOptions;

use super::settings::variables;

/// The database is the ground's, whatever the settings say.
const NO_DATABASE: &str = "postgres://nobody@localhost/none";
/// Where nothing listens, for whoever calls no cloud.
pub(crate) const NO_CLOUD: &str = "http://127.0.0.1:9";

/// The settings of a gateway whose cloud is there.
pub(crate) fn config(cloud: &str) -> ServeConfig {
    let set = variables(NO_DATABASE, cloud).map(|(name, value)| (name.to_owned(), value));
    Loaded::of(None, set).for_serve().expect("the settings of a testbed are good")
}

/// The ground: a database, the time and randomness.
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

/// What goes on every audit entry.
pub(crate) fn stamp() -> Stamp {
    assembly::stamp(&audit_keys())
}
