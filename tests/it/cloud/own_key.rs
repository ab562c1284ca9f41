//! A cloud that does not accept the gateway's own access key: only the operator can fix this, and nobody else is
//! blamed.
#![cfg(test)]

use serde_json::json;

use crate::rpc::client::{RpcKey, error};
use crate::support::gateway::TestGateway;

const CODES: [(u16, &str); 4] = [
    (400, "SignatureDoesNotMatch"),
    (404, "InvalidAccessKeyId.NotFound"),
    (403, "InvalidAccessKeyId.Inactive"),
    (403, "Forbidden.AccessKeyDisabled"),
];
const NEW: [(&str, &str); 3] = [("RegionId", "cn-beijing"), ("ImageCacheName", "web"), ("Image.1", "nginx:1.27")];

#[tokio::test]
async fn the_team_hears_that_it_is_not_theirs_to_mend() {
    let app = TestGateway::start().await;
    for (http, code) in CODES {
        app.fault(&json!({"action": "CreateImageCache", "kind": "error", "http": http, "code": code})).await;
        let problem = app.create("nginx:1.27").await.problem(403, "cloud_refused");
        assert_eq!((&problem["cause"], &problem["provider_code"]), (&json!("gateway_key"), &json!(code)));
        assert_eq!(problem["retryable"], false);
        let told = format!("{} {}", problem["explanation"], problem["hint"]);
        assert!(told.contains("tell the gateway's administrators") && !told.contains("debt"), "{told}");
    }
    assert_eq!(app.creations().await, 0);
}

#[tokio::test]
async fn through_the_clouds_own_api_it_is_not_taken_for_the_callers_key() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    for (http, code) in CODES {
        app.fault(&json!({"action": "CreateImageCache", "kind": "error", "http": http, "code": code})).await;
        let refused = error(&key.post(&app, "CreateImageCache", &NEW).await, 503, "ServiceUnavailable");
        let message = refused["Message"].as_str().unwrap();
        assert!(message.contains("the gateway's own key") && message.contains(code), "{message}");
    }
}
