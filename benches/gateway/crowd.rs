//! A crowd of waiting clients, in a process of its own: with both ends of all connections, one process would have too
//! many open files.
//!
//! The benchmark runs itself with [`FLAG`]. The request comes from standard input; the times at which the first, the
//! middle and the last client got a response go to standard output, in microseconds since 1970.

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

/// Makes this process a crowd; followed by the address, the crowd's number, and the number of clients.
pub(crate) const FLAG: &str = "--crowd";
/// Set in a process whose limit of open files has been raised to the hard limit.
const RAISED: &str = "ECG_BENCH_FILES_RAISED";

/// A waiting crowd.
pub(crate) struct Crowd(Child);

impl Crowd {
    /// Starts `count` connections that send `request` to `address`.
    pub(crate) async fn start(address: SocketAddr, number: u8, count: usize, request: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(FLAG).args([address.to_string(), number.to_string(), count.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut input = child.stdin.take().context("it is piped")?;
        input.write_all(request.as_bytes()).await?;
        Ok(Self(child))
    }

    /// How long after `since` the first, the middle and the last client got a response.
    pub(crate) async fn told(self, since: Instant) -> anyhow::Result<[Duration; 3]> {
        let output = self.0.wait_with_output().await?;
        let text = String::from_utf8(output.stdout)?;
        let after = |time: &str| anyhow::Ok(time.parse::<i64>()?.saturating_sub(since.timestamp_micros()));
        let times = text.split_whitespace().map(|time| Ok(Duration::from_micros(after(time)?.unsigned_abs())));
        let times: Vec<Duration> = times.collect::<anyhow::Result<_>>()?;
        times.try_into().ok().context("those who wait have failed")
    }
}

/// Runs this process as a crowd.
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

/// Each crowd uses its own source address: the ports of the previous one are unavailable for a minute.
async fn connect(address: SocketAddr, number: u8) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 1, number), 0).into())?;
    Ok(socket.connect(address).await?)
}

/// Restarts this process with as many open files as the hard limit allows, if the shell can raise the limit.
pub(crate) fn raise_files() {
    if std::env::var_os(RAISED).is_some() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let script = r#"ulimit -n "$(ulimit -H -n)" 2>/dev/null; exec "$0" "$@""#;
    let mut command = std::process::Command::new("sh");
    command.arg("-c").arg(script).arg(program).args(std::env::args_os().skip(1)).env(RAISED, "yes");
    // It returns only if there is no shell; then the limit is unchanged.
    let _stays = command.exec();
}
