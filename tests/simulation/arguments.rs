//! The arguments of the command line. Those of the usual test harness are ignored.

use crate::schedule::Schedule;
use crate::twin::Twin;

/// The default number of random schedules.
const SCHEDULES: u64 = 1_000_000;

/// The number of faults up to which all schedules are run: without optimization, three would take minutes.
const DEPTH: usize = if cfg!(debug_assertions) { 2 } else { 3 };

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) schedules: u64,
    pub(crate) depth: usize,
    pub(crate) threads: usize,
    pub(crate) from: u64,
    pub(crate) seed: Option<u64>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) twin: Twin,
    /// Whether the broken twins are run too.
    pub(crate) twins: bool,
    pub(crate) list: bool,
    /// A name was given that is not this test's.
    pub(crate) filtered: bool,
}

impl Arguments {
    pub(crate) fn read(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mut read = Self {
            schedules: SCHEDULES,
            depth: DEPTH,
            threads,
            from: 1,
            seed: None,
            schedule: None,
            twin: Twin::Sound,
            twins: true,
            list: false,
            filtered: false,
        };
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--schedules" => read.schedules = number(&value()?)?,
                "--from" => read.from = number(&value()?)?,
                "--seed" => read.seed = Some(number(&value()?)?),
                "--depth" => read.depth = size(&value()?)?,
                "--threads" => read.threads = size(&value()?)?.max(1),
                "--schedule" => read.schedule = Some(value()?.parse()?),
                "--twin" => read.twin = value()?.parse()?,
                "--no-twins" => read.twins = false,
                "--list" => read.list = true,
                "--test-threads" | "--format" | "--color" | "--skip" | "-Z" => drop(value()?),
                option if option.starts_with('-') => {}
                name => read.filtered |= !"simulation".contains(name),
            }
        }
        Ok(read)
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.replace('_', "").parse().map_err(|_| format!("{word}: must be a number"))
}

fn size(word: &str) -> Result<usize, String> {
    word.parse().map_err(|_| format!("{word}: must be a number"))
}
