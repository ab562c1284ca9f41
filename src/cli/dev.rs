//! `dev`: starts everything on this machine with one command, and prints five next steps.
//!
//! What must stay true: a second start finds the data of the first; a kill leaves nothing behind that prevents the next
//! start; settings of real deployments are ignored, above all `DATABASE_URL`, except two that can be tried out with
//! `dev` (trusted proxies, the file of issuers); other settings that are present are reported as ignored.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::process::{Process, listen, worker_name};
use super::{CommandFailure, console, runtime, wrong};
use crate::assembly;
use crate::auth::jwks::JwksSettings;
use crate::config::{
    AuthKeys, ClaimsConfig, CloudConfig, Config, DatabaseConfig, DefaultIssuer, DevEnvironment, Environment,
    LimitsConfig, PaceConfig, PolicyConfig, RetentionConfig, ServeAudit, ServeAuth, ServeCloud, ServeConfig, ServeKeys,
    ServerConfig, WebhookConfig, WorkConfig,
};
use crate::crypto::master::{BadKey, MasterKey};
use crate::domain::clock::SystemClock;
use crate::domain::cloud_account::endpoint::Allowed;
use crate::domain::database::address::DatabaseAddress;
use crate::domain::entropy::Entropy;
use crate::domain::identity::access_key::KEY_SCOPES;
use crate::localpg::{self, Durability, Server, StartError};
use crate::shutdown;
use crate::sim::{self, StandIn};
use crate::telemetry::{self, LineFormat};

mod guide;
mod keys;

use guide::Guide;
use keys::DevKeys;

/// The options of `dev`.
#[derive(Debug, clap::Args)]
pub(super) struct DevArgs {
    /// The folder for all data [default: `dev` in the state folder of this user].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The port of the API on 127.0.0.1. 0 chooses a free port.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The speed of builds in the stand-in. At 1, a cache takes about 10 s.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
}

pub(super) fn run(arguments: &DevArgs, environment: &Environment, file: Option<&Path>) -> Result<(), CommandFailure> {
    if let Some(file) = file {
        let told = "dev has its own settings and reads no settings file: omit --config";
        return Err(CommandFailure::Usage(format!("{told} ({})", file.display())));
    }
    telemetry::init_logs("info,sqlx=warn", LineFormat::Text)?;
    let followed = environment.followed_by_dev().map_err(wrong)?;
    let own = environment.for_dev();
    let folder = data_folder(arguments, &own)?;
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    guide::name_not_followed(&folder, environment);
    let postgres = start_postgres(&folder, &own)?;
    let place = DevSetup { folder: &folder, postgres: &postgres, program: &own.program };
    let ended = runtime()?.block_on(everything(arguments, &place, followed));
    postgres.stop()?;
    Ok(ended?)
}

/// The folder, addresses and keys of the running parts.
struct DevSetup<'a> {
    folder: &'a Path,
    postgres: &'a Server,
    program: &'a str,
}

fn data_folder(arguments: &DevArgs, environment: &DevEnvironment) -> Result<PathBuf, CommandFailure> {
    if let Some(folder) = &arguments.data_dir {
        return Ok(std::path::absolute(folder)?);
    }
    let uid = localpg::current_uid()?;
    let state = localpg::default_state_folder(environment.xdg_state_home.as_deref(), environment.home.as_deref(), uid);
    let state = state
        .ok_or_else(|| CommandFailure::Usage("HOME is not set: name a folder for the data with --data-dir".into()))?;
    Ok(state.join("dev"))
}

fn start_postgres(folder: &Path, environment: &DevEnvironment) -> Result<Server, CommandFailure> {
    let options = localpg::Options {
        folder: folder.join("postgres"),
        durability: Durability::Durable,
        pg_bin: environment.pg_bin.clone(),
        search_path: environment.search_path.clone(),
        install: environment.pg_install.then(|| folder.join("postgres-from-npm")),
        max_connections: 100,
    };
    Server::start(&options, console::remark).map_err(|error| match error {
        StartError::NotFound(text) => CommandFailure::Usage(text),
        other => CommandFailure::Failed(other.into()),
    })
}

