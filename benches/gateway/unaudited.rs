//! The same server with and without its audit, in a process of its own: the cost of auditing reads.
//!
//! No setting turns the audit off, so this does not measure the gateway program: the benchmark runs itself with
//! [`FLAG`] and builds the same parts as `serve` does. Both sides are such a process.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context as _;
use eci_cache_gateway::http;
use sqlx::postgres::PgConnectOptions;
use tokio::io::AsyncBufReadExt as _;

use crate::site::Site;
use crate::testbed::Testbed;

/// Makes this process such a server; followed by the database and whether there is an audit.
pub(crate) const FLAG: &str = "--half-a-gateway";

/// One of the two servers.
pub(crate) struct Half {
    child: Child,
    /// The process ends when this is closed.
    _input: ChildStdin,
    /// The address on which it listens.
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
        // It may have exited by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Runs this process as such a server.
pub(crate) fn be(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let mut next = || arguments.next().context("the database, and whether there is an audit");
    let (database, audits): (PgConnectOptions, bool) = (next()?.parse()?, next()?.parse()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let settings = http::HttpSettings { audits, ..http::HttpSettings::default() };
    let testbed = runtime.block_on(Testbed::on(database, settings))?;
    writeln!(std::io::stdout(), "{}", testbed.address)?;
    // Until the parent process is gone.
    let _nothing = std::io::stdin().read(&mut [0])?;
    runtime.block_on(testbed.end());
    Ok(())
}
