//! The workers: leases, and comparing the cloud with the database.

use std::time::Duration;

use crate::config::kinds::seconds;
use crate::config::section::section;
use crate::domain::clock::LONGEST_LEASE;

section! {
    /// The intervals of the workers.
    WorkConfig, "Work";

    /// How long a process may hold work without renewing its lease before another one takes it over.
    lease: Duration = seconds("worker.lease_seconds", 6..=LONGEST_LEASE.as_secs(), 12);

    /// How often the cloud's complete list is compared with the records.
    reconcile_every: Duration = seconds("reconcile.every_seconds", 60..=86_400, 600);

    /// How long before the end of its retention a cache is reported as expiring.
    expiring_within: Duration = seconds("reconcile.expiring_within_seconds", 0..=2_592_000, 86_400);

    /// How much longer a cache must exist for `ensure` to reuse it.
    reuse_margin: Duration = seconds("ensure.margin_seconds", 0..=2_592_000, 3_600);
}
