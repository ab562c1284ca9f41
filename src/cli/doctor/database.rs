//! `doctor database`: the privileges that the runtime role needs in the database, and how its own differ.

use anyhow::Context as _;
use serde::Serialize;

use crate::app::upkeep::startup::StartupError;
use crate::assembly;
use crate::cli::{CommandFailure, console, runtime, startup};
use crate::config::Config;
use crate::domain::database::grants::{self, Difference, GRANTS, ObjectKind};
use crate::store::{Stamp, Store};

/// The options of `doctor database`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DoctorDatabaseArgs {
    /// The role to check. Defaults to the role in `ECG_DATABASE_URL`.
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// The findings, as `--json` prints them.
#[derive(Serialize)]
struct DatabaseReport {
    fine: bool,
    role: String,
    /// The privileges it needs, as GRANT statements.
    needs: Vec<String>,
    /// The privileges it needs but lacks.
    missing: Vec<String>,
    /// The privileges it has but does not need.
    more: Vec<String>,
    /// The ways in which it could alter the audit, regardless of its privileges.
    powers: Vec<String>,
}

pub(super) fn run(arguments: &DoctorDatabaseArgs, config: &Config) -> Result<(), CommandFailure> {
    let Some(url) = config.database.url.as_ref() else {
        return Err(CommandFailure::Usage("ECG_DATABASE_URL must be set: the database as the runtime role".to_owned()));
    };
    let report = runtime()?.block_on(async {
        let store = assembly::store(url, &config.database, Stamp::none());
        startup::reached(&store).await?;
        let report = examine(&store, arguments.role.as_deref()).await;
        store.close().await;
        report
    })?;
    let text = if arguments.json { serde_json::to_string_pretty(&report)? + "\n" } else { sentences(&report) };
    let printed = console::answer(&text);
    if report.fine { printed } else { Err(CommandFailure::Code(1)) }
}

async fn examine(store: &Store, role: Option<&str>) -> anyhow::Result<DatabaseReport> {
    let ours = store.role().await?;
    let role = role.unwrap_or(&ours).to_owned();
    let held = store.held_privileges(&role).await?.with_context(|| format!("there is no role {role}"))?;
    let (mut missing, mut more) = (Vec::new(), Vec::new());
    for Difference { kind, name, missing: less, more: extra } in grants::compare(&held) {
        let on = grants::target(kind, &name);
        missing.extend(less.iter().map(|privilege| format!("{privilege} ON {on}")));
        more.extend(extra.iter().map(|privilege| format!("{privilege} ON {on}")));
    }
    let powers = match further(store).await {
        // Ways around privileges are only known for the role in use.
        Ok(powers) if role == ours => powers,
        Ok(_) => Vec::new(),
        // It cannot even connect; the missing privileges say why.
        Err(_) if role == ours && !missing.is_empty() => Vec::new(),
        Err(error) => return Err(error),
    };
    let database = store.target().database;
    let needs = GRANTS.iter().map(|grant| grant.statement(&database, &role)).collect();
    let fine = missing.is_empty() && more.is_empty() && powers.is_empty();
    Ok(DatabaseReport { fine, role, needs, missing, more, powers })
}

/// What only a session of the gateway can find out: the ways in which its role could alter the audit.
async fn further(store: &Store) -> anyhow::Result<Vec<String>> {
    if !store.is_migrated().await? {
        return Err(StartupError::NotMigrated.into());
    }
    Ok(store.powers_over_audit().await?.unwrap_or_default())
}

/// Reported for a role that bypasses all privileges.
const SUPERUSER: &str = "it is a superuser";

fn sentences(report: &DatabaseReport) -> String {
    let role = &report.role;
    if report.powers.iter().any(|power| power == SUPERUSER) {
        return format!(
            "The role {role} is a superuser: whatever is granted to it or taken from it, it may do anything, and could \
             alter the audit.\nLet the gateway log in as a role of its own, as deploy/postgres/roles.sql makes it. --json \
             lists what such a role needs, and what this one has beyond it ({} privileges).\n",
            report.more.len()
        );
    }
    let mut lines = vec![format!("The role {role} needs these privileges, which `migrate` grants:")];
    lines.extend(report.needs.iter().map(|statement| format!("  {statement};")));
    lines.extend(
        report
            .missing
            .iter()
            .map(|what| format!("Missing: {what}. Run `migrate` as the owner, with ECG_DATABASE_RUNTIME_ROLE={role}.")),
    );
    let more = together(&report.more);
    lines.extend(more.iter().map(|what| format!("More than it needs: {what}. {}", remedy(what, role))));
    if !report.powers.is_empty() {
        lines.push(format!("It could alter the audit: {}.", report.powers.join("; ")));
    }
    if report.fine {
        lines.push(format!("The role {role} has exactly these privileges."));
    }
    lines.join("\n") + "\n"
}

/// Groups privileges of one kind on objects of one kind into one line: `SELECT ON TABLE public.a, public.b`.
fn together(privileges: &[String]) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for one in privileges {
        let (privilege, target) = one.split_once(" ON ").unwrap_or((one, ""));
        let (kind, name) = target.split_once(' ').unwrap_or((target, ""));
        let what = format!("{privilege} ON {kind}");
        match lines.iter_mut().find(|(known, _)| *known == what) {
            Some((_, names)) => names.push(name),
            None => lines.push((what, vec![name])),
        }
    }
    lines.into_iter().map(|(what, names)| format!("{what} {}", names.join(", "))).collect()
}

/// The statement that revokes it; what was granted to PUBLIC must be revoked from PUBLIC.
fn remedy(what: &str, role: &str) -> String {
    let plain = what.replace(" on columns", "");
    let of_all = [ObjectKind::Database, ObjectKind::Schema]
        .iter()
        .any(|kind| what.contains(&format!(" ON {}", grants::target(*kind, ""))));
    let whom = if of_all { format!("{role}, PUBLIC") } else { role.to_owned() };
    format!("As the owner: REVOKE {plain} FROM {whom};")
}
