//! The permissions that the gateway needs, and who is told if one is missing: in the cloud and in the database.
#![cfg(test)]

mod cloud;
mod command;
mod database;
mod grants;

use eci_cache_gateway::app;
use eci_cache_gateway::app::cloud_accounts::doctor::{AccountReport, RightVerdict};
use eci_cache_gateway::eci::ram::Right;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::gateway::{Setup, TestGateway};
use crate::support::setup::KEY;

/// The role that a gateway assumes.
const ROLE: &str = "acs:ram::1:role/caches";

/// A gateway for one region, whose key signs itself or assumes a role.
async fn start(role: Option<&'static str>) -> TestGateway {
    let regions = vec!["cn-beijing".parse().unwrap()];
    let settings = app::GatewaySettings { regions, ..Setup::default().settings };
    TestGateway::with(Setup { settings, role, ..Setup::default() }).await
}

/// Gives a policy to a key or a role in the stand-in.
async fn give(app: &TestGateway, to: &str, policy: &Value) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = json!({"to": to, "policy": policy});
    Answer::of(http.post(format!("{}/_admin/policies", app.cloud())).json(&body)).await.expect(200);
}

/// The report about the account of the settings.
async fn examined(app: &TestGateway, ask: bool) -> AccountReport {
    let (mut reports, unread) = app.gateway.cloud_accounts().examine_cloud(&[], ask).await;
    assert!(unread.is_none(), "{unread:?}");
    reports.remove(0)
}

/// Gives the key, and the role if there is one, the policies in the report, except for one right.
async fn give_printed(app: &TestGateway, without: Option<&Right>) {
    let report = examined(app, false).await;
    let whose = if report.role.is_some() { vec![KEY, ROLE] } else { vec![KEY] };
    assert_eq!(report.policies.len(), whose.len());
    for (to, needed) in whose.into_iter().zip(&report.policies) {
        let mut policy = serde_json::to_value(&needed.document).unwrap();
        let name = without.map(Right::name);
        for statement in policy["Statement"].as_array_mut().unwrap() {
            statement["Action"].as_array_mut().unwrap().retain(|action| name.as_deref() != action.as_str());
        }
        give(app, to, &policy).await;
    }
}

/// The missing rights in a report.
fn missing(report: &AccountReport) -> Vec<String> {
    let missing = report.checks.iter().filter(|check| check.verdict == RightVerdict::Missing);
    missing.map(|check| check.right.clone()).collect()
}
