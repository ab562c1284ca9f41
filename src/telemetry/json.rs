//! Log lines as JSON objects: the event's fields at the top level, an error's causes as an array.
//!
//! ```json
//! {"timestamp":"…","level":"WARN","message":"a pass failed","error":"internal error","causes":["…","…"],
//!  "target":"…","span":{"request_id":"…","name":"request"}}
//! ```
//!
//! tracing-subscriber's own JSON format prints an error without its causes.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The maximum number of causes that are printed.
const CAUSES: usize = 32;

/// Formats each event as one line with a JSON object, its fields at the top level.
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Map::new();
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        line.insert("timestamp".into(), timestamp.into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        event.record(&mut FieldVisitor(&mut line));
        line.insert("target".into(), event.metadata().target().into());
        // The current span has the request id; a list of all spans would repeat it.
        if let Some(span) = context.lookup_current() {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().and_then(|text| serde_json::from_str(text).ok());
            let mut fields: Map<String, Value> = fields.unwrap_or_default();
            fields.insert("name".into(), span.name().into());
            line.insert("span".into(), fields.into());
        }
        writeln!(to, "{}", Value::Object(line))
    }
}

/// Collects the fields of one event.
struct FieldVisitor<'a>(&'a mut Map<String, Value>);

impl FieldVisitor<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name();
        self.0.insert(name.strip_prefix("r#").unwrap_or(name).to_owned(), value.into());
    }
}

impl Visit for FieldVisitor<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.put(field, value.to_string());
        let causes = causes(value);
        if !causes.is_empty() {
            self.0.insert("causes".into(), json!(causes));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// The causes of an error, outermost first. A cause whose message is contained in the one that wraps it is left out.
fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let (mut said, mut next) = (error.to_string(), error.source());
    let mut causes: Vec<String> = Vec::new();
    while let Some(cause) = next
        && causes.len() < CAUSES
    {
        let text = cause.to_string();
        if !said.contains(&text) {
            causes.push(text.clone());
            said = text;
        }
        next = cause.source();
    }
    causes
}
