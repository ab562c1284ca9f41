//! Limits on requests to URLs that a caller chooses, outside the delivery queue: tests and challenges of webhook
//! endpoints. There is a rate for each team, and for tests a concurrency limit for each endpoint, so that they can
//! neither send much nor scan a network quickly.

use std::collections::HashMap;
use std::sync::Arc;

use super::{AdmissionCounts, count_refusal, lock};
use crate::app::Error;
use crate::app::admission::Admission;
use crate::domain::identity::caller::TeamId;
use crate::domain::ids::EndpointId;
use crate::domain::problem::Code;

/// How many tests are running for each endpoint.
pub(super) type Trials = HashMap<EndpointId, usize>;

/// A running test; counted until dropped.
#[derive(Debug)]
pub(in crate::app) struct UnderWay {
    admission: Arc<AdmissionCounts>,
    endpoint: EndpointId,
    /// How many tests were running before this one.
    pub(in crate::app) before: usize,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut trials = lock(&self.admission.trials_under_way);
        if let Some(count) = trials.get_mut(&self.endpoint) {
            *count -= 1;
            if *count == 0 {
                trials.remove(&self.endpoint);
            }
        }
    }
}

impl Admission {
    /// Counts a test or a challenge for its team. Refuses it if there were too many.
    pub(in crate::app) fn count_trial(&self, team: &TeamId) -> Result<(), Error> {
        let (rate, now) = (self.base.settings().limits.trials, self.base.now());
        let quota = lock(&self.counts.trials).open(team, now).0.bucket.take(rate, now);
        let Some(retry_after_seconds) = quota.retry_after_seconds else { return Ok(()) };
        count_refusal("trials");
        let detail = "the team has reached its limit of tests and verifications of webhook endpoints";
        Err(Error::TooMany { code: Code::TooManyTests, detail, retry_after_seconds })
    }

    /// Counts one more test of an endpoint, unless `most` are already running.
    pub(in crate::app) fn try_one(&self, endpoint: EndpointId, most: usize) -> Option<UnderWay> {
        let mut trials = lock(&self.counts.trials_under_way);
        let before = trials.get(&endpoint).copied().unwrap_or_default();
        if before >= most {
            return None;
        }
        trials.insert(endpoint, before + 1);
        Some(UnderWay { admission: Arc::clone(&self.counts), endpoint, before })
    }
}
