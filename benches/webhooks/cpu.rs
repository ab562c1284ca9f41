//! The CPU time of a piece of work: of this process without its receiver, and of the database with all its backends.
//! Linux only: elsewhere every figure is 0.

use std::fs;
use std::sync::OnceLock;

/// The unit of time in `/proc/*/stat` in microseconds: it is the same on every Linux.
const TICK_MICROS: u64 = 10_000;

/// The thread of the receiver, which is not part of the gateway.
static RECEIVER: OnceLock<String> = OnceLock::new();
/// The postmaster's pid.
static POSTMASTER: OnceLock<String> = OnceLock::new();

/// Called by the receiver's thread.
pub(crate) fn this_is_the_receiver() {
    let link = fs::read_link("/proc/thread-self").unwrap_or_default();
    // There is only one receiver.
    let _first = RECEIVER.set(link.file_name().unwrap_or_default().to_string_lossy().into_owned());
}

/// Finds the postmaster by one of its backends.
pub(crate) fn this_is_a_backend(pid: i32) {
    let _first = POSTMASTER.set(stat(&format!("/proc/{pid}/stat"), 1).to_string());
}

/// CPU time so far in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    pub(crate) gateway: u64,
    pub(crate) postgres: u64,
}

impl Cpu {
    pub(crate) fn now() -> Self {
        let receiver = RECEIVER.get().map_or(0, |thread| spent(&format!("/proc/self/task/{thread}/stat")));
        Self { gateway: spent("/proc/self/stat").saturating_sub(receiver), postgres: postgres() }
    }

    /// The CPU time since then, divided by `count`.
    pub(crate) fn each_since(self, before: Self, count: usize) -> [f64; 2] {
        let each = |now: u64, then: u64| float(now.saturating_sub(then)) / float(count.try_into().unwrap_or(1));
        [each(self.gateway, before.gateway), each(self.postgres, before.postgres)]
    }
}

fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// That of the running backends and of those that have exited.
fn postgres() -> u64 {
    let Some(postmaster) = POSTMASTER.get() else { return 0 };
    let own = format!("/proc/{postmaster}/stat");
    let ended = (stat(&own, 13) + stat(&own, 14)) * TICK_MICROS;
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let backends = processes.map(|process| format!("{}/stat", process.path().display()));
    ended + backends.filter(|path| stat(path, 1).to_string() == *postmaster).map(|path| spent(&path)).sum::<u64>()
}

/// In user mode and in the kernel.
fn spent(path: &str) -> u64 {
    (stat(path, 11) + stat(path, 12)) * TICK_MICROS
}

/// A field of `stat`, counted from the name in parentheses.
fn stat(path: &str, field: usize) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_whitespace().nth(field).and_then(|field| field.parse().ok()).unwrap_or(0)
}
