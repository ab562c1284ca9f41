//! A stream that says why, where hyper says only that: a head that it cannot take is answered with a status and nothing
//! else, before any service is asked. Such an answer is replaced by the same with a problem as its body.
//!
//! What must stay true: no answer of ours is touched; each of them has an `X-Request-Id`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::unread;
use crate::http::problem::Refusal;

/// What hyper's bare answers are shorter than.
const BARE: usize = 256;

/// The stream.
pub(super) struct Telling<S> {
    stream: S,
    /// What is to be written instead, and how much of it was.
    instead: (Vec<u8>, usize),
}

impl<S: AsyncWrite + Unpin> Telling<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, instead: (Vec::new(), 0) }
    }

    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (text, written) = &mut self.instead;
        while *written < text.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &text[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes `text` in, if it is a bare answer.
    fn takes(&mut self, text: &[u8]) -> bool {
        let problem = told(text);
        if let Some(problem) = &problem {
            self.instead = (problem.clone(), 0);
        }
        problem.is_some()
    }
}

/// What is said instead of a bare answer.
fn told(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() >= BARE || !text.starts_with(b"HTTP/1.1 4") || !text.ends_with(b"\r\n\r\n") {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?.to_ascii_lowercase();
    if !text.contains("content-length: 0\r\n") || text.contains("x-request-id") {
        return None;
    }
    let refusal = match text.get(9..12)? {
        "400" => Refusal::malformed_head(),
        "414" => Refusal::url_too_long(None),
        "431" => Refusal::head_too_large(),
        _ => return None,
    };
    Some(unread(&refusal))
}

impl<S: AsyncRead + Unpin> AsyncRead for Telling<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Telling<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(cx))?;
        if self.takes(buf) {
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_instead(cx))?;
        if let [only] = bufs
            && self.takes(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_instead(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_refusal_is_replaced() {
        let bare = |status: &str| format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        for (status, code) in [
            ("400 Bad Request", "malformed_head"),
            ("414 URI Too Long", "url_too_long"),
            ("431 Request Header Fields Too Large", "head_too_large"),
        ] {
            let text = String::from_utf8(told(bare(status).as_bytes()).unwrap()).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{text}");
            assert!(text.contains(code) && text.contains("application/problem+json"), "{text}");
        }
        for other in [
            bare("404 Not Found"),
            bare("200 OK"),
            bare("400 Bad Request").replace("connection", "x-request-id"),
            bare("400 Bad Request").replace("length: 0", "length: 2") + "{}",
        ] {
            assert!(told(other.as_bytes()).is_none(), "{other}");
        }
    }
}
