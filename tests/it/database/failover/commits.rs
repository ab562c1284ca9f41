//! Commits are synchronous, whatever happens to the server's configuration while a gateway runs.

use std::sync::Arc;

use futures_util::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::task::JoinHandle;

use super::standby::{StandbySetup, create};

/// Until a session of the role waits for a standby; `who` must not be done before that.
async fn until_waiting<T>(setup: &StandbySetup, role: &str, who: &JoinHandle<T>) {
    let mut admin = PgConnection::connect(&setup.pair.primary().unwrap().database_url()).await.unwrap();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = $1";
    while sqlx::query_scalar::<_, i64>(waiting).bind(role).fetch_one(&mut admin).await.unwrap() == 0 {
        assert!(!who.is_finished(), "{role} did not wait for its commit");
    }
}

#[tokio::test]
async fn sessions_wait_for_their_commits_also_once_the_server_is_told_that_none_has_to() {
    let setup = StandbySetup::build("relaxed").await;
    let (url, database) = (setup.at("/v1/image-caches"), setup.pair.primary().unwrap().database_url());
    // New sessions set it themselves, so all sessions are opened now.
    let names: Vec<String> = (0..60).map(|number| format!("before-{number}")).collect();
    join_all(names.iter().map(|name| create(&setup.gateway, &url, name))).await;
    setup.pair.set("synchronous_commit = off").await.unwrap();
    // Waiting for a commit now means waiting for a standby that does not exist.
    setup.pair.set("synchronous_standby_names = 'nobody'").await.unwrap();
    let own = tokio::spawn(async move {
        let mut admin = PgConnection::connect(&database).await.unwrap();
        admin.execute("SET synchronous_commit = on; CREATE TABLE of_our_own ()").await.unwrap();
    });
    until_waiting(&setup, "eci", &own).await;
    let gateway = Arc::clone(&setup.gateway);
    let created = tokio::spawn(async move { create(&gateway, &url, "relaxed").await });
    until_waiting(&setup, "eci_runtime", &created).await;
    setup.pair.set("synchronous_standby_names = ''").await.unwrap();
    let _both = (created.await.unwrap(), own.await.unwrap());
    setup.end().await;
}
