//! `accept-vanished`: an operator confirms that the image caches which the cloud no longer shows in a region of an
//! account are gone. If too many are missing at once, the gateway does not assume so by itself (`docs/vanishing.md`).

use super::{CommandFailure, operator};
use crate::config::Loaded;
use crate::domain::identity::caller::Scope;
use crate::domain::region::Region;

/// Where the image caches are missing.
#[derive(Debug, clap::Args)]
pub(super) struct AcceptVanishedArgs {
    /// The name of the cloud account at the gateway.
    #[arg(long, value_name = "NAME")]
    account: String,
    /// The region in which the image caches are missing.
    #[arg(long, value_name = "REGION")]
    region: Region,
}

pub(super) fn run(arguments: &AcceptVanishedArgs, loaded: Loaded) -> Result<(), CommandFailure> {
    operator::run(loaded, Scope::PlatformPolicy, async |gateway, caller, call| {
        gateway.vanishings().accept_vanished(caller, call, &arguments.account, &arguments.region).await
    })
}
