//! Log lines and metrics of the process.
//!
//! What must stay true: log lines go to standard error (standard output is for the output of commands); logging neither
//! blocks on a slow reader nor fails without one ([`writer`]); a panic is logged like anything else; no line contains a
//! secret or the URI of an RPC request (the doors ensure that; nothing is added here); histograms do not grow without
//! bound, provided that [`Metrics::upkeep`] runs.
//!
//! Called by `cli`, once, before anything else. It does not serve the metrics (`http` calls [`Metrics::render`]) or
//! decide what is measured.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing::Dispatch;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, fmt};

mod families;
mod json;
mod writer;

use json::JsonLines;
use writer::LogLines;

/// How often the recorder drains its histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// The buckets of every histogram whose name ends in `_seconds`.
const SECONDS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// One JSON object per line, with the line's fields at the top level.
    Json,
    /// For people; coloured if standard error is a terminal.
    Text,
}

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is invalid.
    #[error("the log filter is invalid: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// It was called twice.
    #[error("logging is already started")]
    Twice(#[from] tracing::dispatcher::SetGlobalDefaultError),
    /// The thread that writes could not be started.
    #[error("could not start the thread that writes logs")]
    Thread(#[from] io::Error),
}

/// The logs of this process, once started.
static LOGS: OnceLock<(LineFormat, LogLines)> = OnceLock::new();

/// Writes log lines that match `filter` to standard error, including panics. Once per process.
pub fn init_logs(filter: &str, format: LineFormat) -> Result<(), LogError> {
    let colour = io::IsTerminal::is_terminal(&io::stderr());
    let lines = LogLines::start(io::stderr())?;
    tracing::dispatcher::set_global_default(subscriber(filter, format, colour, lines.clone())?)?;
    LOGS.get_or_init(|| (format, lines));
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// The format of this process's log lines, if it logs.
pub fn format() -> Option<LineFormat> {
    LOGS.get().map(|(format, _)| *format)
}

/// Writes a sentence for a person between the log lines. Returns false if nothing is logged.
pub fn say(text: &str) -> bool {
    // It is queued, or counted as dropped.
    LOGS.get().is_some_and(|(_, lines)| lines.clone().write_all(format!("{text}\n").as_bytes()).is_ok())
}

/// Waits until everything logged so far is written, at most a second. Call it before the process ends.
pub fn flush() {
    if let Some((_, lines)) = LOGS.get() {
        lines.flush();
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let words = panic.payload_as_str().unwrap_or("without words");
    let place = panic.location().map(ToString::to_string);
    // Only if `RUST_BACKTRACE` asks for one.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(panic = words, place, backtrace, "a panic");
}

fn subscriber<W>(filter: &str, format: LineFormat, colour: bool, writer: W) -> Result<Dispatch, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(filter)?;
    // Its own errors about a writer would go through `eprintln!`, which panics if standard error is closed.
    let lines = fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    Ok(match format {
        LineFormat::Json => lines.json().event_format(JsonLines).into(),
        LineFormat::Text => lines.with_ansi(colour).with_target(false).into(),
    })
}

/// The metrics of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Records everything that the `metrics` macros measure from now on. Once per process.
    pub fn install() -> Result<Self, BuildError> {
        let handle = builder()?.install_recorder()?;
        families::register();
        Ok(Self(handle))
    }

    /// Metrics for a test: nothing is recorded in them.
    pub fn detached() -> Result<Self, BuildError> {
        Ok(Self(builder()?.build_recorder().handle()))
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Drains the histograms regularly until `stop` is cancelled.
    pub async fn upkeep(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.0.run_upkeep();
        }
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Stores what is written.
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(filter: &str, format: LineFormat) -> String {
        written(filter, format, || {
            let _span = tracing::info_span!("request", request_id = "req-1").entered();
            tracing::info!(status = 201, "answered");
            tracing::debug!("not wanted");
        })
    }

    fn written(filter: &str, format: LineFormat, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let dispatch = subscriber(filter, format, false, move || writer.clone()).unwrap();
        tracing::dispatcher::with_default(&dispatch, log);
        let written = sink.0.lock().unwrap().clone();
        String::from_utf8(written).unwrap()
    }

    #[test]
    fn json_lines_carry_the_request_id() {
        let written = lines("info", LineFormat::Json);
        let line: serde_json::Value = serde_json::from_str(written.trim()).expect("exactly one line of JSON");
        assert_eq!(line["message"], "answered");
        assert_eq!(line["status"], 201);
        assert_eq!(line["span"]["request_id"], "req-1");
        assert_eq!(line["level"], "INFO");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Fault(&'static str, #[source] Option<Box<Fault>>);

    fn fault() -> Fault {
        let innermost = Some(Box::new(Fault("the disk is full", None)));
        // Its message repeats that of its source and adds nothing.
        let repeated = Some(Box::new(Fault("the disk is full", innermost)));
        Fault("internal error", Some(Box::new(Fault("a row was not written", repeated))))
    }

    #[test]
    fn json_lines_carry_the_causes_of_an_error() {
        let fault = fault();
        let log = || tracing::warn!(error = &fault as &dyn std::error::Error, "a pass failed");
        let line = written("info", LineFormat::Json, log);
        let line: serde_json::Value = serde_json::from_str(line.trim()).expect("exactly one line of JSON");
        assert_eq!(line["error"], "internal error");
        assert_eq!(line["causes"], serde_json::json!(["a row was not written", "the disk is full"]));
        let alone = Fault("alone", None);
        let line =
            written("info", LineFormat::Json, || tracing::warn!(error = &alone as &dyn std::error::Error, "failed"));
        assert!(line.contains("alone") && !line.contains("causes"), "{line}");
    }

    #[test]
    fn text_lines_carry_them_too() {
        let fault = fault();
        let log = || tracing::warn!(error = &fault as &dyn std::error::Error, "a pass failed");
        let line = written("info", LineFormat::Text, log);
        assert!(line.contains("internal error") && line.contains("a row was not written, the disk is full"), "{line}");
    }

    #[test]
    fn json_keeps_the_kind_of_every_value() {
        let log = || tracing::info!(text = "a\nb", number = -1, much = 1.5, yes = true, of = ?Some(1), "all\u{1b}[1m");
        let line = written("info", LineFormat::Json, log);
        let line: serde_json::Value = serde_json::from_str(line.trim()).expect("exactly one line of JSON");
        assert_eq!((&line["text"], &line["number"]), (&"a\nb".into(), &(-1).into()));
        assert_eq!((&line["much"], &line["yes"], &line["of"]), (&1.5.into(), &true.into(), &"Some(1)".into()));
        assert_eq!(line["message"], "all\u{1b}[1m");
    }

    #[test]
    fn text_lines_can_be_read() {
        let written = lines("info", LineFormat::Text);
        assert!(written.contains("request_id=\"req-1\"") && written.contains("answered status=201"), "{written}");
        assert_eq!(lines("error", LineFormat::Text), "");
    }

    #[test]
    fn a_wrong_filter_is_refused() {
        assert!(subscriber("info,x=shout", LineFormat::Text, false, io::sink).is_err());
    }

    #[test]
    fn seconds_are_histograms() {
        let recorder = builder().unwrap().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            metrics::histogram!("ecg_request_seconds").record(0.02);
            metrics::counter!("ecg_requests_total").increment(2);
        });
        let text = recorder.handle().render();
        assert!(text.contains("ecg_request_seconds_bucket{le=\"0.025\"} 1"), "{text}");
        assert!(text.contains("ecg_requests_total 2"), "{text}");
    }

    #[tokio::test]
    async fn upkeep_ends_when_told() {
        let stop = CancellationToken::new();
        stop.cancel();
        Metrics::detached().unwrap().upkeep(stop).await;
    }
}
