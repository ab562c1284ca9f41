//! Compares what the scheduler remembers about endpoints with the database: whoever changes an endpoint, at whichever
//! gateway, raises its revision, and what is remembered of an older revision is discarded.
//!
//! [`super::chores`] calls it. Deliveries that are claimed in the meantime carry the revision too.

use tokio::time::Instant;

use super::Deliverer;
use super::chores::{COMPARE_EVERY, Chore, ChoreKind};
use crate::domain::ids::EndpointId;

impl Deliverer {
    pub(super) fn compare(&mut self, now: Instant) {
        self.plan.compare_at = now + COMPARE_EVERY;
        self.scheduler.forget_idle(self.webhooks.base.now());
        let known = self.scheduler.remembered(self.webhooks.base.now());
        if known.is_empty() {
            return;
        }
        self.plan.under_way.insert(ChoreKind::Compare);
        let webhooks = self.webhooks.clone();
        self.chores.spawn(async move { Chore::Compared(webhooks.compare_endpoints(&known).await) });
    }

    pub(super) fn note_compared(&mut self, changed: &[(EndpointId, i64)]) {
        for (endpoint, revision) in changed {
            let unused = self.scheduler.renew(*endpoint, *revision);
            self.unused.extend(unused.iter().map(|claim| claim.id));
        }
    }
}
