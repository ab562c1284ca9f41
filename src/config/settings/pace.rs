//! How often the cloud is called, and its assumed limits.

use std::time::Duration;

use crate::config::kinds::{milliseconds, number, signed_seconds};
use crate::config::section::section;
use crate::domain::operation::OperationTimings;
use crate::domain::poll::budget;

section! {
    /// How often the cloud is called, and its assumed limits.
    PaceConfig, "The cloud's pace";

    /// The number of calls per second for each account, for all gateways together. It is halved when the cloud
    /// throttles and recovers within 2 minutes.
    calls_per_second: u32 = number("cloud.calls_per_second", 1..=10_000, calls().calls_per_second);

    /// The share of the calls, in percent, that is reserved for creates, updates and deletes.
    changes_percent: u32 = number("cloud.changes_percent", 0..=90, calls().reserve * 100.0);

    /// The usual interval between two reads of a build that may end.
    look: Duration = milliseconds("cloud.look_milliseconds", 1_000..=60_000, 9_800);

    /// How long the cloud is certain to remember a ClientToken.
    token_window: chrono::Duration =
        signed_seconds("cloud.token_window_seconds", 10..=86_400, rule().token_window.num_seconds());

    /// How long after signing the cloud accepts a request.
    acceptance: chrono::Duration =
        signed_seconds("cloud.acceptance_seconds", 10..=3_600, rule().acceptance.num_seconds());

    /// How long a new cache may be missing from the cloud's lists.
    list_lag: chrono::Duration = signed_seconds("cloud.list_lag_seconds", 1..=600, rule().list_lag.num_seconds());

    /// How long the cloud may not show a cache that exists. A create with an unknown outcome that no lookup has found
    /// for that long is sent again.
    absence: chrono::Duration = signed_seconds("cloud.absence_seconds", 0..=86_400, rule().absence.num_seconds());
}

/// The domain's default timings.
fn rule() -> OperationTimings {
    OperationTimings::default()
}

/// The domain's default limits of calls.
fn calls() -> budget::BudgetLimits {
    budget::BudgetLimits::default()
}

impl PaceConfig {
    /// The timings for resolving unknown outcomes.
    pub fn rule(&self) -> OperationTimings {
        let Self { token_window, acceptance, list_lag, absence, .. } = *self;
        OperationTimings { token_window, acceptance, list_lag, absence }
    }

    /// The limits of calls to the cloud.
    pub fn calls(&self) -> budget::BudgetLimits {
        let reserve = f64::from(self.changes_percent) / 100.0;
        budget::BudgetLimits { calls_per_second: f64::from(self.calls_per_second), reserve }
    }
}
