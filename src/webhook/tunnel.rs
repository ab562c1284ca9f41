//! Connections to receivers through the operator's proxy.
//!
//! If a proxy gets a name, it resolves the name itself, which bypasses the guard. So the name is resolved and checked
//! here as usual, and the proxy gets the address (CONNECT): it sees neither the name nor the message, and connects
//! nowhere else. The proxy's own address is set by the operator and not checked.
//!
//! Called by [`super::dial`].

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

    /// The connector for tunnels to `port` of a host.
    pub(super) fn to(&self, guarded: Guarded, port: u16, within: Option<Networks>) -> TunnelRoute {
        TunnelRoute { tunnel: self.0.clone(), guarded, port, within, reached: Arc::default() }
    }
}

/// Connects to the first allowed address of a host that the proxy can reach.
#[derive(Clone)]
pub(super) struct TunnelRoute {
    tunnel: Tunnel<HttpConnector>,
    guarded: Guarded,
    port: u16,
    within: Option<Networks>,
    /// The destination of the tunnel, once there is one.
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
    /// The destination of the tunnel; empty until there is one.
    pub(super) fn reached(&self) -> Arc<OnceLock<IpAddr>> {
        Arc::clone(&self.reached)
    }

    async fn open(self, host: &str) -> Result<TokioIo<TcpStream>, BoxedError> {
        // A literal address was checked when the URL was parsed.
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
