//! Every family of metrics: its name, what it tells, and which process has it. The one home of that; `docs/compose.md`
//! shows it, and a test compares all three.

/// How a family is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

use Kind::{Counter, Gauge, Histogram};

/// One row of the table.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The names of its labels. One without any is there from the start.
    pub(super) labels: &'static [&'static str],
    /// `gateway`: whoever serves the API. `worker`: whoever runs the workers. `each process`: both.
    pub(super) process: &'static str,
    pub(super) help: &'static str,
}

const fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    process: &'static str,
    help: &'static str,
) -> Family {
    Family { name, kind, labels, process, help }
}

/// All of them, by name.
pub(super) const FAMILIES: &[Family] = &[
    family(
        "ecg_audit_checkpoints_passed_over",
        Gauge,
        &[],
        "worker",
        "Audit checkpoints that no key of this gateway signed, and that are newer than the newest good one.",
    ),
    family("ecg_audit_sealed_total", Counter, &[], "worker", "Audit entries that were sealed."),
    family(
        "ecg_audit_sealing_stopped",
        Gauge,
        &[],
        "worker",
        "1 if the audit cannot be sealed because of what somebody added or altered, else 0.",
    ),
    family(
        "ecg_audit_unverified_shown_total",
        Counter,
        &[],
        "gateway",
        "Audit entries that were shown and that no gateway of this log wrote.",
    ),
    family(
        "ecg_clock_doubt_seconds",
        Gauge,
        &[],
        "each process",
        "By how much the database's clock differs while it is not believed; 0 where the clocks agree.",
    ),
    family(
        "ecg_cloud_account_foreign",
        Gauge,
        &["account"],
        "each process",
        "Whether the cloud account's key is of another account of the cloud than its image caches: nothing is sent with it.",
    ),
    family(
        "ecg_cloud_account_usable",
        Gauge,
        &["account"],
        "each process",
        "1 if calls are made with the cloud account, else 0.",
    ),
    family(
        "ecg_cloud_attempts_total",
        Counter,
        &["kind", "outcome"],
        "each process",
        "Creates, updates and deletes sent to the cloud.",
    ),
    family(
        "ecg_cloud_budget_calls_per_second",
        Gauge,
        &["account"],
        "worker",
        "Calls a second that the account is given now.",
    ),
    family(
        "ecg_cloud_budget_level",
        Gauge,
        &["account"],
        "worker",
        "Share of the account's budget that is left, 0 to 1.",
    ),
    family(
        "ecg_cloud_calls_postponed_total",
        Counter,
        &[],
        "each process",
        "Calls that waited for the account's budget.",
    ),
    family(
        "ecg_cloud_key_refused_total",
        Counter,
        &[],
        "each process",
        "Calls that the cloud refused for the gateway's own access key.",
    ),
    family("ecg_cloud_looks_total", Counter, &["way"], "worker", "Reads of the cloud, by way of reading."),
    family(
        "ecg_cloud_right_missing_total",
        Counter,
        &["action"],
        "each process",
        "Calls that the cloud refused because the gateway lacks a right.",
    ),
    family(
        "ecg_cloud_role_failures_total",
        Counter,
        &[],
        "each process",
        "Fetches of a role's credentials that failed.",
    ),
    family("ecg_cloud_throttled_total", Counter, &[], "each process", "Calls that the cloud throttled."),
    family("ecg_connections", Gauge, &[], "each process", "Open connections of clients."),
    family(
        "ecg_connections_given_up_total",
        Counter,
        &[],
        "each process",
        "Connections closed because the client read too slowly.",
    ),
    family(
        "ecg_connections_refused_total",
        Counter,
        &[],
        "each process",
        "Connections refused because their address had too many.",
    ),
    family(
        "ecg_creates_perhaps_untold_total",
        Counter,
        &[],
        "worker",
        "Creates whose answer may not have arrived and that were kept.",
    ),
    family(
        "ecg_creates_unremoved",
        Gauge,
        &[],
        "worker",
        "Image caches that nobody was told of and that the cloud refuses to remove.",
    ),
    family("ecg_creates_untold_total", Counter, &[], "worker", "Creates given up because nobody was told of them."),
    family(
        "ecg_database_full_total",
        Counter,
        &[],
        "each process",
        "Statements for which the database's disk had no room.",
    ),
    family(
        "ecg_deletes_sent_again_total",
        Counter,
        &[],
        "worker",
        "Deletes sent again because the cloud had accepted one and not carried it out.",
    ),
    family("ecg_duplicates_removed_total", Counter, &[], "worker", "Second caches of one create that were removed."),
    family("ecg_ensured_total", Counter, &["outcome"], "gateway", "Requests to ensure an image cache."),
    family(
        "ecg_feed_held_seconds",
        Gauge,
        &[],
        "each process",
        "For how long events have waited for the oldest transaction of the server.",
    ),
    family("ecg_forgotten_total", Counter, &["kind"], "worker", "Rows forgotten because they were over their age."),
    family(
        "ecg_issuer_key_failures_total",
        Counter,
        &["issuer"],
        "each process",
        "Fetches of a token issuer's keys that failed.",
    ),
    family(
        "ecg_issuer_keys_age_seconds",
        Gauge,
        &["issuer"],
        "each process",
        "How long ago a token issuer's keys were fetched.",
    ),
    family(
        "ecg_issuer_keys_skipped",
        Gauge,
        &["issuer"],
        "each process",
        "Entries of a token issuer's key set that are wrong and not used.",
    ),
    family(
        "ecg_issuers_unusable_total",
        Counter,
        &["issuer"],
        "gateway",
        "Times that an issuer of the table was passed over, for it stands in another's way or its keys cannot be read.",
    ),
    family(
        "ecg_log_lines_dropped_total",
        Counter,
        &[],
        "each process",
        "Log lines that nobody read in time or that could not be written.",
    ),
    family("ecg_looks_total", Counter, &[], "gateway", "Looks at the database for those who wait."),
    family(
        "ecg_mass_vanishings",
        Gauge,
        &[],
        "worker",
        "Regions where so much is missing at the cloud that nothing is called gone.",
    ),
    family(
        "ecg_operations_quarantined_total",
        Counter,
        &[],
        "each process",
        "Operations set aside because the cloud knows their token otherwise.",
    ),
    family(
        "ecg_operations_without_account_total",
        Counter,
        &[],
        "each process",
        "Times that an operation waited for its cloud account.",
    ),
    family("ecg_queue_seconds", Histogram, &["class"], "gateway", "How long requests waited for their turn."),
    family(
        "ecg_reconcile_findings_total",
        Counter,
        &["kind"],
        "worker",
        "Differences between the cloud and the record.",
    ),
    family(
        "ecg_reconcile_oldest_pass_seconds",
        Gauge,
        &[],
        "worker",
        "Age of the oldest comparison of a region with the cloud.",
    ),
    family("ecg_request_seconds", Histogram, &["route"], "gateway", "How long requests took."),
    family("ecg_requests_queued", Gauge, &[], "gateway", "Requests that wait for their turn."),
    family("ecg_requests_running", Gauge, &[], "gateway", "Requests that are worked on."),
    family("ecg_requests_total", Counter, &["route", "status"], "gateway", "Requests answered."),
    family(
        "ecg_requests_turned_away_total",
        Counter,
        &["why"],
        "gateway",
        "Requests turned away because there was too much to do.",
    ),
    family(
        "ecg_rows_unreadable_total",
        Counter,
        &["table"],
        "each process",
        "Times that a row written by another version was passed over.",
    ),
    family(
        "ecg_task_panics_total",
        Counter,
        &["task"],
        "each process",
        "Passes of a task that panicked; the task went on.",
    ),
    family("ecg_tracker_delay_seconds", Histogram, &[], "worker", "From a cache's change at the cloud to its record."),
    family("ecg_tracker_lag_seconds", Histogram, &[], "worker", "How late a region was looked at."),
    family("ecg_tracker_suspects_total", Counter, &[], "worker", "Caches missing from a list, looked for one by one."),
    family("ecg_transitions_total", Counter, &["to"], "worker", "Changes of status that were observed."),
    family(
        "ecg_unknown_statuses",
        Gauge,
        &["account", "region"],
        "worker",
        "Caches with a status that this gateway does not know.",
    ),
    family("ecg_waiting", Gauge, &[], "gateway", "Requests and streams that wait for news."),
    family("ecg_webhook_attempt_seconds", Histogram, &[], "worker", "How long attempts to deliver a webhook took."),
    family("ecg_webhook_attempts_total", Counter, &["outcome"], "worker", "Attempts to deliver a webhook."),
];

/// Tells the recorder of every family, and begins those that have no labels at nothing.
pub(super) fn register() {
    for family in FAMILIES {
        let (name, help) = (family.name, format!("{} ({})", family.help, family.process));
        match family.kind {
            Counter => metrics::describe_counter!(name, help),
            Gauge => metrics::describe_gauge!(name, help),
            Histogram => metrics::describe_histogram!(name, help),
        }
        if family.labels.is_empty() {
            begin(family);
        }
    }
}

fn begin(family: &Family) {
    match family.kind {
        Counter => metrics::counter!(family.name).absolute(0),
        Gauge => metrics::gauge!(family.name).increment(0.0),
        // Registered; it has no value until the first one.
        Histogram => drop(metrics::histogram!(family.name)),
    }
}

#[cfg(test)]
mod tests;
