//! How PostgreSQL executes our statements with 1,000,000 image caches: no scan of a whole table, no sort.
//!
//! The statements are the gateway's own: it is used through its doors, and its workers run, while `auto_explain` writes
//! the plan of each statement to the server's log. So no statement that such a walk reaches can be forgotten. The image
//! caches really exist; of what belongs to them (operations, transitions, events, audit entries) there is enough that
//! the planner never reads a whole table unnecessarily. Time is not measured.
#![cfg(test)]

mod log;
mod seed;
mod walk;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::gateway::{Setup, TestGateway};
use log::{StatementPlan, plans};

/// The maximum number of sorted rows: a few pages.
const SORTED: f64 = 200.0;
/// The maximum number of rows of a large table that one node of a plan reads: what a team has here, and a little more.
const READ: f64 = 1_100.0;
/// Statements that may sort more, but at most what one team has: filters without an index.
const MAY_SORT: [(&str, &str); 1] =
    [("spec -> 'tags'", "a team's list by tag: how many have it, the planner cannot know")];

/// What is wrong with a plan, if anything.
fn fault(plan: &StatementPlan, large: &[String]) -> Option<String> {
    let mut nodes = vec![&plan.root];
    while let Some(node) = nodes.pop() {
        let (kind, table) = (node["Node Type"].as_str().unwrap_or(""), node["Relation Name"].as_str().unwrap_or(""));
        let (number, large) =
            (|name: &str| node[name].as_f64().unwrap_or(0.0), large.iter().any(|large| large == table));
        let below: f64 = parts(node).map(|part| part["Actual Rows"].as_f64().unwrap_or(0.0)).sum();
        let read = (number("Actual Rows") + number("Rows Removed by Filter")) * number("Actual Loops");
        if kind == "Seq Scan" && large {
            return Some(format!("reads all of {table}"));
        }
        if large && read > READ {
            return Some(format!("reads {read} rows of {table} by {} {}", node["Index Name"], node["Index Cond"]));
        }
        if kind.ends_with("Sort") && below > SORTED && !MAY_SORT.iter().any(|(part, _)| plan.statement.contains(part)) {
            return Some(format!("sorts {below} rows by {}", node["Sort Key"]));
        }
        nodes.extend(parts(node));
    }
    None
}

fn parts(node: &Value) -> impl Iterator<Item = &Value> {
    node["Plans"].as_array().into_iter().flatten()
}

#[tokio::test]
async fn no_statement_reads_a_whole_table_or_sorts_at_a_million_image_caches() {
    let first = TestGateway::start().await;
    log::assert_there(&first).await;
    seed::run(&first).await;
    log::turn_on(&first).await;
    // Its connections are new, so they write their plans.
    let app = first.second_gateway(Setup::default()).await;
    walk::through_the_doors(&app).await;
    let bad = "SELECT count(*) FROM image_caches WHERE name = 'nobody'";
    log::explained(&app, bad).await;
    let (plans, large) = (plans(&first).await, seed::large_tables(&first).await);
    assert!(large.contains(&"image_caches".to_owned()), "{large:?}");
    let fault = |plan: &StatementPlan| Some((plan.statement.clone(), fault(plan, &large)?));
    let mut faults: BTreeMap<String, String> = plans.iter().filter_map(fault).collect();
    assert!(faults.remove(bad).is_some(), "a bad plan is told from a good one, among {}", plans.len());
    for needed in
        ["JOIN image_caches", "FROM image_caches WHERE team = ", "INSERT INTO audit_entries", "INSERT INTO events"]
    {
        assert!(plans.iter().any(|plan| plan.statement.contains(needed)), "{needed}: never seen");
    }
    let told: Vec<String> = faults.iter().map(|(statement, fault)| format!("{fault}:\n{statement}\n")).collect();
    assert!(told.is_empty(), "{} of {} plans:\n{}", told.len(), plans.len(), told.join("\n"));
}
