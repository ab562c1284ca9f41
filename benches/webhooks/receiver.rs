//! The receiving end: one listener for any number of endpoints, told apart by their paths, that notes when the first
//! byte of each message came. Raw sockets, so that it costs little of the cores that it shares with the sender.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A receiver that answers 204 at once, except to `/hang`, to which it never answers.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    /// When each message came first, by its id; only where that is asked for.
    arrivals: Mutex<HashMap<String, Instant>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let log = Arc::new(Log::default());
        let shared = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // The sender may hang up at any time.
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, log })
    }

    /// Returns once `count` messages in all have been answered.
    pub(crate) async fn wait_for(&self, count: usize) {
        let mut counts = self.log.count.subscribe();
        // The sender of the count lives as long as we do.
        let _seen = counts.wait_for(|answered| *answered >= count).await;
    }

    /// How many messages have been answered.
    pub(crate) fn count(&self) -> usize {
        *self.log.count.borrow()
    }

    /// When each message came first.
    pub(crate) fn arrivals(&self) -> HashMap<String, Instant> {
        std::mem::take(&mut self.log.arrivals.lock().expect("nobody panics with it"))
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Log>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(1 << 14);
    loop {
        let mut came = None;
        let (head, length) = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&buffer[..end]).into_owned();
                let length = header(&text, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
                break (text, end + 4 + length);
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            came.get_or_insert_with(Instant::now);
        };
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        buffer.drain(..length);
        if head.starts_with("POST /hang") {
            let _hangs_up = stream.read(&mut [0; 1]).await;
            return Ok(());
        }
        if let (Some(id), Some(came)) = (header(&head, "webhook-id"), came) {
            log.arrivals.lock().expect("nobody panics with it").entry(id.to_owned()).or_insert(came);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        log.count.send_modify(|count| *count += 1);
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
