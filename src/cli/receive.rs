//! `receive`: receives webhooks on this machine, verifies them and prints them.
//!
//! ```text
//! curl -f --retry 5 --retry-all-errors … /v1/webhook-endpoints -d '{"url":"http://127.0.0.1:9099/"}' \
//!   | eci-cache-gateway receive --port 9099
//! ```
//!
//! The endpoint's secret is read from standard input, so that it is not part of a command line: either the gateway's
//! response as it is, or only the secret (`whsec_…`). It listens before that, and answers the challenge without which
//! the gateway does not save an endpoint; curl retries until both have started.

use std::io::{IsTerminal as _, Read as _};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::process::listen;
use super::{CommandFailure, console, runtime};
use crate::domain::clock::SystemClock;
use crate::receiver::{Received, Receiver};
use crate::shutdown;
use crate::telemetry::{self, LineFormat};
use crate::webhook::secret::SigningSecret;

/// The longest standard input that is read in bytes.
const INPUT: u64 = 64 * 1024;

/// The options of `receive`.
#[derive(Debug, clap::Args)]
pub(super) struct ReceiveArgs {
    /// The port on 127.0.0.1. 0 chooses a free port.
    #[arg(long, default_value_t = 9099)]
    port: u16,
}

pub(super) fn run(arguments: &ReceiveArgs) -> Result<(), CommandFailure> {
    telemetry::init_logs("warn", LineFormat::Text)?;
    runtime()?.block_on(receive(arguments.port))
}

/// Reads standard input to its end. On a thread, because a runtime would wait for its end when it shuts down.
fn standard_input() -> oneshot::Receiver<std::io::Result<String>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut input = String::new();
        let read = std::io::stdin().take(INPUT).read_to_string(&mut input);
        // A process that was told to stop no longer waits for it.
        let _stopped = sender.send(read.map(|_| input));
    });
    receiver
}

/// The secret in the gateway's response, or the secret alone.
fn secret_in(input: &str) -> Option<SigningSecret> {
    let answer: Option<Value> = serde_json::from_str(input).ok();
    let named = answer.as_ref().and_then(|answer| answer.get("secret")).and_then(Value::as_str);
    SigningSecret::parse(named.unwrap_or(input.trim())).ok()
}

fn asking(input: &str) -> String {
    let problem: Option<Value> = serde_json::from_str(input).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")).and_then(Value::as_str);
    match detail {
        Some(detail) => format!("the gateway did not create an endpoint: {detail}"),
        None => "pass the response to POST /v1/webhook-endpoints, or its secret (whsec_…), on standard \
                 input"
            .to_owned(),
    }
}

async fn receive(port: u16) -> Result<(), CommandFailure> {
    let stop = shutdown::on_signals(telemetry::flush)?;
    let listener = listen(([127, 0, 0, 1], port).into()).await?;
    console::remark(&format!("Receiving webhooks at http://{}/ (Ctrl-C ends it).", listener.local_addr()?));
    let print = if std::io::stdout().is_terminal() { sentence } else { line };
    let unread = Arc::new(Mutex::new(None));
    let (failed, ended) = (Arc::clone(&unread), stop.clone());
    let receiver = Receiver::start(listener, None, Arc::new(SystemClock), move |told| {
        // Nobody reads the output, so there is no point in continuing.
        if let Err(failure) = console::answer(&(print(told) + "\n")) {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            ended.cancel();
        }
    });
    if let Some(input) = stop.run_until_cancelled(standard_input()).await {
        let input = input.map_err(anyhow::Error::from)??;
        receiver.learn(secret_in(&input).ok_or_else(|| CommandFailure::Usage(asking(&input)))?);
    }
    stop.cancelled().await;
    receiver.shutdown().await;
    let unread = unread.lock().unwrap_or_else(PoisonError::into_inner).take();
    unread.map_or(Ok(()), Err)
}

/// A delivery for people.
fn sentence(told: &Received) -> String {
    let kind = told.event_type.as_deref().unwrap_or("something");
    match told.verified {
        Ok(()) if told.repeat => format!("{kind}, again ({})", told.id),
        Ok(()) => format!("{kind}, signature verified ({})\n  {}", told.id, told.body),
        Err(reason) => format!("refused: {reason}"),
    }
}

/// A delivery for programs.
fn line(told: &Received) -> String {
    let body: Value = serde_json::from_str(&told.body).unwrap_or_else(|_| json!(told.body));
    json!({ "id": told.id, "verified": told.verified.is_ok(), "repeat": told.repeat, "at": told.at, "body": body })
        .to_string()
}
