//! `doctor cloud`: the RAM policies that the gateway needs, and whether the configured keys have these rights.

use std::fmt::Write as _;

use serde::Serialize;

use crate::app::Error;
use crate::app::cloud_accounts::doctor::{
    AccountReport, KeyIdentity, KeyVerdict, NOT_CHECKED, NeededPolicy, RightCheck, RightVerdict,
};
use crate::assembly;
use crate::cli::{CommandFailure, console, runtime, startup, wrong};
use crate::config::{Loaded, ServeConfig};
use crate::domain::region::Region;

/// Other causes of the same refusal to assume a role.
const TRUST: &str = "; or the role's trust policy does not name that user or its account; or the key is that of an account \
                     itself, which assumes no role";

/// The options of `doctor cloud`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DoctorCloudArgs {
    /// Check only this region. May be repeated. Defaults to the regions in which each account may be used.
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<Region>,
    /// Print the policies without asking the cloud.
    #[arg(long)]
    policy_only: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

/// The report printed as JSON.
#[derive(Serialize)]
struct CloudReport<'a> {
    fine: bool,
    accounts: &'a [AccountReport],
    #[serde(skip_serializing_if = "Option::is_none")]
    other_accounts_unknown: Option<String>,
    not_checked: &'static [&'static str],
}

pub(super) fn run(arguments: &DoctorCloudArgs, loaded: Loaded) -> Result<(), CommandFailure> {
    let config = loaded.for_worker().map_err(wrong)?;
    let (accounts, unread) = runtime()?.block_on(examine(arguments, &config))?;
    let unread = unread.map(|error| startup::chain(&error.into()));
    let fine = unread.is_none() && accounts.iter().all(AccountReport::is_fine);
    let text = if arguments.json {
        let not_checked = &NOT_CHECKED;
        let report = CloudReport { fine, accounts: &accounts, other_accounts_unknown: unread, not_checked };
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        sentences(&accounts, unread.as_deref(), arguments.policy_only)
    };
    let printed = console::answer(&text);
    if fine { printed } else { Err(CommandFailure::Code(1)) }
}

async fn examine(
    arguments: &DoctorCloudArgs,
    config: &ServeConfig,
) -> Result<(Vec<AccountReport>, Option<Error>), CommandFailure> {
    let gateway = assembly::gateway(config, &[])?;
    // The machine's clock is sufficient: the cloud can be checked even if the database is unavailable.
    let _away = gateway.base().keep_time().await;
    let examined = gateway.cloud_accounts().examine_cloud(&arguments.regions, !arguments.policy_only).await;
    gateway.close().await;
    Ok(examined)
}

fn sentences(accounts: &[AccountReport], unread: Option<&str>, policy_only: bool) -> String {
    let mut text: String = accounts.iter().map(account).collect();
    if let Some(why) = unread {
        let _written = write!(text, "The accounts that were added to the gateway cannot be read: {why}.\n\n");
    }
    if !policy_only {
        text += "What cannot be checked without side effects:\n";
        text.extend(NOT_CHECKED.iter().map(|one| format!("- {one}\n")));
    }
    text
}

fn account(report: &AccountReport) -> String {
    let mut text = format!("Cloud account {}\n", report.account);
    if let Some(why) = &report.unusable {
        return text + &format!("No requests can be sent with it: {why}.\n\n");
    }
    for NeededPolicy { attach_to, document } in &report.policies {
        let document = serde_json::to_string_pretty(document).unwrap_or_default();
        let _written = write!(text, "\nThe policy of {attach_to}:\n\n{document}\n");
    }
    if !report.checks.is_empty() {
        text += "\n";
    }
    text.extend(report.identity.as_ref().map(|identity| whose(&report.account, identity) + "\n"));
    text.extend(report.checks.iter().map(|check| sentence(report, check) + "\n"));
    text + "\n"
}

fn whose(account: &str, identity: &KeyIdentity) -> String {
    let shown = |id: &Option<String>| id.clone().unwrap_or_default();
    let (found, pinned) = (shown(&identity.account_id), shown(&identity.pinned_account_id));
    match identity.verdict {
        KeyVerdict::Same => format!("Its key belongs to the cloud's account {found}, as do its image caches."),
        KeyVerdict::Unpinned => {
            format!("Its key belongs to the cloud's account {found}; the account of its image caches is not known yet.")
        }
        KeyVerdict::Foreign => format!(
            "Its key belongs to the cloud's account {found}, but its image caches are in {pinned}: nothing is sent \
             with it. Give it a key of {pinned}, or, if {found} is intended, run accept-account --account {account}."
        ),
        KeyVerdict::Unknown => format!(
            "STS could not be asked for the owner of its key ({}): a key of a different account would also be used.",
            shown(&identity.unknown)
        ),
    }
}

fn sentence(report: &AccountReport, check: &RightCheck) -> String {
    let RightCheck { right, need, .. } = check;
    let place = check.region.as_ref().map(|region| format!("{region}: ")).unwrap_or_default();
    let code = check.code.as_deref().unwrap_or_default();
    let told: Vec<&str> =
        [Some(code), check.detail.as_deref()].into_iter().flatten().filter(|one| !one.is_empty()).collect();
    let told = told.join("; ");
    match check.verdict {
        RightVerdict::Allowed => format!("{place}{right} is allowed."),
        RightVerdict::NotRefused => {
            format!("{place}{right} was not refused ({code}, to a call that cannot have an effect).")
        }
        RightVerdict::Missing => {
            let (who, whose) = who(report, check);
            let also = if check.region.is_none() { TRUST } else { "" };
            format!(
                "{place}{who} may not {right}, which is needed to {need} ({told}): add it to the policy of {whose}{also}."
            )
        }
        RightVerdict::Unknown => format!("{place}could not check whether {right} is allowed ({told})."),
    }
}

/// Who lacks a right, and the policy that should contain it.
fn who(report: &AccountReport, check: &RightCheck) -> (&'static str, String) {
    // The key itself, not the role, needs the right to assume the role.
    let of_key = check.region.is_none() || report.role.is_none();
    let policy = if of_key { report.policies.first() } else { report.policies.last() };
    let whose = policy.map(|policy| policy.attach_to.clone()).unwrap_or_default();
    (if of_key { "the key" } else { "the role" }, whose)
}
