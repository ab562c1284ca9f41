//! Output of commands: nothing else here writes to standard output, or to standard error past the logs.
//!
//! Requested output needs a reader: if it has gone (`… | head -1`), the command ends quietly. Remarks do not: if nobody
//! reads them, they are lost.

use std::io::{self, ErrorKind, Write};

use anyhow::Context as _;

use super::CommandFailure;
use crate::telemetry;

/// The exit code of a command whose reader has gone, by the convention of shells (128 + SIGPIPE).
const NOBODY_READS: u8 = 141;

/// Prints requested output on standard output.
pub(super) fn answer(text: &str) -> Result<(), CommandFailure> {
    let mut output = Output::new();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.context("printing the answer").map_err(|error| output.failure(error))
}

/// Prints a remark on standard error. If the process logs, it goes through the log's queue, which never blocks on a
/// reader.
pub(super) fn remark(text: &str) {
    if !telemetry::say(text) {
        let _nobody_looks = writeln!(io::stderr(), "{text}");
    }
}

/// Standard output that remembers whether its reader has gone.
pub(super) struct Output<W = io::Stdout> {
    to: W,
    closed: bool,
}

impl<W: Write> Output<W> {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.closed |= result.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
        result
    }

    /// The failure of a command that could not write everything.
    pub(super) fn failure(&self, error: anyhow::Error) -> CommandFailure {
        if self.closed { CommandFailure::Code(NOBODY_READS) } else { CommandFailure::Failed(error) }
    }
}

impl Output {
    /// The standard output of this process.
    pub(super) fn new() -> Self {
        Self { to: io::stdout(), closed: false }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let written = self.to.write(text);
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.to.flush();
        self.note(flushed)
    }
}
