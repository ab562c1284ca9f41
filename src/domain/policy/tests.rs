//! Every rule, tested by what it allows and what it refuses.

use serde_json::{Value, json};

use super::*;
use crate::domain::clock::Instant;
use crate::domain::image_cache::spec::ImageCacheSpec;

fn policy(rules: &Value) -> Policy {
    serde_json::from_value(rules.clone()).unwrap_or_else(|error| panic!("{rules}: {error}"))
}

fn spec(extra: &Value) -> ImageCacheSpec {
    let mut spec = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:1.27"]});
    spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

fn profile() -> RegionProfile {
    RegionProfile {
        id: "default:cn-beijing".parse().unwrap(),
        vswitch_ids: vec!["vsw-profile".into()],
        security_group_id: Some("sg-profile".into()),
        eip_instance_id: None,
        resource_group_id: Some("rg-profile".into()),
        zone_id: Some("cn-beijing-a".into()),
        version: 1,
        updated_at: Instant::UNIX_EPOCH,
    }
}

/// The refusals as `rule field`.
fn refusals(rules: &Value, extra: &Value, before: Option<&Value>) -> Vec<String> {
    let (spec, before) = (spec(extra), before.map(spec));
    let asked = ProposedChange { account: "default", spec: &spec, before: before.as_ref(), builds: true };
    let found = judge(&policy(rules), Some(&profile()), &asked, None, &Prices::default());
    found.into_iter().map(|refusal| format!("{} {}", refusal.rule, refusal.field).trim().to_owned()).collect()
}

#[test]
fn each_rule_refuses_what_it_is_for_and_nothing_else() {
    let none: &[&str] = &[];
    let acr = |id: &str, role: &str| json!({"acr_registries": [{"instance_id": id, "arn_user": role}]});
    let cases: Vec<(Value, Value, &[&str])> = vec![
        (json!({}), json!({}), none),
        (json!({"cloud_accounts": ["other"]}), json!({}), &["cloud_accounts"]),
        (json!({"cloud_accounts": ["default"]}), json!({}), none),
        (json!({"cloud_accounts": []}), json!({}), &["cloud_accounts"]),
        (json!({"regions": ["cn-hangzhou"]}), json!({}), &["regions /region"]),
        (json!({"regions": ["cn-hangzhou", "cn-beijing"]}), json!({}), none),
        // Refused unless it is listed, or is the profile's.
        (json!({}), json!({"vswitch_ids": ["vsw-profile", "vsw-1"]}), &["vswitch_ids /vswitch_ids/1"]),
        (json!({"vswitch_ids": ["vsw-1"]}), json!({"vswitch_ids": ["vsw-1"]}), none),
        (json!({"vswitch_ids": ["vsw-1"]}), json!({"vswitch_ids": ["vsw-11"]}), &["vswitch_ids /vswitch_ids/0"]),
        (json!({"vswitch_ids": ["*"]}), json!({"vswitch_ids": ["vsw-9"]}), none),
        (json!({}), json!({"security_group_id": "sg-1"}), &["security_group_ids /security_group_id"]),
        (json!({}), json!({"security_group_id": "sg-profile"}), none),
        (json!({"security_group_ids": ["sg-1"]}), json!({"security_group_id": "sg-1"}), none),
        (json!({}), json!({"eip_instance_id": "eip-1"}), &["eip_instance_ids /eip_instance_id"]),
        (json!({"eip_instance_ids": ["eip-1"]}), json!({"eip_instance_id": "eip-1"}), none),
        (json!({}), json!({"resource_group_id": "rg-1"}), &["resource_group_ids /resource_group_id"]),
        (json!({"resource_group_ids": ["rg-1"]}), json!({"resource_group_id": "rg-1"}), none),
        (
            json!({}),
            acr("cri-1", "acs:ram::1:role/r"),
            &["acr_instance_ids /acr_registries/0/instance_id", "role_arns /acr_registries/0/arn_user"],
        ),
        (
            json!({"acr_instance_ids": ["cri-1"]}),
            acr("cri-1", "acs:ram::1:role/r"),
            &["role_arns /acr_registries/0/arn_user"],
        ),
        (
            json!({"acr_instance_ids": ["*"], "role_arns": ["acs:ram::1:role/r"]}),
            acr("cri-1", "acs:ram::1:role/r"),
            none,
        ),
        (json!({"registries": ["nginx"]}), json!({}), none),
        (
            json!({"registries": ["r.example.com/a/*"]}),
            json!({"images": ["r.example.com/a/x:1", "redis:7"]}),
            &["registries /images/1"],
        ),
        (json!({"registries": []}), json!({}), &["registries /images/0"]),
        (json!({"registries": ["*"]}), json!({"images": ["UPPER/x"]}), &["registries /images/0"]),
        (
            json!({"allow_latest_tag": false}),
            json!({"images": ["nginx", "redis:latest", "x:1"]}),
            &["allow_latest_tag /images/0", "allow_latest_tag /images/1"],
        ),
        (json!({}), json!({"images": ["nginx"]}), none),
        (
            json!({"allow_latest_tag": false}),
            json!({"images": [format!("nginx:latest@sha256:{}", "a".repeat(64))]}),
            none,
        ),
        (json!({}), json!({"plain_http_registries": ["r"]}), &["allow_plain_http /plain_http_registries"]),
        (json!({"allow_plain_http": true}), json!({"plain_http_registries": ["r"]}), none),
        (json!({}), json!({"insecure_registries": ["r"]}), &["allow_insecure_registries /insecure_registries"]),
        (json!({"allow_insecure_registries": true}), json!({"insecure_registries": ["r"]}), none),
        (json!({"min_size_gib": 40}), json!({"size_gib": 30}), &["min_size_gib /size_gib"]),
        (json!({"min_size_gib": 40}), json!({"size_gib": 40}), none),
        (json!({"max_size_gib": 40}), json!({"size_gib": 41}), &["max_size_gib /size_gib"]),
        (json!({"max_retention_days": 30}), json!({"retention_days": 31}), &["max_retention_days /retention_days"]),
        (json!({"max_retention_days": 30}), json!({}), &["max_retention_days /retention_days"]),
        (json!({"max_retention_days": 30}), json!({"retention_days": 30}), none),
    ];
    for (rules, extra, expected) in cases {
        assert_eq!(refusals(&rules, &extra, None), expected, "{rules} {extra}");
    }
}

#[test]
fn everything_that_is_refused_is_told_at_once() {
    let extra = json!({"vswitch_ids": ["a"], "size_gib": 99, "images": ["nginx"], "insecure_registries": ["r"]});
    let rules = json!({"max_size_gib": 50, "allow_latest_tag": false, "regions": []});
    assert_eq!(refusals(&rules, &extra, None).len(), 5);
    let open = serde_json::to_value(Policy::open()).unwrap();
    assert_eq!(refusals(&open, &extra, None), [""; 0]);
}

#[test]
fn an_update_is_judged_by_what_it_changes() {
    let old =
        json!({"vswitch_ids": ["vsw-old"], "images": ["old:latest"], "size_gib": 90, "plain_http_registries": ["r"]});
    let with = |extra: Value| {
        let mut new = old.clone();
        new.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        new
    };
    let rules = json!({"max_size_gib": 50, "allow_latest_tag": false, "regions": [], "max_retention_days": 9});
    for (change, expected) in [
        (json!({"tags": {"a": "b"}}), vec![]),
        (json!({"size_gib": 80}), vec!["max_size_gib /size_gib"]),
        (json!({"size_gib": 50}), vec![]),
        (json!({"images": ["old:latest", "new:latest"]}), vec!["allow_latest_tag /images/1"]),
        (json!({"vswitch_ids": ["vsw-old", "vsw-new"]}), vec!["vswitch_ids /vswitch_ids/1"]),
        (json!({"retention_days": 10}), vec!["max_retention_days /retention_days"]),
    ] {
        assert_eq!(refusals(&rules, &with(change.clone()), Some(&old)), expected, "{change}");
    }
}

#[test]
fn what_is_left_out_is_filled_in() {
    let rules = policy(&json!({"min_size_gib": 40, "default_retention_days": 7, "max_retention_days": 30}));
    let (filled, names) = fill(&rules, Some(&profile()), &spec(&json!({})));
    assert_eq!(filled.vswitch_ids, ["vsw-profile"]);
    assert_eq!(
        (filled.size_gib, filled.retention_days, filled.zone_id.as_deref()),
        (Some(40), Some(7), Some("cn-beijing-a"))
    );
    let all = ["vswitch_ids", "zone_id", "security_group_id", "resource_group_id", "size_gib", "retention_days"];
    assert_eq!(names, all);
    let own = spec(
        &json!({"vswitch_ids": ["vsw-1"], "security_group_id": "sg-1", "resource_group_id": "rg-1", "size_gib": 50, "retention_days": 1}),
    );
    assert_eq!(fill(&rules, Some(&profile()), &own), (own.clone(), vec![]), "nothing is put over what was given");
    let longest = policy(&json!({"max_retention_days": 30}));
    assert_eq!(fill(&longest, None, &spec(&json!({}))).0.retention_days, Some(30));
    assert_eq!(fill(&Policy::default(), None, &spec(&json!({}))), (spec(&json!({})), vec![]));
}

fn over(rules: &Value, usage: Usage, extra: &Value, before: Option<&Value>) -> Vec<&'static str> {
    let prices = Prices::read("CNY", ["gib_month=1", "build=5"]).unwrap();
    let (spec, before) = (spec(extra), before.map(spec));
    let asked = ProposedChange { account: "default", spec: &spec, before: before.as_ref(), builds: true };
    judge(&policy(rules), None, &asked, Some(&usage), &prices).into_iter().map(|refusal| refusal.rule).collect()
}

