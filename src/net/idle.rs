//! A stream that gives up on a peer that sends no request, or an incomplete head, for too long. hyper has one timeout
//! for both; but an idle connection may be kept for longer than a head may take, so that a proxy closes it before we
//! do.
//!
//! What must stay true: a new connection and an incomplete head have the head's timeout; an idle connection has its
//! own, but when connections run short only the head's, so that a client that makes one request on each connection
//! cannot hold all of them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// The timeouts of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// For the head of a request.
    pub(super) head: Duration,
    /// For the beginning of the next request.
    pub(super) idle: Duration,
}

/// Counts the requests of one connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Underway(Arc<RequestCounts>);

#[derive(Debug, Default)]
struct RequestCounts {
    /// Requests that were read, and whose responses have not been written completely.
    underway: AtomicUsize,
    /// All requests that were ever read.
    read: AtomicUsize,
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub(super) struct OpenRequest(Underway);

impl Underway {
    /// A request was read.
    pub(super) fn begin(&self) -> OpenRequest {
        self.0.underway.fetch_add(1, Ordering::AcqRel);
        self.0.read.fetch_add(1, Ordering::AcqRel);
        OpenRequest(self.clone())
    }

    fn is_any(&self) -> bool {
        self.0.underway.load(Ordering::Acquire) > 0
    }

    fn read(&self) -> usize {
        self.0.read.load(Ordering::Acquire)
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.0.underway.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of a response, which is unfinished until it is dropped.
pub(super) struct AnswerBody<B> {
    pub(super) body: B,
    pub(super) _request: OpenRequest,
}

impl<B: Body + Unpin> Body for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Enforces the timeouts on a stream. `short` tells whether connections run short.
pub(super) struct Idle<S, F> {
    stream: S,
    deadlines: Deadlines,
    underway: Underway,
    short: F,
    waiting: Option<RequestWait>,
    /// How many requests had been read when this was last checked.
    read: usize,
}

/// The wait for a request.
struct RequestWait {
    since: Instant,
    /// Whether the connection was used before and nothing of the next request has arrived.
    kept: bool,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<S, F: Fn() -> bool> Idle<S, F> {
    pub(super) fn new(stream: S, deadlines: Deadlines, underway: Underway, short: F) -> Self {
        let waiting = Some(RequestWait { since: Instant::now(), kept: false, alarm: None });
        Self { stream, deadlines, underway, short, waiting, read: 0 }
    }

    /// Called after a read of that many bytes; `None` if nothing was read.
    fn judge(&mut self, cx: &mut Context<'_>, read: Option<usize>) -> Poll<io::Result<()>> {
        // It may have been answered already since the last check.
        let so_far = self.underway.read();
        if so_far != self.read {
            (self.read, self.waiting) = (so_far, None);
        }
        if self.underway.is_any() {
            return Poll::Pending;
        }
        let fresh = || RequestWait { since: Instant::now(), kept: true, alarm: None };
        let waiting = self.waiting.get_or_insert_with(fresh);
        if read.is_some() && waiting.kept {
            *waiting = RequestWait { kept: false, ..fresh() };
        }
        if read.is_some() {
            return Poll::Pending;
        }
        waiting.poll_over(cx, self.deadlines, &self.short)
    }
}

impl RequestWait {
    /// Fails once the timeout has passed.
    fn poll_over(
        &mut self,
        cx: &mut Context<'_>,
        deadlines: Deadlines,
        short: impl Fn() -> bool,
    ) -> Poll<io::Result<()>> {
        loop {
            let past = self.since.elapsed();
            let limit = if self.kept && !short() { deadlines.idle } else { deadlines.head };
            if past >= limit {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no request arrived in time")));
            }
            // An idle connection regularly checks whether connections run short.
            let next = Instant::now() + limit.saturating_sub(past).min(deadlines.head);
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
            if alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.alarm = None;
        }
    }
}

impl<S: AsyncRead + Unpin, F: Fn() -> bool + Unpin> AsyncRead for Idle<S, F> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = result.is_ready().then(|| buf.filled().len() - before);
        match self.judge(cx, read) {
            Poll::Ready(over) => Poll::Ready(over),
            Poll::Pending => result,
        }
    }
}

impl<S: AsyncWrite + Unpin, F: Unpin> AsyncWrite for Idle<S, F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
