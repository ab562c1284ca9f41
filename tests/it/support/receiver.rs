//! Receivers of webhooks that misbehave on request, for all tests that send some.
#![cfg(test)]

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LEAF: &[u8] = include_bytes!("../../vectors/tls/leaf.pem");
const LEAF_KEY: &[u8] = include_bytes!("../../vectors/tls/leaf.key");

/// What a receiver does once it has read the request.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Sends this and closes the connection.
    Says(String),
    /// Sends this and then nothing, keeping the connection open.
    SaysAndHangs(String),
    /// Sends this and then endless bytes.
    SaysAndFloods(String),
    /// Resets the connection instead of answering.
    Resets,
}

/// A receiver on a free port, which keeps what was sent to it.
pub(crate) struct RawReceiver {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl RawReceiver {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(behave(stream, manner.clone(), Arc::clone(&log)));
            }
        });
        Self { address, requests }
    }

    pub(crate) async fn says(status: &str, extra: &str) -> Self {
        let length = "content-length: 2\r\nconnection: close";
        Self::start(Manner::Says(format!("HTTP/1.1 {status}\r\n{length}\r\n{extra}\r\nok"))).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn behave(mut stream: TcpStream, manner: Manner, log: Arc<Mutex<Vec<String>>>) {
    let mut request = String::new();
    while !request.ends_with('}') {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        if read == 0 {
            return;
        }
        request.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    log.lock().unwrap().push(request);
    // The sender may disconnect at any time from here on, which is allowed.
    match manner {
        Manner::Says(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Manner::SaysAndHangs(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            // Until the sender gives up.
            let _ = stream.read(&mut [0; 1]).await;
        }
        Manner::SaysAndFloods(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let flood = vec![b'x'; 65_536];
            while stream.write_all(&flood).await.is_ok() {}
        }
        Manner::Resets => stream.set_zero_linger().unwrap(),
    }
}

/// A port that must not be connected to.
pub(crate) struct Forbidden(std::net::TcpListener);

impl Forbidden {
    pub(crate) fn new() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(crate) fn assert_untouched(&self, what: &str) {
        // The kernel completes connections before they are accepted, so an attempt would be in the backlog.
        assert_eq!(self.0.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "{what}");
    }
}

/// The response of a TLS receiver to a request for keys: the public key of RFC 8037, appendix A.
const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// A TLS receiver that answers 200 on each connection that completes the handshake.
pub(crate) fn tls_receiver() -> u16 {
    let chain = vec![CertificateDer::from_pem_slice(LEAF).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(LEAF_KEY).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that does not trust the certificate aborts, which is what is tested.
            let _ = answer_tls(stream.unwrap(), &config);
        }
    });
    port
}

fn answer_tls(stream: std::net::TcpStream, config: &Arc<rustls::ServerConfig>) -> io::Result<()> {
    use std::io::{Read, Write};
    let session = rustls::ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut tls = rustls::StreamOwned::new(session, stream);
    let mut request = Vec::new();
    let is_read = |request: &[u8]| request.starts_with(b"GET ") && request.ends_with(b"\r\n\r\n");
    while !request.ends_with(b"}") && !is_read(&request) {
        let mut byte = [0; 1];
        tls.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let body = if is_read(&request) { KEYS } else { "" };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    tls.write_all(format!("{head}{body}").as_bytes())?;
    tls.flush()
}
