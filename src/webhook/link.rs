//! One HTTP/1.1 connection to a receiver, driven by the attempt that uses it.
//!
//! There is no task beside the attempt: whoever waits for an answer reads and writes the connection meanwhile, so that
//! nobody has to wake anybody else. While it lies in the pool nobody drives it; whether the receiver has hung up is
//! seen when it is taken out.
//!
//! Who calls it: [`super::sender`]; [`super::pool`] keeps it. What it does not do: deadlines, retries.

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

/// A message as it goes over the wire.
pub(super) type WebhookRequest = Request<Full<Bytes>>;

/// Boxed: it is large, and whoever uses it passes it on.
type ConnectionTask = Option<Box<Connection<DialedStream, Full<Bytes>>>>;

/// A connection, and the way to send over it.
pub(super) struct Link {
    requests: SendRequest<Full<Bytes>>,
    /// None once it has ended.
    connection: ConnectionTask,
    /// Who is at the other end.
    pub(super) remote: Option<IpAddr>,
}

impl Link {
    /// A connection over a stream; through a tunnel it ends at `beyond`.
    pub(super) async fn over(stream: DialedStream, beyond: Option<IpAddr>) -> Result<Self, hyper::Error> {
        let mut extras = http::Extensions::new();
        stream.connected().get_extras(&mut extras);
        let remote = beyond.or_else(|| extras.get::<HttpInfo>().map(|info| info.remote_addr().ip()));
        let (requests, connection) = http1::handshake(stream).await?;
        Ok(Self { requests, connection: Some(Box::new(connection)), remote })
    }

    /// Whether the next message can go: the last one is over to its last byte, and the receiver has not hung up, as far
    /// as can be known without asking it.
    pub(super) async fn is_ready(&mut self) -> bool {
        driving(&mut self.connection, std::future::ready(())).await;
        self.connection.is_some() && self.requests.is_ready()
    }

    /// Sends a message and waits for the headers of the answer; interim ones (1xx) are passed over. An error with the
    /// message in it: not one byte of it was written.
    pub(super) async fn exchange(
        &mut self,
        message: WebhookRequest,
    ) -> Result<Response<Incoming>, TrySendError<WebhookRequest>> {
        let answer = self.requests.try_send_request(message);
        driving(&mut self.connection, answer).await
    }

    /// Reads an answer's body until there is enough, or no more. Whether it was read to its end.
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

/// Reads and writes what can be read and written now. A connection that has ended is let go of, which tells whoever
/// waits for something of it.
fn drive(connection: &mut ConnectionTask, cx: &mut Context<'_>) {
    if let Some(running) = connection
        && Pin::new(running).poll(cx).is_ready()
    {
        *connection = None;
    }
}

/// Waits for something that the connection brings.
async fn driving<F: Future>(connection: &mut ConnectionTask, work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|cx| {
        drive(connection, cx);
        work.as_mut().poll(cx)
    })
    .await
}
