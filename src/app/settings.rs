//! The settings in the form that the gateway uses: those that an operator can set, which are defined in the table of
//! [`config`](crate::config), and constants that nobody can.

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
    /// The name of the cloud account that [`super::Parts::cloud`] uses.
    pub account: String,
    /// The address of STS, for accounts that assume a role.
    pub sts_endpoint: String,
    /// The regions that teams may use; empty means all.
    pub regions: Vec<Region>,
    /// How to treat teams that nobody registered.
    pub unknown_teams: UnknownTeams,
    /// Whom refused callers can ask to change a policy.
    pub policy_contact: Option<String>,
    /// The prices that costs of image caches are estimated with.
    pub prices: Prices,
    /// The timings used to resolve unknown outcomes.
    pub rule: OperationTimings,
    /// The schedules of the workers.
    pub work: WorkConfig,
    /// The shortest time between two polls of one group.
    pub look_least: Duration,
    /// The usual time between two polls of a build that may finish. It is shorter if many builds may finish at once or
    /// nothing is known yet, and longer if past builds suggest that none will finish.
    pub look_usual: Duration,
    /// How many calls a cloud account allows, and what share of them is reserved for changes.
    pub calls: BudgetLimits,
    /// Webhooks: allowed destinations, concurrency and retention.
    pub webhook: WebhookConfig,
    /// How many deliveries a worker may hold at once: in flight, or waiting to be sent.
    pub webhook_hand: usize,
    /// How many of them may be for one endpoint that is known to accept deliveries; for other endpoints, fewer.
    pub webhook_hand_per_endpoint: usize,
    /// How long a deliverer counts as alive without a heartbeat. The deliveries of a dead one are taken over about 2 s
    /// after that.
    pub deliverer_lease: Duration,
    /// How long attempts in flight may continue after the deliverer was told to stop: longer than most timeouts, and
    /// well within the time that a process has to shut down.
    pub webhook_drain: Duration,
    /// The rate and concurrency limits of one gateway: per team, per address, and overall.
    pub limits: limits::Limits,
    /// How many event streams a team may hold open at one gateway.
    pub streams_per_team: usize,
    /// How long an event stream may be silent before it sends a heartbeat.
    pub stream_heartbeat: Duration,
    /// How often to check that the credential of a waiting or streaming client is still valid.
    pub credential_look: Duration,
    /// How long the answer to a create through the cloud's own API may take to reach the client. After that, a create
    /// whose ids certainly did not reach the client is abandoned.
    pub answer_within: Duration,
    /// How long each kind of record is kept.
    pub retention: RetentionConfig,
    /// How long idempotency keys are kept: at least a day.
    pub keep_keys: Duration,
    /// How long delivery attempts are kept.
    pub keep_attempts: Duration,
    /// Whether to write unencrypted cursors, which older versions can read, while such a version runs alongside.
    pub clear_cursors: bool,
    /// Which endpoints administrators may configure for cloud accounts.
    pub account_endpoints: Allowed,
}

/// The part of the settings that an operator can set.
#[derive(Debug, Clone, Copy)]
pub struct OperatorConfig<'a> {
    /// The cloud account and its regions.
    pub cloud: &'a CloudConfig,
    /// How often the cloud is called, and what is assumed about its timing.
    pub pace: &'a PaceConfig,
    /// How clients reach the gateway.
    pub server: &'a ServerConfig,
    /// How webhooks are sent, and how many at once.
    pub webhook: &'a WebhookConfig,
    /// The rate and concurrency limits.
    pub limits: &'a LimitsConfig,
    /// The schedules of the workers.
    pub work: &'a WorkConfig,
    /// What applies if no policy says otherwise.
    pub policy: &'a PolicyConfig,
    /// How long each kind of record is kept.
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
    /// The settings if the operator sets nothing.
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
    /// How many deliveries the deliverer may hold and have in flight.
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
