//! `doctor cloud` for people and programs: sentences, JSON, exit codes, and no secrets.
#![cfg(test)]

use serde_json::{Value, json};

use crate::database::{address, ended};
use crate::support::answer::Answer;
use crate::support::database::TestDatabase;
use crate::support::process::{KEY, command, stand_in};

#[tokio::test]
async fn it_says_what_is_there_what_is_missing_and_what_to_add() {
    let (database, cloud) = (TestDatabase::create().await, stand_in().await);
    let address = address(&database, "eci_runtime").await;
    let doctor = async |words: &[&str], more: &[(&str, &str)]| {
        let mut doctor = command("doctor", &address, &cloud.url());
        doctor.arg("cloud").args(words).env("ECG_CLOUD_REGIONS", "cn-beijing,cn-shanghai").envs(more.iter().copied());
        let (code, said) = ended(doctor).await;
        assert!(!said.contains(KEY), "{said}");
        (code, said)
    };
    let (code, said) = doctor(&[], &[]).await;
    assert_eq!(code, Some(0), "{said}");
    insta::assert_snapshot!("doctor_cloud", said.replace(&cloud.url(), "[cloud]"));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let policy = json!({"to": KEY, "policy": {"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": ["eci:CreateImageCache", "eci:Describe*", "eci:UpdateImageCache", "eci:ListUsage"], "Resource": "*"}]}});
    Answer::of(http.post(format!("{}/_admin/policies", cloud.url())).json(&policy)).await.expect(200);
    let (code, said) = doctor(&["--region", "cn-beijing"], &[]).await;
    let missing = "cn-beijing: the key may not eci:DeleteImageCache, which is needed to delete image caches, and what a lost \
                   create left behind (Forbidden.RAM; eci:DeleteImageCache, ImplicitDeny, AccountLevelIdentityBasedPolicy): \
                   add it to the policy of the RAM user of the access key.";
    assert!(code == Some(1) && said.contains(missing) && !said.contains("cn-shanghai: "), "{code:?} {said}");

    let (code, said) = doctor(&["--json"], &[]).await;
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["fine"]), (Some(1), &json!(false)));
    let checks = report["accounts"][0]["checks"].as_array().unwrap();
    let missing: Vec<_> =
        checks.iter().filter(|check| check["verdict"] == "missing").map(|check| &check["region"]).collect();
    assert_eq!(missing, ["cn-beijing", "cn-shanghai"]);
    assert_eq!(report["accounts"][0]["policies"][0]["document"]["Version"], "1");

    // The policies are printed before there is anything to check.
    let role = [
        ("ECG_CLOUD_ROLE_ARN", "acs:ram::1234567890123456:role/caches"),
        ("ECG_CLOUD_STS_ENDPOINT", "http://127.0.0.1:1"),
    ];
    let (code, said) = doctor(&["--policy-only"], &role).await;
    assert!(code == Some(0) && said.contains("acs:eci:cn-beijing:1234567890123456:imagecache/*"), "{said}");
    let (code, said) = doctor(&[], &role).await;
    assert!(code == Some(1) && said.contains("could not check whether sts:AssumeRole is allowed"), "{said}");
}

#[tokio::test]
async fn wrong_settings_and_a_database_that_is_away_are_told_apart() {
    let cloud = stand_in().await;
    let mut unset = command("doctor", "postgres://eci_runtime@127.0.0.1:1/eci", &cloud.url());
    unset.arg("cloud").env_remove("ECG_CLOUD_ACCESS_KEY_SECRET");
    let (code, said) = ended(unset).await;
    assert!(code == Some(2) && said.contains("ECG_CLOUD_ACCESS_KEY_SECRET"), "{code:?} {said}");
    let mut away = command("doctor", "postgres://eci_runtime@127.0.0.1:1/eci", &cloud.url());
    away.arg("cloud");
    let (code, said) = ended(away).await;
    assert!(code == Some(1) && said.contains("The accounts that were added to the gateway cannot be read"), "{said}");
    assert!(said.contains("eci:DescribeImageCaches is allowed."), "{said}");
}
