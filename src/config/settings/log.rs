//! The log's filter and format.

use tracing_subscriber::EnvFilter;

use crate::config::kinds::{checked_text, choice};
use crate::config::section::section;

section! {
    /// The log's filter and format.
    LogConfig, "Logs";

    /// The log lines to write, as a filter of tracing.
    filter: String = checked_text("log", FILTERS, is_filter).or("info,sqlx=warn");

    /// The format of the log: `json`, one object per line, or `text`, for people.
    format: Option<LogFormat> = choice("log_format", "json or text", &FORMATS).otherwise(WITHOUT_FORMAT);
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Lines for people.
    Text,
}

const WITHOUT_FORMAT: &str = "`text` on a terminal, else `json`";
const FILTERS: &str = "a filter such as info or info,eci_cache_gateway=debug";
const FORMATS: [(&str, LogFormat); 2] = [("json", LogFormat::Json), ("text", LogFormat::Text)];

fn is_filter(text: &str) -> bool {
    EnvFilter::builder().parse(text).is_ok()
}
