//! The API of a gateway in this process, on a free port.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use eci_cache_gateway::app::Gateway;
use eci_cache_gateway::http::links::Links;
use eci_cache_gateway::http::server::{ConnectionLimits, serve_behind};
use eci_cache_gateway::http::{DoorState, HttpSettings, router};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Opens it. Returns its address, and a guard that closes it when dropped.
pub(crate) async fn open(
    gateway: Gateway,
    settings: HttpSettings,
    links: Links,
    limits: ConnectionLimits,
) -> io::Result<(SocketAddr, DropGuard)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (stop, tasks, proxies) = (CancellationToken::new(), TaskTracker::new(), links.proxies().clone());
    let metrics = Arc::new(|| "ecg_tests 1\n".to_owned());
    let state = DoorState { gateway, metrics, settings, links, tasks: tasks.clone() };
    tokio::spawn(serve_behind(proxies, listener, router(state), limits, tasks, stop.clone()));
    Ok((address, stop.drop_guard()))
}
