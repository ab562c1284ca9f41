//! All metrics: name, meaning, and which processes have it. This is the only source; `docs/compose.md` repeats it, and
//! a test compares them.

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

use MetricKind::{Counter, Gauge, Histogram};

/// A metric with its help text and its labels.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: MetricKind,
    /// The names of its labels. A metric without labels exists from the start.
    pub(super) labels: &'static [&'static str],
    /// `gateway`: processes that serve the API. `worker`: processes that run the workers. `each process`: both.
    pub(super) process: &'static str,
    pub(super) help: &'static str,
}

const fn family(
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
    process: &'static str,
    help: &'static str,
) -> Family {
    Family { name, kind, labels, process, help }
}

/// All metrics, by name.
pub(super) const FAMILIES: &[Family] = &[
    family(
        "ecg_audit_checkpoints_passed_over",
        Gauge,
        &[],
        "worker",
        "Audit checkpoints not signed by any key of this gateway that are newer than the newest valid one.",
    ),
    family("ecg_audit_sealed_total", Counter, &[], "worker", "Audit entries that were sealed."),
    family(
        "ecg_audit_sealing_stopped",
        Gauge,
        &[],
        "worker",
        "1 if the audit cannot be sealed because somebody added or altered entries, else 0.",
    ),
    family(
        "ecg_audit_unverified_shown_total",
        Counter,
        &[],
        "gateway",
        "Audit entries that were returned although no gateway of this log wrote them.",
    ),
    family(
        "ecg_clock_doubt_seconds",
        Gauge,
        &[],
        "each process",
        "The difference of the database's clock while it is not trusted; 0 while the clocks agree.",
    ),
    family(
        "ecg_cloud_account_foreign",
        Gauge,
        &["account"],
        "each process",
        "1 if the key belongs to a different account of the cloud than the image caches, so that nothing is sent \
         with it, else 0.",
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
        "Calls per second that the account currently has.",
    ),
    family("ecg_cloud_budget_level", Gauge, &["account"], "worker", "Remaining share of the account's budget, 0 to 1."),
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
        "Calls that the cloud refused because of the gateway's own access key.",
    ),
    family("ecg_cloud_looks_total", Counter, &["way"], "worker", "Reads of the cloud, by way of reading."),
    family(
        "ecg_cloud_right_missing_total",
        Counter,
        &["action"],
        "each process",
        "Calls that the cloud refused because the gateway lacks a permission.",
    ),
    family("ecg_cloud_role_failures_total", Counter, &[], "each process", "Failed fetches of a role's credentials."),
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
        "Connections refused because their address had too many open connections.",
    ),
    family(
        "ecg_creates_perhaps_untold_total",
        Counter,
        &[],
        "worker",
        "Creates that were kept although their answer may not have arrived.",
    ),
    family(
        "ecg_creates_unremoved",
        Gauge,
        &[],
        "worker",
        "Image caches whose create was never answered and that the cloud refuses to delete.",
    ),
    family("ecg_creates_untold_total", Counter, &[], "worker", "Creates given up because they were never answered."),
    family(
        "ecg_database_full_total",
        Counter,
        &[],
        "each process",
        "Statements that failed because the database's disk was full.",
    ),
    family(
        "ecg_deletes_sent_again_total",
        Counter,
        &[],
        "worker",
        "Deletes sent again because the cloud had accepted but not carried out an earlier one.",
    ),
    family("ecg_duplicates_removed_total", Counter, &[], "worker", "Duplicate caches of one create that were deleted."),
    family("ecg_ensured_total", Counter, &["outcome"], "gateway", "Requests to ensure an image cache."),
    family(
        "ecg_feed_held_seconds",
        Gauge,
        &[],
        "each process",
        "How long events have been waiting for the oldest transaction of the server.",
    ),
    family("ecg_forgotten_total", Counter, &["kind"], "worker", "Rows deleted because they reached their maximum age."),
    family(
        "ecg_issuer_key_failures_total",
        Counter,
        &["issuer"],
        "each process",
        "Failed fetches of a token issuer's keys.",
    ),
    family(
        "ecg_issuer_keys_age_seconds",
        Gauge,
        &["issuer"],
        "each process",
        "Time since a token issuer's keys were fetched.",
    ),
    family(
        "ecg_issuer_keys_skipped",
        Gauge,
        &["issuer"],
        "each process",
        "Invalid entries of a token issuer's key set, which are not used.",
    ),
    family(
        "ecg_issuers_unusable_total",
        Counter,
        &["issuer"],
        "gateway",
        "Times that a stored issuer was skipped, because it conflicts with another one or its keys cannot be read.",
    ),
    family(
        "ecg_log_lines_dropped_total",
        Counter,
        &[],
        "each process",
        "Log lines that were not read in time or could not be written.",
    ),
    family("ecg_looks_total", Counter, &[], "gateway", "Reads of the database for waiting requests."),
    family(
        "ecg_mass_vanishings",
        Gauge,
        &[],
        "worker",
        "Regions where so many image caches are missing from the cloud that none is declared gone.",
    ),
    family(
        "ecg_operations_quarantined_total",
        Counter,
        &[],
        "each process",
        "Operations quarantined because the cloud knows their token with different parameters.",
    ),
    family(
        "ecg_operations_without_account_total",
        Counter,
        &[],
        "each process",
        "Times that an operation waited for its cloud account.",
    ),
    family("ecg_queue_seconds", Histogram, &["class"], "gateway", "How long requests waited in the queue."),
    family(
        "ecg_reconcile_findings_total",
        Counter,
        &["kind"],
        "worker",
        "Differences between the cloud and the records.",
    ),
    family(
        "ecg_reconcile_oldest_pass_seconds",
        Gauge,
        &[],
        "worker",
        "Time since the least recent comparison of a region with the cloud.",
    ),
    family("ecg_request_seconds", Histogram, &["route"], "gateway", "How long requests took."),
    family("ecg_requests_queued", Gauge, &[], "gateway", "Requests in the queue."),
    family("ecg_requests_running", Gauge, &[], "gateway", "Requests in progress."),
    family("ecg_requests_total", Counter, &["route", "status"], "gateway", "Requests answered."),
    family("ecg_requests_turned_away_total", Counter, &["why"], "gateway", "Requests refused because of overload."),
    family(
        "ecg_rows_unreadable_total",
        Counter,
        &["table"],
        "each process",
        "Times that a row written by a different version was skipped.",
    ),
    family(
        "ecg_task_panics_total",
        Counter,
        &["task"],
        "each process",
        "Passes of a task that panicked; the task continued.",
    ),
    family("ecg_tracker_delay_seconds", Histogram, &[], "worker", "From a cache's change in the cloud to its record."),
    family("ecg_tracker_lag_seconds", Histogram, &[], "worker", "How late a region was read."),
    family("ecg_tracker_suspects_total", Counter, &[], "worker", "Caches missing from a list, checked one by one."),
    family("ecg_transitions_total", Counter, &["to"], "worker", "Changes of status that were observed."),
    family(
        "ecg_unknown_statuses",
        Gauge,
        &["account", "region"],
        "worker",
        "Caches with a status that this gateway does not know.",
    ),
    family("ecg_waiting", Gauge, &[], "gateway", "Requests and streams that wait for events."),
    family("ecg_webhook_attempt_seconds", Histogram, &[], "worker", "How long attempts to deliver a webhook took."),
    family("ecg_webhook_attempts_total", Counter, &["outcome"], "worker", "Attempts to deliver a webhook."),
];

/// Describes every metric to the recorder, and initializes those without labels with 0.
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
        // Registered; it has no value before the first measurement.
        Histogram => drop(metrics::histogram!(family.name)),
    }
}

#[cfg(test)]
mod tests;
