//! The columns whose values are from a list, according to the catalog; each has a test with an unknown value.

use sqlx::{FromRow, PgPool};

use crate::support::database::TestDatabase;

/// All such columns, each with the test that writes an unknown value.
const COVERED: [(&str, &str); 7] = [
    ("audit_entries.outcome", "what_is_kept_of_teams_and_requests_is_listed_beside_unknown_words"),
    ("image_caches.status", "an_image_cache_with_an_unknown_status_stops_no_other"),
    ("operations.held", "an_operation_of_an_unknown_kind_stops_no_claim"),
    ("operations.kind", "an_operation_of_an_unknown_kind_stops_no_claim"),
    ("operations.state", "operations_in_an_unknown_state_stop_no_other"),
    ("owed_answers.state", "an_answer_that_is_owed_by_an_unknown_word_is_left_alone"),
    ("webhook_endpoints.format", "what_is_told_goes_on_beside_unknown_words"),
];

/// A column with a list of values.
#[derive(Debug, FromRow)]
pub(super) struct WordList {
    pub(super) relation: String,
    pub(super) constraint: String,
    pub(super) column: String,
}

/// All of them. Partitions are covered by their parent.
pub(super) async fn lists(pool: &PgPool) -> Vec<WordList> {
    sqlx::query_as(
        "SELECT c.conrelid::regclass::text AS relation, c.conname::text AS constraint, a.attname::text AS column
         FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
         WHERE c.contype = 'c' AND c.connamespace = 'public'::regnamespace AND c.coninhcount = 0
           AND pg_get_constraintdef(c.oid) ~ '= ANY \\(+ARRAY' ORDER BY 1, 3",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn every_column_with_a_list_of_words_has_a_test_with_another_word() {
    let database = TestDatabase::create().await;
    let pool = database.pool(1).await;
    let found: Vec<String> =
        lists(&pool).await.into_iter().map(|list| format!("{}.{}", list.relation, list.column)).collect();
    let covered: Vec<&str> = COVERED.iter().map(|(column, _)| *column).collect();
    assert_eq!(found, covered, "write a test with a word of tomorrow for it, and name it here");
    let source = [include_str!("words.rs"), include_str!("owed_answers.rs")].concat();
    for (column, test) in COVERED {
        assert!(source.contains(&format!("async fn {test}()")), "{column}: there is no test {test}");
    }
    pool.close().await;
}
