//! Operations: one request does one thing in the cloud, whatever goes wrong.
#![cfg(test)]

mod batches;
mod keyed_updates;
mod late_records;
mod leases;
mod lost_commits;
mod never_twice;
mod unresolved_outcomes;
