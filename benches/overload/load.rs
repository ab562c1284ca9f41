//! The load: connections that send requests as fast as they are answered, or at a fixed rate; raw sockets, so that they
//! use little CPU.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::answer::answer;

/// A connection with the request that it repeats.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) address: SocketAddr,
    /// The text of the request.
    pub(crate) request: String,
}

/// What one load saw.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    /// Requests per second.
    pub(crate) asked: f64,
    /// Requests per second that were answered with 200.
    pub(crate) done: f64,
    /// The median of their response times in milliseconds.
    pub(crate) p50: f64,
    /// The 99th percentile of their response times.
    pub(crate) p99: f64,
    /// The 99th percentile of the response times of refusals.
    pub(crate) refused_p99: f64,
}

impl Figures {
    pub(crate) const HEAD: &str = "    asked/s     done/s   p50 ms   p99 ms  refused p99 ms";
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, done, p50, p99, refused_p99 } = self;
        write!(f, "{asked:>11.0}{done:>11.0}{p50:>9.2}{p99:>9.2}{refused_p99:>16.2}")
    }
}

/// The response times in microseconds: those with 200, and the others.
type Taken = (Vec<u64>, Vec<u64>);

/// Runs all of them for `duration`: with `pace` requests per second in total, or as fast as they are answered.
pub(crate) async fn run(askers: Vec<Asker>, pace: Option<f64>, duration: Duration) -> anyhow::Result<Figures> {
    run_on(askers, pace, Duration::ZERO, duration).await
}

/// The same after a warm-up of `lead`, whose requests are not counted.
pub(crate) async fn run_on(
    askers: Vec<Asker>,
    pace: Option<f64>,
    lead: Duration,
    duration: Duration,
) -> anyhow::Result<Figures> {
    let count = askers.len();
    let between = pace.map(|pace| Duration::from_secs_f64(number(count) / pace));
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for (place, asker) in askers.into_iter().enumerate() {
        // Spread evenly over the first interval.
        let first = between.unwrap_or_default().mul_f64(number(place) / number(count));
        tasks.spawn(ask(asker, began + first, between, [began + lead, began + lead + duration]));
    }
    let (mut done, mut refused) = Taken::default();
    while let Some(ended) = tasks.join_next().await {
        let (more, others) = ended??;
        done.extend(more);
        refused.extend(others);
    }
    let seconds = began.elapsed().saturating_sub(lead).as_secs_f64();
    Ok(Figures {
        asked: number(done.len() + refused.len()) / seconds,
        done: number(done.len()) / seconds,
        p50: percentile(&mut done, 50),
        p99: percentile(&mut done, 99),
        refused_p99: percentile(&mut refused, 99),
    })
}

/// There are fewer than four billion.
pub(crate) fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn percentile(microseconds: &mut [u64], percent: usize) -> f64 {
    microseconds.sort_unstable();
    let place = (microseconds.len() * percent / 100).min(microseconds.len().saturating_sub(1));
    Duration::from_micros(microseconds.get(place).copied().unwrap_or_default()).as_secs_f64() * 1e3
}

async fn ask(
    asker: Asker,
    first: Instant,
    between: Option<Duration>,
    [counts, until]: [Instant; 2],
) -> anyhow::Result<Taken> {
    let mut stream = TcpStream::connect(asker.address).await?;
    stream.set_nodelay(true)?;
    let (mut taken, mut buffer, mut due) = (Taken::default(), Vec::with_capacity(1 << 16), first);
    while due.max(Instant::now()) < until {
        tokio::time::sleep_until(due.into()).await;
        let sent = Instant::now();
        stream.write_all(asker.request.as_bytes()).await?;
        let status = answer(&mut stream, &mut buffer).await?;
        let microseconds = u64::try_from(sent.elapsed().as_micros())?;
        match status {
            200 | 429 | 503 if sent < counts => {}
            200 => taken.0.push(microseconds),
            429 | 503 => taken.1.push(microseconds),
            _ => bail!("an answer was {status}: {}", String::from_utf8_lossy(&buffer)),
        }
        // A late one sends at once, but does not catch up on what it missed.
        due = between.map_or_else(Instant::now, |between| {
            due.max(Instant::now().checked_sub(between * 2).unwrap_or(due)) + between
        });
    }
    Ok(taken)
}

/// The results of a burst.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    /// The number of responses with 200.
    pub(crate) served: usize,
    /// The number of other responses, which are refusals.
    pub(crate) refused: usize,
    /// When the last response arrived.
    pub(crate) within: Duration,
}

/// Sends one request on each connection at the same time, on connections that are already open.
pub(crate) async fn once(askers: Vec<Asker>) -> anyhow::Result<Burst> {
    let ready = Arc::new(Barrier::new(askers.len()));
    let mut tasks = JoinSet::new();
    for asker in askers {
        let ready = Arc::clone(&ready);
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(asker.address).await?;
            stream.set_nodelay(true)?;
            ready.wait().await;
            let sent = Instant::now();
            stream.write_all(asker.request.as_bytes()).await?;
            let status = answer(&mut stream, &mut Vec::with_capacity(1 << 16)).await?;
            anyhow::Ok((status, sent.elapsed()))
        });
    }
    let mut burst = Burst::default();
    while let Some(ended) = tasks.join_next().await {
        let (status, took) = ended??;
        match status {
            200 => burst.served += 1,
            429 | 503 => burst.refused += 1,
            _ => bail!("an answer was {status}"),
        }
        burst.within = burst.within.max(took);
    }
    Ok(burst)
}