async fn everything(arguments: &DevArgs, place: &DevSetup<'_>, followed: Config) -> anyhow::Result<()> {
    let DevSetup { folder, postgres, .. } = place;
    let stop = shutdown::on_signals(telemetry::flush)?;
    let keys = DevKeys::of(folder)?;
    let listener = listen(([127, 0, 0, 1], arguments.port).into()).await?;
    let address = listener.local_addr()?;
    let stand_in = stand_in(arguments, folder, &keys).await?;
    let config = settings(address, &stand_in, postgres, &keys, followed)?;
    // Like the API, the stand-in is a service of ours, to which no webhook is sent: its admin API is only for people on
    // this machine.
    let ours = [address, stand_in.address()];
    let links = assembly::links(&config);
    let process = Process::new(assembly::gateway(&config, &ours)?, stop)?;
    process.gateway.migrate().await?;
    process.gateway.platform().ensure_open_policy().await?;
    let key = keys.rpc_id.parse()?;
    process.gateway.identity().ensure_access_key(guide::TEAM.parse()?, key, &keys.rpc_secret, &KEY_SCOPES).await?;
    let guide = Guide::new(place, address, &stand_in, &keys)?;
    guide.write_env()?;
    guide.print();
    let name = worker_name();
    let all = async {
        tokio::join!(process.serve(listener, None, &config, links), process.work(&name), process.upkeep());
        process.end().await;
    };
    let ended = Box::pin(process.until_stopped(all)).await;
    stand_in.shutdown().await;
    console::remark(&format!("Stopped. The data is kept in {}.", folder.display()));
    ended
}

async fn stand_in(arguments: &DevArgs, folder: &Path, keys: &DevKeys) -> anyhow::Result<StandIn> {
    let settings = sim::StandInSettings {
        access_key_id: keys.stand_in_id.clone(),
        access_key_secret: keys.stand_in_secret.clone(),
        further: Vec::new(),
        speed: arguments.speed,
        state_file: Some(folder.join("stand-in.json")),
        journal: None,
    };
    let listener = listen(([127, 0, 0, 1], 0).into()).await?;
    Ok(StandIn::start(listener, settings, Arc::new(SystemClock), Arc::new(Entropy::from_os())))
}

/// The settings that a real deployment would have to make, for this machine; the others have their defaults.
fn settings(
    address: std::net::SocketAddr,
    stand_in: &StandIn,
    postgres: &Server,
    keys: &DevKeys,
    followed: Config,
) -> anyhow::Result<ServeConfig> {
    let key = |text: &SecretString| Ok::<_, BadKey>(Arc::new(MasterKey::parse(text.expose_secret())?));
    Ok(ServeConfig {
        database_url: DatabaseAddress::parse(&postgres.database_url())?,
        database: DatabaseConfig { pool_size: 20, ..DatabaseConfig::default() },
        server: ServerConfig {
            listen: address,
            trusted_proxies: followed.server.trusted_proxies,
            ..ServerConfig::default()
        },
        cloud: ServeCloud {
            access_key_id: keys.stand_in_id.clone(),
            access_key_secret: keys.stand_in_secret.clone(),
            account_endpoints: Allowed { suffixes: None, loopback: true },
            settings: CloudConfig { endpoint: stand_in.url(), sts_endpoint: stand_in.url(), ..CloudConfig::default() },
        },
        pace: PaceConfig::default(),
        auth: ServeAuth {
            default: Some(DefaultIssuer {
                issuer: guide::ISSUER.into(),
                audience: guide::AUDIENCE.into(),
                keys: AuthKeys::Hs256(keys.tokens.clone()),
                claims: ClaimsConfig::default(),
            }),
            issuers: followed.auth.issuers,
            reach: JwksSettings::default(),
        },
        own_issuer: guide::OWN_ISSUER.into(),
        keys: ServeKeys { master: key(&keys.master)?, master_id: keys::MASTER_ID.into(), previous: None },
        audit: ServeAudit { origin: guide::ISSUER.into(), key: key(&keys.audit)?, previous_key: None },
        webhook: WebhookConfig {
            allow_loopback: true,
            allow_http: true,
            allow_skip_challenge: true,
            ..WebhookConfig::default()
        },
        limits: limits(),
        // Often, so that changes made directly in the stand-in are noticed soon.
        work: WorkConfig { reconcile_every: Duration::from_mins(1), ..WorkConfig::default() },
        policy: PolicyConfig { contact: Some("whoever started dev".into()), ..PolicyConfig::default() },
        retention: RetentionConfig::default(),
    })
}

/// The machine has one address, and its developer acts for all teams, so only real overload is refused.
fn limits() -> LimitsConfig {
    LimitsConfig {
        team_per_second: 2_000,
        team_burst: 20_000,
        address_refused_per_second: 2_000,
        address_refused_burst: 20_000,
        // There is no load balancer that would have to notice the shutdown.
        grace: Duration::ZERO,
        ..LimitsConfig::default()
    }
}
