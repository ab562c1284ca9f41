//! A stream that reports when hyper has written all its output: hyper flushes the stream only once its own buffer is
//! empty.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that calls `flushed` then.
pub struct Flushes<S, F> {
    stream: S,
    flushed: F,
}

impl<S, F: Fn()> Flushes<S, F> {
    /// Wraps `stream`, calling `flushed` at each flush.
    pub fn new(stream: S, flushed: F) -> Self {
        Self { stream, flushed }
    }
}

impl<S: AsyncRead + Unpin, F: Unpin> AsyncRead for Flushes<S, F> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin, F: Fn() + Unpin> AsyncWrite for Flushes<S, F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        (self.flushed)();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn each_flush_is_told_and_no_write_is() {
        let told = Cell::new(0);
        let mut stream = Flushes::new(tokio::io::sink(), || told.set(told.get() + 1));
        stream.write_all(b"text").await.unwrap();
        assert_eq!(told.get(), 0);
        stream.flush().await.unwrap();
        assert_eq!(told.get(), 1);
    }
}
