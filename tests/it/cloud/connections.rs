//! Connections to webhook receivers and to the cloud that are reused, and those that must not be.
#![cfg(test)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use eci_cache_gateway::domain::clock::ManualClock;
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::eci::{self, Client, Credentials, DescribeQuery};
use eci_cache_gateway::webhook::address::AddressPolicy;
use eci_cache_gateway::webhook::outcome::DeliveryOutcome;
use eci_cache_gateway::webhook::sender::{Attempted, MAX_EXCERPT_BYTES, Outgoing, Sender, SenderSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::cloud::settings;
use crate::support::receiver::{Manner, RawReceiver};

const FINE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// A receiver's next step on one connection. After the last step it keeps the connection open and sends nothing.
#[derive(Clone, Copy)]
enum Step {
    /// Reads a message and answers with this.
    Answers(&'static str),
    /// Reads a message and closes the connection.
    Swallows,
    HangsUp,
    /// Sends this once the message has begun, and reads no more of it.
    Interrupts(&'static str),
    /// Waits until the sender closes the connection.
    SeesTheEnd,
}

use Step::{Answers, HangsUp, Interrupts, SeesTheEnd, Swallows};

/// A receiver that follows a script, and records what was received on which connection.
struct Scripted {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<(usize, String)>>>,
    /// How many connections have reached the end of their script.
    done: watch::Receiver<usize>,
}

impl Scripted {
    /// One script for each connection, in the order in which they are opened.
    async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, (tell, done)) = (listener.local_addr().unwrap(), watch::channel(0));
        let heard: Arc<Mutex<Vec<(usize, String)>>> = Arc::default();
        let log = Arc::clone(&heard);
        tokio::spawn(async move {
            for (number, script) in scripts.into_iter().enumerate() {
                let stream = listener.accept().await.unwrap().0;
                let (log, tell) = (Arc::clone(&log), tell.clone());
                tokio::spawn(async move {
                    let kept = play(stream, &script, |text| log.lock().unwrap().push((number, text))).await;
                    tell.send_modify(|done| *done += 1);
                    // Neither read nor closed until the end of the test.
                    if kept.is_some() {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { address, heard, done }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The messages received, each with its connection.
    fn heard(&self) -> Vec<(usize, String)> {
        self.heard.lock().unwrap().clone()
    }

    /// The connections of the messages, in order.
    fn connections(&self) -> Vec<usize> {
        self.heard().into_iter().map(|(number, _)| number).collect()
    }

    /// Waits until this many connections are at the end of their script, and the sender has noticed.
    async fn wait_for(&mut self, connections: usize) {
        self.done.wait_for(|done| *done >= connections).await.unwrap();
        // Lets the runtime poll the sockets.
        tokio::task::yield_now().await;
    }
}

async fn play(mut stream: TcpStream, script: &[Step], hear: impl Fn(String)) -> Option<TcpStream> {
    for step in script {
        match step {
            Answers(text) => {
                hear(message_from(&mut stream).await?);
                stream.write_all(text.as_bytes()).await.ok()?;
            }
            Swallows => {
                hear(message_from(&mut stream).await?);
                return None;
            }
            HangsUp => return None,
            Interrupts(text) => {
                stream.readable().await.ok()?;
                hear(String::new());
                stream.write_all(text.as_bytes()).await.ok()?;
            }
            SeesTheEnd => assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0),
        }
    }
    Some(stream)
}

/// `None` if the sender has closed the connection.
async fn message_from(stream: &mut TcpStream) -> Option<String> {
    let mut message = String::new();
    while !is_whole(&message) {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        message.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    Some(message)
}

fn is_whole(message: &str) -> bool {
    let Some((head, body)) = message.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

fn sender_with(settings: SenderSettings) -> Sender {
    let policy = AddressPolicy { allow_http: true, allow_loopback: true, ..AddressPolicy::default() };
    let clock = ManualClock::at(DateTime::UNIX_EPOCH);
    Sender::new(policy, settings, Arc::new(clock)).unwrap()
}

fn sender() -> Sender {
    sender_with(SenderSettings::default())
}

fn message(url: &str, header: &str) -> Outgoing {
    let headers = vec![("x-own".into(), header.into())];
    Outgoing { url: url.into(), headers, body: "{}".into(), timeout: Duration::from_secs(30) }
}

fn ending(attempted: &Attempted) -> (DeliveryOutcome, Option<u16>, Option<&'static str>) {
    (attempted.outcome, attempted.http_status, attempted.error)
}

const DELIVERED: (DeliveryOutcome, Option<u16>, Option<&'static str>) = (DeliveryOutcome::Delivered, Some(204), None);

#[tokio::test]
async fn messages_to_one_origin_share_a_connection_and_nothing_else() {
    let counted = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let receiver = Scripted::start(vec![[FINE, counted, chunked, FINE].map(Answers).to_vec()]).await;
    let (sender, sent) = (sender(), [("/a", "first"), ("/b", "second"), ("/c", "third"), ("/d", "fourth")]);
    for (path, header) in sent {
        let attempted = sender.send(message(&format!("http://{}{path}", receiver.address), header)).await;
        assert_eq!(attempted.outcome, DeliveryOutcome::Delivered, "{path}: {attempted:?}");
    }
    assert_eq!(receiver.connections(), [0, 0, 0, 0]);
    for ((_, heard), (path, header)) in receiver.heard().iter().zip(sent) {
        assert!(heard.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{heard}");
        assert!(heard.contains(&format!("\r\nx-own: {header}\r\n")), "{heard}");
        assert_eq!(heard.matches("x-own: ").count(), 1, "{heard}");
        assert!(heard.contains(&format!("\r\nhost: {}\r\n", receiver.address)), "{heard}");
    }
}

#[tokio::test]
async fn a_connection_that_the_receiver_closed_meanwhile_costs_nothing() {
    let mut receiver = Scripted::start(vec![vec![Answers(FINE), HangsUp], vec![Answers(FINE)]]).await;
    let sender = sender();
    assert_eq!(ending(&sender.send(message(&receiver.url(), "a")).await), DELIVERED);
    receiver.wait_for(1).await;
    assert_eq!(ending(&sender.send(message(&receiver.url(), "b")).await), DELIVERED);
    assert_eq!(receiver.connections(), [0, 1], "each once");
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_in_time() {
    let mut receiver = Scripted::start(vec![vec![Answers(FINE), SeesTheEnd], vec![Answers(FINE)]]).await;
    let sender = sender_with(SenderSettings { keep_idle: Duration::ZERO, ..SenderSettings::default() });
    assert_eq!(ending(&sender.send(message(&receiver.url(), "a")).await), DELIVERED);
    receiver.wait_for(1).await;
    assert_eq!(ending(&sender.send(message(&receiver.url(), "b")).await), DELIVERED);
    assert_eq!(receiver.connections(), [0, 1]);
}

#[tokio::test]
async fn so_is_one_to_the_cloud() {
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 36\r\n\r\n{\"RequestId\":\"r-1\",\"ImageCaches\":[]}";
    let mut cloud = Scripted::start(vec![vec![Answers(page), SeesTheEnd], vec![Answers(page)]]).await;
    let usual = settings(format!("http://{}", cloud.address), Duration::from_secs(10));
    let settings = eci::ClientSettings { keep_idle: Duration::from_millis(1), ..usual };
    let credentials = Credentials {
        access_key_id: "key".into(),
        access_key_secret: "secret".to_owned().into(),
        security_token: None,
    };
    let clock = Arc::new(ManualClock::at(DateTime::UNIX_EPOCH));
    let client = Client::new(settings, credentials, clock, Arc::new(Entropy::from_seed(1))).unwrap();
    let region = "cn-hangzhou".parse().unwrap();
    client.describe(&region, &DescribeQuery::default()).await.unwrap();
    cloud.wait_for(1).await;
    client.describe(&region, &DescribeQuery::default()).await.unwrap();
    assert_eq!(cloud.connections(), [0, 1]);
}

#[tokio::test]
async fn a_message_that_may_have_been_received_is_not_repeated() {
    let receiver = Scripted::start(vec![vec![Answers(FINE), Swallows], vec![Answers(FINE)]]).await;
    let sender = sender();
    assert_eq!(ending(&sender.send(message(&receiver.url(), "a")).await), DELIVERED);
    let swallowed = sender.send(message(&receiver.url(), "b")).await;
    assert_eq!(ending(&swallowed), (DeliveryOutcome::Failed, None, Some("broken_connection")));
    assert_eq!(receiver.connections(), [0, 0]);
    assert_eq!(ending(&sender.send(message(&receiver.url(), "c")).await), DELIVERED);
    assert_eq!(receiver.connections(), [0, 0, 1]);
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_nobodys() {
    let two = "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
    let receiver = Scripted::start(vec![vec![Answers(two)], vec![Answers(FINE)]]).await;
    let sender = sender();
    for header in ["a", "b"] {
        assert_eq!(ending(&sender.send(message(&receiver.url(), header)).await), DELIVERED, "{header}");
    }
    assert_eq!(receiver.connections(), [0, 1]);
}

#[tokio::test]
async fn a_connection_with_a_body_that_was_not_read_to_its_end_is_not_used_again() {
    let length = MAX_EXCERPT_BYTES + 1;
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", length + 1, "x".repeat(length));
    let receiver = Scripted::start(vec![vec![Answers(long.leak())], vec![Answers(FINE)]]).await;
    let sender = sender();
    let attempted = sender.send(message(&receiver.url(), "a")).await;
    assert_eq!((attempted.outcome, attempted.response_excerpt.len()), (DeliveryOutcome::Delivered, MAX_EXCERPT_BYTES));
    assert_eq!(ending(&sender.send(message(&receiver.url(), "b")).await), DELIVERED);
    assert_eq!(receiver.connections(), [0, 1]);
}

#[tokio::test]
async fn an_answer_before_the_message_was_read_counts_and_ends_the_connection() {
    let receiver = Scripted::start(vec![vec![Interrupts(FINE)], vec![Answers(FINE)]]).await;
    let sender = sender();
    // More than the buffers of both ends of a connection.
    let body = format!("\"{}\"", "x".repeat(32 << 20));
    let long = Outgoing { body, ..message(&receiver.url(), "a") };
    assert_eq!(ending(&sender.send(long).await), DELIVERED);
    assert_eq!(ending(&sender.send(message(&receiver.url(), "b")).await), DELIVERED);
    assert_eq!(receiver.connections(), [0, 1]);
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nretry-after: 5\r\n\r\n";
    let receiver = RawReceiver::start(Manner::Says(format!("{interim}{FINE}"))).await;
    assert_eq!(ending(&sender().send(message(&receiver.url(), "a")).await), DELIVERED);
    let fails = format!("{interim}HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n");
    let receiver = RawReceiver::start(Manner::Says(fails)).await;
    let attempted = sender().send(message(&receiver.url(), "a")).await;
    assert_eq!(
        (ending(&attempted), attempted.retry_after),
        ((DeliveryOutcome::Failed, Some(500), Some("status")), None)
    );
    let switches = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n";
    let receiver = RawReceiver::start(Manner::SaysAndHangs(switches.into())).await;
    let attempted = sender().send(message(&receiver.url(), "a")).await;
    assert_eq!(attempted.outcome, DeliveryOutcome::Failed, "{attempted:?}");
}
