//! Floor ½: one accept loop and its deadlines, for the API, the stand-in and the receiver.
//!
//! [`serve`] takes the connections of a listener within [`ConnectionLimits`] and speaks HTTP/1 on them; a [`Handler`]
//! says who answers on each, and what else is particular to its listener. [`body`] reads a whole body within a size and
//! a time.
//!
//! What must stay true: a client that sends nothing, or too slowly, or reads nothing, or too slowly, gives its
//! connection back within a bounded time; there are never more connections than allowed, more wait in the listener's
//! queue, and one address does not have them all; a stop costs nobody a request before [`ConnectionLimits::drain`] is
//! over: while connections are still taken, each answer announces the end of its own. hyper's HTTP/1 builder is used
//! alone: the one that also speaks HTTP/2 leaves silent connections open.
//!
//! Who calls it: `http`, `sim`, `receiver`. What it does not do: know what is asked, answered or measured.

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

/// What ends a connection without an answer.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a client may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Open connections; further ones wait to be accepted.
    pub connections: usize,
    /// How many of them from one address (64 bits of IPv6); further ones are refused.
    pub connections_per_address: usize,
    /// From the connection's start, or the first byte of a later request, to the end of the request's head.
    pub header_deadline: Duration,
    /// How long a connection is kept without a request. Only as long as a head may take while more than three quarters
    /// of the connections, or of those of its address, are open.
    pub keep_idle: Duration,
    /// For the client to take 16 KiB of an answer that is ready for it, or what there is of it.
    pub write_deadline: Duration,
    /// The most header fields; more are answered with 431.
    pub headers: usize,
    /// About the largest request head in bytes (at least 8192; a URL of the RPC front may have 64 kB); a clearly larger
    /// one is answered with 431.
    pub head_bytes: usize,
    /// For how long after it was told to stop connections are still taken and kept; each answer closes its own.
    pub grace: Duration,
    /// How long it waits for what is running then. What is not done by then is cut off.
    pub drain: Duration,
}

/// What can be measured of a listener's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// A connection begins.
    Opened,
    /// It has ended, in whatever way.
    Closed,
    /// One was refused, because its address has too many.
    Refused,
    /// One is given up, because its client takes too little of an answer.
    GivenUp,
}

/// What is behind a listener.
pub trait Handler: Send + Sync + 'static {
    /// What answers on one connection.
    type Connection: Connection;

    /// Begins with a connection of `peer`.
    fn connect(&self, peer: SocketAddr) -> Self::Connection;

    /// How many connections that address may have, where it is not [`ConnectionLimits::connections_per_address`].
    fn most_of(&self, _address: IpAddr) -> Option<usize> {
        None
    }

    /// What is written to a client whose address has too many connections, as it stands on the wire.
    fn refusal(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Hears of what is measured.
    fn happened(&self, _happening: ConnectionEvent) {}
}

/// What answers on one connection.
pub trait Connection: Send + Sync + 'static {
    /// The body of its answers.
    type Body: Body<Data: Send, Error: Into<BoxError>> + Unpin + Send + 'static;
    /// Closes the connection without an answer.
    type Error: Into<BoxError>;

    /// Puts streams of its own between the peer and HTTP.
    fn over<S: Stream>(&self, stream: S) -> impl Stream {
        stream
    }

    /// Answers one request.
    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Self::Error>> + Send;
}

/// The bytes of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}
