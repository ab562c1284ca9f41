//! The schedule of faults, generated from a seed.
//!
//! What must stay true: pure; the same seed and length give the same schedule. (The run still depends on the machine:
//! processes and sockets are real.) Faults that make a gateway unreachable share a lane, so that one API stays up.
//! Wrong data of the cloud and wrong clocks of the database never last so long that the gateways may believe them.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// A gateway process: A is `serve`, B `serve --no-worker`, C `worker`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    A,
    B,
    C,
}

/// What a gateway is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetworkLink {
    Clients,
    Cloud,
    Database,
    Receiver,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PlannedFault {
    /// kill -9, and a restart after the pause.
    Kill(Who, Duration),
    /// SIGSTOP, and SIGCONT after more than the duration of a lease.
    Freeze(Who, Duration),
    /// Nothing passes on that connection for this long.
    Partition(Who, NetworkLink, Duration),
    /// An immediate shutdown of Postgres, and a restart after the pause.
    StopPostgres(Duration),
    /// Postgres accepts no writes from anybody for this long.
    ReadOnly(Duration),
    /// A server setting is changed for this long, for sessions that do not set it.
    Setting(OddSetting, Duration),
    /// Another client's transaction, which has an id, is open for this long: events after it are held up.
    Hold(Duration),
    /// The primary is lost. Its address leads to a standby, which is read-only for this long and is then promoted.
    FailOver(Duration),
    /// The next COMMIT is carried out, but its response is lost.
    LoseCommit(Who),
    /// The same for a statement that commits by itself.
    LoseStatement(Who),
    /// The wall clock is changed by this many seconds.
    Step(Who, i64),
    /// Every chunk on the connection is delayed by the first duration, during the second.
    Slow(Who, NetworkLink, Duration, Duration),
    /// One connection is reset after this many bytes, in one of the directions.
    Cut(Who, NetworkLink, bool, usize),
    /// All connections on the link are reset.
    Storm(Who, NetworkLink),
    /// A fault for the stand-in's admin API.
    Cloud(String),
    /// The cloud hides this percentage of its image caches for this long.
    Hide(u8, Duration),
    /// The next delete is acknowledged but not carried out.
    Pretend,
    /// The database's clock is wrong by this many seconds for this long.
    Leap(i64, Duration),
}

/// What happens between the halves: the database is dumped, and restored into another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restore {
    /// Nothing is written any more when it is dumped.
    Whole,
    /// Creates are acknowledged after the dump, and are lost.
    Late,
}

/// A setting that is weaker than what the gateway relies on, or changes formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OddSetting {
    pub(crate) name: &'static str,
    /// Its temporary value.
    pub(crate) odd: &'static str,
    /// Its normal value.
    pub(crate) usual: &'static str,
}

const SETTINGS: [OddSetting; 5] = [
    OddSetting { name: "default_transaction_isolation", odd: "'repeatable read'", usual: "'read committed'" },
    OddSetting { name: "default_transaction_isolation", odd: "serializable", usual: "'read committed'" },
    OddSetting { name: "synchronous_commit", odd: "off", usual: "on" },
    OddSetting { name: "TimeZone", odd: "'Asia/Kolkata'", usual: "'UTC'" },
    OddSetting { name: "DateStyle", odd: "'SQL, DMY'", usual: "'ISO, MDY'" },
];

/// Faults of one lane are executed one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultLane {
    Doors,
    Worker,
    Postgres,
    Holder,
    Lies,
    Air,
}

impl FaultLane {
    pub(crate) const ALL: [Self; 6] = [Self::Doors, Self::Worker, Self::Postgres, Self::Holder, Self::Lies, Self::Air];
}

/// The report's line for wrong database clocks, which need libfaketime.
pub(crate) const LEAP: &str = "leap of the database's clock";
/// The report's line for wrong gateway clocks, which need libfaketime.
pub(crate) const STEP: &str = "clock step";

impl PlannedFault {
    pub(crate) fn lane(&self) -> FaultLane {
        match self {
            Self::Kill(Who::C, _) | Self::Freeze(Who::C, _) | Self::Partition(Who::C, ..) => FaultLane::Worker,
            Self::Kill(..) | Self::Freeze(..) | Self::Partition(..) => FaultLane::Doors,
            Self::StopPostgres(_) | Self::ReadOnly(_) | Self::FailOver(_) | Self::Setting(..) | Self::Leap(..) => {
                FaultLane::Postgres
            }
            Self::Hold(_) => FaultLane::Holder,
            Self::Hide(..) => FaultLane::Lies,
            _ => FaultLane::Air,
        }
    }

