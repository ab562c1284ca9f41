//! The stand-in of a testbed, on a free port, with the key of the testbed's gateway.

use std::io;
use std::sync::Arc;

use eci_cache_gateway::domain::clock::Clock;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::sim::{StandIn, StandInKey, StandInSettings};
use tokio::net::TcpListener;

use super::settings::{KEY, KEY_SECRET};

/// Starts it with this build speed and the keys of further accounts.
pub(crate) async fn start(
    speed: f64,
    further: Vec<StandInKey>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
) -> io::Result<StandIn> {
    let settings = StandInSettings {
        access_key_id: KEY.into(),
        access_key_secret: KEY_SECRET.into(),
        further,
        speed,
        state_file: None,
        journal: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(StandIn::start(listener, settings, clock, entropy))
}
