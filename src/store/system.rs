//! The few statements that look across teams: what workers need, what waiters share ([`event_hub`]), what an
//! administrator manages for the platform ([`teams`], [`region_profiles`], [`cloud_accounts`], [`account_ids`],
//! [`issuers`], [`revocations`]), what must be known before a cache of the account is adopted or offered ([`adoption`],
//! [`unmanaged`]) or declared gone ([`vanishings`]), and credentials before it is known who owns them; nothing else.
//! Every row that they return carries its team, and every write that they make names it or holds a lease.

pub mod access_keys;
pub mod account_ids;
pub mod adoption;
pub mod api_keys;
pub(super) mod audit_owner;
pub mod budgets;
pub mod check;
pub mod cloud_accounts;
pub mod containment;
pub mod deliveries;
pub mod endpoint_urls;
pub mod event_hub;
pub mod far_times;
pub mod horizon;
pub mod issuers;
pub mod janitor;
pub mod key_rotation;
pub mod observed;
pub mod operations;
pub mod overview;
pub mod reconciler;
pub mod region_profiles;
pub mod retention;
pub mod revisits;
pub mod revocations;
pub mod sealer;
pub mod teams;
pub mod tracker;
pub mod tree;
pub mod unmanaged;
pub mod unsettled;
pub mod vanishings;