#[test]
fn a_quota_refuses_what_goes_beyond_it() {
    let none: &[&str] = &[];
    let usage = Usage { image_caches: 2, total_gib: 60, month: "60".parse().unwrap() };
    let create = |rules: Value, extra: Value| over(&rules, usage, &extra, None);
    assert_eq!(create(json!({"max_image_caches": 3, "max_total_gib": 80, "monthly_budget": "85"}), json!({})), none);
    assert_eq!(create(json!({"max_image_caches": 2}), json!({})), ["max_image_caches"]);
    assert_eq!(create(json!({"max_total_gib": 80}), json!({"size_gib": 21})), ["max_total_gib"]);
    assert_eq!(create(json!({"monthly_budget": "84.99"}), json!({})), ["monthly_budget"]);
    let (small, large) = (json!({"size_gib": 30}), json!({"size_gib": 50}));
    let tight = json!({"max_image_caches": 1, "max_total_gib": 50, "monthly_budget": "62"});
    assert_eq!(over(&tight, usage, &large, Some(&small)), ["max_total_gib", "monthly_budget"]);
    assert_eq!(over(&tight, usage, &small, Some(&large)), none, "what shrinks is welcome");
}

#[test]
fn what_a_team_has_is_counted_and_priced() {
    let prices = Prices::read("CNY", ["gib_month=1", "build=5", "cn-hangzhou.build=7"]).unwrap();
    let shape = |extra: &Value| Shape::of(&spec(extra));
    let holdings = Holdings {
        shapes: vec![(shape(&json!({})), 2), (shape(&json!({"size_gib": 30, "flash": true})), 1)],
        builds: vec![("cn-beijing".parse().unwrap(), 2), ("cn-hangzhou".parse().unwrap(), 1)],
    };
    let usage = holdings.usage(&prices);
    assert_eq!((usage.image_caches, usage.total_gib, usage.month.to_string().as_str()), (3, 70, "87.00"));
    assert_eq!(shape(&json!({"flash": true})).flash_copies, 1);
    assert_eq!(
        shape(&json!({"flash_copy_count": 3, "standard_copy_count": 2})),
        Shape { region: "cn-beijing".parse().unwrap(), size_gib: 20, standard_copies: 2, flash_copies: 3 }
    );
}

