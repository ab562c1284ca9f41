//! The load: a few keep-alive connections, each of which sends its next request after the previous response.
//!
//! It uses raw sockets, so that the generator uses little of the CPU that it shares with what it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::answer::answer;
use crate::report::Measure;

/// One kind of request.
pub(crate) struct Work {
    /// The addresses, assigned to the connections in turn.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The text of a request with this number, which is different for each request.
    pub(crate) request: Box<dyn Fn(u64) -> String + Send + Sync>,
    /// The status that every response must have.
    pub(crate) status: u16,
}

/// Sends `work` through `connections` for `duration`. Any other status is an error.
pub(crate) async fn run(work: &Arc<Work>, connections: u64, duration: Duration) -> anyhow::Result<Measure> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for (place, address) in (0..connections).zip(work.addresses.iter().cycle()) {
        let numbers = std::iter::successors(Some(scatter(place)), |number| Some(scatter(*number)));
        let until = began + duration;
        let numbers = numbers.take_while(move |_| Instant::now() < until);
        tasks.spawn(connection(Arc::clone(work), *address, numbers));
    }
    let mut microseconds = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        microseconds.extend(ended??);
    }
    Ok(Measure::of(microseconds, began.elapsed()))
}

/// Sends each request with a number up to `count` once.
pub(crate) async fn once(work: &Arc<Work>, connections: u64, count: u64) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    for (place, address) in (0..connections).zip(work.addresses.iter().cycle()) {
        let numbers = (place..count).step_by(usize::try_from(connections)?);
        tasks.spawn(connection(Arc::clone(work), *address, numbers));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// Returns how long each response took, in microseconds.
async fn connection(
    work: Arc<Work>,
    address: SocketAddr,
    numbers: impl Iterator<Item = u64> + Send,
) -> anyhow::Result<Vec<u64>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut latencies, mut buffer) = (Vec::with_capacity(1 << 14), Vec::with_capacity(1 << 16));
    for number in numbers {
        let request = (work.request)(number);
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let status = answer(&mut stream, &mut buffer).await?;
        latencies.push(u64::try_from(sent.elapsed().as_micros())?);
        if status != work.status {
            bail!("an answer was {status}: {}", String::from_utf8_lossy(&buffer));
        }
    }
    Ok(latencies)
}

/// The next number of a pseudorandom sequence (`splitmix64`).
fn scatter(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
