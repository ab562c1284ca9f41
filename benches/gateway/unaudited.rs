//! The same server with and without its audit, as a process of its own: what the audit of reads costs.
//!
//! No setting turns the audit off, so it is not the gateway program that is measured here: the benchmark starts itself
//! again with [`FLAG`] and puts the same parts together as `serve` does. Both sides are such a process.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context as _;
use eci_cache_gateway::http;
use sqlx::postgres::PgConnectOptions;
use tokio::io::AsyncBufReadExt as _;

use crate::site::Site;
use crate::testbed::Testbed;

/// Says that this process is such a server: behind it stand the database and whether there is an audit.
pub(crate) const FLAG: &str = "--half-a-gateway";

/// One of the two servers.
pub(crate) struct Half {
    child: Child,
    /// Closed, it ends.
    _input: ChildStdin,
    /// Where it listens.
    pub(crate) address: std::net::SocketAddr,
}

impl Half {
    /// Starts it on the site's database.
    pub(crate) async fn start(site: &Site, audits: bool) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([FLAG, &site.url, &audits.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take().context("it is piped")?;
        let output = tokio::process::ChildStdout::from_std(child.stdout.take().context("it is piped")?)?;
        let mut address = String::new();
        tokio::io::BufReader::new(output).read_line(&mut address).await?;
        let address = address.trim().parse().context("it ended before it told its address")?;
        Ok(Self { child, _input: input, address })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Is such a server.
pub(crate) fn be(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let mut next = || arguments.next().context("the database, and whether there is an audit");
    let (database, audits): (PgConnectOptions, bool) = (next()?.parse()?, next()?.parse()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let settings = http::HttpSettings { audits, ..http::HttpSettings::default() };
    let testbed = runtime.block_on(Testbed::on(database, settings))?;
    writeln!(std::io::stdout(), "{}", testbed.address)?;
    // Until who started it is gone.
    let _nothing = std::io::stdin().read(&mut [0])?;
    runtime.block_on(testbed.end());
    Ok(())
}
