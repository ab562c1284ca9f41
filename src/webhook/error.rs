//! Why a sender cannot be set up.

/// Why a sender cannot be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The additional certificates cannot be parsed.
    #[error("the extra CA certificates are not a PEM bundle")]
    BadCertificates,
    /// The HTTP client rejects its settings, or the system has no certificate store.
    #[error("the HTTP client cannot be set up (is there a certificate store?)")]
    NoClient,
}
