//! How PostgreSQL carries out our statements when there are 1,000,000 image caches: no scan of a whole table, no sort.
//!
//! The statements are the gateway's own: it is used through its doors, and its workers run, while `auto_explain` writes the
//! plan of each statement into the server's log. So none can be forgotten here that a walk through the doors reaches.
//! The image caches are really there; of what belongs to them (operations, transitions, events, entries of the audit)
//! there is enough that no planner reads a table whole that it need not. What is not measured here: time.
#![cfg(test)]

mod log;
mod seed;
mod walk;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::gateway::{Setup, TestGateway};
use log::{Plan, plans};

/// Statements that may sort, by how they begin, and why. What is sorted is bounded there by something else.
const MAY_SORT: &[(&str, &str)] = &[];

/// What is wrong with a plan, if anything is.
fn fault(plan: &Plan, large: &[String]) -> Option<String> {
    let mut nodes = vec![&plan.root];
    while let Some(node) = nodes.pop() {
        let (kind, table) = (node["Node Type"].as_str().unwrap_or(""), node["Relation Name"].as_str().unwrap_or(""));
        if kind == "Seq Scan" && large.iter().any(|large| large == table) {
            return Some(format!("reads all of {table}"));
        }
        let excused = MAY_SORT.iter().any(|(start, _)| plan.statement.starts_with(start));
        if kind.ends_with("Sort") && !excused {
            return Some(format!("sorts by {} (some {} rows)", node["Sort Key"], node["Plan Rows"]));
        }
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
    }
    None
}

#[tokio::test]
async fn no_statement_reads_a_whole_table_or_sorts_at_a_million_image_caches() {
    let first = TestGateway::start().await;
    seed::run(&first).await;
    if !log::turn_on(&first).await {
        eprintln!("left out: this server has no auto_explain, or its log is out of reach");
        return;
    }
    // Its connections are new, and loud.
    let app = first.second_gateway(Setup::default()).await;
    walk::through_the_doors(&app).await;
    let bad = "SELECT count(*) FROM image_caches WHERE name = 'nobody'";
    log::explained(&app, bad).await;
    let (plans, large) = (plans(&first).await, seed::large_tables(&first).await);
    assert!(large.contains(&"image_caches".to_owned()), "{large:?}");
    let mut faults: BTreeMap<&str, (String, &Value)> = BTreeMap::new();
    for plan in &plans {
        if let Some(fault) = fault(plan, &large) {
            faults.insert(&plan.statement, (fault, &plan.root));
        }
    }
    assert!(faults.remove(bad).is_some(), "a bad plan is told from a good one, among {}", plans.len());
    for needed in ["FROM image_caches WHERE team = $1 AND id = $2", "INSERT INTO audit_entries", "INSERT INTO events"] {
        assert!(plans.iter().any(|plan| plan.statement.contains(needed)), "{needed}: never seen");
    }
    let told: Vec<String> =
        faults.iter().map(|(statement, (fault, root))| format!("{fault}\n{statement}\n{root}\n")).collect();
    assert!(told.is_empty(), "{} of {} plans:\n{}", told.len(), plans.len(), told.join("\n"));
}
