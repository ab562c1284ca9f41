//! Socket activation: a listener passed in by the parent process, as by systemd (`LISTEN_FDS`). It stays open while one
//! process is replaced by the next, so that clients who connect meanwhile wait instead of being refused.

use std::net::SocketAddr;

use anyhow::Context as _;
use listenfd::ListenFd;
use tokio::net::TcpListener;

use super::process::listen;

/// The first listener that was passed in, or a new one on `address` if there is none.
pub(super) async fn or_listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let given = ListenFd::from_env().take_tcp_listener(0);
    match given.context("the inherited socket (LISTEN_FDS) is not a TCP listener")? {
        Some(given) => {
            given.set_nonblocking(true)?;
            Ok(TcpListener::from_std(given)?)
        }
        None => listen(address).await,
    }
}
