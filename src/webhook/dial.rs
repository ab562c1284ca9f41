//! Opens connections, and only to where the guard lets them go: a name's open addresses, TCP, TLS where the URL says so.
//!
//! What must stay true: a name is resolved anew for each connection, and what is not open is not among its addresses. A
//! literal address never reaches the resolver: whoever calls has judged it ([`super::url::parse`]). Certificates are
//! verified, against the system's authorities and those of the operator. No proxy, nothing of the environment.
//!
//! Who calls it: [`super::sender`]. What it does not do: set a deadline, keep connections ([`super::pool`] does).

use std::error::Error;
use std::sync::Arc;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tower::{ServiceExt as _, service_fn};

use super::resolver::Guarded;
use super::sender::SetupError;

/// A connection, with TLS or without.
pub(super) type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens connections under one policy.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) guarded: Guarded,
    tls: Arc<ClientConfig>,
}

impl Dialer {
    /// A dialer that trusts the authorities of this PEM bundle beside the system's.
    pub(super) fn new(guarded: Guarded, extra_ca_pem: Option<&[u8]>) -> Result<Self, SetupError> {
        Ok(Self { guarded, tls: Arc::new(tls(extra_ca_pem)?) })
    }

    /// Connects to the host of `uri`, whose port is `port`: to one of its open addresses, whichever answers first.
    pub(super) async fn dial(&self, uri: Uri, port: u16) -> Result<Stream, Box<dyn Error + Send + Sync>> {
        let guarded = self.guarded.clone();
        let mut tcp = HttpConnector::new_with_resolver(service_fn(move |name: Name| {
            let guarded = guarded.clone();
            async move { guarded.open_addresses(name.as_str(), port).await.map(Vec::into_iter) }
        }));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        HttpsConnector::from((tcp, Arc::clone(&self.tls))).oneshot(uri).await
    }
}

fn tls(extra_ca_pem: Option<&[u8]>) -> Result<ClientConfig, SetupError> {
    let extra = extra_ca_pem.map_or(Ok(Vec::new()), certificates)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(|_| SetupError::NoClient)?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|_| SetupError::NoClient)?.dangerous();
    // "Dangerous" is to bring a verifier of one's own; this one is the system's.
    let mut config = config.with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    read.ok().filter(|all| !all.is_empty()).ok_or(SetupError::BadCertificates)
}
