//! What an operator sets, as the gateway needs it. Read and checked by `config`.

use std::time::Duration;

use crate::domain::operation::Rule;
use crate::domain::poll::budget::Limits;
use crate::domain::region::Region;

/// The gateway's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the cloud account that is used.
    pub account: String,
    /// The regions that teams may use; empty means all.
    pub regions: Vec<Region>,
    /// How unknown outcomes are resolved.
    pub rule: Rule,
    /// How long an operation may be in one worker's hands without a word. Longer than a call to the cloud.
    pub operation_lease: Duration,
    /// How long the tracker may hold a group.
    pub group_lease: Duration,
    /// The shortest time between two looks at one group.
    pub look_least: Duration,
    /// The usual time between two looks at a build that may end. Shorter where many may end at once or nothing is
    /// known yet, longer where history tells that none will.
    pub look_usual: Duration,
    /// How many calls the cloud account bears, and which share of them is kept for changes.
    pub calls: Limits,
    /// How often the cloud's whole list is compared with the rows.
    pub reconcile_every: Duration,
    /// How long before the end of its retention a cache is said to expire.
    pub expiring_within: Duration,
    /// How much longer a cache must last for `ensure` to reuse it.
    pub reuse_margin: Duration,
    /// How long one webhook attempt may take in all.
    pub webhook_timeout: Duration,
    /// How many webhook attempts run at once.
    pub webhook_slots: usize,
    /// How many of them to one endpoint.
    pub webhook_slots_per_endpoint: i64,
    /// How many event streams a team may hold open at one gateway.
    pub streams_per_team: usize,
    /// How long an event stream is silent before it says that it lives.
    pub stream_heartbeat: Duration,
    /// How long idempotency keys are kept: at least a day.
    pub keep_keys: Duration,
    /// How long delivery attempts are kept.
    pub keep_attempts: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "default".into(),
            regions: Vec::new(),
            rule: Rule::default(),
            operation_lease: Duration::from_mins(1),
            group_lease: Duration::from_mins(1),
            look_least: Duration::from_secs(1),
            look_usual: Duration::from_millis(9_800),
            calls: Limits::default(),
            reconcile_every: Duration::from_mins(10),
            expiring_within: Duration::from_hours(24),
            reuse_margin: Duration::from_hours(1),
            webhook_timeout: Duration::from_secs(15),
            webhook_slots: 256,
            webhook_slots_per_endpoint: 8,
            streams_per_team: 256,
            stream_heartbeat: Duration::from_secs(15),
            keep_keys: Duration::from_hours(2 * 24),
            keep_attempts: Duration::from_hours(30 * 24),
        }
    }
}

impl Settings {
    /// A delivery's lease: twice the longest attempt and 10 s, so that no live worker ever loses one.
    pub fn delivery_lease(&self) -> Duration {
        self.webhook_timeout * 2 + Duration::from_secs(30)
    }
}
