//! The limits of requests, connections, teams and the process.

use std::time::Duration;

use crate::config::kinds::{bytes, milliseconds, number, seconds};
use crate::config::section::section;
use crate::domain::limits::bucket::Rate;
use crate::domain::limits::queue::Capacity;
use crate::domain::limits::{Limits, TeamLimits};

section! {
    /// The limits of requests, connections, teams and the process.
    LimitsConfig, "Limits";

    /// The maximum number of open connections. Further ones wait to be accepted.
    connections: usize = number("limits.connections", 1..=65_536, 8_192);

    /// The maximum number of open connections from one address (64 bits of IPv6). Further ones are refused.
    connections_per_address: usize = number("limits.connections_per_address", 1..=65_536, 4_096);

    /// How long an idle connection is kept. It must be longer than the proxy in front keeps it (docs/proxies.md).
    keep_idle: Duration = seconds("limits.keep_idle_seconds", 1..=3_600, 75);

    /// How long connections are still accepted after SIGTERM, while `/readyz` answers 503 and every response has
    /// `Connection: close`.
    grace: Duration = seconds("limits.grace_seconds", 0..=15, 5);

    /// How long the header section of a request may take, from its first byte (or a new connection) to its end.
    header: Duration = seconds("limits.header_seconds", 1..=60, 8);

    /// How long the body of a request may take.
    body: Duration = seconds("limits.body_seconds", 1..=60, 8);

    /// How long the client may take to read 16 KiB of a response, or the rest of it.
    write: Duration = seconds("limits.write_seconds", 1..=60, 8);

    /// How long the whole request may take, which must be longer than the longest waiting read (55 s).
    request: Duration = seconds("limits.request_seconds", 60..=600, 65);

    /// How long the answer to a create through the cloud's own API may take to be delivered. A create whose answer
    /// has certainly not been delivered by then is withdrawn, or its image cache is deleted.
    answer: Duration = seconds("limits.answer_seconds", 10..=3_600, 120);

    /// The maximum size of a request's header section.
    head_bytes: usize = bytes("limits.head_bytes", 8_192..=1 << 20, 80 * 1_024);

    /// The maximum number of header fields of a request.
    headers: usize = number("limits.headers", 16..=1_024, 64);

    /// The maximum length of a request's path and query. At the RPC front it is 64 kB, unless this is set below its
    /// default.
    url_bytes: usize = bytes("limits.url_bytes", 1_024..=65_000, 16 * 1_024);

    /// The maximum size of a request's body.
    body_bytes: usize = bytes("limits.body_bytes", 1_024..=64 << 20, 1 << 20);

    /// The number of requests per second that one team may send to one gateway.
    team_per_second: u32 = number("limits.team_per_second", 1..=1_000_000, usual().team.rate.per_second);

    /// The number of requests that one team may send to one gateway in a burst.
    team_burst: u32 = number("limits.team_burst", 1..=1_000_000, usual().team.rate.burst);

    /// The maximum number of concurrent requests of one team.
    team_running: u32 = number("limits.team_running", 1..=100_000, usual().team.running);

    /// The maximum number of waiting requests of one team.
    team_waiting: u32 = number("limits.team_waiting", 1..=100_000, usual().team.waiting);

    /// The maximum number of open event streams of one team at one gateway.
    team_streams: usize = number("limits.team_streams", 1..=100_000, 256);

    /// The number of requests per second from one address that may be refused before the caller is identified.
    address_refused_per_second: u32 =
        number("limits.address_refused_per_second", 1..=1_000_000, usual().unauthenticated.per_second);

    /// The number of requests from one address that may be refused in a burst before the caller is identified.
    address_refused_burst: u32 = number("limits.address_refused_burst", 1..=1_000_000, usual().unauthenticated.burst);

    /// The number of tests and challenges per second of one team's webhook endpoints.
    webhook_tests_per_second: u32 = number("limits.webhook_tests_per_second", 1..=1_000, usual().trials.per_second);

    /// The number of tests and challenges of one team's webhook endpoints in a burst.
    webhook_tests_burst: u32 = number("limits.webhook_tests_burst", 1..=10_000, usual().trials.burst);

    /// The maximum number of requests that are processed concurrently.
    running: usize = number("limits.running", 1..=10_000, usual().room.running);

    /// The maximum number of lists and exports among the requests that are processed concurrently.
    lists: Option<usize> = number("limits.lists", 1..=10_000, 1).otherwise("the processors, at least 2");

    /// The maximum number of requests in the queue.
    queue: usize = number("limits.queue", 1..=100_000, usual().room.queue);

    /// How long a request may wait in the queue.
    queue_longest: Duration = seconds("limits.queue_seconds", 1..=30, usual().room.max_wait.as_secs());

    /// How long a read may wait in the queue during an overload.
    queue_target: Duration = milliseconds("limits.queue_milliseconds", 1..=1_000, usual().room.target.as_millis());
}

/// The domain's defaults.
fn usual() -> Limits {
    Limits::default()
}

impl LimitsConfig {
    /// The limits of teams, of addresses, and of the whole process.
    pub fn limits(&self) -> Limits {
        let rate = |per_second, burst| Rate { per_second, burst };
        Limits {
            team: TeamLimits {
                rate: rate(self.team_per_second, self.team_burst),
                running: self.team_running,
                waiting: self.team_waiting,
            },
            unauthenticated: rate(self.address_refused_per_second, self.address_refused_burst),
            trials: rate(self.webhook_tests_per_second, self.webhook_tests_burst),
            room: Capacity {
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

/// How many processors this process may use; 1 if the system does not tell.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
