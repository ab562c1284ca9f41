//! `audit`: verify the audit, print its newest checkpoint or its key, export it, drop old months.
//!
//! No running gateway is needed. `verify` exits with 0 if everything is as it was sealed, 1 if something was altered, 2
//! for incorrect usage, 3 if it could not be verified.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;

use super::{CommandFailure, console, runtime, startup};
use crate::app::audit::verification::{self, VerificationReport, VerificationSubject};
use crate::assembly;
use crate::config::{Config, ServeAudit};
use crate::crypto::audit_keys::AuditKeys;
use crate::crypto::note::NoteVerifier;
use crate::domain::audit::checkpoint::Checkpoint;
use crate::store::{Stamp, Store};

mod file;
mod months;

/// How long an entry may be unsealed before it is reported: twice the time within which the sealer should seal it.
const MAX_WAIT: Duration = Duration::from_secs(4);
/// The exit code if the audit could not be verified.
const NOT_VERIFIED: u8 = 3;

/// The subcommands of `audit`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum AuditCommand {
    /// Find all entries that are missing, altered, added or moved. Exits with 1 if there are any.
    Verify(Verify),
    /// Print the newest checkpoint signed with the gateway's key (without `ECG_KEYS_AUDIT`, the newest of all). Keep
    /// it to prove later that nothing that it covers was altered.
    Checkpoint,
    /// Print the verifier key, with which the audit can be verified without the signing key.
    Key,
    /// Print the whole audit of all teams as lines of JSON, which `verify --file` accepts.
    Export,
    /// Drop the entries of old months, as the owner of the database. Their leaves are kept, so that the rest can
    /// still be verified.
    Drop(months::AuditDropArgs),
}

/// The options of `audit verify`.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// A file created by `audit export`, to verify instead of the database.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A checkpoint that was saved earlier. Everything that it covers must still exist.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// A verifier key, as printed by `audit key`. May be repeated. Defaults to the key of `ECG_KEYS_AUDIT`.
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<NoteVerifier>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &AuditCommand, config: &Config) -> Result<(), CommandFailure> {
    match arguments {
        AuditCommand::Verify(verify) => run_verify(verify, config),
        AuditCommand::Checkpoint => runtime()?.block_on(async {
            let store = store(config, Stamp::none())?;
            startup::reached(&store).await?;
            // Without a key, the newest checkpoint of all is printed.
            let note = match &config.audit.key {
                Some(_) => verification::newest_checkpoint(&store, &keys(config)?.verifiers()).await?,
                None => store.audit_checkpoint(None).await?,
            };
            console::answer(&note.context("nothing has been sealed yet")?)
        }),
        AuditCommand::Key => console::answer(&format!("{}\n", keys(config)?.verifiers()[0])),
        AuditCommand::Export => runtime()?.block_on(async {
            let store = store(config, Stamp::none())?;
            startup::reached(&store).await?;
            let mut output = console::Output::new();
            let written = file::write(&store, &mut std::io::BufWriter::new(&mut output)).await;
            written.map_err(|error| output.failure(error))
        }),
        AuditCommand::Drop(drop) => months::run(drop, config),
    }
}

/// The database: with the owner's role if it is configured, else with the runtime role, which may read.
fn store(config: &Config, stamp: Stamp) -> Result<Store, CommandFailure> {
    let url = config.database.migrate_url.as_ref().or(config.database.url.as_ref());
    let url = url.ok_or_else(|| CommandFailure::Usage("ECG_DATABASE_URL must be set, or --file given".to_owned()))?;
    Ok(assembly::store(url, &config.database, stamp))
}

fn keys(config: &Config) -> Result<AuditKeys, CommandFailure> {
    let audit = config.audit.clone();
    let need = || CommandFailure::Usage("ECG_KEYS_AUDIT must be set; `audit verify` also accepts --key".to_owned());
    let key = audit.key.ok_or_else(need)?;
    Ok(assembly::audit_keys(&ServeAudit { origin: audit.origin, key, previous_key: audit.previous_key })?)
}

fn run_verify(verify: &Verify, config: &Config) -> Result<(), CommandFailure> {
    let keys = if verify.keys.is_empty() { keys(config)?.verifiers() } else { verify.keys.clone() };
    let saved = verify.checkpoint.as_ref().map(|path| saved(path, &keys)).transpose()?;
    let subject = VerificationSubject { keys, saved, waited: HashSet::new() };
    let looked = if let Some(path) = &verify.file {
        file::verify(path, &subject)
    } else {
        let runtime = runtime()?;
        let _within = runtime.enter();
        let store = store(config, Stamp::none())?;
        runtime.block_on(async {
            startup::reached(&store).await?;
            patiently(&store, subject).await
        })
    };
    match looked {
        Ok(report) => print_report(&report, verify.json),
        Err(error) => {
            console::remark(&format!("the audit could not be verified: {error:#}"));
            Err(CommandFailure::Code(NOT_VERIFIED))
        }
    }
}

/// A saved checkpoint; it must be signed by one of our keys.
fn saved(path: &std::path::Path, keys: &[NoteVerifier]) -> Result<Checkpoint, CommandFailure> {
    let note = std::fs::read_to_string(path)
        .map_err(|error| CommandFailure::Usage(format!("--checkpoint {}: {error}", path.display())))?;
    let read = keys.iter().find_map(|key| Checkpoint::parse(key.open(&note)?));
    read.ok_or_else(|| {
        CommandFailure::Usage(format!("--checkpoint {}: is not a checkpoint that these keys signed", path.display()))
    })
}

/// Checks again if entries were not sealed yet: those that are still unsealed will not be.
async fn patiently(store: &Store, mut subject: VerificationSubject) -> anyhow::Result<VerificationReport> {
    let (report, waiting) = verification::verify(store, &subject).await?;
    if waiting.is_empty() {
        return Ok(report);
    }
    tokio::time::sleep(MAX_WAIT).await;
    subject.waited = waiting;
    Ok(verification::verify(store, &subject).await?.0)
}

fn print_report(report: &VerificationReport, json: bool) -> Result<(), CommandFailure> {
    let said = if json { serde_json::to_string_pretty(report)? + "\n" } else { sentences(report) };
    // The exit code tells whether it is clean, even if nobody reads the output.
    let printed = console::answer(&said);
    if report.is_clean() { printed } else { Err(CommandFailure::Code(1)) }
}

fn sentences(report: &VerificationReport) -> String {
    let VerificationReport { leaves, entries, dropped, checkpoints, unsealed, size, .. } = report;
    let mut lines: Vec<String> =
        report.findings.iter().map(|finding| format!("{}: {}", finding.kind, finding.detail)).collect();
    if report.more_findings > 0 {
        lines.push(format!("… and {} more", report.more_findings));
    }
    lines.push(format!(
        "{leaves} leaves, {entries} entries compared, {dropped} dropped by retention, {checkpoints} valid checkpoints."
    ));
    if *unsealed > 0 {
        lines.push(format!("{unsealed} newer entries are not sealed yet."));
    }
    if *checkpoints == 0 && *leaves > 0 {
        lines.push(
            "No checkpoint was signed with the given key: is it the key of this log (ECG_KEYS_AUDIT, ECG_AUDIT_ORIGIN)?"
                .to_owned(),
        );
    }
    lines.push(match report.findings.len() + report.more_findings {
        0 => format!("The audit is intact up to the checkpoint of size {size}."),
        1 => "1 problem found: the audit is not as it was sealed.".to_owned(),
        n => format!("{n} problems found: the audit is not as it was sealed."),
    });
    lines.join("\n") + "\n"
}
