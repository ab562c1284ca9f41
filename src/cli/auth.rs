//! `auth`: explains how a token would be treated and why, and prints issuers of common providers as templates.
//!
//! ```text
//! eci-cache-gateway auth explain - < token
//! eci-cache-gateway auth preset github-actions --param repository=my-org/app --param team=web >> issuers.toml
//! ```
//!
//! `explain` exits with 0 for a token that would be accepted and has permissions, 1 for one that would be refused or
//! has none, 2 for incorrect usage or invalid settings, 3 if its issuer's keys cannot be fetched, so that it cannot be
//! verified.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::{CommandFailure, console, runtime, wrong};
use crate::assembly;
use crate::config::Loaded;
use crate::domain::clock::SystemClock;
use crate::domain::identity::caller::TeamId;
use crate::domain::identity::issuer::explanation::TokenExplanation;
use crate::domain::identity::issuer::{Issuer, preset};

/// The longest input that is read in bytes: a token beyond 8 KiB is refused.
const INPUT: u64 = 64 * 1024;
/// The exit code if the issuer's keys cannot be fetched.
const NO_KEYS: u8 = 3;

/// The subcommands of `auth`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum AuthCommand {
    /// Print how the gateway would treat a token with these settings, and why.
    Explain(Explain),
    /// Print the issuer of a common provider, to be edited. Without a name, list the presets.
    Preset(PresetArgs),
}

/// The token to explain.
#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// The token, or `-` for standard input, which other processes cannot see.
    #[arg(value_name = "TOKEN", required_unless_present = "file", conflicts_with = "file")]
    token: Option<String>,
    /// A file that contains the token.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The team to act for, as in the header X-Team.
    #[arg(long)]
    team: Option<TeamId>,
    /// Print JSON, as returned by `POST /v1/issuers/explain`.
    #[arg(long)]
    json: bool,
}

/// The preset to print.
#[derive(Debug, clap::Args)]
pub(super) struct PresetArgs {
    /// The name of the provider.
    name: Option<String>,
    /// A parameter of the preset: --param team=web.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Print JSON for `/v1/issuers` instead of TOML for the file of issuers.
    #[arg(long)]
    json: bool,
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) fn run(arguments: &AuthCommand, load: impl FnOnce() -> Loaded) -> Result<(), CommandFailure> {
    match arguments {
        AuthCommand::Explain(arguments) => explain(arguments, load()),
        AuthCommand::Preset(arguments) => print_preset(arguments),
    }
}

fn explain(arguments: &Explain, loaded: Loaded) -> Result<(), CommandFailure> {
    let token = token(arguments)?;
    let token = token.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    let auth = loaded.for_auth().map_err(wrong)?;
    let explanation = runtime()?.block_on(async {
        let verifier = assembly::verifier(&auth, Arc::new(SystemClock))?;
        anyhow::Ok(verifier.explain(token, arguments.team.as_ref().map(TeamId::as_str)).await)
    })?;
    let text = if arguments.json { json(&explanation)? } else { sentences(&explanation) };
    console::answer(&text)?;
    match explanation.code.as_deref() {
        None if explanation.caller.as_ref().is_some_and(|caller| !caller.scopes.is_empty()) => Ok(()),
        Some("issuer_unavailable") => Err(CommandFailure::Code(NO_KEYS)),
        Some(_) | None => Err(CommandFailure::Code(1)),
    }
}

/// The token, from the argument, standard input or the file.
fn token(arguments: &Explain) -> Result<String, CommandFailure> {
    let unread = |error: std::io::Error| CommandFailure::Usage(format!("the token cannot be read: {error}"));
    match (&arguments.file, arguments.token.as_deref()) {
        (Some(file), _) => std::fs::read_to_string(file).map_err(unread),
        (None, None | Some("-")) => {
            let mut text = String::new();
            std::io::stdin().take(INPUT).read_to_string(&mut text).map_err(unread)?;
            Ok(text)
        }
        (None, Some(token)) => {
            console::remark(
                "a token on the command line is visible to everybody on this machine: pass - and use standard input",
            );
            Ok(token.to_owned())
        }
    }
}

