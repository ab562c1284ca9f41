//! A listener that whoever started the process hands over, as systemd's socket activation does it (`LISTEN_FDS`): it
//! stays open while one process goes and the next one comes, so that whoever connects meanwhile waits and is refused by
//! nobody.

use std::net::SocketAddr;

use anyhow::Context as _;
use listenfd::ListenFd;
use tokio::net::TcpListener;

use super::process::listen;

/// The first that was handed over, or one on `address` where none was.
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
