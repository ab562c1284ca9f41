//! What an operator sets, as the gateway needs it, and what nobody sets. What an operator sets has its home in the
//! table of [`config`](crate::config).

use std::time::Duration;

use crate::config::{
    CloudConfig, LimitsConfig, PaceConfig, PolicyConfig, RetentionConfig, ServeConfig, ServerConfig, WebhookConfig,
    WorkConfig,
};
use crate::domain::cloud_account::endpoint::Allowed;
use crate::domain::limits;
use crate::domain::operation::OperationTimings;
use crate::domain::policy::Prices;
use crate::domain::policy::team::UnknownTeams;
use crate::domain::poll::budget::BudgetLimits;
use crate::domain::region::Region;
use crate::domain::webhooks::scheduler;

/// The gateway's settings.
#[derive(Debug, Clone)]
pub struct GatewaySettings {
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
    pub rule: OperationTimings,
    /// What the workers do when.
    pub work: WorkConfig,
    /// The shortest time between two looks at one group.
    pub look_least: Duration,
    /// The usual time between two looks at a build that may end. Shorter where many may end at once or nothing is
    /// known yet, longer where history tells that none will.
    pub look_usual: Duration,
    /// How many calls the cloud account bears, and which share of them is kept for changes.
    pub calls: BudgetLimits,
    /// Webhooks: where they may go, how many, and for how long.
    pub webhook: WebhookConfig,
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
    /// What is kept for how long.
    pub retention: RetentionConfig,
    /// How long idempotency keys are kept: at least a day.
    pub keep_keys: Duration,
    /// How long delivery attempts are kept.
    pub keep_attempts: Duration,
    /// Whether cursors are written as versions before encrypted ones read them, while one runs beside.
    pub clear_cursors: bool,
    /// Where the calls of cloud accounts may go that administrators add.
    pub account_endpoints: Allowed,
}

/// What an operator sets of it.
#[derive(Debug, Clone, Copy)]
pub struct OperatorConfig<'a> {
    /// The cloud's side.
    pub cloud: &'a CloudConfig,
    /// How often the cloud is called, and what is assumed of it.
    pub pace: &'a PaceConfig,
    /// How clients reach it.
    pub server: &'a ServerConfig,
    /// How webhooks are sent, and how much at once.
    pub webhook: &'a WebhookConfig,
    /// What may be asked.
    pub limits: &'a LimitsConfig,
    /// What the workers do when.
    pub work: &'a WorkConfig,
    /// What holds where no policy says it.
    pub policy: &'a PolicyConfig,
    /// What is kept for how long.
    pub retention: &'a RetentionConfig,
}

impl From<&ServeConfig> for GatewaySettings {
    fn from(config: &ServeConfig) -> Self {
        let ServeConfig { cloud, pace, server, webhook, limits, work, policy, retention, .. } = config;
        let set = OperatorConfig { cloud: &cloud.settings, pace, server, webhook, limits, work, policy, retention };
        Self { account_endpoints: cloud.account_endpoints.clone(), ..Self::from(set) }
    }
}

impl From<OperatorConfig<'_>> for GatewaySettings {
    fn from(set: OperatorConfig<'_>) -> Self {
        Self {
            account: set.cloud.account.clone(),
            sts_endpoint: set.cloud.sts_endpoint.clone(),
            regions: set.cloud.regions.clone(),
            unknown_teams: set.policy.unknown_teams,
            policy_contact: set.policy.contact.clone(),
            prices: set.policy.prices(),
            rule: set.pace.rule(),
            work: set.work.clone(),
            look_least: Duration::from_secs(1),
            look_usual: set.pace.look,
            calls: set.pace.calls(),
            webhook: set.webhook.clone(),
            webhook_hand: 2_048,
            webhook_hand_per_endpoint: 512,
            deliverer_lease: Duration::from_secs(10),
            webhook_drain: Duration::from_secs(16),
            limits: set.limits.limits(),
            streams_per_team: set.limits.team_streams,
            stream_heartbeat: Duration::from_secs(15),
            credential_look: Duration::from_secs(1),
            answer_within: set.limits.answer,
            retention: set.retention.clone(),
            keep_keys: Duration::from_hours(2 * 24),
            keep_attempts: Duration::from_hours(30 * 24),
            clear_cursors: set.server.clear_cursors,
            account_endpoints: Allowed::default(),
        }
    }
}

impl Default for GatewaySettings {
    /// What holds where nothing is set.
    fn default() -> Self {
        Self::from(OperatorConfig {
            cloud: CloudConfig::usual(),
            pace: PaceConfig::usual(),
            server: ServerConfig::usual(),
            webhook: WebhookConfig::usual(),
            limits: LimitsConfig::usual(),
            work: WorkConfig::usual(),
            policy: PolicyConfig::usual(),
            retention: RetentionConfig::usual(),
        })
    }
}

impl GatewaySettings {
    /// How much the deliverer has in hand and in flight.
    pub(super) fn scheduler(&self) -> scheduler::DeliveryLimits {
        scheduler::DeliveryLimits {
            flying: self.webhook.running,
            per_team: self.webhook.running_per_team,
            per_endpoint: self.webhook.running_per_endpoint,
            hand: self.webhook_hand,
            hand_per_endpoint: self.webhook_hand_per_endpoint,
        }
    }
}