    /// The line in the report in which it is counted.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Kill(..) => "kill -9 of a gateway",
            Self::Freeze(..) => "SIGSTOP for longer than a lease",
            Self::Partition(..) => "partition",
            Self::StopPostgres(_) => "immediate stop of Postgres",
            Self::ReadOnly(_) => "read-only spell of Postgres",
            Self::Setting(..) => "another setting of Postgres",
            Self::Hold(_) => "transaction left open",
            Self::FailOver(_) => "failover to a standby",
            Self::LoseCommit(_) => "lost COMMIT",
            Self::LoseStatement(_) => "lost single statement",
            Self::Step(..) => STEP,
            Self::Slow(..) => "slow link",
            Self::Cut(..) => "cut at byte k",
            Self::Storm(..) => "reset of all connections",
            Self::Cloud(_) => "fault of the cloud",
            Self::Hide(100, _) => "cloud that shows nothing",
            Self::Hide(..) => "cloud that hides a share",
            Self::Pretend => "delete that is only answered",
            Self::Leap(..) => LEAP,
        }
    }
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Generates one fault of a kind.
type Throw = fn(&mut StdRng) -> PlannedFault;

/// How many faults of each kind there are in five minutes.
const PER_FIVE_MINUTES: [(usize, Throw); 19] = [
    (25, |dice| PlannedFault::Kill(door(dice), between(dice, 100, 900))),
    (17, |dice| PlannedFault::Kill(Who::C, between(dice, 100, 900))),
    (3, |dice| PlannedFault::Freeze(door(dice), between(dice, 13_000, 15_000))),
    (3, |dice| PlannedFault::Freeze(Who::C, between(dice, 13_000, 15_000))),
    (3, |dice| PlannedFault::Partition(door(dice), link(dice), between(dice, 4_000, 14_000))),
    (3, |dice| PlannedFault::Partition(Who::C, NetworkLink::Database, between(dice, 4_000, 16_000))),
    (4, |dice| PlannedFault::StopPostgres(between(dice, 0, 1_500))),
    (2, |dice| PlannedFault::ReadOnly(between(dice, 1_000, 9_000))),
    (4, |dice| PlannedFault::Setting(SETTINGS[dice.random_range(0..SETTINGS.len())], between(dice, 2_000, 8_000))),
    (2, |dice| PlannedFault::Hold(between(dice, 10_000, 30_000))),
    (6, |dice| PlannedFault::Hide(SHARES[dice.random_range(0..SHARES.len())], between(dice, 3_000, 25_000))),
    (3, |dice| PlannedFault::Leap(LEAPS[dice.random_range(0..LEAPS.len())], between(dice, 3_000, 10_000))),
    (1, |dice| PlannedFault::FailOver(between(dice, 0, 3_000))),
    (42, |dice| PlannedFault::LoseCommit(any(dice))),
    (16, |dice| PlannedFault::LoseStatement(any(dice))),
    (12, |dice| PlannedFault::Step(any(dice), step(dice))),
    (8, |dice| PlannedFault::Slow(any(dice), link(dice), between(dice, 50, 800), between(dice, 1_000, 4_000))),
    (40, |dice| PlannedFault::Cut(any(dice), link(dice), dice.random(), dice.random_range(0..400))),
    (8, |dice| PlannedFault::Storm(any(dice), link(dice))),
];
/// The percentages of hidden caches; hiding all is a special case.
const SHARES: [u8; 4] = [10, 40, 70, 100];
/// How much the database's clock may be off: nine days, and minutes, which no gateway believes before an hour has
/// passed.
const LEAPS: [i64; 4] = [777_600, -600, 300, -300];
/// How many deletes are acknowledged but not carried out in five minutes.
const PRETENDED: usize = 6;
/// How many faults of the cloud there are in five minutes.
const CLOUD: usize = 80;
/// There are no faults for this long at the beginning and at the end.
const CALM: Duration = Duration::from_secs(5);

/// Faults with their times, in order.
pub(crate) type FaultSchedule = Vec<(Duration, PlannedFault)>;

