//! `audit drop`: retention. Whole months are dropped after a last verification, and the audit records it.

use chrono::{Datelike as _, Months, NaiveDate};

use super::{keys, patiently, print_report, store};
use crate::app::audit::verification::VerificationSubject;
use crate::assembly;
use crate::cli::{CommandFailure, console, runtime, startup};
use crate::config::Config;
use crate::domain::audit::retention::DROPPED;
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::clock::{Clock as _, Instant, SystemClock};
use crate::domain::entropy::Entropy;
use crate::domain::identity::caller::{Door, Origin};
use crate::domain::ids::{AuditId, uuid_v7};
use crate::store::DroppedMonth;

/// The options of `audit drop`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct AuditDropArgs {
    /// The number of whole months before the current one to keep: 1 to 1200.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1200))]
    keep_months: u32,
    /// Only print what would be dropped.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: &AuditDropArgs, config: &Config) -> Result<(), CommandFailure> {
    let keys = keys(config)?;
    let (stamp, verifiers) = (assembly::stamp(&keys), keys.verifiers());
    runtime()?.block_on(async {
        let store = store(config, stamp)?;
        startup::patiently(|| startup::keys_fit(&store, &keys)).await?;
        let now = SystemClock.now();
        let months = store.audit_months_before(first_kept(now, arguments.keep_months)).await?;
        if months.is_empty() {
            return console::answer("there is nothing to drop\n");
        }
        // What was dropped cannot be verified any more.
        let subject = VerificationSubject { keys: verifiers, ..VerificationSubject::default() };
        let report = patiently(&store, subject).await?;
        if !report.is_clean() {
            return print_report(&report, false);
        }
        if !arguments.dry_run {
            store.drop_audit_months(&months, entry(now, &months)).await?;
        }
        let word = if arguments.dry_run { "would drop" } else { "dropped" };
        let line = |month: &DroppedMonth| {
            format!("{word} {} with {} entries; their leaves stay\n", month.table, month.entries)
        };
        store.close().await;
        console::answer(&months.iter().map(line).collect::<String>())
    })
}

/// The first instant that is kept.
fn first_kept(now: Instant, keep: u32) -> Instant {
    let first =
        NaiveDate::from_ymd_opt(now.year(), now.month(), 1).and_then(|day| day.checked_sub_months(Months::new(keep)));
    first.and_then(|day| day.and_hms_opt(0, 0, 0)).map_or(Instant::MIN_UTC, |time| time.and_utc())
}

fn entry(now: Instant, months: &[DroppedMonth]) -> AuditEntry {
    let entropy = Entropy::from_os();
    let request_id = format!("cli_{}", uuid_v7(now, &entropy).simple());
    let origin = Origin { door: Door::Cli, request_id, address: None };
    let actor = Actor { team: None, subject: "owner".into(), credential: None, origin };
    let mut entry = actor.entry(AuditId::new(now, &entropy), now, DROPPED, Outcome::Succeeded);
    let names: Vec<&str> = months.iter().map(|month| month.table.as_str()).collect();
    entry.parameters.insert("months".to_owned(), names.join(" "));
    entry.parameters.insert("entries".to_owned(), months.iter().map(|month| month.entries).sum::<i64>().to_string());
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_months_are_kept() {
        let now: Instant = "2026-03-31T23:59:59Z".parse().unwrap();
        assert_eq!(first_kept(now, 1).to_rfc3339(), "2026-02-01T00:00:00+00:00");
        assert_eq!(first_kept(now, 13).to_rfc3339(), "2025-02-01T00:00:00+00:00");
    }
}