fn json<T: Serialize>(value: &T) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// The explanation for people.
fn sentences(told: &TokenExplanation) -> String {
    let mut text = match (&told.code, &told.detail) {
        (Some(code), Some(detail)) => format!("refused ({code}): {detail}\n"),
        _ if told.caller.as_ref().is_some_and(|caller| caller.scopes.is_empty()) => {
            "accepted, but without any scopes\n".to_owned()
        }
        _ => "accepted\n".to_owned(),
    };
    for check in &told.checks {
        let mark = if check.passed { "ok" } else { "NOT" };
        let _ = writeln!(text, "  {mark:<4}{:<10} {}", check.name, check.detail);
        for fact in &check.facts {
            let _ = writeln!(text, "      {:<10} {fact}", "");
        }
    }
    for tried in &told.rules {
        let how = if tried.failed.is_empty() { "matches" } else { "does not match" };
        let _ = writeln!(text, "rule {} {how}", tried.rule);
        for failed in &tried.failed {
            let expected = failed.expected.join(" or ");
            let _ = writeln!(text, "  {} {}; expected: {expected}", failed.pointer, failed.words());
        }
    }
    if let Some(caller) = &told.caller {
        let would = if told.accepted { "it becomes" } else { "otherwise it would become" };
        let _ = writeln!(text, "{would}");
        let rows = [
            ("subject", caller.subject.clone()),
            ("team", caller.teams.join(", ")),
            ("scopes", caller.scopes.join(", ")),
        ];
        let noted = caller.noted.iter().map(|(pointer, value)| (pointer.as_str(), value.clone()));
        for (name, value) in rows.into_iter().chain(noted) {
            let _ = writeln!(text, "  {name:<10} {}", if value.is_empty() { "none" } else { &value });
        }
    }
    for skipped in &told.skipped_keys {
        let kid = skipped.kid.as_deref().unwrap_or("without kid");
        let _ = writeln!(text, "key {} ({kid}) is skipped: {}", skipped.place, skipped.reason);
    }
    if told.issuer.is_none() {
        text.push_str(
            "this command knows only the issuers from the settings; POST /v1/issuers/explain also knows \
                       the others\n",
        );
    }
    text
}

/// A file of issuers.
#[derive(Serialize)]
struct PrintedIssuers<'a> {
    issuers: [&'a Issuer; 1],
}

fn print_preset(arguments: &PresetArgs) -> Result<(), CommandFailure> {
    let Some(name) = &arguments.name else { return console::answer(&known()) };
    let Some(preset) = preset::find(name) else {
        return Err(CommandFailure::Usage(format!("there is no preset {name:?}; there are:\n{}", known())));
    };
    let parameters: BTreeMap<String, String> = arguments.parameters.iter().cloned().collect();
    let issuer = preset.issuer(&parameters).map_err(|errors| {
        let told = errors.iter().map(|error| format!("{}: {}", error.field, error.detail));
        CommandFailure::Usage(told.collect::<Vec<_>>().join("\n"))
    })?;
    if arguments.json {
        return console::answer(&json(&issuer)?);
    }
    let text = toml::to_string(&PrintedIssuers { issuers: [&issuer] }).map_err(anyhow::Error::from)?;
    console::answer(&format!("# {}\n{text}", preset.title))
}

/// Every preset with its parameters.
fn known() -> String {
    let mut text = String::new();
    for preset in preset::ALL {
        let _ = writeln!(text, "{}: {}", preset.name, preset.title);
        for parameter in preset.parameters {
            let default = match parameter.default {
                None => "needed".to_owned(),
                Some("") => "left out".to_owned(),
                Some(default) => default.to_owned(),
            };
            let _ = writeln!(text, "  --param {}=…  {} [{default}]", parameter.name, parameter.meaning);
        }
    }
    text
}
