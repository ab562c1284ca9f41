//! The clock that stops while the machine is suspended is only for waits, measurements and log lines.

use std::collections::BTreeSet;

use super::rules::module_of;
use super::tokens::{tokens, without_tests};
use super::{assert_none, paths, sources};

/// The modules that use it, and why that neither lets anybody in nor keeps anything valid that has expired.
const WAITS: [(&str, &str); 35] = [
    ("app/cloud_accounts/identity.rs", "log lines"),
    ("app/admission.rs", "fills buckets: less after a pause, never more"),
    ("app/admission/permit.rs", "a request's deadline"),
    ("app/audit.rs", "log lines"),
    ("app/webhooks/deliverer/chores.rs", "when to look again; its lease is by the uptime"),
    ("app/webhooks/deliverer/comparison.rs", "when to look again"),
    ("app/webhooks/deliverer.rs", "when to cut off at a stop"),
    ("app/upkeep/horizon.rs", "log lines"),
    ("app/identity/issuers.rs", "log lines"),
    ("app/events/look.rs", "the rest after a look"),
    ("app/operations.rs", "log lines"),
    ("app/upkeep/readiness.rs", "a request's deadline"),
    ("app/upkeep/retention.rs", "for how long to delete at once"),
    ("app/audit/sealer.rs", "log lines"),
    ("app/events/wait_limit.rs", "a request's deadline"),
    ("app/image_caches/withdrawal.rs", "a request's deadline"),
    ("cli/startup.rs", "for how long to wait for the database"),
    ("domain/clock/uptime.rs", "the clock of other systems"),
    ("domain/log_limit.rs", "log lines"),
    ("eci/client/post.rs", "log lines"),
    ("http/audit.rs", "a request's deadline, and how long it took"),
    ("http/exchange.rs", "a request's deadline"),
    ("http/rpc/actions.rs", "a request's deadline"),
    ("http/rest/batch.rs", "a request's deadline"),
    ("net/idle.rs", "a connection's deadline"),
    ("net/write_deadline.rs", "a connection's deadline"),
    ("localpg/guard.rs", "for how long to wait for the server of `dev`"),
    ("localpg/leftovers.rs", "for how long to wait for the server of `dev`"),
    ("store/batch.rs", "log lines"),
    ("store/database/pool.rs", "for how long a statement is tried"),
    ("store/database/pool/connection.rs", "whether something broke since it was taken: an order, no age"),
    ("store/database/pool/connection_doubt.rs", "for how long connections are tested: longer after a pause"),
    ("store/database/pool/statements.rs", "for how long a statement is tried"),
    ("webhook/sender.rs", "how long an attempt took"),
    ("worker.rs", "log lines"),
];

#[test]
fn ages_and_leases_go_by_the_clock_that_counts_pauses() {
    let known: BTreeSet<&str> = WAITS.iter().map(|(file, _)| *file).collect();
    let (mut faults, mut seen) = (Vec::new(), BTreeSet::new());
    for source in sources("src") {
        let (file, module) = (source.file.display().to_string(), module_of(&source.file));
        let (kept, _) = without_tests(&tokens(&source.text));
        let named = paths::paths(&kept).into_iter().find(|path| stands_still(&path.parts));
        if let Some(path) = named.filter(|_| module.last().is_none_or(|name| name != "tests")) {
            if !known.contains(file.as_str()) {
                faults.push(format!("src/{file}:{}: take domain::clock::Uptime, or say here why not", path.line));
            }
            seen.insert(file);
        }
    }
    faults.extend(known.iter().filter(|file| !seen.contains(**file)).map(|file| format!("{file}: does not name it")));
    assert_none(&faults);
}

fn stands_still(parts: &[String]) -> bool {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    matches!(parts[..], ["std" | "tokio", "time", "Instant" | "*", ..])
}
