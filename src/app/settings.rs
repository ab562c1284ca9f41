//! What an operator sets, as the gateway needs it. Read and checked by `config`.

use std::time::Duration;

use crate::domain::cloud_endpoint::Allowed;
use crate::domain::delivery_scheduler;
use crate::domain::limits;
use crate::domain::operation::Rule;
use crate::domain::policy::Prices;
use crate::domain::poll::budget::Limits;
use crate::domain::region::Region;
use crate::domain::team::UnknownTeams;

/// The gateway's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of the cloud account that [`super::Parts::cloud`] opens.
    pub account: String,
    /// The address of STS, for the roles of other accounts.
    pub sts_endpoint: String,
    /// The regions that teams may use; empty means all.
    pub regions: Vec<Region>,
    /// What holds for teams that nobody registered.
    pub unknown_teams: UnknownTeams,
    /// Who can change a policy, for those who are refused.
    pub policy_contact: Option<String>,
    /// What image caches cost.
    pub prices: Prices,
    /// How unknown outcomes are resolved.
    pub rule: Rule,
    /// How long an operation may be in one worker's hands without a word. The holder renews it each third of it.
    pub operation_lease: Duration,
    /// How long the tracker may hold a group without a word; renewed as well.
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
    /// How many of them for one team, in all processes together.
    pub webhook_slots_per_team: usize,
    /// How many of them to one endpoint, in all processes together.
    pub webhook_slots_per_endpoint: usize,
    /// How many deliveries a worker has in hand at once: in flight, or next.
    pub webhook_hand: usize,
    /// How many of them for one endpoint that takes what it is sent; fewer for one of which that is not known.
    pub webhook_hand_per_endpoint: usize,
    /// How long a deliverer counts as alive without a sign of life. What a dead one held is taken over that long and
    /// some 2 s later.
    pub deliverer_lease: Duration,
    /// How long attempts in flight may go on once the deliverer was told to stop: longer than most deadlines, and well
    /// within the time that a process has for its end.
    pub webhook_drain: Duration,
    /// Whether a caller may add an endpoint that has not echoed a challenge.
    pub webhook_skip_challenge: bool,
    /// What teams, addresses and all together may ask of one gateway.
    pub limits: limits::Limits,
    /// How many event streams a team may hold open at one gateway.
    pub streams_per_team: usize,
    /// How long an event stream is silent before it says that it lives.
    pub stream_heartbeat: Duration,
    /// How often it is looked whether the credential of somebody who waits or listens still holds.
    pub credential_look: Duration,
    /// How long an answer to a create through the cloud's own API may be on its way: what surely was not told by then
    /// is given up.
    pub answer_within: Duration,
    /// How long idempotency keys are kept: at least a day.
    pub keep_keys: Duration,
    /// How long delivery attempts are kept.
    pub keep_attempts: Duration,
    /// How long events are kept, from when they happened.
    pub keep_events: Duration,
    /// How long deliveries are kept that are over, from when their event happened; no longer than the event.
    pub keep_deliveries: Duration,
    /// How long image caches are kept that have ended, with their transitions and operations.
    pub keep_image_caches: Duration,
    /// How long keys are kept that were revoked, and endpoints that were deleted.
    pub keep_credentials: Duration,
    /// Whether cursors are written as versions before encrypted ones read them, while one runs beside.
    pub clear_cursors: bool,
    /// Where the calls of cloud accounts may go that administrators add.
    pub account_endpoints: Allowed,
    /// How many webhook endpoints a team may have.
    pub endpoints_per_team: i64,
    /// How many deliveries may wait for an endpoint that is not enabled.
    pub waiting_while_off: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "default".into(),
            sts_endpoint: "https://sts.aliyuncs.com".into(),
            regions: Vec::new(),
            unknown_teams: UnknownTeams::default(),
            policy_contact: None,
            prices: Prices::default(),
            rule: Rule::default(),
            operation_lease: Duration::from_secs(12),
            group_lease: Duration::from_secs(12),
            look_least: Duration::from_secs(1),
            look_usual: Duration::from_millis(9_800),
            calls: Limits::default(),
            reconcile_every: Duration::from_mins(10),
            expiring_within: Duration::from_hours(24),
            reuse_margin: Duration::from_hours(1),
            webhook_timeout: Duration::from_secs(15),
            webhook_slots: 256,
            webhook_slots_per_team: 64,
            webhook_slots_per_endpoint: 8,
            webhook_hand: 2_048,
            webhook_hand_per_endpoint: 512,
            deliverer_lease: Duration::from_secs(10),
            webhook_drain: Duration::from_secs(16),
            webhook_skip_challenge: false,
            limits: limits::Limits::default(),
            streams_per_team: 256,
            stream_heartbeat: Duration::from_secs(15),
            credential_look: Duration::from_secs(1),
            answer_within: Duration::from_mins(2),
            keep_keys: Duration::from_hours(2 * 24),
            keep_attempts: Duration::from_hours(30 * 24),
            keep_events: Duration::from_hours(30 * 24),
            keep_deliveries: Duration::from_hours(30 * 24),
            keep_image_caches: Duration::from_hours(90 * 24),
            keep_credentials: Duration::from_hours(90 * 24),
            clear_cursors: false,
            account_endpoints: Allowed::default(),
            endpoints_per_team: 50,
            waiting_while_off: 10_000,
        }
    }
}

impl Settings {
    /// How much the deliverer's scheduler takes.
    pub(super) fn scheduler(&self) -> delivery_scheduler::Limits {
        delivery_scheduler::Limits {
            flying: self.webhook_slots,
            per_team: self.webhook_slots_per_team,
            per_endpoint: self.webhook_slots_per_endpoint,
            hand: self.webhook_hand,
            hand_per_endpoint: self.webhook_hand_per_endpoint,
        }
    }
}
