//! Commands with which an operator makes decisions that the gateway does not make by itself. The audit records them as
//! actions of the command line. They need the settings of `serve`.

use super::{CommandFailure, console, runtime, startup, wrong};
use crate::app::{Call, Error, Gateway};
use crate::assembly;
use crate::config::{Loaded, ServeConfig};
use crate::domain::identity::caller::{Caller, CredentialKind, Door, Origin, Scope};

/// Acts with one scope of the platform, and prints the result.
pub(super) fn run(
    loaded: Loaded,
    scope: Scope,
    act: impl AsyncFnOnce(&Gateway, &Caller, &Call) -> Result<String, Error>,
) -> Result<(), CommandFailure> {
    let config = loaded.for_worker().map_err(wrong)?;
    let done = runtime()?.block_on(with(&config, scope, act))?;
    console::answer(&format!("{done}\n"))
}

async fn with(
    config: &ServeConfig,
    scope: Scope,
    act: impl AsyncFnOnce(&Gateway, &Caller, &Call) -> Result<String, Error>,
) -> Result<String, CommandFailure> {
    let gateway = assembly::gateway(config, &[])?;
    startup::patiently(|| gateway.upkeep().keys_fit()).await?;
    gateway.base().keep_time().await?;
    let caller = Caller {
        team: "platform".parse()?,
        subject: "command line".to_owned(),
        credential: "command line".to_owned(),
        kind: CredentialKind::Own,
        scopes: vec![scope],
        expires_at: None,
        provenance: None,
    };
    let origin = Origin { door: Door::Cli, request_id: gateway.base().new_request_id(), address: None };
    let call = Call::new(origin, gateway.base().clock().now());
    let done = act(&gateway, &caller, &call).await;
    gateway.close().await;
    Ok(done?)
}
