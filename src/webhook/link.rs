//! One HTTP/1.1 connection to a receiver, driven by the attempt that uses it.
//!
//! No task is spawned: the attempt that waits for a response reads and writes the connection meanwhile, so no other
//! task has to be woken. A pooled connection is not driven; whether the receiver has closed it is noticed when it is
//! taken out.
//!
//! Called by [`super::sender`]; [`super::pool`] keeps it. It has no timeouts and does not retry.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::task::Context;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::client::legacy::connect::{Connection as _, HttpInfo};

use super::dial::DialedStream;

/// A message as it is sent.
pub(super) type WebhookRequest = Request<Full<Bytes>>;

/// Boxed, because it is large and is moved often.
type ConnectionTask = Option<Box<Connection<DialedStream, Full<Bytes>>>>;

/// A connection, and the handle for sending on it.
pub(super) struct Link {
    requests: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    connection: ConnectionTask,
    /// The address of the receiver.
    pub(super) remote: Option<IpAddr>,
}

impl Link {
    /// An HTTP connection over a stream; through a tunnel, it ends at `beyond`.
    pub(super) async fn over(stream: DialedStream, beyond: Option<IpAddr>) -> Result<Self, hyper::Error> {
        let mut extras = http::Extensions::new();
        stream.connected().get_extras(&mut extras);
        let remote = beyond.or_else(|| extras.get::<HttpInfo>().map(|info| info.remote_addr().ip()));
        let (requests, connection) = http1::handshake(stream).await?;
        Ok(Self { requests, connection: Some(Box::new(connection)), remote })
    }

    /// Whether the next message can be sent: the last exchange is complete, and the receiver has not closed the
    /// connection, as far as is known without sending anything.
    pub(super) async fn is_ready(&mut self) -> bool {
        driving(&mut self.connection, std::future::ready(())).await;
        self.connection.is_some() && self.requests.is_ready()
    }

    /// Sends a message and waits for the headers of the response; interim ones (1xx) are skipped. If the error contains
    /// the message, not a single byte of it was written.
    pub(super) async fn exchange(
        &mut self,
        message: WebhookRequest,
    ) -> Result<Response<Incoming>, TrySendError<WebhookRequest>> {
        let answer = self.requests.try_send_request(message);
        driving(&mut self.connection, answer).await
    }

    /// Reads a response's body until there is enough or it ends. Returns whether it was read to its end.
    pub(super) async fn read(&mut self, body: &mut Incoming, kept: &mut Vec<u8>, most: usize) -> bool {
        while !body.is_end_stream() {
            if kept.len() >= most {
                return false;
            }
            match driving(&mut self.connection, body.frame()).await {
                Some(Ok(frame)) => {
                    let chunk = frame.into_data().unwrap_or_default();
                    kept.extend_from_slice(&chunk[..chunk.len().min(most - kept.len())]);
                }
                Some(Err(_)) => return false,
                None => return true,
            }
        }
        true
    }
}

/// Reads and writes as much as possible without waiting. A connection that has ended is dropped, which wakes whoever
/// waits for it.
fn drive(connection: &mut ConnectionTask, cx: &mut Context<'_>) {
    if let Some(running) = connection
        && Pin::new(running).poll(cx).is_ready()
    {
        *connection = None;
    }
}

/// Waits for `work`, driving the connection meanwhile.
async fn driving<F: Future>(connection: &mut ConnectionTask, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        drive(connection, cx);
        work.as_mut().poll(cx)
    })
    .await
}
