//! A stream that gives up on a peer that reads nothing, or next to nothing: hyper has timeouts for reading, but none
//! for writing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// What a peer must read within the timeout if there is as much: 2 kB/s by default.
const LEAST: usize = 16 * 1024;

/// Fails a write if the peer reads less than [`LEAST`] within `max_wait` although there is more for it, and calls
/// `given_up`.
pub(super) struct WriteDeadline<S, F> {
    stream: S,
    max_wait: Duration,
    given_up: F,
    slow: Option<Slow>,
}

/// The time since something could not be written at once.
struct Slow {
    alarm: Pin<Box<Sleep>>,
    taken: usize,
}

impl<S, F: Fn()> WriteDeadline<S, F> {
    pub(super) fn new(stream: S, max_wait: Duration, given_up: F) -> Self {
        Self { stream, max_wait, given_up, slow: None }
    }

    /// Checks a write of `wanted` bytes.
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        wanted: usize,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let taken = match &result {
            Poll::Ready(Ok(taken)) if *taken < wanted => *taken,
            Poll::Ready(_) => {
                self.slow = None;
                return result;
            }
            Poll::Pending => 0,
        };
        let end = Instant::now() + self.max_wait;
        let fresh = || Slow { alarm: Box::pin(tokio::time::sleep_until(end)), taken: 0 };
        let slow = self.slow.get_or_insert_with(fresh);
        slow.taken += taken;
        if slow.taken >= LEAST {
            slow.taken = 0;
            slow.alarm.as_mut().reset(end);
        }
        // The timer has a resolution of 1 ms, the timeout does not.
        let over = Instant::now() >= slow.alarm.deadline();
        if slow.alarm.as_mut().poll(cx).is_pending() && !over {
            return result;
        }
        (self.given_up)();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads too slowly")))
    }
}

impl<S: AsyncRead + Unpin, F: Unpin> AsyncRead for WriteDeadline<S, F> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin, F: Fn() + Unpin> AsyncWrite for WriteDeadline<S, F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(cx, buf.len(), result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(cx, wanted, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(cx).map_ok(|()| 0);
        self.watch(cx, 0, result).map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(cx).map_ok(|()| 0);
        self.watch(cx, 0, result).map_ok(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (ours, _theirs) = tokio::io::duplex(4);
        let given_up = Cell::new(0);
        let mut stream = WriteDeadline::new(ours, Duration::from_millis(20), || given_up.set(given_up.get() + 1));
        let error = stream.write_all(b"more than four").await.unwrap_err();
        assert_eq!((error.kind(), given_up.get()), (io::ErrorKind::TimedOut, 1));
    }

    #[tokio::test]
    async fn next_to_nothing_is_not_enough_and_all_there_is_always_is() {
        let watch = |max_wait: Duration, taken: usize, wanted: usize| {
            let mut stream = WriteDeadline::new(tokio::io::empty(), max_wait, || {});
            let mut cx = Context::from_waker(std::task::Waker::noop());
            stream.watch(&mut cx, wanted, Poll::Ready(Ok(taken))).map(|result| result.is_ok())
        };
        let (over, long) = (Duration::ZERO, Duration::from_mins(1));
        assert_eq!(watch(over, 1, LEAST), Poll::Ready(false), "a byte in all the time that there is");
        assert_eq!(watch(long, 1, LEAST), Poll::Ready(true), "there is time left");
        assert_eq!(watch(over, 4, 4), Poll::Ready(true));
    }

    #[tokio::test]
    async fn a_slow_peer_that_takes_something_is_not() {
        let (ours, mut theirs) = tokio::io::duplex(4);
        let mut stream = WriteDeadline::new(ours, Duration::from_mins(1), || {});
        let mut taken = Vec::new();
        let write = async {
            stream.write_all(b"more than four").await.unwrap();
            drop(stream);
        };
        let ((), read) = tokio::join!(write, theirs.read_to_end(&mut taken));
        assert_eq!((read.unwrap(), &taken[..]), (14, &b"more than four"[..]));
    }
}
