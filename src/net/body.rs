//! Reads whole bodies.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use tokio::time::timeout;

use super::BoxError;

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// It is larger than allowed.
    TooLarge,
    /// It took longer than allowed.
    TooSlow,
    /// The connection was closed within it, or it is not valid HTTP.
    BrokenOff,
}

/// Reads a whole body of at most `most` bytes within `deadline`.
pub async fn read<B: Body<Error: Into<BoxError>>>(
    body: B,
    most: usize,
    deadline: Duration,
) -> Result<Bytes, BodyError> {
    match timeout(deadline, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::BrokenOff),
        Err(_) => Err(BodyError::TooSlow),
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    #[tokio::test]
    async fn a_body_has_a_size_and_a_time() {
        const LONG: Duration = Duration::from_mins(1);
        let full = || Full::new(Bytes::from_static(b"four"));
        assert_eq!(read(full(), 4, LONG).await, Ok(Bytes::from_static(b"four")));
        assert_eq!(read(full(), 3, LONG).await, Err(BodyError::TooLarge));
        let never = StreamBody::new(futures_util::stream::pending::<Result<Frame<Bytes>, BoxError>>());
        assert_eq!(read(never, 4, Duration::ZERO).await, Err(BodyError::TooSlow));
        let broken = futures_util::stream::iter([Err::<Frame<Bytes>, BoxError>("broken".into())]);
        assert_eq!(read(StreamBody::new(broken), 4, LONG).await, Err(BodyError::BrokenOff));
    }
}
