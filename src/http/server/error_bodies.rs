//! A stream that says why, where hyper says only that: a head that it cannot take is answered with a status and nothing
//! else, before any service is asked. Such an answer is replaced by the same with a problem as its body; by the cloud's
//! error where the head's beginning says that it was a request to its API.
//!
//! What must stay true: no answer of ours is touched; each of them has an `X-Request-Id`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Scanner;
use super::{unread, unread_rpc};
use crate::eci::incoming::AnswerFormat;
use crate::http::problem::ProblemResponse;

/// What hyper's bare answers are shorter than.
const BARE: usize = 256;
/// What is said to a proxy that speaks of its client in another way than by a header.
const PROXY_PROTOCOL: &str = "the PROXY protocol is not supported; configure the proxy to send X-Forwarded-For or \
                              Forwarded, and list it in trusted_proxies";
/// How much of a head is looked at: enough for the first parameters.
const BEGINNING: usize = 1024;

/// The event stream.
pub(super) struct ErrorBodies<S> {
    stream: S,
    /// What is to be written instead, and how much of it was.
    instead: (Vec<u8>, usize),
    /// The first bytes that were read since something was written: how the present request begins.
    beginning: Vec<u8>,
    /// Whether something was written since.
    answered: bool,
    scanner: Scanner,
}

impl<S: AsyncWrite + Unpin> ErrorBodies<S> {
    pub(super) fn new(stream: S, scanner: Scanner) -> Self {
        Self { stream, instead: (Vec::new(), 0), beginning: Vec::new(), answered: false, scanner }
    }

    /// Keeps the beginning of what is read.
    fn note(&mut self, read: &[u8]) {
        if read.is_empty() {
            return;
        }
        if std::mem::take(&mut self.answered) {
            self.beginning.clear();
            self.scanner.forget();
        }
        self.scanner.look(read);
        let room = BEGINNING.saturating_sub(self.beginning.len()).min(read.len());
        self.beginning.extend_from_slice(&read[..room]);
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
        self.answered = true;
        let problem = replacement(text, &self.beginning);
        if let Some(problem) = &problem {
            self.instead = (problem.clone(), 0);
        }
        problem.is_some()
    }
}

/// Whether a proxy told who its client is before the request, which is not understood here.
fn is_proxy_protocol(beginning: &[u8]) -> bool {
    beginning.starts_with(b"PROXY ") || beginning.starts_with(b"\r\n\r\n\0\r\nQUIT\n")
}

/// In what a request that begins like this wants its answer, if it is one to the cloud's API.
pub(super) fn rpc_format(beginning: &[u8]) -> Option<AnswerFormat> {
    let mut words = beginning.split(|byte| *byte == b' ');
    let (method, target) = (words.next()?, words.next()?);
    // A GET of the bare root is a browser's: a call has its parameters there.
    let is_root = target.starts_with(b"/?") || (target == b"/" && method != b"GET");
    let wants_xml = target.windows(b"format=xml".len()).any(|part| part.eq_ignore_ascii_case(b"format=xml"));
    is_root.then_some(if wants_xml { AnswerFormat::Xml } else { AnswerFormat::Json })
}

/// What is said instead of a bare answer to what begins like this.
fn replacement(text: &[u8], beginning: &[u8]) -> Option<Vec<u8>> {
    if text.len() >= BARE || !text.starts_with(b"HTTP/1.1 4") || !text.ends_with(b"\r\n\r\n") {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?.to_ascii_lowercase();
    if !text.contains("content-length: 0\r\n") || text.contains("x-request-id") {
        return None;
    }
    let refusal = match text.get(9..12)? {
        "400" if is_proxy_protocol(beginning) => ProblemResponse::bad_head(PROXY_PROTOCOL),
        "400" => ProblemResponse::malformed_head(),
        "414" => ProblemResponse::url_too_long(None),
        "431" => ProblemResponse::head_too_large(),
        _ => return None,
    };
    Some(match rpc_format(beginning) {
        Some(format) => unread_rpc(&refusal, format),
        None => unread(&refusal),
    })
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ErrorBodies<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.note(&buf.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ErrorBodies<S> {
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
        self.answered = true;
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
            let text = String::from_utf8(replacement(bare(status).as_bytes(), b"").unwrap()).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{text}");
            assert!(text.contains(code) && text.contains("application/problem+json"), "{text}");
            let rpc = String::from_utf8(replacement(bare(status).as_bytes(), b"POST /?a=b HTTP/1.1").unwrap()).unwrap();
            assert!(rpc.starts_with(&format!("HTTP/1.1 {status}\r\n")) && rpc.contains("\"HostId\""), "{rpc}");
        }
        for other in [
            bare("404 Not Found"),
            bare("200 OK"),
            bare("400 Bad Request").replace("connection", "x-request-id"),
            bare("400 Bad Request").replace("length: 0", "length: 2") + "{}",
        ] {
            assert!(replacement(other.as_bytes(), b"").is_none(), "{other}");
        }
    }
    #[test]
    fn the_beginning_of_a_head_says_whose_words_are_wanted() {
        for (head, format) in [
            ("POST /?Action=x&Image.1=aaaa", Some(AnswerFormat::Json)),
            ("GET /?Format=XML&Action=x HTTP/1.1\r\n", Some(AnswerFormat::Xml)),
            ("POST / HTTP/1.1\r\nx: y", Some(AnswerFormat::Json)),
            ("GET / HTTP/1.1\r\nx: y", None),
            ("GET /v1/image-caches?x=y HTTP/1.1\r\n", None),
            ("GET //?x HTTP/1.1\r\n", None),
            ("GET", None),
            ("", None),
        ] {
            assert_eq!(rpc_format(head.as_bytes()), format, "{head}");
        }
        let mut stream = ErrorBodies::new(tokio::io::empty(), Scanner::default());
        stream.note(b"POST /?a");
        stream.note(b"=b");
        assert_eq!(stream.beginning, b"POST /?a=b");
        assert!(!stream.takes(b"HTTP/1.1 200 OK\r\n\r\n"));
        stream.note(b"GET /v1");
        assert_eq!(stream.beginning, b"GET /v1");
    }
}
