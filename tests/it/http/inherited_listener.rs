//! Processes that share a listener passed in by a supervisor: clients that poll during restarts are never refused.
#![cfg(test)]

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;

use crate::support::process::{ServeProcess, database, server, stand_in};

/// A gateway that gets `listener` as from systemd.
fn heir(listener: &TcpListener, database: &str, cloud: &str) -> ServeProcess {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" serve 3<&0"]);
    command.arg(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    command.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
    ServeProcess::by(command, database, cloud)
}

/// Tells it to stop, and waits until it has.
async fn end(mut gateway: ServeProcess) {
    let id = gateway.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let ended = tokio::task::spawn_blocking(move || gateway.process.wait().unwrap()).await.unwrap();
    assert!(ended.success(), "{ended}");
}

/// The results of a client that polls continuously.
#[derive(Clone, Default)]
struct Polls {
    good: Arc<AtomicUsize>,
}

impl Polls {
    async fn poll(self, http: reqwest::Client, url: String, token: String, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let answer = http.get(&url).bearer_auth(&token).send().await.expect("no poll is lost");
            assert_eq!(answer.status().as_u16(), 200);
            answer.bytes().await.expect("a whole answer");
            self.good.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits for this many more polls.
    async fn more(&self, count: usize) {
        let until = self.good.load(Ordering::Relaxed) + count;
        while self.good.load(Ordering::Relaxed) < until {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_polls_through_restarts_of_gateways_that_share_a_listener_is_never_refused() {
    let (postgres, _) = server(None).await;
    let (url, cloud) = (database(&postgres).await, stand_in().await);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = || heir(&listener, &url, &cloud.url());
    let mut first = start();
    let address = first.address().await;
    first.until(&format!("{address}/readyz"), 200).await;
    let (stop, path) = (CancellationToken::new(), format!("{address}/v1/image-caches"));
    // One keeps its connections, the other one opens a new one each time.
    let clients = [usize::MAX, 0].map(|idle| {
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(idle).build().unwrap();
        let polls = Polls::default();
        (polls.clone(), tokio::spawn(polls.poll(http, path.clone(), first.token.clone(), stop.clone())))
    });
    let more = async || {
        for (polls, _) in &clients {
            polls.more(20).await;
        }
    };
    more().await;
    // The second starts before the first stops.
    let mut second = start();
    second.address().await;
    end(first).await;
    more().await;
    // The third starts after the second has stopped: clients wait meanwhile.
    end(second).await;
    let mut third = start();
    third.address().await;
    more().await;
    stop.cancel();
    for (_, polling) in clients {
        polling.await.unwrap();
    }
    end(third).await;
    tokio::task::spawn_blocking(|| postgres.stop()).await.unwrap().unwrap();
}
