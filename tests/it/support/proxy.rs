//! A small HTTP proxy: tunnels (CONNECT) and plain requests, with or without a login. It records the requests.
#![cfg(test)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A running proxy.
pub(crate) struct TestProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    /// Starts a proxy. With a login (in base64, as for `Basic`), it refuses any other.
    pub(crate) async fn start(login: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let shared = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, login, Arc::clone(&shared)));
            }
        });
        Self { address, asked }
    }

    /// The URL for settings, with this user and password.
    pub(crate) fn url(&self, login: &str) -> String {
        let at = if login.is_empty() { "" } else { "@" };
        format!("http://{login}{at}{}", self.address)
    }

    /// The first lines of the requests that it forwarded.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut client: TcpStream, login: Option<&str>, asked: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let expected = login.map(|login| format!("proxy-authorization: basic {login}").to_lowercase());
    if expected.is_some_and(|expected| !head.to_lowercase().lines().any(|line| line == expected)) {
        return client.write_all(b"HTTP/1.1 407 Login\r\ncontent-length: 0\r\n\r\n").await.ok();
    }
    let line = head.lines().next()?.to_owned();
    let target = line.split(' ').nth(1)?.to_owned();
    asked.lock().unwrap().push(line.trim_end_matches(" HTTP/1.1").to_owned());
    let tunnel = line.starts_with("CONNECT ");
    let host = target.trim_start_matches("http://").split('/').next()?;
    let mut server = TcpStream::connect(host).await.ok()?;
    if tunnel {
        client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.ok()?;
    } else {
        // Servers accept the absolute form too.
        server.write_all(head.as_bytes()).await.ok()?;
    }
    copy_bidirectional(&mut client, &mut server).await.ok().map(|_| ())
}
