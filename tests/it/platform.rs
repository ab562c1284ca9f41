//! What administrators manage: teams, policies, cloud accounts, and the overview.
#![cfg(test)]

pub(crate) mod cloud_accounts;
mod overview;
pub(crate) mod policy;
