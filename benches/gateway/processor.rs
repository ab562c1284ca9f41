//! CPU time and memory of other processes, from Linux's `/proc`.
//!
//! A process includes all its descendants, even those that have exited: for PostgreSQL use the postmaster, for nginx
//! the master process. Without `/proc`, nothing is known.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// The measured processes, each with its descendants.
pub(crate) type Roots = [u32];

struct Process {
    parent: u32,
    /// Its own time and that of its exited children, in 1/100 s.
    hundredths: u64,
}

/// The CPU time of `roots` and their descendants so far.
pub(crate) fn time(roots: &Roots) -> Option<Duration> {
    let all = processes();
    let hundredths: u64 = all.keys().filter(|pid| descends(&all, **pid, roots)).map(|pid| all[pid].hundredths).sum();
    (!all.is_empty()).then(|| Duration::from_millis(hundredths * 10))
}

/// The resident memory of `roots` and their descendants, in MB.
pub(crate) fn memory(roots: &Roots) -> f64 {
    let all = processes();
    let of = |pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default().to_owned();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1_024.0
    };
    all.keys().filter(|pid| descends(&all, **pid, roots)).map(of).sum()
}

/// The load average of the last one, five and fifteen minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn processes() -> HashMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, read(pid)?))).collect()
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name is in parentheses and may contain anything. After it, the parent is the 2nd word, and the
    // times of the process and of its exited children are the 12th to the 15th.
    let words: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let hundredths = words.get(11..15)?.iter().filter_map(|word| word.parse::<u64>().ok()).sum();
    Some(Process { parent: words.get(1)?.parse().ok()?, hundredths })
}

fn descends(all: &HashMap<u32, Process>, pid: u32, roots: &Roots) -> bool {
    let mut line = std::iter::successors(Some(pid), |pid| all.get(pid).map(|process| process.parent));
    line.any(|pid| roots.contains(&pid))
}
