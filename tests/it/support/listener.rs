//! A client of an event stream that reads single messages.
#![cfg(test)]

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

/// One message; comments have none of these fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct SseMessage {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// An open stream.
pub(crate) struct Listener {
    pub(crate) headers: HeaderMap,
    answer: Response,
    text: String,
    /// The id of the last message that had one.
    pub(crate) last_id: String,
}

impl Listener {
    /// Opens a stream, which must be accepted, and reads its beginning.
    pub(crate) async fn open(request: RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let headers = answer.headers().clone();
        let mut listener = Self { headers, answer, text: String::new(), last_id: String::new() };
        let begun = listener.next().await.unwrap();
        assert!(!begun.id.is_empty() && begun.event.is_empty(), "{begun:?}");
        listener
    }

    /// The next message; `None` at the regular end of the stream.
    pub(crate) async fn next(&mut self) -> Option<SseMessage> {
        let (message, rest) = loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                break (message.to_owned(), rest.to_owned());
            }
            let chunk = self.answer.chunk().await.expect("the stream ends as it should")?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        };
        self.text = rest;
        let field =
            |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        let data = serde_json::from_str(&field("data: ")).unwrap_or_default();
        let message = SseMessage { id: field("id: "), event: field("event: "), data };
        if !message.id.is_empty() {
            self.last_id.clone_from(&message.id);
        }
        Some(message)
    }

    /// The next event; skips comments.
    pub(crate) async fn event(&mut self) -> SseMessage {
        loop {
            let message = self.next().await.expect("the stream has not ended");
            if !message.event.is_empty() {
                assert_eq!(message.data["type"], message.event.as_str());
                return message;
            }
        }
    }
}
