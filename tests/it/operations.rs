//! Operations: one request does one thing at the cloud, whatever goes wrong on the way.
#![cfg(test)]

mod batches;
mod late_records;
mod leases;
mod lost_commits;
mod never_twice;
mod unresolved_outcomes;
