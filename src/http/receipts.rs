//! Answers of which it is recorded that they were written: a receipt rides on the body, moves to the connection when
//! hyper takes the body's last part, and is handed in when what hyper had is flushed.
//!
//! What must stay true: a receipt is handed in only after all of its answer was taken by the system; one whose answer
//! is replaced, never asked for, or stuck in a connection that breaks is dropped, which says that it was not told. (A
//! peer whose machine vanishes takes it, as far as anybody here can know.)

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use crate::app::Receipt;

/// The receipts of one connection whose answers hyper has taken and not yet flushed.
#[derive(Debug, Clone, Default)]
pub(super) struct Unflushed(Arc<Mutex<Vec<Receipt>>>);

impl Unflushed {
    fn push(&self, receipt: Receipt) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(receipt);
    }

    /// All that hyper has taken so far was written.
    pub(super) fn flushed(&self) {
        let written = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        written.into_iter().for_each(Receipt::written);
    }
}

/// The answer, with a receipt that goes to `connection`; without one it counts as written once it is taken.
pub(super) fn attach(answer: Response, receipt: Receipt, connection: Option<&Unflushed>) -> Response {
    let connection = connection.cloned();
    answer.map(|body| Body::new(Receipted { body, receipt: Some(receipt), connection }))
}

struct Receipted {
    body: Body,
    receipt: Option<Receipt>,
    connection: Option<Unflushed>,
}

impl Receipted {
    fn taken(&mut self) {
        match (self.receipt.take(), &self.connection) {
            (Some(receipt), Some(connection)) => connection.push(receipt),
            (Some(receipt), None) => receipt.written(),
            (None, _) => {}
        }
    }
}

impl HttpBody for Receipted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let failed = matches!(frame, Some(Err(_)));
        if !failed && (frame.is_none() || self.body.is_end_stream()) {
            self.taken();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
