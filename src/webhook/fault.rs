//! Errors before there is a response, and their coarse codes.
//!
//! Called by [`super::sender`].

use std::error::Error;

use super::outcome::{DeliveryOutcome, NOT_VERIFIED};
use super::resolver::ResolveError;

/// An error before there was a response.
pub(super) enum SendError {
    Connecting(Box<dyn Error + Send + Sync>),
    Talking(hyper::Error),
}

/// The outcome, and the code of the error.
pub(super) fn classify(fault: &SendError) -> (DeliveryOutcome, &'static str) {
    let (error, otherwise): (&(dyn Error + 'static), _) = match fault {
        SendError::Connecting(error) => (&**error, "unreachable"),
        SendError::Talking(error) => (error, "broken_connection"),
    };
    match cause::<ResolveError>(error) {
        Some(ResolveError::Closed(_)) => return (DeliveryOutcome::Refused, "address_refused"),
        Some(ResolveError::Elsewhere) => return (DeliveryOutcome::Failed, NOT_VERIFIED),
        Some(ResolveError::Unresolvable) => return (DeliveryOutcome::Failed, "unresolvable"),
        None => {}
    }
    (DeliveryOutcome::Failed, if cause::<rustls::Error>(error).is_some() { "tls" } else { otherwise })
}

/// The error of type `E` somewhere in the chain of `error`; I/O errors wrap theirs instead of returning it as their
/// source.
fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    if let Some(found) = error.downcast_ref::<E>() {
        return Some(found);
    }
    let hidden = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
    hidden.and_then(|inner| cause(inner as &(dyn Error + 'static))).or_else(|| error.source().and_then(cause))
}
