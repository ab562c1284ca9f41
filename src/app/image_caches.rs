//! Image caches as their callers see them: created, changed, deleted, waited for, read, found in the cloud and adopted.
//!
//! `domain` makes the decisions; [`operations`](super::operations) carries out what was recorded.

pub(super) mod adoption;
pub(super) mod changes;
pub(super) mod description;
pub(super) mod dry_run;
pub(super) mod ensure;
pub(super) mod gate;
pub(super) mod history;
pub(super) mod matches;
pub(super) mod renderer;
pub(super) mod wait;
pub(super) mod withdrawal;

use std::sync::Arc;

use super::base::Base;
use super::cloud_accounts::CloudAccounts;
use super::events::Events;
use super::operations::Operations;
use super::platform::policy::Policies;
use super::reconciler::Reconciler;
use super::transitions::Transitions;
use renderer::Renderer;

/// Image caches as their callers see them; cheap to clone.
#[derive(Debug, Clone)]
pub struct ImageCaches {
    pub(super) base: Base,
    pub(super) operations: Operations,
    pub(super) cloud_accounts: CloudAccounts,
    pub(super) policies: Policies,
    pub(super) events: Events,
    pub(super) transitions: Transitions,
    pub(super) reconciler: Reconciler,
    /// The renderings that are shared or waiting to be stored.
    pub(super) renderer: Arc<Renderer>,
}
