//! Reads one response from a raw socket, for all load generators here.

use anyhow::{Context as _, bail};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// Reads one response with a content-length into `buffer` and returns its status.
pub(crate) async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<u16> {
    buffer.clear();
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(buffer).await? == 0 {
            bail!("the connection was closed");
        }
    };
    let text = std::str::from_utf8(&buffer[..head]).context("the head is text")?;
    let status = text.get(9..12).context("a status")?.parse()?;
    let length = text.lines().find_map(length).context("a length")?;
    let whole = head + length.trim().parse::<usize>()?;
    while buffer.len() < whole {
        if stream.read_buf(buffer).await? == 0 {
            bail!("the connection was closed");
        }
    }
    Ok(status)
}

/// Other servers capitalize the name.
fn length(line: &str) -> Option<&str> {
    line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, length)| length)
}
