//! A cloud that echoes everything in every kind of response; its STS issues a session nevertheless.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The secret and the token of the session.
pub(super) const SESSION: (&str, &str) = ("canary+session/secret&4f1b", "canary+session/token&77ac");

/// Starts serving; returns its URL.
pub(super) async fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&count)));
        }
    });
    url
}

async fn answer(mut stream: TcpStream, count: Arc<AtomicUsize>) {
    let mut bytes = Vec::new();
    let body = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse::<usize>().unwrap() {
                break body.to_owned();
            }
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    };
    let (status, text) = say(&body, &count);
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", text.len());
    // The client may have disconnected.
    let _ = stream.write_all(format!("{head}connection: close\r\n\r\n{text}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn say(body: &str, count: &AtomicUsize) -> (&'static str, String) {
    if body.contains("Action=AssumeRole") {
        let credentials = json!({"AccessKeyId": "STS.canaryid", "AccessKeySecret": SESSION.0,
            "SecurityToken": SESSION.1, "Expiration": "2026-03-01T09:00:00Z"});
        return ("200 OK", json!({"RequestId": "R", "Credentials": credentials}).to_string());
    }
    let decoded: Vec<String> =
        url::form_urlencoded::parse(body.as_bytes()).map(|(key, value)| format!("{key}={value}")).collect();
    let message = format!("What you said: {body} which is {}", decoded.join(" "));
    let error = |code: &str| json!({"RequestId": "R", "HostId": "h", "Code": code, "Message": message}).to_string();
    match count.fetch_add(1, Ordering::Relaxed) % 6 {
        0 => ("400 Bad Request", error("InvalidParameter")),
        1 => ("500 Oops", error("InternalError")),
        2 => ("200 OK", format!("<html>{message}</html>")),
        3 => ("503 Later", error("Throttling.User")),
        4 => ("403 Forbidden", error("InvalidSecurityToken.Expired")),
        _ => ("400 Bad Request", json!({"RequestId": message, "Code": message, "Message": message}).to_string()),
    }
}
