//! All output that could contain a secret: logs, metrics, the whole database, and the responses over HTTP.

use std::io::Write;
use std::sync::{Arc, Mutex};

use metrics_exporter_prometheus::PrometheusBuilder;
use sqlx::{AssertSqlSafe, PgPool};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::answer::Answer;

/// A shared byte buffer.
#[derive(Clone, Default)]
pub(crate) struct Tape(Arc<Mutex<Vec<u8>>>);

impl Tape {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    /// Records a response, head and body.
    pub(super) fn hear(&self, answer: Answer) -> Answer {
        let text = format!("{} {:?}\n{}\n", answer.status, answer.headers, answer.text);
        self.0.lock().unwrap().extend(text.into_bytes());
        answer
    }
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Tape {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Every line that this thread logs from now on, in both formats; a test's gateway runs on its thread only.
pub(crate) fn logs() -> (Tape, tracing::subscriber::DefaultGuard) {
    let tape = Tape::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::new("info,eci_cache_gateway=trace"))
        .with_writer(tape.clone());
    (tape, tracing::subscriber::set_default(subscriber.finish()))
}

/// Every metric of this thread from now on.
pub(crate) struct Meter(metrics_exporter_prometheus::PrometheusRecorder);

impl Meter {
    pub(crate) fn new() -> Self {
        Self(PrometheusBuilder::new().build_recorder())
    }

    pub(crate) fn listen(&self) -> metrics::LocalRecorderGuard<'_> {
        metrics::set_default_local_recorder(&self.0)
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        self.0.handle().render().into_bytes()
    }
}

/// The columns of each row, one below the other and unescaped; JSON is left as it is.
fn sql_of(table: &str) -> String {
    format!("SELECT (SELECT string_agg(value, E'\\n') FROM jsonb_each_text(to_jsonb(t))) FROM {table} t")
}

/// All rows of all tables as text (in which bytes are hex), and every sequence of hex decoded to bytes.
pub(crate) async fn dump(sql: &PgPool) -> Vec<u8> {
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(sql)
            .await
            .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut all = Vec::new();
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql_of(&table))).fetch_all(sql).await.unwrap();
        for row in rows {
            all.extend(format!("{table}: {row}\n").into_bytes());
            for hex in row.split("\\x").skip(1) {
                let digits: Vec<u8> = hex.bytes().take_while(u8::is_ascii_hexdigit).collect();
                let pairs = digits.chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
                all.extend(pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()));
                all.push(b'\n');
            }
        }
    }
    all
}