#[test]
fn what_an_administrator_writes_is_checked() {
    let wrong = |rules: Value| -> Vec<String> {
        policy(&rules).check(false).err().unwrap_or_default().into_iter().map(|error| error.field).collect()
    };
    assert_eq!(wrong(serde_json::to_value(Policy::open()).unwrap()), [""; 0]);
    for (rules, field) in [
        (json!({"min_size_gib": 19}), "/min_size_gib"),
        (json!({"min_size_gib": 50, "max_size_gib": 40}), "/min_size_gib"),
        (json!({"default_retention_days": 9, "max_retention_days": 8}), "/default_retention_days"),
        (json!({"max_image_caches": -1}), "/max_image_caches"),
        (json!({"monthly_budget": "1"}), "/monthly_budget"),
        (json!({"vswitch_ids": ["vsw-*"]}), "/vswitch_ids/0"),
        (json!({"role_arns": ["a", "a"]}), "/role_arns"),
        (json!({"cloud_accounts": [""]}), "/cloud_accounts/0"),
    ] {
        assert_eq!(wrong(rules.clone()), [field], "{rules}");
    }
    assert_eq!(policy(&json!({"monthly_budget": "1"})).check(true), Ok(()));
    for bad in [
        json!({"registry": []}),
        json!({"regions": null}),
        json!({"monthly_budget": 5}),
        json!({"registries": ["a:1"]}),
    ] {
        assert!(serde_json::from_value::<Policy>(bad.clone()).is_err(), "{bad}");
    }
}
