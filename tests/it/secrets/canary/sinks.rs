//! Everything that a secret could come out of: logs, metrics, the whole database, and what was said over HTTP.

use std::io::Write;
use std::sync::{Arc, Mutex};

use metrics_exporter_prometheus::PrometheusBuilder;
use sqlx::{AssertSqlSafe, PgPool};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::answer::Answer;

/// Bytes that many write to.
#[derive(Clone, Default)]
pub(crate) struct Tape(Arc<Mutex<Vec<u8>>>);

impl Tape {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    /// Keeps an answer, head and body.
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

/// Every line that this thread logs from now on, in both forms; a test's gateway runs on its thread alone.
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

/// Each row's columns, one below the other and unescaped; one that is JSON stays so.
fn sql_of(table: &str) -> String {
    format!("SELECT (SELECT string_agg(value, E'\\n') FROM jsonb_each_text(to_jsonb(t))) FROM {table} t")
}

/// All rows of all tables as text (which shows bytes as hex), and every run of hex as the bytes that it means.
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
