//! Floor 4: the command line, one file for each subcommand.
//!
//! A person gets sentences on standard error, a machine gets what it asked for on standard output. Exit
//! codes: 0 done, 1 failed (of `audit verify`: something was altered), 2 wrong use or wrong settings, 130 interrupted twice.
//!
//! Who calls it: `main`. What it does not do: anything that a door could do.

mod api_key;
mod assemble;
mod audit;
mod dev;
mod healthcheck;
mod inherited;
mod migrate;
mod openapi;
mod process;
mod receive;
mod rotate_keys;
mod serve;
mod sim;
mod token;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Environment, LogFormat, SettingError};
use crate::telemetry;

/// A gateway between a company's teams and Alibaba Cloud's ECI image caches.
///
/// Settings come from the environment (`ECG_…`) over an optional TOML file. Start with `dev`.
#[derive(Debug, Parser)]
#[command(name = "eci-cache-gateway", version, propagate_version = true)]
struct Cli {
    /// A TOML file of settings; the environment wins over it. Also `ECG_CONFIG`.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on this machine: Postgres, the stand-in, the API, the workers.
    Dev(dev::Arguments),
    /// Serve the API, and run the workers beside it.
    Serve(serve::Arguments),
    /// Run the workers alone: operations, tracker, deliverer, sealer, janitor.
    Worker,
    /// Bring the database to the form that this binary needs, as the role that owns it.
    Migrate,
    /// Seal everything that is encrypted anew under the current master key. Exits with 1 if something is left.
    RotateKeys,
    /// Verify, export or prune the audit.
    #[command(subcommand)]
    Audit(audit::Arguments),
    /// Print the OpenAPI document.
    Openapi(openapi::Arguments),
    /// Mint a development token with the secret that the gateway checks tokens with.
    Token(token::Arguments),
    /// Make an API key past every door: for the first administrator.
    ApiKey(api_key::Arguments),
    /// Run the stand-in alone: a local server that speaks the cloud's API.
    Sim(sim::Arguments),
    /// Receive webhooks on this machine, verify them and print them.
    Receive(receive::Arguments),
    /// Ask the gateway on this machine whether it lives; for container health checks.
    Healthcheck,
}

/// Why a command ended, with its exit code.
#[derive(Debug)]
enum Failure {
    /// Wrong settings or use: exit code 2.
    Usage(String),
    /// Everything is said already: this exit code.
    Code(u8),
    /// Anything else: exit code 1.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Settings that are wrong or missing, all of them at once.
fn wrong(errors: &[SettingError]) -> Failure {
    let lines: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.setting, error.message)).collect();
    Failure::Usage(lines.join("\n"))
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // A second provider in the tree would make rustls panic at the first connection; one is chosen here.
    // It can only be chosen already by ourselves, and then it is the same one.
    let _chosen = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
        Err(Failure::Code(code)) => ExitCode::from(code),
        Err(Failure::Failed(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let environment = Environment::of_process();
    let file = cli.config.or_else(|| environment.config_file());
    let load = || Config::load(file.as_deref(), environment.variables()).map_err(|errors| wrong(&errors));
    match cli.command {
        Command::Dev(arguments) => dev::run(&arguments, &environment),
        Command::Serve(arguments) => serve::run(logged(load()?)?, &arguments),
        Command::Worker => worker::run(logged(load()?)?),
        Command::Migrate => migrate::run(&logged(load()?)?),
        Command::RotateKeys => rotate_keys::run(logged(load()?)?),
        Command::Audit(arguments) => audit::run(&arguments, &load()?),
        Command::Openapi(arguments) => openapi::run(&arguments),
        Command::Token(arguments) => token::run(&arguments, load()?),
        Command::ApiKey(arguments) => api_key::run(&arguments, load()?),
        Command::Sim(arguments) => sim::run(&arguments),
        Command::Receive(arguments) => receive::run(&arguments),
        Command::Healthcheck => healthcheck::run(&load()?),
    }
}

/// Starts the logs as the settings say, and logs what is odd about these.
fn logged(config: Config) -> Result<Config, Failure> {
    let format = match config.log_format {
        LogFormat::Json => telemetry::Format::Json,
        LogFormat::Text => telemetry::Format::Text,
    };
    telemetry::init_logs(&config.log, format)?;
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    Ok(config)
}

/// A runtime for the command.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
