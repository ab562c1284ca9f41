//! What is logged, and in which form.

use tracing_subscriber::EnvFilter;

use crate::config::kinds::{checked_text, choice};
use crate::config::section::section;

section! {
    /// What is logged, and in which form.
    LogConfig, "Logs";

    /// The log lines to write, as a filter of tracing.
    filter: String = checked_text("log", FILTERS, is_filter).or("info,sqlx=warn");

    /// The format of the log: `json`, one object per line, or `text`, for people.
    format: Option<LogFormat> = choice("log_format", "json or text", &FORMATS).otherwise(WITHOUT_FORMAT);
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// A line for people to read.
    Text,
}

const WITHOUT_FORMAT: &str = "`text` on a terminal, else `json`";
const FILTERS: &str = "a filter such as info or info,eci_cache_gateway=debug";
const FORMATS: [(&str, LogFormat); 2] = [("json", LogFormat::Json), ("text", LogFormat::Text)];

fn is_filter(text: &str) -> bool {
    EnvFilter::builder().parse(text).is_ok()
}
