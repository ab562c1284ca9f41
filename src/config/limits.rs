//! `limits.*`: what one request, one connection, one team and one process may take.

use std::time::Duration;

use super::reader::Reader;
use crate::domain::limits::bucket::Rate;
use crate::domain::limits::queue::Room;
use crate::domain::limits::{Limits, TeamLimits};

/// `limits.*`: what one request and one process may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Connections at the same time.
    pub connections: usize,
    /// Of one address.
    pub connections_per_address: usize,
    /// A request's head, in bytes.
    pub head_bytes: usize,
    /// Its fields.
    pub headers: usize,
    /// Its path and query, in bytes.
    pub url_bytes: usize,
    /// The body of a request, in bytes.
    pub body_bytes: usize,
    /// A whole request; longer than the longest waiting read (55 s).
    pub request: Duration,
    /// Its header.
    pub header: Duration,
    /// An idle connection; longer than the 60 s after which usual proxies close theirs.
    pub keep_idle: Duration,
    /// For how long after a signal to stop connections are still taken.
    pub grace: Duration,
    /// Its body.
    pub body: Duration,
    /// For the client to take a part of the answer.
    pub write: Duration,
    /// An answer to a create through the cloud's own API; longer than a whole request.
    pub answer: Duration,
    /// What teams, addresses and all together may ask for.
    pub asked: Limits,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 8192,
            connections_per_address: 4096,
            head_bytes: 80 * 1024,
            headers: 64,
            url_bytes: 16 * 1024,
            body_bytes: 1 << 20,
            request: Duration::from_secs(65),
            header: Duration::from_secs(8),
            keep_idle: Duration::from_secs(75),
            grace: Duration::from_secs(5),
            body: Duration::from_secs(8),
            write: Duration::from_secs(8),
            answer: Duration::from_mins(2),
            asked: Limits::default(),
        }
    }
}

impl LimitsConfig {
    pub(super) fn read(r: &mut Reader) -> Self {
        let usual = Self::default();
        Self {
            connections: r.number("limits.connections", 1..=65_536, usual.connections),
            connections_per_address: r.number(
                "limits.connections_per_address",
                1..=65_536,
                usual.connections_per_address,
            ),
            head_bytes: r.number("limits.head_bytes", 8192..=1 << 20, usual.head_bytes),
            headers: r.number("limits.headers", 16..=1024, usual.headers),
            url_bytes: r.number("limits.url_bytes", 1024..=65_000, usual.url_bytes),
            body_bytes: r.number("limits.body_bytes", 1024..=64 << 20, usual.body_bytes),
            request: r.seconds("limits.request_seconds", 60..=600, 65),
            header: r.seconds("limits.header_seconds", 1..=60, 8),
            keep_idle: r.seconds("limits.keep_idle_seconds", 1..=3_600, usual.keep_idle.as_secs()),
            grace: r.seconds("limits.grace_seconds", 0..=15, usual.grace.as_secs()),
            body: r.seconds("limits.body_seconds", 1..=60, 8),
            write: r.seconds("limits.write_seconds", 1..=60, 8),
            answer: r.seconds("limits.answer_seconds", 10..=3600, 120),
            asked: asked(r, usual.asked),
        }
    }
}

fn asked(r: &mut Reader, usual: Limits) -> Limits {
    let (team, unauthenticated, trials, room) = (usual.team, usual.unauthenticated, usual.trials, usual.room);
    Limits {
        team: TeamLimits {
            rate: Rate {
                per_second: r.number("limits.team_per_second", 1..=1_000_000, team.rate.per_second),
                burst: r.number("limits.team_burst", 1..=1_000_000, team.rate.burst),
            },
            running: r.number("limits.team_running", 1..=100_000, team.running),
            waiting: r.number("limits.team_waiting", 1..=100_000, team.waiting),
        },
        unauthenticated: Rate {
            per_second: r.number("limits.address_refused_per_second", 1..=1_000_000, unauthenticated.per_second),
            burst: r.number("limits.address_refused_burst", 1..=1_000_000, unauthenticated.burst),
        },
        trials: Rate {
            per_second: r.number("limits.webhook_tests_per_second", 1..=1_000, trials.per_second),
            burst: r.number("limits.webhook_tests_burst", 1..=10_000, trials.burst),
        },
        room: Room {
            running: r.number("limits.running", 1..=10_000, room.running),
            lists: r.number("limits.lists", 1..=10_000, room.lists.max(processors())),
            queue: r.number("limits.queue", 1..=100_000, room.queue),
            max_wait: r.seconds("limits.queue_seconds", 1..=30, room.max_wait.as_secs()),
            target: Duration::from_millis(r.number("limits.queue_milliseconds", 1..=1_000, 10)),
            ..room
        },
    }
}

/// How many processors this process may use; 1 where the system does not say.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
