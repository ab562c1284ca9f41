//! `healthcheck`: asks the gateway or the worker on this machine whether it is running, at `ECG_METRICS_LISTEN` if that
//! is set.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::CommandFailure;
use crate::config::Config;

/// A running gateway answers at once, unless its machine is overloaded.
const MAX_WAIT: Duration = Duration::from_secs(8);

pub(super) fn run(config: &Config) -> Result<(), CommandFailure> {
    // A worker has no other listener. A process that serves the API has both, and exits as soon as one of them fails.
    Ok(ask(config.server.metrics_listen.unwrap_or(config.server.listen))?)
}

/// A hand-written request: an HTTP client would be the largest part of this command.
fn ask(listen: SocketAddr) -> anyhow::Result<()> {
    let host = if listen.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listen.ip() };
    let address = SocketAddr::new(host, listen.port());
    let mut connection =
        TcpStream::connect_timeout(&address, MAX_WAIT).with_context(|| format!("no answer at {address}"))?;
    connection.set_read_timeout(Some(MAX_WAIT))?;
    connection.set_write_timeout(Some(MAX_WAIT))?;
    write!(connection, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).with_context(|| format!("no answer from {address}"))?;
    ensure!(&answer == b"HTTP/1.1 200", "{address} does not answer with 200");
    Ok(())
}
