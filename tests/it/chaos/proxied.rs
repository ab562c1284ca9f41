//! The fault proxy does what it is told, and nothing else.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::proxy::postgres::{Commit, PostgresAnswers};
use super::proxy::{FaultProxy, ProxyTarget, Shot, Sky};

/// A server that echoes every byte.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.into_split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    address
}

/// Sends `text` and reads until the connection ends, or until as many bytes have been received.
async fn heard(address: SocketAddr, text: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A proxy that resets at once causes an error here, or below.
    let _ = stream.write_all(text).await;
    let mut back = Vec::new();
    while back.len() < text.len() && matches!(stream.read_buf(&mut back).await, Ok(1..)) {}
    back
}

#[tokio::test]
async fn a_clear_sky_lets_everything_pass_and_each_shot_hits_once() {
    let proxy = FaultProxy::before(ProxyTarget::Tcp(echo().await)).await;
    assert_eq!(heard(proxy.address, b"hello").await, b"hello");
    for shot in [Shot::CutUp(3), Shot::CutDown(3)] {
        proxy.shoot(shot);
        assert!(heard(proxy.address, b"hello").await.len() <= 3, "{shot:?}");
        assert_eq!(heard(proxy.address, b"hello").await, b"hello");
    }
    assert_eq!(proxy.hits(), 2);
    proxy.shoot(Shot::LoseCommit);
    assert_eq!(heard(proxy.address, b"COMMIT").await, b"COMMIT", "no Postgres");
    assert_eq!(proxy.disarm(), 1);
    proxy.set(Sky { refused: true, ..Sky::default() });
    assert_eq!(heard(proxy.address, b"hello").await, b"");
}

#[tokio::test]
async fn silence_keeps_what_was_sent_and_a_storm_breaks_what_is_open() {
    let proxy = FaultProxy::before(ProxyTarget::Tcp(echo().await)).await;
    proxy.set(Sky { silent: true, ..Sky::default() });
    let mut stream = TcpStream::connect(proxy.address).await.unwrap();
    stream.write_all(b"late").await.unwrap();
    let mut back = [0; 4];
    let early = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut back)).await;
    assert!(early.is_err(), "nothing passes");
    proxy.set(Sky::default());
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"late");
    proxy.storm();
    assert!(!matches!(stream.read(&mut back).await, Ok(1..)));
}

/// A message of Postgres's protocol.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind][..], &length, body].concat()
}

fn ready(state: u8) -> Vec<u8> {
    message(b'Z', &[state])
}

#[test]
fn only_what_was_committed_is_lost_and_only_once_it_is_over() {
    let update = message(b'C', b"UPDATE 1\0");
    let begun = [message(b'C', b"BEGIN\0"), ready(b'T'), update.clone(), ready(b'T')].concat();
    let commit = message(b'C', b"COMMIT\0");
    let any = |_| true;
    let mut answers = PostgresAnswers::default();
    assert_eq!(answers.read(&begun, any), None, "within a transaction nothing is committed");
    assert_eq!(answers.read(&commit, any), Some((0, false)), "withheld, but not over yet");
    assert_eq!(answers.read(&ready(b'I'), any), Some((0, true)));

    let mut answers = PostgresAnswers::default();
    let row = message(b'D', b"C COMMIT Z");
    let whole = [ready(b'I'), row.clone(), update, ready(b'I')].concat();
    let first = ready(b'I').len() + row.len();
    assert_eq!(answers.read(&whole, |commit| commit == Commit::Statement), Some((first, true)));

    let mut answers = PostgresAnswers::default();
    let nothing = [message(b'C', b"UPDATE 0\0"), ready(b'I'), message(b'C', b"SELECT 1\0"), ready(b'I')].concat();
    assert_eq!(nothing.iter().filter_map(|byte| answers.read(&[*byte], any)).count(), 0, "nothing was written");
    let mut answers = PostgresAnswers::default();
    let pieces: Vec<_> = [commit, ready(b'I')].concat();
    let lost: Vec<_> = pieces.iter().filter_map(|byte| answers.read(&[*byte], any)).collect();
    assert_eq!(lost.last(), Some(&(0, true)), "byte by byte as well");
}
