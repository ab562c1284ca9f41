//! Floor 4: the command line, one file for each subcommand.
//!
//! Messages for people go to standard error, requested output goes to standard output. If a command logs as JSON, the
//! error that ends it is a JSON line too, including invalid settings. Exit codes: 0 done; 1 failed (`audit verify`:
//! something was altered; `doctor`: something is missing); 2 incorrect usage or invalid settings; 3 not verified
//! (`audit verify`) or no keys to verify with (`auth explain`); 4 the database permanently refuses the gateway
//! (password, role, name, schema, pooler); 5 the audit key or the master key is not the one of this database; 70 a part
//! of the process died; 130 interrupted twice; 141 nobody reads the output.
//!
//! Called by `main`. It contains nothing that belongs to a door.

mod accept_account;
mod accept_vanished;
mod api_key;
mod audit;
mod auth;
mod console;
#[cfg(feature = "dev")]
mod dev;
mod doctor;
mod healthcheck;
mod inherited;
#[cfg(not(feature = "dev"))]
mod left_out;
mod migrate;
mod openapi;
mod operator;
mod problems;
mod process;
#[cfg(feature = "dev")]
mod receive;
mod rotate_keys;
mod serve;
mod settings;
#[cfg(feature = "dev")]
mod sim;
mod startup;
mod token;
mod worker;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
#[cfg(not(feature = "dev"))]
use left_out::{self as dev, self as receive, self as sim};

use crate::assembly;
use crate::config::{Environment, Loaded, LogFormat, SettingError};
use crate::{shutdown, telemetry};

/// The exit code if a part of the process died (`EX_SOFTWARE` of sysexits.h).
const PART_DIED: u8 = 70;

/// A gateway between a company's teams and Alibaba Cloud's ECI image caches.
///
/// Settings come from the environment (`ECG_…`) and an optional TOML file; the environment takes precedence.
#[cfg_attr(feature = "dev", doc = "To try the gateway, run `dev`.")]
#[derive(Debug, Parser)]
#[command(name = "eci-cache-gateway", version, propagate_version = true)]
struct Cli {
    /// A TOML file with settings. The environment takes precedence over it. Can also be set as `ECG_CONFIG`.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on this machine: Postgres, the stand-in, the API and the workers.
    #[cfg_attr(not(feature = "dev"), command(hide = true, disable_help_flag = true))]
    Dev(dev::DevArgs),
    /// Serve the API and run the workers in the same process.
    Serve(serve::ServeArgs),
    /// Run only the workers: operations, tracker, deliverer, sealer, janitor.
    Worker,
    /// Migrate the database to the schema of this version, as the role that owns it.
    Migrate,
    /// Re-encrypt all secrets in the database with the current master key. Exits with 1 if something could not be
    /// re-encrypted.
    RotateKeys(rotate_keys::RotateKeysArgs),
    /// Show which permissions the gateway needs in the cloud and in the database, and check whether it has them.
    #[command(subcommand)]
    Doctor(doctor::DoctorCommand),
    /// Verify, export or prune the audit.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Explain how the gateway would treat a token, and print issuer presets of common providers.
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    /// Print the OpenAPI document.
    Openapi(openapi::OpenApiArgs),
    /// Print every problem of the API, with its meaning and how to resolve it.
    Problems(problems::ProblemsArgs),
    /// Print every setting with its purpose, its allowed values and its default.
    Settings(settings::SettingsArgs),
    /// Mint a development token, signed with the secret with which the gateway verifies tokens.
    Token(token::TokenArgs),
    /// Create an API key directly in the database, for the first administrator.
    ApiKey(api_key::ApiKeyArgs),
    /// Confirm that image caches which are missing from the cloud, too many at once, are gone.
    AcceptVanished(accept_vanished::AcceptVanishedArgs),
    /// Confirm that a cloud account now belongs to a different account of the cloud.
    AcceptAccount(accept_account::AcceptAccountArgs),
    /// Run only the stand-in: a local server that speaks the cloud's API.
    #[cfg_attr(not(feature = "dev"), command(hide = true, disable_help_flag = true))]
    Sim(sim::SimArgs),
    /// Receive webhooks on this machine, verify them and print them. Reads the secret from standard input: `whsec_…`,
    /// or the gateway's response to the create of the endpoint.
    #[cfg_attr(not(feature = "dev"), command(hide = true, disable_help_flag = true))]
    Receive(receive::ReceiveArgs),
    /// Check that the gateway on this machine is running, for container health checks.
    Healthcheck,
}

