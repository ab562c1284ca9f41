//! The server's limits, over real sockets and without any gateway behind it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use eci_cache_gateway::http::server::{Limits, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

struct Server {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

async fn start(router: Router, limits: Limits, tasks: TaskTracker) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let running = tokio::spawn(serve(listener, router, limits, tasks, stop.clone()));
    Server { address, stop, running }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends `text` and reads until the server closes.
    async fn talk(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("sent");
        rest(&mut stream).await
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A server that closes while we still send resets the connection: what came before counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

const ONE: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_client_that_sends_nothing_or_half_a_head_is_closed() {
    let limits = Limits { header_deadline: Duration::from_millis(50), ..Limits::default() };
    let server = start(hello(), limits, TaskTracker::new()).await;
    for sent in ["", "GET / HTTP/1.1\r\nhost: x\r\n", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let answer = server.talk(sent).await;
        // The last one is answered, and then closed because nothing follows on the kept connection.
        assert_eq!(answer.ends_with("hello"), sent.ends_with("\r\n\r\n"), "{sent:?}: {answer}");
    }
}

#[tokio::test]
async fn a_head_with_too_many_or_too_long_fields_is_refused() {
    let server = start(hello(), Limits::default(), TaskTracker::new()).await;
    let many = "a: b\r\n".repeat(65);
    let long = format!("a: {}\r\n", "b".repeat(100_000));
    for fields in [many, long] {
        let answer = server.talk(&format!("GET / HTTP/1.1\r\nhost: x\r\n{fields}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_for_another_to_end() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = start(hello(), limits, TaskTracker::new()).await;
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut one_byte = [0];
    first.read_exact(&mut one_byte).await.expect("the first is served");
    let mut second = server.connect().await;
    second.write_all(ONE.as_bytes()).await.expect("sent");
    let early = tokio::time::timeout(Duration::from_millis(50), second.read_exact(&mut one_byte)).await;
    assert!(early.is_err(), "the second is served beside the first");
    drop(first);
    second.read_exact(&mut one_byte).await.expect("the second is served in its turn");
}

#[tokio::test]
async fn a_stop_lets_what_runs_end_and_takes_nothing_new() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, go) = (Arc::clone(&entered), Arc::clone(&leave));
    let slow = move || async move {
        enter.notify_one();
        go.notified().await;
        "done"
    };
    let server = start(Router::new().route("/", get(slow)), Limits::default(), TaskTracker::new()).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    entered.notified().await;
    server.stop.cancel();
    assert_eq!(rest(&mut idle).await, "", "an idle connection is closed at once");
    leave.notify_one();
    assert!(rest(&mut busy).await.ends_with("done"));
    server.running.await.expect("it ends");
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_stop_waits_for_requests_whose_client_has_left_but_not_for_ever() {
    let tasks = TaskTracker::new();
    tasks.spawn(std::future::pending::<()>());
    let limits = Limits { drain: Duration::from_millis(50), ..Limits::default() };
    let server = start(hello(), limits, tasks.clone()).await;
    server.stop.cancel();
    server.running.await.expect("it ends");
    assert_eq!(tasks.len(), 1);
}
