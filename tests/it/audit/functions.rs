//! Database functions that the runtime role may call, with arguments and in circumstances that a gateway never has:
//! none of them deletes recent data, creates more than it should, or executes anything as another role.
#![cfg(test)]

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::database::TestDatabase;

/// Every function that the runtime role may call, except triggers; each is tested in this file.
const CALLED: [&str; 5] = [
    "audit_make_months()",
    "delivery_attempts_upkeep(interval)",
    "delivery_attempts_upkeep(timestamp with time zone,timestamp with time zone)",
    "feed_begin_life()",
    "feed_life(bigint)",
];
/// Days with a partition of their own.
const DAYS: &str = "SELECT count(*) FROM pg_class WHERE relname ~ '^delivery_attempts_[0-9]+$'";
const MONTHS: &str = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_entries'::regclass";

/// A database, and connections of its owner and its runtime role.
async fn database() -> (TestDatabase, PgConnection, PgConnection) {
    let database = TestDatabase::create().await;
    let owner = PgConnection::connect_with(&database.options).await.unwrap();
    let runtime = PgConnection::connect_with(&database.as_runtime()).await.unwrap();
    (database, owner, runtime)
}

async fn run(connection: &mut PgConnection, sql: &str) {
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The server's error message; empty if there was none.
async fn told(connection: &mut PgConnection, sql: &str) -> String {
    let done = connection.execute(AssertSqlSafe(sql.to_owned())).await;
    done.err().map(|error| error.to_string()).unwrap_or_default()
}

async fn count(connection: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

/// Creates the partition for `age` days ago, with an attempt in it.
async fn attempt_of(owner: &mut PgConnection, age: u32) {
    let sql = format!(
        "DO $$
         DECLARE day date := (now() AT TIME ZONE 'UTC')::date - {age};
         BEGIN
             EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF delivery_attempts FOR VALUES FROM (%L) TO (%L)',
                 'delivery_attempts_' || to_char(day, 'YYYYMMDD'), day || ' 00:00+00', day + 1 || ' 00:00+00');
             INSERT INTO delivery_attempts (delivery, number, outcome, at)
                 VALUES (gen_random_uuid(), 1, 'delivered', now() - interval '{age} days');
         END $$"
    );
    run(owner, &sql).await;
}

#[tokio::test]
async fn each_that_the_role_may_call_is_known_and_looks_nowhere_else() {
    let (_database, mut owner, _runtime) = database().await;
    let sql = "SELECT p.oid::regprocedure::text FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prorettype <> 'trigger'::regtype
          AND has_function_privilege('eci_runtime', p.oid, 'EXECUTE') ORDER BY 1";
    let called: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut owner).await.unwrap();
    assert_eq!(called, CALLED);
    // Those that run as their owner must have a search_path with only the server's schema, temporary ones last; and
    // nobody else may call them.
    let sql = "SELECT p.oid::regprocedure::text FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
          AND (NOT coalesce(p.proconfig, '{}') @> '{\"search_path=pg_catalog, pg_temp\"}'
               OR has_function_privilege('public', p.oid, 'EXECUTE'))";
    assert_eq!(sqlx::query_scalar::<_, String>(sql).fetch_all(&mut owner).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn attempts_go_by_the_databases_clock_alone() {
    let (_database, mut owner, mut runtime) = database().await;
    for age in [29, 31] {
        attempt_of(&mut owner, age).await;
    }
    let stray = "INSERT INTO delivery_attempts_default (delivery, number, outcome, at)
        VALUES (gen_random_uuid(), 1, 'delivered', now() - interval '3 days')";
    run(&mut owner, stray).await;
    let kept = "SELECT count(*) FROM delivery_attempts WHERE at > now() - interval '30 days'";
    for hostile in [
        "now() + interval '100 years', now() + interval '99 years'",
        "now() + interval '100 years', now()",
        "now() + interval '2 days', now() + interval '1 day'",
        "'infinity', '9999-12-31'",
        "now(), now() - interval '1 day'",
    ] {
        told(&mut runtime, &format!("SELECT delivery_attempts_upkeep({hostile})")).await;
        assert_eq!(count(&mut owner, kept).await, 2, "{hostile}");
    }
    for hostile in ["interval '-100 years'", "interval '0'", "interval '1 second'"] {
        told(&mut runtime, &format!("SELECT delivery_attempts_upkeep({hostile})")).await;
        assert_eq!(count(&mut owner, kept).await, 2, "{hostile}");
    }
    assert_eq!(count(&mut owner, "SELECT count(*) FROM delivery_attempts").await, 2, "what is old goes as ever");
}

#[tokio::test]
async fn no_clock_and_no_repetition_make_more_days_than_there_are() {
    let (_database, mut owner, mut runtime) = database().await;
    for year in [1, 1000, 1900, 2001, 2026, 2100, 9000] {
        let sql = format!("SELECT delivery_attempts_upkeep('{year:04}-05-01 00:00+00', '{year:04}-03-01 00:00+00')");
        told(&mut runtime, &sql).await;
    }
    for edge in ["'-infinity', '-infinity'", "'infinity', '-infinity'", "NULL, NULL", "now(), NULL"] {
        told(&mut runtime, &format!("SELECT delivery_attempts_upkeep({edge})")).await;
    }
    told(&mut runtime, "SELECT delivery_attempts_upkeep(NULL)").await;
    assert!(count(&mut owner, DAYS).await <= 4, "today and two to come, over midnight one more");
    // The database may be a clone of one that was created a month ago.
    run(&mut runtime, "SELECT audit_make_months()").await;
    let months = count(&mut owner, MONTHS).await;
    for _ in 0..20 {
        run(&mut runtime, "SELECT audit_make_months(), feed_begin_life(), feed_life(-9), feed_life(NULL)").await;
    }
    assert_eq!(count(&mut owner, MONTHS).await, months);
    assert_eq!(count(&mut owner, "SELECT count(*) FROM feed_lives").await, 1);
}

#[tokio::test]
async fn when_nothing_shall_be_forgotten_nothing_is() {
    let (_database, mut owner, mut runtime) = database().await;
    attempt_of(&mut owner, 400).await;
    run(&mut runtime, "SELECT delivery_attempts_upkeep(NULL::interval)").await;
    assert_eq!(count(&mut owner, "SELECT count(*) FROM delivery_attempts").await, 1);
    run(&mut runtime, "SELECT delivery_attempts_upkeep(interval '31 days')").await;
    assert_eq!(count(&mut owner, "SELECT count(*) FROM delivery_attempts").await, 0);
}

/// Attempts of the role to hijack a function that runs as its owner: temporary relations with the names of ours, with
/// triggers, and functions that match a call better than the server's own.
const TRAPS: [&str; 8] = [
    "CREATE FUNCTION pg_temp.trap() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$",
    "CREATE TEMP TABLE feed_lives (first_seq bigint, server text, begun_at timestamptz)",
    "CREATE TRIGGER trap BEFORE INSERT ON pg_temp.feed_lives FOR EACH ROW EXECUTE FUNCTION pg_temp.trap()",
    "CREATE TEMP TABLE delivery_attempts_default (at timestamptz)",
    "CREATE FUNCTION public.to_char(date, text) RETURNS text LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$",
    "CREATE FUNCTION public.make_interval(months integer) RETURNS interval LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$",
    "CREATE FUNCTION public.nextval(text) RETURNS bigint LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$",
    "CREATE FUNCTION public.generate_series(date, date, interval) RETURNS SETOF timestamp LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'ran as %', current_user; END $$",
];

#[tokio::test]
async fn nothing_that_the_role_puts_in_the_way_runs_as_the_owner() {
    let (database, mut owner, mut runtime) = database().await;
    // As every role may on servers before 15, and wherever PUBLIC kept its default privileges.
    run(&mut owner, "GRANT CREATE ON SCHEMA public TO eci_runtime").await;
    run(&mut owner, &format!("GRANT TEMPORARY ON DATABASE {} TO eci_runtime", database.name)).await;
    for trap in TRAPS {
        run(&mut runtime, trap).await;
    }
    for call in [
        "feed_begin_life()",
        "audit_make_months()",
        "delivery_attempts_upkeep(now(), now() - interval '40 days')",
        "delivery_attempts_upkeep(interval '40 days')",
    ] {
        let said = told(&mut runtime, &format!("SELECT {call}")).await;
        assert!(!said.contains("ran as"), "{call}: {said}");
    }
    // Everything else still works: missing months and days are created.
    run(&mut owner, "DELETE FROM feed_lives").await;
    told(&mut runtime, "SELECT feed_begin_life()").await;
    assert_eq!(count(&mut owner, "SELECT count(*) FROM feed_lives").await, 1);
}
