//! Why nothing can be sent at all.

/// Why a sender cannot be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The extra certificates cannot be read.
    #[error("the extra CA certificates are not a PEM bundle")]
    BadCertificates,
    /// The HTTP client refuses its settings, or the system has no certificate store.
    #[error("the HTTP client cannot be set up (is there a certificate store?)")]
    NoClient,
}
