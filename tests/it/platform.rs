//! What administrators keep: teams, policies, cloud accounts, and the view of all of it.
#![cfg(test)]

pub(crate) mod cloud_accounts;
mod overview;
pub(crate) mod policy;
