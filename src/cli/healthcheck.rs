//! `healthcheck`: asks the gateway or the worker on this machine whether it lives, at `ECG_METRICS_LISTEN` where that
//! is set.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::CommandFailure;
use crate::config::Config;

/// A gateway that lives answers at once, unless its machine has too much to do.
const MAX_WAIT: Duration = Duration::from_secs(8);

pub(super) fn run(config: &Config) -> Result<(), CommandFailure> {
    // A worker has no other door; whoever serves the API has both, and is gone as soon as one of them is.
    Ok(ask(config.server.metrics_listen.unwrap_or(config.server.listen))?)
}

/// One request by hand: an HTTP client would be the largest part of this command.
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
