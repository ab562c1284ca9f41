//! One connection, from its first byte to its end.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::address_limits::Counted;
use super::idle::{AnswerBody, Deadlines, Idle, Underway};
use super::write_deadline::WriteDeadline;
use super::{Connection, ConnectionEvent, ConnectionLimits, Handler};

/// The steps of a shutdown, in order.
pub(super) struct Ends {
    /// From now on, responses close their connection.
    pub(super) stop: CancellationToken,
    /// Connections are closed once nothing is running on them.
    pub(super) closing: CancellationToken,
    /// Connections are dropped.
    pub(super) cut: CancellationToken,
}

/// A connection that is open until this is dropped.
pub(super) struct OpenConnection<H> {
    pub(super) handler: Arc<H>,
    pub(super) peer: SocketAddr,
    pub(super) limits: ConnectionLimits,
    pub(super) ends: Ends,
    pub(super) slots: Arc<Semaphore>,
    pub(super) counted: Counted,
    pub(super) _slot: OwnedSemaphorePermit,
}

impl<H: Handler> OpenConnection<H> {
    pub(super) async fn run(self, stream: TcpStream) {
        self.handler.happened(ConnectionEvent::Opened);
        let connection = self.handler.connect(self.peer);
        // Whether it was dropped or not, it has ended.
        let _cut = self.ends.cut.run_until_cancelled(self.talk(stream, &connection)).await;
        self.handler.happened(ConnectionEvent::Closed);
    }

    async fn talk(&self, stream: TcpStream, connection: &H::Connection) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = &error as &dyn std::error::Error, "TCP_NODELAY could not be set");
        }
        let underway = Underway::default();
        let deadlines = Deadlines { head: self.limits.header_deadline, idle: self.limits.keep_idle };
        let given_up = || self.handler.happened(ConnectionEvent::GivenUp);
        let stream = connection.over(WriteDeadline::new(stream, self.limits.write_deadline, given_up));
        let io = TokioIo::new(Idle::new(stream, deadlines, underway.clone(), || self.is_short()));
        let service = service_fn(|request| self.answer(connection, &underway, request));
        let mut talking = std::pin::pin!(self.builder().serve_connection(io, service));
        // Data that has arrived comes first: it is answered.
        let ended = tokio::select! {
            biased;
            ended = talking.as_mut() => ended,
            () = self.ends.closing.cancelled() => {
                talking.as_mut().graceful_shutdown();
                talking.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = &error as &dyn std::error::Error, peer = %self.peer, "a connection ended early");
        }
    }

    /// Answers one request; during shutdown, the response announces that the connection closes.
    async fn answer<C: Connection>(
        &self,
        connection: &C,
        underway: &Underway,
        request: Request<Incoming>,
    ) -> Result<Response<AnswerBody<C::Body>>, C::Error> {
        let underway = underway.begin();
        let mut answer = connection.answer(request).await?;
        if self.ends.stop.is_cancelled() {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(answer.map(|body| AnswerBody { body, _request: underway }))
    }

    /// Whether so many connections are open that idle ones are not kept.
    fn is_short(&self) -> bool {
        let few = self.slots.available_permits() < self.limits.connections / 4;
        few || self.counted.count() > self.limits.connections_per_address / 4 * 3
    }

    fn builder(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // [`Idle`] enforces both timeouts.
            .header_read_timeout(None)
            .max_headers(self.limits.headers)
            .max_header_size(self.limits.head_bytes)
            .max_buf_size(self.limits.head_bytes);
        builder
    }
}
