//! `api-key`: creates an API key directly in the database, for the first administrator of a gateway whose identity
//! provider has none. Whoever has the database and the master key could do that anyway; this way it is in the audit.

use chrono::Duration;

use super::{CommandFailure, console, runtime, startup, wrong};
use crate::app::Call;
use crate::app::input::NewApiKey;
use crate::assembly;
use crate::config::{Loaded, ServeConfig};
use crate::domain::identity::caller::{Caller, CredentialKind, Door, Origin, Scope, TeamId};

/// The key to create.
#[derive(Debug, clap::Args)]
pub(super) struct ApiKeyArgs {
    /// The team that the key acts for.
    #[arg(long, value_name = "TEAM")]
    team: TeamId,
    /// The scopes of the key, separated by commas or spaces: read, write, webhooks, audit, keys, platform:read,
    /// platform:policy, platform:accounts, platform:security, platform:audit.
    #[arg(long = "scope", required = true, value_name = "SCOPES", value_parser = super::token::scopes)]
    scopes: Vec<super::token::Scopes>,
    /// The name of the key.
    #[arg(long, default_value = "made on the command line")]
    name: String,
    /// The number of days for which the key is valid: 1 to 3650. By default it is valid until it is revoked.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=3_650))]
    days: Option<i64>,
}

pub(super) fn run(arguments: &ApiKeyArgs, loaded: Loaded) -> Result<(), CommandFailure> {
    let config = loaded.for_worker().map_err(wrong)?;
    let key = runtime()?.block_on(make(arguments, &config))?;
    console::answer(&format!("{key}\n"))
}

async fn make(arguments: &ApiKeyArgs, config: &ServeConfig) -> Result<String, CommandFailure> {
    let gateway = assembly::gateway(config, &[])?;
    startup::patiently(|| gateway.upkeep().keys_fit()).await?;
    gateway.base().keep_time().await?;
    let now = gateway.base().clock().now();
    let new = NewApiKey {
        name: arguments.name.clone(),
        team: None,
        scopes: arguments.scopes.iter().flat_map(|some| some.0.clone()).collect(),
        expires_at: arguments.days.map(|days| now + Duration::days(days)),
    };
    let caller = Caller {
        team: arguments.team.clone(),
        subject: "command line".to_owned(),
        credential: "command line".to_owned(),
        kind: CredentialKind::Own,
        scopes: Scope::ALL.to_vec(),
        expires_at: None,
        provenance: None,
    };
    let origin = Origin { door: Door::Cli, request_id: gateway.base().new_request_id(), address: None };
    let made = gateway.identity().create_api_key(&caller, &Call::new(origin, now), new).await;
    gateway.close().await;
    // The key is only available in its serialized form.
    let shown = serde_json::to_value(made?)?;
    Ok(shown["key"].as_str().unwrap_or_default().to_owned())
}
