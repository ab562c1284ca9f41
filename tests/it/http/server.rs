//! The server's limits, over real sockets and without a gateway.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use eci_cache_gateway::http::server::{ConnectionLimits, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

struct RunningServer {
    address: std::net::SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

async fn start(router: Router, limits: ConnectionLimits, tasks: TaskTracker) -> RunningServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let running = tokio::spawn(serve(listener, router, limits, tasks, stop.clone()));
    RunningServer { address, stop, running }
}

impl RunningServer {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends `text` and reads until the server closes the connection.
    async fn talk(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("sent");
        rest(&mut stream).await
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A server that closes while we are still sending resets the connection: what was received before counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

const ONE: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_client_that_sends_nothing_or_half_a_head_is_closed() {
    let short = Duration::from_millis(50);
    let limits = ConnectionLimits { header_deadline: short, keep_idle: short, ..ConnectionLimits::default() };
    let server = start(hello(), limits, TaskTracker::new()).await;
    for sent in ["", "GET / HTTP/1.1\r\nhost: x\r\n", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let answer = server.talk(sent).await;
        // The last one is answered, and the connection is then closed because nothing follows.
        assert_eq!(answer.ends_with("hello"), sent.ends_with("\r\n\r\n"), "{sent:?}: {answer}");
    }
}

/// Sends a request and reads its response; the connection stays open.
async fn asked(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        assert!(stream.read_buf(&mut answer).await.expect("answered") > 0, "it was closed");
    }
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn a_connection_is_kept_for_longer_than_a_head_may_take_and_a_head_may_not_take_longer_on_it() {
    let limits = ConnectionLimits { header_deadline: Duration::from_millis(50), ..ConnectionLimits::default() };
    let server = start(hello(), limits, TaskTracker::new()).await;
    let mut kept = server.connect().await;
    asked(&mut kept).await;
    // At the same time, a new one is closed after the head's timeout, and so is an idle one on which a head begins.
    assert_eq!(server.talk("").await, "");
    asked(&mut kept).await;
    assert_eq!(server.talk("").await, "");
    kept.write_all(b"GET / HT").await.expect("sent");
    assert_eq!(rest(&mut kept).await, "");
}

#[tokio::test]
async fn idle_connections_are_not_kept_where_few_are_left() {
    let header_deadline = Duration::from_millis(50);
    for limits in [
        ConnectionLimits { connections: 4, header_deadline, ..ConnectionLimits::default() },
        ConnectionLimits { connections_per_address: 4, header_deadline, ..ConnectionLimits::default() },
    ] {
        let server = start(hello(), limits, TaskTracker::new()).await;
        let mut kept = Vec::new();
        for _ in 0..4 {
            let mut stream = server.connect().await;
            asked(&mut stream).await;
            kept.push(stream);
        }
        // Whichever checks first while all four are open.
        let ends = kept.iter_mut().map(|stream| Box::pin(rest(stream)));
        assert_eq!(futures_util::future::select_all(ends).await.0, "");
        assert!(asked(&mut server.connect().await).await.ends_with("hello"));
    }
}

#[tokio::test]
async fn while_it_stops_it_takes_and_answers_requests_and_announces_the_end_of_each_connection() {
    let limits = ConnectionLimits { grace: Duration::from_millis(300), ..ConnectionLimits::default() };
    let server = start(hello(), limits, TaskTracker::new()).await;
    let (mut kept, mut silent) = (server.connect().await, server.connect().await);
    let before = asked(&mut kept).await;
    asked(&mut silent).await;
    assert!(!before.contains("connection: close"), "{before}");
    server.stop.cancel();
    let answer = asked(&mut kept).await;
    assert!(answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(rest(&mut kept).await, "", "and it is closed");
    let new = server.talk("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(new.contains("connection: close\r\n") && new.ends_with("hello"), "{new}");
    // A client that sends nothing delays nobody.
    assert_eq!(rest(&mut silent).await, "");
    server.running.await.expect("it ends");
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_head_with_too_many_or_too_long_fields_is_refused() {
    let server = start(hello(), ConnectionLimits::default(), TaskTracker::new()).await;
    let many = "a: b\r\n".repeat(65);
    let long = format!("a: {}\r\n", "b".repeat(100_000));
    for fields in [many, long] {
        let answer = server.talk(&format!("GET / HTTP/1.1\r\nhost: x\r\n{fields}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        is_problem(&answer, "head_too_large");
    }
}

/// What is refused before there is a request is a regular problem.
#[track_caller]
fn is_problem(answer: &str, code: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    assert!(head.contains("content-type: application/problem+json"), "{answer}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
    let problem: serde_json::Value = serde_json::from_str(body).expect("a whole body");
    assert_eq!(problem["code"], code, "{answer}");
}

#[tokio::test]
async fn what_is_no_http_is_told_so_also_behind_a_good_request() {
    let server = start(hello(), ConnectionLimits::default(), TaskTracker::new()).await;
    for nonsense in ["nonsense\r\n\r\n", "GET /\u{1} HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\na b: c\r\n\r\n"] {
        is_problem(&server.talk(nonsense).await, "malformed_head");
    }
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut first = Vec::new();
    while !first.ends_with(b"hello") {
        stream.read_buf(&mut first).await.expect("answered");
    }
    stream.write_all(b"nonsense\r\n\r\n").await.expect("sent");
    is_problem(&rest(&mut stream).await, "malformed_head");
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(65_535));
    let wide = ConnectionLimits { head_bytes: 1 << 20, ..ConnectionLimits::default() };
    let server = start(hello(), wide, TaskTracker::new()).await;
    is_problem(&server.talk(&long).await, "url_too_long");
}

#[tokio::test]
async fn an_address_has_only_so_many_connections_and_another_has_its_own() {
    let limits = ConnectionLimits { connections_per_address: 1, ..ConnectionLimits::default() };
    let server = start(hello(), limits, TaskTracker::new()).await;
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut one_byte = [0];
    first.read_exact(&mut one_byte).await.expect("the first is served");
    let refused = rest(&mut server.connect().await).await;
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("retry-after: 5\r\n"), "{refused}");
    is_problem(&refused, "too_many_connections");
    let neighbour = tokio::net::TcpSocket::new_v4().expect("a socket");
    neighbour.bind("127.0.0.2:0".parse().expect("an address")).expect("bound");
    let mut neighbour = neighbour.connect(server.address).await.expect("a connection");
    neighbour.write_all(ONE.as_bytes()).await.expect("sent");
    assert!(rest(&mut neighbour).await.ends_with("hello"));
    drop(first);
    // Its end is noticed after a moment.
    while !server.talk(ONE).await.ends_with("hello") {}
}

#[tokio::test]
async fn a_client_that_takes_next_to_nothing_of_its_answer_is_closed() {
    const LARGE: usize = 64 << 20;
    let limits = ConnectionLimits { write_deadline: Duration::from_millis(50), ..ConnectionLimits::default() };
    let router = Router::new().route("/", get(|| async { vec![b'a'; LARGE] }));
    let server = start(router, limits, TaskTracker::new()).await;
    let mut stream = server.connect().await;
    stream.write_all(ONE.as_bytes()).await.expect("sent");
    let mut one_byte = [0];
    stream.read_exact(&mut one_byte).await.expect("it begins");
    // Sending on a closed connection fails eventually.
    while stream.write_all(b"x").await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(rest(&mut stream).await.len() < LARGE);
}

#[tokio::test]
async fn a_body_that_nobody_asked_for_and_never_comes_holds_no_connection() {
    let short = Duration::from_millis(50);
    let limits = ConnectionLimits { header_deadline: short, keep_idle: short, ..ConnectionLimits::default() };
    let server = start(hello(), limits, TaskTracker::new()).await;
    let answer = server.talk("GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_for_another_to_end() {
    let limits = ConnectionLimits { connections: 1, ..ConnectionLimits::default() };
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
    let server = start(Router::new().route("/", get(slow)), ConnectionLimits::default(), TaskTracker::new()).await;
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
    let limits = ConnectionLimits { drain: Duration::from_millis(50), ..ConnectionLimits::default() };
    let server = start(hello(), limits, tasks.clone()).await;
    server.stop.cancel();
    server.running.await.expect("it ends");
    assert_eq!(tasks.len(), 1);
}
