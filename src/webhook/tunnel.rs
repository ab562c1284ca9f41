//! The way to a receiver through a proxy of the operator's.
//!
//! A proxy that is told a name resolves it itself, behind the guard's back. So the name is resolved and judged here as
//! ever, and the proxy is told the address (CONNECT): it gets to know neither name nor message, and connects nowhere
//! else. The proxy's own address is the operator's, and not judged.
//!
//! Who calls it: [`super::dial`].

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use secrecy::ExposeSecret as _;
use tokio::net::TcpStream;
use tower::{Service, ServiceExt as _};

use super::error::SetupError;
use super::network::Networks;
use super::resolver::Guarded;
use crate::egress::Proxy;

type BoxedError = Box<dyn Error + Send + Sync>;

/// Tunnels through one proxy.
#[derive(Clone)]
pub(super) struct Tunnels(Tunnel<HttpConnector>);

impl Tunnels {
    pub(super) fn through(proxy: &Proxy) -> Result<Self, SetupError> {
        let address = Uri::try_from(proxy.address()).map_err(|_| SetupError::NoClient)?;
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let tunnel = Tunnel::new(address, tcp);
        let Some((user, password)) = proxy.login() else { return Ok(Self(tunnel)) };
        let login = STANDARD.encode(format!("{user}:{}", password.expose_secret()));
        let login = HeaderValue::try_from(format!("Basic {login}")).map_err(|_| SetupError::NoClient)?;
        Ok(Self(tunnel.with_auth(login)))
    }

    /// The way to what lies at `port` of a host, for whoever connects there.
    pub(super) fn to(&self, guarded: Guarded, port: u16, within: Option<Networks>) -> TunnelRoute {
        TunnelRoute { tunnel: self.0.clone(), guarded, port, within, reached: Arc::default() }
    }
}

/// Connects to a host at the first of its open addresses that the proxy reaches.
#[derive(Clone)]
pub(super) struct TunnelRoute {
    tunnel: Tunnel<HttpConnector>,
    guarded: Guarded,
    port: u16,
    within: Option<Networks>,
    /// Where the tunnel leads, once there is one.
    reached: Arc<OnceLock<IpAddr>>,
}

impl Service<Uri> for TunnelRoute {
    type Response = TokioIo<TcpStream>;
    type Error = BoxedError;
    type Future = BoxFuture<'static, Result<TokioIo<TcpStream>, BoxedError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxedError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (way, host) = (self.clone(), to.host().unwrap_or_default().to_owned());
        Box::pin(async move { way.open(&host).await })
    }
}

impl TunnelRoute {
    /// Where the tunnel leads; empty until there is one.
    pub(super) fn reached(&self) -> Arc<OnceLock<IpAddr>> {
        Arc::clone(&self.reached)
    }

    async fn open(self, host: &str) -> Result<TokioIo<TcpStream>, BoxedError> {
        // A literal address was judged when the URL was read.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let addresses = match literal {
            Ok(ip) => vec![SocketAddr::new(ip, self.port)],
            Err(_) => self.guarded.open_addresses(host, self.port, self.within.as_ref()).await?,
        };
        let mut failed: BoxedError = "no address".into();
        for address in addresses {
            let to = Uri::try_from(format!("http://{address}"))?;
            match self.tunnel.clone().oneshot(to).await {
                Ok(stream) => {
                    let _first = self.reached.set(address.ip());
                    return Ok(stream);
                }
                Err(error) => failed = error.into(),
            }
        }
        Err(failed)
    }
}
