//! Floor ½: an accept loop with timeouts, for the API, the stand-in and the receiver.
//!
//! [`serve`] accepts a listener's connections within [`ConnectionLimits`] and speaks HTTP/1 on them; a [`Handler`]
//! provides what answers on each connection, and whatever else is specific to its listener. [`body`] reads a whole
//! body, limited in size and time.
//!
//! What must stay true: a client that sends or reads nothing, or too slowly, loses its connection within a bounded
//! time; there are never more connections than allowed: further ones wait in the listener's backlog, and one address
//! cannot have all of them; a stop drops no request before [`ConnectionLimits::drain`] is over: while connections are
//! still accepted, each response announces that its connection closes. Only hyper's HTTP/1 builder is used: the one
//! that also speaks HTTP/2 keeps silent connections open.
//!
//! Called by `http`, `sim` and `receiver`. It knows nothing about requests, responses or metrics.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

mod accept;
mod address_limits;
pub mod body;
mod connection;
pub mod flushes;
mod idle;
mod write_deadline;

pub use accept::serve;

/// An error that closes a connection without a response.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The resources that a client may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// The maximum number of open connections; further ones wait to be accepted.
    pub connections: usize,
    /// The maximum number of connections from one address (64 bits of IPv6); further ones are refused.
    pub connections_per_address: usize,
    /// The timeout from the start of the connection, or from the first byte of a later request, to the end of the
    /// request's head.
    pub header_deadline: Duration,
    /// How long an idle connection is kept. While more than three quarters of all connections, or of those of its
    /// address, are open, only as long as `header_deadline`.
    pub keep_idle: Duration,
    /// The timeout for the client to read 16 KiB of a response that is ready, or the rest of it.
    pub write_deadline: Duration,
    /// The maximum number of header fields; more are answered with 431.
    pub headers: usize,
    /// The approximate maximum size of a request head in bytes (at least 8192; a URL of the RPC front may have 64 kB);
    /// a clearly larger one is answered with 431.
    pub head_bytes: usize,
    /// After a stop, how long connections are still accepted and kept; each closes after its response.
    pub grace: Duration,
    /// How long to wait after that for running requests; the rest are dropped.
    pub drain: Duration,
}

/// What can be measured about a listener's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// A connection was opened.
    Opened,
    /// A connection was closed, in any way.
    Closed,
    /// A connection was refused because its address has too many.
    Refused,
    /// A connection was given up because its client reads the response too slowly.
    GivenUp,
}

/// What serves a listener.
pub trait Handler: Send + Sync + 'static {
    /// What answers requests on one connection.
    type Connection: Connection;

    /// Called for a new connection of `peer`.
    fn connect(&self, peer: SocketAddr) -> Self::Connection;

    /// The maximum number of connections of that address, if it differs from
    /// [`ConnectionLimits::connections_per_address`].
    fn most_of(&self, _address: IpAddr) -> Option<usize> {
        None
    }

    /// The raw response to a client whose address has too many connections.
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Called for each event to be measured.
    fn happened(&self, _happening: ConnectionEvent) {}
}

/// What answers requests on one connection.
pub trait Connection: Send + Sync + 'static {
    /// The body of its responses.
    type Body: Body<Data: Send, Error: Into<BoxError>> + Unpin + Send + 'static;
    /// An error closes the connection without a response.
    type Error: Into<BoxError>;

    /// Wraps the stream between the peer and HTTP.
    fn over<S: Stream>(&self, stream: S) -> impl Stream {
        stream
    }

    /// Answers one request.
    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::Error>> + Send;
}

/// The byte stream of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