/// Why a command ended, with its exit code.
#[derive(Debug)]
enum CommandFailure {
    /// Incorrect usage: exit code 2.
    Usage(String),
    /// All invalid settings: exit code 2.
    Settings(Vec<SettingError>),
    /// The reason was already printed: only the exit code.
    Code(u8),
    /// Anything else: exit code 1.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for CommandFailure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl CommandFailure {
    /// Prints the reason, as a log line if logging has started, and returns the exit code.
    fn say(&self) -> u8 {
        let json = telemetry::format() == Some(telemetry::LineFormat::Json);
        match self {
            Self::Usage(text) if json => tracing::error!("{text}"),
            Self::Usage(text) => console::remark(text),
            Self::Settings(errors) => errors.iter().for_each(|error| say_wrong(error, json)),
            Self::Code(_) => {}
            Self::Failed(error) if json => {
                let cause: &(dyn std::error::Error + 'static) = error.as_ref();
                tracing::error!(error = cause, "the process ends");
            }
            Self::Failed(error) => console::remark(&format!("error: {}", startup::chain(error))),
        }
        match self {
            Self::Usage(_) | Self::Settings(_) => 2,
            Self::Code(code) => *code,
            Self::Failed(error) if error.is::<assembly::UnusableSetting>() => 2,
            Self::Failed(error) if error.is::<shutdown::ComponentExit>() => PART_DIED,
            Self::Failed(error) => error.downcast_ref().map_or(1, startup::exit_code),
        }
    }
}

fn say_wrong(error: &SettingError, json: bool) {
    if json {
        tracing::error!(setting = error.setting, "{}", error.message);
    } else {
        console::remark(&error.to_string());
    }
}

/// All settings that are invalid or missing.
fn wrong(errors: Vec<SettingError>) -> CommandFailure {
    CommandFailure::Settings(errors)
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // With a second provider in the dependency tree, rustls would panic at the first connection, so one is installed
    // here. Only we install one, so if this fails, it is the same one.
    let _chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let code = run(cli).map_or_else(|failure| failure.say(), |()| 0);
    telemetry::flush();
    ExitCode::from(code)
}

fn run(cli: Cli) -> Result<(), CommandFailure> {
    let environment = Environment::of_process();
    let given = cli.config;
    let file = given.clone().or_else(|| environment.config_file());
    let load = || Loaded::of(file.as_deref(), environment.variables());
    let config = || load().config().map_err(wrong);
    // For commands that log.
    let logged = || with_logs(load());
    match cli.command {
        #[cfg(feature = "dev")]
        Command::Dev(arguments) => dev::run(&arguments, &environment, given.as_deref()),
        Command::Serve(arguments) => serve::run(logged()?, &arguments),
        Command::Worker => worker::run(logged()?),
        Command::Migrate => migrate::run(&logged()?.config().map_err(wrong)?),
        Command::RotateKeys(arguments) => rotate_keys::run(logged()?, &arguments),
        Command::Doctor(arguments) => doctor::run(&arguments, load()),
        Command::Audit(arguments) => audit::run(&arguments, &config()?),
        Command::Auth(arguments) => auth::run(&arguments, load),
        Command::Openapi(arguments) => openapi::run(&arguments),
        Command::Problems(arguments) => problems::run(&arguments),
        Command::Settings(arguments) => settings::run(&arguments),
        Command::Token(arguments) => token::run(&arguments, config()?),
        Command::ApiKey(arguments) => api_key::run(&arguments, load()),
        Command::AcceptVanished(arguments) => accept_vanished::run(&arguments, load()),
        Command::AcceptAccount(arguments) => accept_account::run(&arguments, load()),
        #[cfg(feature = "dev")]
        Command::Sim(arguments) => sim::run(&arguments),
        #[cfg(feature = "dev")]
        Command::Receive(arguments) => receive::run(&arguments),
        #[cfg(not(feature = "dev"))]
        Command::Dev(_) => Err(left_out::refusal("dev")),
        #[cfg(not(feature = "dev"))]
        Command::Sim(_) => Err(left_out::refusal("sim")),
        #[cfg(not(feature = "dev"))]
        Command::Receive(_) => Err(left_out::refusal("receive")),
        Command::Healthcheck => healthcheck::run(&config()?),
    }
}

/// Starts logging according to the settings, and logs warnings about them.
fn with_logs(loaded: Loaded) -> Result<Loaded, CommandFailure> {
    let log = loaded.log();
    telemetry::init_logs(&log.filter, format_of(log.format))?;
    for note in loaded.notes() {
        tracing::warn!("{note}");
    }
    Ok(loaded)
}

/// The configured format; by default text on a terminal, otherwise JSON.
fn format_of(set: Option<LogFormat>) -> telemetry::LineFormat {
    match set {
        Some(LogFormat::Text) => telemetry::LineFormat::Text,
        None if io::stderr().is_terminal() => telemetry::LineFormat::Text,
        Some(LogFormat::Json) | None => telemetry::LineFormat::Json,
    }
}

/// A runtime for the command.
fn runtime() -> Result<tokio::runtime::Runtime, CommandFailure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
