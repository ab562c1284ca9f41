//! A database that is restarted while a process runs: the process reconnects, and does not flood the log meanwhile.
#![cfg(test)]

use serde_json::json;

use crate::support::hook::Hook;
use crate::support::process::{ServeProcess, database, server, stand_in};

/// The limit for a minute; here for the whole lifetime of the process.
const FEW: usize = 100;

#[tokio::test]
async fn a_database_that_restarts_is_found_again_and_its_absence_fills_no_log() {
    let (postgres, options) = server(None).await;
    let socket = postgres.socket_dir().to_owned();
    let (url, cloud, hook) = (database(&postgres).await, stand_in().await, Hook::start().await);
    let mut gateway = ServeProcess::start(&url, &cloud.url());
    let address = gateway.address().await;
    let (ready, caches) = (format!("{address}/readyz"), format!("{address}/v1/image-caches"));
    gateway.until(&ready, 200).await;
    let endpoint = json!({"url": hook.url(), "event_types": ["image_cache.created"]});
    assert_eq!(gateway.post(&format!("{address}/v1/webhook-endpoints"), &endpoint).await, 201);
    let cache = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1.27"]});
    assert_eq!(gateway.post(&caches, &cache).await, 201);
    hook.wait_for(1).await;

    tokio::task::spawn_blocking(|| postgres.crash()).await.unwrap().unwrap();
    gateway.until(&ready, 503).await;
    gateway.until(&caches, 503).await;
    let (again, _) = server(Some(options)).await;
    assert_eq!(again.socket_dir(), socket, "where it was");
    gateway.until(&ready, 200).await;
    while gateway.post(&caches, &cache).await != 201 {}
    hook.wait_for(2).await;
    let lines: Vec<_> = gateway.said().into_iter().filter(|line| !line.contains("\"answered\"")).collect();
    assert!(lines.len() < FEW, "{}: {lines:#?}", lines.len());
    assert!(lines.iter().any(|line| line.contains("\"ERROR\"") || line.contains("\"WARN\"")), "it is said, though");
    drop(gateway);
    tokio::task::spawn_blocking(|| again.stop()).await.unwrap().unwrap();
}