/// The schedule of a run of that length.
pub(crate) fn schedule(seed: u64, length: Duration) -> FaultSchedule {
    let mut dice = StdRng::seed_from_u64(seed);
    let times = |count: usize| (count as u64 * length.as_secs()).div_ceil(300);
    let mut all = Vec::new();
    for (count, make) in PER_FIVE_MINUTES {
        for _ in 0..times(count) {
            let fault = make(&mut dice);
            all.push((when(&mut dice, length), fault));
        }
    }
    for number in 0..times(CLOUD) {
        let fault = PlannedFault::Cloud(cloud_fault(&mut dice, usize::try_from(number).unwrap_or_default()));
        all.push((when(&mut dice, length), fault));
    }
    for _ in 0..times(PRETENDED) {
        // The gateways repeat such a delete after five minutes, so it has to be early enough for everything to come to
        // rest.
        all.push((when(&mut dice, length / 2), PlannedFault::Pretend));
    }
    all.sort_by_key(|(at, _)| *at);
    all
}

/// The schedule in two halves, each with times relative to its beginning, and what happens between them.
pub(crate) fn halves(seed: u64, length: Duration) -> (FaultSchedule, Restore, FaultSchedule) {
    let half = length / 2;
    let (first, second): (Vec<_>, Vec<_>) = schedule(seed, length).into_iter().partition(|(at, _)| *at < half);
    let second = second.into_iter().map(|(at, fault)| (at.saturating_sub(half), fault)).collect();
    // A separate generator, so that other draws do not change it.
    let late = StdRng::seed_from_u64(seed ^ RESTORE).random_bool(0.5);
    (first, if late { Restore::Late } else { Restore::Whole }, second)
}

/// Separates the random numbers of the restore.
const RESTORE: u64 = 0x7265_7374_6f72_6500;

fn when(dice: &mut StdRng, length: Duration) -> Duration {
    CALM + length.saturating_sub(CALM * 2).mul_f64(dice.random_range(0.0..1.0))
}

fn between(dice: &mut StdRng, least: u64, most: u64) -> Duration {
    Duration::from_millis(dice.random_range(least..=most))
}

fn door(dice: &mut StdRng) -> Who {
    [Who::A, Who::B][dice.random_range(0..2)]
}

fn any(dice: &mut StdRng) -> Who {
    [Who::A, Who::B, Who::C][dice.random_range(0..3)]
}

fn link(dice: &mut StdRng) -> NetworkLink {
    [NetworkLink::Clients, NetworkLink::Cloud, NetworkLink::Database, NetworkLink::Receiver][dice.random_range(0..4)]
}

/// Seconds, minutes or hours, forward or back.
fn step(dice: &mut StdRng) -> i64 {
    let size = [dice.random_range(2..60), dice.random_range(60..1_800), dice.random_range(3_600..172_800)];
    let size = size[dice.random_range(0..3)];
    if dice.random() { size } else { -size }
}

/// All combinations of kinds and actions in turn, carried out or not.
fn cloud_fault(dice: &mut StdRng, number: usize) -> String {
    const KINDS: [&str; 12] = [
        r#""kind":"timeout""#,
        r#""kind":"error","http":503,"code":"ServiceUnavailable""#,
        r#""kind":"error","http":500,"code":"InternalError""#,
        r#""kind":"status","http":502,"body":"<html>Bad gateway</html>""#,
        r#""kind":"garbage","variant":"html""#,
        r#""kind":"garbage","variant":"empty""#,
        r#""kind":"garbage","variant":"truncated""#,
        r#""kind":"throttle""#,
        r#""kind":"reset""#,
        r#""kind":"reset_at","at":12"#,
        r#""kind":"latency","ms":2000"#,
        r#""kind":"latency","ms":5000"#,
    ];
    let action =
        ["CreateImageCache", "CreateImageCache", "UpdateImageCache", "DeleteImageCache", "DescribeImageCaches"];
    let (kind, action) = (KINDS[number % KINDS.len()], action[dice.random_range(0..action.len())]);
    // A throttled call is never carried out; anything else would not be the cloud's behaviour.
    let apply = !kind.contains("throttle") && dice.random();
    format!(r#"{{"action":"{action}",{kind},"apply":{apply}}}"#)
}
