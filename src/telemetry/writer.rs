//! Writes log lines: a bounded queue, and a thread that writes its content.
//!
//! What must stay true: logging never blocks and never fails. A line is dropped and counted
//! (`ecg_log_lines_dropped_total`) if there is no room for it, because the reader of the logs is stuck, or if it cannot
//! be written, because the reader has gone.

use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// The maximum number of queued lines: a few seconds of a busy gateway, and at most a few MB.
const QUEUE: usize = 8192;
/// Lines are written together up to this many bytes.
const CHUNK: usize = 64 * 1024;
/// The pause between two attempts if the other side has made our descriptor non-blocking and reads too slowly.
const TRY_AGAIN: Duration = Duration::from_millis(10);
/// How long [`LogLines::flush`] waits at most.
const FLUSH: Duration = Duration::from_secs(1);

enum WriterMessage {
    Line(Vec<u8>),
    /// Dropped once everything before it has been written.
    Flush(SyncSender<()>),
}

/// The queue; cheap to clone.
#[derive(Clone)]
pub(super) struct LogLines(SyncSender<WriterMessage>);

impl LogLines {
    /// Starts the thread, which writes to `to` as long as the process runs.
    pub(super) fn start(to: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        thread::Builder::new().name("logs".into()).spawn(move || run(&receiver, to))?;
        Ok(Self(sender))
    }

    /// Waits until everything logged so far was written or dropped, for a second at most.
    pub(super) fn flush(&self) {
        let (written, wait) = sync_channel(1);
        // A full queue means that nobody reads the logs, so there is nothing to wait for.
        if self.0.try_send(WriterMessage::Flush(written)).is_ok() {
            let _ended = wait.recv_timeout(FLUSH);
        }
    }
}

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.0.try_send(WriterMessage::Line(line.to_vec())) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => dropped(1),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogLines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn dropped(lines: u64) {
    metrics::counter!("ecg_log_lines_dropped_total").increment(lines);
}

fn run(queue: &Receiver<WriterMessage>, mut to: impl Write) {
    while let Ok(first) = queue.recv() {
        let (mut text, mut lines, mut flushed) = (Vec::new(), 0, None);
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                WriterMessage::Line(line) => {
                    text.extend_from_slice(&line);
                    lines += 1;
                }
                WriterMessage::Flush(written) => flushed = Some(written),
            }
            next = (flushed.is_none() && text.len() < CHUNK).then(|| queue.try_recv().ok()).flatten();
        }
        if write_all(&mut to, &text).is_err() {
            dropped(lines);
        }
        drop(flushed);
    }
}

/// Like `Write::write_all`, but waits for a descriptor that would block: nobody waits for this thread.
fn write_all(to: &mut impl Write, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match to.write(text) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => text = &text[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(TRY_AGAIN),
            Err(error) => return Err(error),
        }
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Fails with the given errors in order, then stores what is written.
    #[derive(Clone)]
    struct Failing(Arc<Mutex<(Vec<ErrorKind>, Vec<u8>)>>);

    impl Failing {
        fn with(kinds: &[ErrorKind]) -> Self {
            Self(Arc::new(Mutex::new((kinds.iter().rev().copied().collect(), Vec::new()))))
        }

        fn written(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().1.clone()).unwrap()
        }
    }

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.0.lock().unwrap();
            match state.0.pop() {
                Some(kind) => Err(kind.into()),
                None => state.1.write(bytes),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_dropped_and_the_next_one_is_written() {
        let to = Failing::with(&[ErrorKind::BrokenPipe]);
        let mut lines = LogLines::start(to.clone()).unwrap();
        lines.write_all(b"lost\n").unwrap();
        lines.flush();
        lines.write_all(b"there\n").unwrap();
        lines.flush();
        assert_eq!(to.written(), "there\n");
    }

    #[test]
    fn a_descriptor_that_would_block_is_waited_for() {
        let to = Failing::with(&[ErrorKind::WouldBlock, ErrorKind::Interrupted]);
        let mut lines = LogLines::start(to.clone()).unwrap();
        lines.write_all(b"there\n").unwrap();
        lines.flush();
        assert_eq!(to.written(), "there\n");
    }

    #[test]
    fn who_logs_does_not_wait_for_a_reader_who_stopped_reading() {
        let (reader, to) = std::io::pipe().unwrap();
        let mut lines = LogLines::start(to).unwrap();
        let line = vec![b'x'; 1024];
        // Ten times what the pipe and the queue hold; it would never end if anybody had to wait.
        for _ in 0..10 * QUEUE {
            lines.write_all(&line).unwrap();
        }
        lines.flush();
        drop(reader);
    }
}
