//! The receiver: one listener for any number of endpoints, distinguished by their paths, which records when the first
//! byte of each message arrived. It has a thread of its own and uses raw sockets, so that it uses little of the CPU
//! that it shares with the sender, and its CPU time can be measured separately.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::cpu;

/// A receiver that answers 204 at once, except on `/hang`, where it never answers.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    /// When each message first arrived, by its id; the measurement takes them out.
    arrivals: Mutex<HashMap<String, Instant>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let (tell, told) = oneshot::channel();
        let log = Arc::new(Log::default());
        let shared = Arc::clone(&log);
        std::thread::Builder::new().name("receiver".into()).spawn(move || {
            cpu::this_is_the_receiver();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                // If this fails, nobody waits for it any more.
                let _told = tell.send(listener.local_addr()?);
                while let Ok((stream, _)) = listener.accept().await {
                    // The sender may disconnect at any time.
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
                std::io::Result::Ok(())
            })
        })?;
        Ok(Self { address: told.await?, log })
    }

    /// Waits until `count` messages in total have been answered.
    pub(crate) async fn wait_for(&self, count: usize) {
        let mut counts = self.log.count.subscribe();
        // The sender of the count lives as long as `self`.
        let _seen = counts.wait_for(|answered| *answered >= count).await;
    }

    /// The number of answered messages.
    pub(crate) fn count(&self) -> usize {
        *self.log.count.borrow()
    }

    /// When each message first arrived, except those already returned.
    pub(crate) fn arrivals(&self) -> HashMap<String, Instant> {
        std::mem::take(&mut self.log.arrivals.lock().expect("nobody panics with it"))
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Log>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(1 << 14);
    loop {
        let mut came = None;
        let head = loop {
            if let Some(end) = memmem::find(&buffer, b"\r\n\r\n") {
                break end;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            came.get_or_insert_with(Instant::now);
        };
        let text = str::from_utf8(&buffer[..head]).unwrap_or_default();
        let body = header(text, "\r\ncontent-length: ").and_then(|text| text.parse().ok()).unwrap_or(0);
        let hangs = text.starts_with("POST /hang");
        if let (false, Some(id), Some(came)) = (hangs, header(text, "\r\nwebhook-id: "), came) {
            log.arrivals.lock().expect("nobody panics with it").entry(id.to_owned()).or_insert(came);
        }
        let length: usize = head + 4 + body;
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        buffer.drain(..length);
        if hangs {
            let _hangs_up = stream.read(&mut [0; 1]).await;
            return Ok(());
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        log.count.send_modify(|count| *count += 1);
    }
}

/// What follows `name` on its line.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let at = memmem::find(head.as_bytes(), name.as_bytes())? + name.len();
    head[at..].split("\r\n").next()
}
