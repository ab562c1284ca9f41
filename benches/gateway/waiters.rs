//! How long until the last of many waiting clients gets its response: the row `waiters`.
//!
//! All of them wait at one gateway for the team's next event, by long poll or stream; the event is a create at another
//! gateway on the same database. The time starts when the create is sent, so the create's own duration is shown too.
//! The clients are in another process ([`crate::crowd`]), because the number of open files of a process is limited.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::crowd;
use crate::report::{Fact, median};
use crate::testbed::Testbed;

/// All clients have to be waiting within this time.
const MAX_WAIT: Duration = Duration::from_secs(45);

/// The request, and the number of clients.
struct Kind {
    path: &'static str,
    waiters: usize,
}

/// The requests of the waiting clients.
const KINDS: [(&str, &str); 2] = [("long polls", "/v1/events?timeout=55"), ("streams", "/v1/events/stream")];

/// Measures both kinds, each `rounds` times; returns the medians in milliseconds.
pub(crate) async fn run(testbed: &Testbed, waiters: usize, rounds: u32) -> anyhow::Result<Vec<Fact>> {
    let other = testbed.neighbour().await?;
    let (mut number, mut facts) = (0, Vec::new());
    for (name, path) in KINDS {
        let mut times = Vec::new();
        for _ in 0..rounds {
            number += 1;
            eprintln!("{waiters} {name}: round {} of {rounds}", times.len() + 1);
            let kind = Kind { path, waiters };
            times.push(round(testbed, &other, &kind, number).await.with_context(|| name.to_owned())?);
        }
        for (place, told) in
            ["the create is answered", "the first is told", "half are told", "the last is told"].into_iter().enumerate()
        {
            let value = median(times.iter().map(|times| times[place].as_secs_f64() * 1e3).collect());
            facts.push(Fact { name: format!("{waiters} {name}: {told}"), value, unit: "ms" });
        }
    }
    other.end().await;
    Ok(facts)
}

async fn round(testbed: &Testbed, other: &Testbed, kind: &Kind, round: u8) -> anyhow::Result<[Duration; 4]> {
    // After the existing events, because a poll would be answered at once otherwise.
    let end = answered(testbed, "GET", "/v1/events/stream", "", "\nid: ").await?;
    let cursor = end.rsplit_once("\nid: ").context("an id")?.1.lines().next().unwrap_or_default().to_owned();
    let path = format!("{}{}cursor={cursor}", kind.path, if kind.path.contains('?') { '&' } else { '?' });
    let crowd = crowd::Crowd::start(testbed.address, round, kind.waiters, &request(testbed, "GET", &path, "")).await?;
    let all_wait = async {
        while testbed.waiting() < kind.waiters {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(MAX_WAIT, all_wait).await.with_context(|| format!("only {} wait", testbed.waiting()))?;
    let (began, at) = (Instant::now(), SystemClock.now());
    let body = r#"{"name":"web","region":"cn-beijing","images":["nginx:1.27"]}"#;
    answered(other, "POST", "/v1/image-caches", body, "\r\n\r\n").await?;
    let created = began.elapsed();
    let [first, middle, last] = crowd.told(at).await?;
    Ok([created, first, middle, last])
}

fn request(testbed: &Testbed, method: &str, path: &str, body: &str) -> String {
    let head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n", testbed.token);
    format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// The response to a request up to the text `until`.
async fn answered(testbed: &Testbed, method: &str, path: &str, body: &str, until: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(testbed.address).await?;
    stream.write_all(request(testbed, method, path, body).as_bytes()).await?;
    told(&mut stream, until).await
}

/// Reads up to the line with `until`. Anything but a success is an error.
pub(crate) async fn told(stream: &mut TcpStream, until: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            bail!("the connection was closed: {}", String::from_utf8_lossy(&bytes));
        }
        let text = String::from_utf8_lossy(&bytes);
        if text.len() > 12 && !text.starts_with("HTTP/1.1 20") {
            bail!("{text}");
        }
        if text
            .split_once(until)
            .is_some_and(|(_, rest)| until.ends_with("\r\n") || rest.contains('\n') || rest.len() > 64)
        {
            return Ok(text.into_owned());
        }
    }
}
