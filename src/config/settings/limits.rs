//! What one request, one connection, one team and one process may take.

use std::time::Duration;

use crate::config::kinds::{bytes, milliseconds, number, seconds};
use crate::config::section::section;
use crate::domain::limits::bucket::Rate;
use crate::domain::limits::queue::Room;
use crate::domain::limits::{Limits, TeamLimits};

section! {
    /// What one request, one connection, one team and one process may take.
    LimitsConfig, "Limits";

    /// Connections at the same time; further ones wait to be accepted.
    connections: usize = number("limits.connections", 1..=65_536, 8_192);

    /// Connections of one address (64 bits of IPv6) at the same time; further ones are refused.
    connections_per_address: usize = number("limits.connections_per_address", 1..=65_536, 4_096);

    /// How long a connection is kept without a request: longer than the proxy before it keeps it (docs/proxies.md).
    keep_idle: Duration = seconds("limits.keep_idle_seconds", 1..=3_600, 75);

    /// For how long after SIGTERM connections are still taken, while `/readyz` says 503 and each answer
    /// `Connection: close`.
    grace: Duration = seconds("limits.grace_seconds", 0..=15, 5);

    /// How long the head of a request may take, from its first byte (or a new connection) to its end.
    header: Duration = seconds("limits.header_seconds", 1..=60, 8);

    /// How long the body of a request may take.
    body: Duration = seconds("limits.body_seconds", 1..=60, 8);

    /// How long the client may take for 16 KiB of an answer, or what there is of it.
    write: Duration = seconds("limits.write_seconds", 1..=60, 8);

    /// How long the whole request may take: longer than the longest waiting read (55 s).
    request: Duration = seconds("limits.request_seconds", 60..=600, 65);

    /// How long the answer to a create through the cloud's own API may be on its way; what surely was not told by then
    /// is withdrawn or removed.
    answer: Duration = seconds("limits.answer_seconds", 10..=3_600, 120);

    /// The longest head of a request.
    head_bytes: usize = bytes("limits.head_bytes", 8_192..=1 << 20, 80 * 1_024);

    /// The most fields of a request's head.
    headers: usize = number("limits.headers", 16..=1_024, 64);

    /// The longest path and query of a request. At the RPC front 64 kB, unless this is set below its default.
    url_bytes: usize = bytes("limits.url_bytes", 1_024..=65_000, 16 * 1_024);

    /// The longest body of a request.
    body_bytes: usize = bytes("limits.body_bytes", 1_024..=64 << 20, 1 << 20);

    /// Requests a second that one team may make of one gateway.
    team_per_second: u32 = number("limits.team_per_second", 1..=1_000_000, usual().team.rate.per_second);

    /// Requests at once that one team may make of one gateway.
    team_burst: u32 = number("limits.team_burst", 1..=1_000_000, usual().team.rate.burst);

    /// Requests of one team that are in hand at once.
    team_running: u32 = number("limits.team_running", 1..=100_000, usual().team.running);

    /// Requests of one team that wait at once.
    team_waiting: u32 = number("limits.team_waiting", 1..=100_000, usual().team.waiting);

    /// Event streams that one team may hold open at one gateway.
    team_streams: usize = number("limits.team_streams", 1..=100_000, 256);

    /// Requests a second of one address that are refused before it is known whose they are.
    address_refused_per_second: u32 =
        number("limits.address_refused_per_second", 1..=1_000_000, usual().unauthenticated.per_second);

    /// Requests at once of one address that are refused before it is known whose they are.
    address_refused_burst: u32 = number("limits.address_refused_burst", 1..=1_000_000, usual().unauthenticated.burst);

    /// Tests and challenges a second of one team's webhook endpoints.
    webhook_tests_per_second: u32 = number("limits.webhook_tests_per_second", 1..=1_000, usual().trials.per_second);

    /// Tests and challenges at once of one team's webhook endpoints.
    webhook_tests_burst: u32 = number("limits.webhook_tests_burst", 1..=10_000, usual().trials.burst);

    /// Requests that are worked on at once.
    running: usize = number("limits.running", 1..=10_000, usual().room.running);

    /// Lists and exports that are worked on at once, among them.
    lists: Option<usize> = number("limits.lists", 1..=10_000, 1).otherwise("the processors, at least 2");

    /// Requests that stand in line at once.
    queue: usize = number("limits.queue", 1..=100_000, usual().room.queue);

    /// How long a request may stand in line.
    queue_longest: Duration = seconds("limits.queue_seconds", 1..=30, usual().room.max_wait.as_secs());

    /// How long a read may stand in line in an overload.
    queue_target: Duration = milliseconds("limits.queue_milliseconds", 1..=1_000, usual().room.target.as_millis());
}

/// What the pure rules allow where nobody says it.
fn usual() -> Limits {
    Limits::default()
}

impl LimitsConfig {
    /// What teams, addresses and all together may ask for.
    pub fn asked(&self) -> Limits {
        let rate = |per_second, burst| Rate { per_second, burst };
        Limits {
            team: TeamLimits {
                rate: rate(self.team_per_second, self.team_burst),
                running: self.team_running,
                waiting: self.team_waiting,
            },
            unauthenticated: rate(self.address_refused_per_second, self.address_refused_burst),
            trials: rate(self.webhook_tests_per_second, self.webhook_tests_burst),
            room: Room {
                running: self.running,
                lists: self.lists.unwrap_or_else(|| usual().room.lists.max(processors())),
                queue: self.queue,
                max_wait: self.queue_longest,
                target: self.queue_target,
                ..usual().room
            },
        }
    }
}

/// How many processors this process may use; 1 where the system does not say.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
