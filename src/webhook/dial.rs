//! Opens connections, only to addresses that the guard allows: a name's allowed addresses, TCP, and TLS for `https`
//! URLs.
//!
//! What must stay true: a name is resolved again for each connection, and only allowed addresses are returned. A
//! literal address is never resolved: the caller has checked it ([`super::url::parse`]). Certificates are verified
//! against the system's CAs and the operator's. The environment is ignored; a proxy is used only if the operator
//! configures one, and then for the same addresses ([`super::tunnel`]).
//!
//! Called by [`super::sender`]. It sets no timeouts and does not keep connections ([`super::pool`] does).

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
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

use super::error::SetupError;
use super::network::Networks;
use super::resolver::Guarded;
use super::tunnel::{TunnelRoute, Tunnels};
use crate::egress::Egress;

/// A connection with or without TLS.
pub(super) type DialedStream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens connections under one policy.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) guarded: Guarded,
    tls: Arc<ClientConfig>,
    tunnels: Option<Tunnels>,
}

impl Dialer {
    /// A dialer that makes outgoing connections in this way.
    pub(super) fn new(guarded: Guarded, egress: &Egress) -> Result<Self, SetupError> {
        let tls = Arc::new(tls(egress.extra_ca_pem.as_deref())?);
        let tunnels = egress.proxy.as_ref().map(Tunnels::through).transpose()?;
        Ok(Self { guarded, tls, tunnels })
    }

    /// Connects to the host of `uri` on `port`, at whichever of its allowed addresses answers first; only within the
    /// given networks, if any. Returns the destination of the tunnel too, if there is one.
    pub(super) async fn dial(
        &self,
        uri: Uri,
        port: u16,
        within: Option<&Networks>,
    ) -> Result<(DialedStream, Option<IpAddr>), Box<dyn Error + Send + Sync>> {
        let (guarded, within) = (self.guarded.clone(), within.cloned());
        if let Some(tunnels) = &self.tunnels {
            let way = tunnels.to(guarded, port, within);
            let reached = way.reached();
            return over(way, &self.tls, uri).await.map(|stream| (stream, reached.get().copied()));
        }
        let mut tcp = HttpConnector::new_with_resolver(service_fn(move |name: Name| {
            let (guarded, within) = (guarded.clone(), within.clone());
            async move { guarded.open_addresses(name.as_str(), port, within.as_ref()).await.map(Vec::into_iter) }
        }));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Ok((HttpsConnector::from((tcp, Arc::clone(&self.tls))).oneshot(uri).await?, None))
    }
}

/// Connects through a tunnel, with TLS for `https` URLs.
fn over(
    way: TunnelRoute,
    tls: &Arc<ClientConfig>,
    uri: Uri,
) -> BoxFuture<'static, Result<DialedStream, Box<dyn Error + Send + Sync>>> {
    Box::pin(HttpsConnector::from((way, Arc::clone(tls))).oneshot(uri))
}

fn tls(extra_ca_pem: Option<&[u8]>) -> Result<ClientConfig, SetupError> {
    let extra = extra_ca_pem.map_or(Ok(Vec::new()), certificates)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(|_| SetupError::NoClient)?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|_| SetupError::NoClient)?.dangerous();
    // Using a custom verifier is called "dangerous"; this one is the system's.
    let mut config = config.with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    read.ok().filter(|all| !all.is_empty()).ok_or(SetupError::BadCertificates)
}
