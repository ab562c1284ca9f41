//! Those who wait, as a process of their own: so many connections at both ends are too many files for one.
//!
//! The benchmark starts itself again with [`FLAG`]; what is to be asked comes by standard input, when the first, the
//! middle and the last were told goes out by standard output, in microseconds since 1970.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use eci_cache_gateway::domain::clock::{Clock as _, Instant, SystemClock};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::waiters::told;

/// Says that this process is a crowd: behind it stand the address, the crowd's number, and how many.
pub(crate) const FLAG: &str = "--crowd";
/// Set in a process that may open as many files as its hard limit says.
const RAISED: &str = "ECG_BENCH_FILES_RAISED";

/// A crowd, while it waits.
pub(crate) struct Crowd(Child);

impl Crowd {
    /// Lets `count` connections send `request` to `address`.
    pub(crate) async fn start(address: SocketAddr, number: u8, count: usize, request: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(FLAG).args([address.to_string(), number.to_string(), count.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut input = child.stdin.take().context("it is piped")?;
        input.write_all(request.as_bytes()).await?;
        Ok(Self(child))
    }

    /// How long after `since` the first, the middle and the last were told.
    pub(crate) async fn told(self, since: Instant) -> anyhow::Result<[Duration; 3]> {
        let output = self.0.wait_with_output().await?;
        let text = String::from_utf8(output.stdout)?;
        let after = |time: &str| anyhow::Ok(time.parse::<i64>()?.saturating_sub(since.timestamp_micros()));
        let times = text.split_whitespace().map(|time| Ok(Duration::from_micros(after(time)?.unsigned_abs())));
        let times: Vec<Duration> = times.collect::<anyhow::Result<_>>()?;
        times.try_into().ok().context("those who wait have failed")
    }
}

/// Is a crowd.
pub(crate) fn be(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let mut next = || arguments.next().context("address, number and count");
    let (address, number, count) = (next()?.parse()?, next()?.parse()?, next()?.parse()?);
    let request = std::io::read_to_string(std::io::stdin())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut times = runtime.block_on(wait(address, number, count, &request))?;
    times.sort_unstable();
    let told = [times[0], times[times.len() / 2], times[times.len() - 1]];
    Ok(writeln!(std::io::stdout(), "{} {} {}", told[0], told[1], told[2])?)
}

async fn wait(address: SocketAddr, number: u8, count: usize, request: &str) -> anyhow::Result<Vec<i64>> {
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let mut stream = connect(address, number).await?;
        stream.write_all(request.as_bytes()).await?;
        tasks.spawn(async move {
            told(&mut stream, "image_cache.created").await?;
            anyhow::Ok(SystemClock.now().timestamp_micros())
        });
    }
    let mut times = Vec::with_capacity(count);
    while let Some(ended) = tasks.join_next().await {
        times.push(ended??);
    }
    Ok(times)
}

/// Each crowd comes from an address of its own: the ports of the one before are taken for a minute.
async fn connect(address: SocketAddr, number: u8) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 1, number), 0).into())?;
    Ok(socket.connect(address).await?)
}

/// Begins anew with as many files as the hard limit allows, where the shell can raise it.
pub(crate) fn raise_files() {
    if std::env::var_os(RAISED).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let script = r#"ulimit -n "$(ulimit -H -n)" 2>/dev/null; exec "$0" "$@""#;
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(script).arg(program).args(std::env::args_os().skip(1)).env(RAISED, "yes");
    // It returns only where there is no shell; then the limit stays.
    let _stays = command.exec();
}
