//! `accept-vanished`: an operator says that the image caches which the cloud no longer shows in an account's region are
//! gone. While too many are missing at once the gateway calls none of them gone by itself (`docs/vanishing.md`).

use super::{Failure, assemble, console, runtime, startup, wrong};
use crate::app::Call;
use crate::config::{Config, ServeConfig};
use crate::domain::caller::{Caller, CredentialKind, Door, Origin, Scope};
use crate::domain::region::Region;

/// Where.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The cloud account, by its name at the gateway.
    #[arg(long, value_name = "NAME")]
    account: String,
    /// The region.
    #[arg(long, value_name = "REGION")]
    region: Region,
}

pub(super) fn run(arguments: &Arguments, config: Config) -> Result<(), Failure> {
    let config = config.for_serve().map_err(wrong)?;
    let done = runtime()?.block_on(accept(arguments, &config))?;
    console::answer(&format!("{done}\n"))
}

async fn accept(arguments: &Arguments, config: &ServeConfig) -> Result<String, Failure> {
    let gateway = assemble::gateway(config, &[])?;
    startup::patiently(|| gateway.keys_fit()).await?;
    gateway.keep_time().await?;
    let caller = Caller {
        team: "platform".parse()?,
        subject: "command line".to_owned(),
        credential: "command line".to_owned(),
        kind: CredentialKind::Own,
        scopes: vec![Scope::PlatformPolicy],
        expires_at: None,
        provenance: None,
    };
    let origin = Origin { door: Door::Cli, request_id: gateway.new_request_id(), address: None };
    let call = Call::new(origin, gateway.clock().now());
    let accepted = gateway.accept_vanished(&caller, &call, &arguments.account, &arguments.region).await;
    gateway.close().await;
    Ok(accepted?)
}
