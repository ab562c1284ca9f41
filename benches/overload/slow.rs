//! Connections that send an endless head at a byte a second, and reconnect as soon as they are closed.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;

use crate::load::{self, Figures};
use crate::{Plan, SLOW, everybody};

/// The bytes that each connection sends repeatedly.
const BYTES: &[u8] = b"GET /v1/image-caches HTTP/1.1\r\nhost: x\r\nx-slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// How much they delay others.
pub(crate) async fn measure(plan: &Plan, address: SocketAddr) -> anyhow::Result<()> {
    println!("\n{SLOW} connections that send a byte a second; the others ask 200 times a second");
    println!("{:>24}{}", "", Figures::HEAD);
    let light =
        || load::run(everybody(address, 1).unwrap_or_default(), Some(200.0), plan.each.max(Duration::from_secs(10)));
    println!("{:<24}{}", "without", light().await?);
    let (stop, counts) = (CancellationToken::new(), Arc::new(Counts::default()));
    for place in 0..SLOW {
        let (stop, counts) = (stop.clone(), Arc::clone(&counts));
        tokio::spawn(async move { stop.run_until_cancelled(crawl(address, place, &counts)).await });
    }
    while counts.open.load(Ordering::Relaxed) < SLOW * 95 / 100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let open = counts.open.load(Ordering::Relaxed);
    println!("{:<24}{}", format!("with {open} open"), light().await?);
    let (closed, oldest) = (counts.closed.load(Ordering::Relaxed), counts.oldest.load(Ordering::Relaxed));
    println!("{:<24}{closed} were closed, the longest lived {} ms", "  the slow ones", oldest);
    stop.cancel();
    Ok(())
}

#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    closed: AtomicUsize,
    /// The longest lifetime of a connection, in milliseconds.
    oldest: AtomicUsize,
}

/// From one of 50 addresses.
async fn crawl(address: SocketAddr, place: usize, counts: &Counts) {
    let from = Ipv4Addr::new(127, 0, 1, u8::try_from(place % 50).unwrap_or_default() + 1);
    loop {
        let Ok(socket) = TcpSocket::new_v4() else { return };
        if socket.bind(SocketAddr::from((from, 0))).is_err() {
            return;
        }
        let Ok(mut stream) = socket.connect(address).await else { return };
        counts.open.fetch_add(1, Ordering::Relaxed);
        let (began, mut sent, mut byte) = (Instant::now(), BYTES.iter().cycle(), [0]);
        loop {
            let next = sent.next().copied().unwrap_or_default();
            if stream.write_all(&[next]).await.is_err() {
                break;
            }
            if tokio::time::timeout(Duration::from_secs(1), stream.read(&mut byte)).await.is_ok() {
                break;
            }
        }
        counts.open.fetch_sub(1, Ordering::Relaxed);
        counts.closed.fetch_add(1, Ordering::Relaxed);
        let lived = usize::try_from(began.elapsed().as_millis()).unwrap_or(usize::MAX);
        counts.oldest.fetch_max(lived, Ordering::Relaxed);
    }
}
