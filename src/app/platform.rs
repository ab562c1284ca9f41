//! What the platform decides for its teams: who they are, what they may do, where they build, and what that costs.

pub(super) mod overview;
pub(super) mod policy;
pub(super) mod region_profiles;
pub(super) mod teams;
