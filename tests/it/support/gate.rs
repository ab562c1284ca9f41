//! A gate in front of the cloud: calls pass at once, responses wait until it is opened.
#![cfg(test)]

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The gate, initially closed.
pub(crate) struct Gate {
    /// The URL to use as the cloud's.
    pub(crate) url: String,
    state: Arc<GateState>,
}

#[derive(Default)]
struct GateState {
    open: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Gate {
    /// A gate in front of `cloud`, such as `http://127.0.0.1:1234`.
    pub(crate) async fn before(cloud: &str) -> Self {
        let cloud = cloud.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(GateState::default());
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let cloud = TcpStream::connect(&cloud).await.unwrap();
                tokio::spawn(pass(stream, cloud, Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    /// Waits until the cloud has answered `count` calls.
    pub(crate) async fn answered(&self, count: usize) {
        self.state.waiting.subscribe().wait_for(|waiting| *waiting >= count).await.unwrap();
    }

    /// Lets all responses pass from now on.
    pub(crate) fn open(&self) {
        self.state.open.send_replace(true);
    }
}

async fn pass(gateway: TcpStream, cloud: TcpStream, state: Arc<GateState>) {
    let (mut from_gateway, mut to_gateway) = gateway.into_split();
    let (mut from_cloud, mut to_cloud) = cloud.into_split();
    // Either side may disconnect at any time; the other one then reads the end.
    let there = async move {
        let _ = tokio::io::copy(&mut from_gateway, &mut to_cloud).await;
        let _ = to_cloud.shutdown().await;
    };
    let back = async move {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from_cloud.read(&mut bytes).await {
            state.waiting.send_modify(|waiting| *waiting += 1);
            if state.open.subscribe().wait_for(|open| *open).await.is_err()
                || to_gateway.write_all(&bytes[..read]).await.is_err()
            {
                return;
            }
        }
    };
    tokio::join!(there, back);
}
