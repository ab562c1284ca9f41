//! What the platform keeps for its teams: teams, policies, region profiles, cloud accounts.

pub(super) mod bodies;
pub(super) mod cloud_accounts;
pub(super) mod policies;
pub(super) mod region_profiles;
pub(super) mod teams;
