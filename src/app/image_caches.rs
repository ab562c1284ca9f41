//! Image caches as their callers know them: made, changed, removed, waited for, read, found in the cloud and taken
//! over.
//!
//! What is decided is `domain`'s; what has been recorded is carried out by [`operations`](super::operations).

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

/// Image caches as their callers know them; cheap to clone.
#[derive(Debug, Clone)]
pub struct ImageCaches {
    pub(super) base: Base,
    pub(super) operations: Operations,
    pub(super) cloud_accounts: CloudAccounts,
    pub(super) policies: Policies,
    pub(super) events: Events,
    pub(super) transitions: Transitions,
    pub(super) reconciler: Reconciler,
    /// What is remembered of renderings.
    pub(super) renderer: Arc<Renderer>,
}
