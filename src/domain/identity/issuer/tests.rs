//! Issuers and rules: what is refused, what matches, and which scopes words give.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::explanation::PointerFinding;
use super::rules::{CompiledRules, Unjudged, WhyNoTeam};
use super::subject::NoSubject;
use super::{DEFAULT, Issuer, glob, preset, subject};
use crate::domain::field::FieldCode;
use crate::domain::identity::caller::Scope;

fn issuer(rule: &Value) -> Issuer {
    serde_json::from_value(
        json!({"name": "sso", "issuer": "https://sso.example", "audiences": ["us"], "rules": [rule]}),
    )
    .unwrap()
}

fn wrong(issuer: &Issuer) -> Vec<String> {
    issuer
        .check()
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(|error| format!("{} {}", error.field, error.code.as_str()))
        .collect()
}

fn claims(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn a_star_ends_at_a_slash_and_two_do_not() {
    for (pattern, text, holds) in [
        ("my-org/app", "my-org/app", true),
        ("my-org/app", "my-org/app2", false),
        ("my-org/*", "my-org/app", true),
        ("my-org/*", "my-org/", true),
        ("my-org/*", "my-org/a/b", false),
        ("my-org/*", "my-org-evil/app", false),
        ("my-org/**", "my-org/a/b", true),
        ("**/app", "a/b/app", true),
        ("*/app", "a/b/app", false),
        ("a*c**e", "abcd/de", true),
        ("*", "", true),
        ("", "", true),
        ("", "a", false),
        ("ab*b", "abb", true),
        ("ab*b", "ab", false),
        ("é*", "éa", true),
    ] {
        assert_eq!(glob::matches(pattern, text), holds, "{pattern} {text}");
    }
    let stars = "*a".repeat(128);
    assert!(glob::matches(&stars, &"a".repeat(1_024)), "the longest text that is looked at");
    assert!(!glob::matches(&stars, &"a".repeat(1_025)), "a longer one is not");
    assert!(glob::matches("**", &"a".repeat(1_025)), "but by what stands for anything");
}

#[test]
fn a_rule_that_matches_everybody_must_say_so() {
    let team = json!({"fixed": "web"});
    for (matches, everybody) in [
        (json!({}), true),
        (json!({"/repository": ["*"]}), true),
        (json!({"/repository": ["my-org/app", "**"]}), true),
        (json!({"/repository": ["***"]}), true),
        (json!({"/iss": ["https://sso.example"]}), true),
        (json!({"/iss": ["https://**"], "/aud": ["us", "others"]}), true),
        (json!({"/repository": ["my-org/*"]}), false),
        (json!({"/repository": ["*"], "/ref": ["refs/heads/main"]}), false),
        (json!({"/aud": ["other"]}), false),
    ] {
        let rule = json!({"name": "r", "match": matches, "team": team});
        let expected: &[&str] = if everybody { &["/rules/0/match matches_anybody"] } else { &[] };
        assert_eq!(wrong(&issuer(&rule)), expected, "{rule}");
        let mut said = rule.clone();
        said["matches_anybody"] = json!(true);
        assert_eq!(wrong(&issuer(&said)), Vec::<String>::new(), "{rule}");
    }
}

#[test]
fn what_is_wrong_is_told_by_pointer() {
    let good = json!({"name": "r", "match": {"/a": ["b"]}, "team": {"fixed": "web"}});
    let cases = [
        (json!({"name": "R"}), "/rules/0/name invalid"),
        (json!({"match": {"a": ["b"]}}), "/rules/0/match/a invalid"),
        (json!({"match": {"/a": []}}), "/rules/0/match/~1a out_of_range"),
        (json!({"match": {"/a": ["\u{202e}"]}}), "/rules/0/match/~1a/0 invalid"),
        (json!({"match": {"/a~2": ["b"]}}), "/rules/0/match/~1a~02 invalid"),
        (json!({"team": {}}), "/rules/0/team required"),
        (json!({"team": {"fixed": "web", "claims": ["/team"]}}), "/rules/0/team required"),
        (json!({"team": {"fixed": "Web"}}), "/rules/0/team/fixed invalid"),
        (json!({"team": {"fixed": "web", "pattern": "(a)"}}), "/rules/0/team invalid"),
        (json!({"team": {"claims": ["/team"], "pattern": "("}}), "/rules/0/team/pattern invalid"),
        (json!({"team": {"claims": ["/team"], "pattern": "a)|(b"}}), "/rules/0/team/pattern invalid"),
        (json!({"team": {"claims": ["/team"], "pattern": "a"}}), "/rules/0/team/pattern invalid"),
        (json!({"team": {"claims": ["/team"], "pattern": "(a)(b)"}}), "/rules/0/team/pattern invalid"),
        (json!({"team": {"claims": ["/team"], "pattern": "((a{99}){99}){99}"}}), "/rules/0/team/pattern invalid"),
        (json!({"team": {"claims": ["/team"], "pattern": "(a{1000000})"}}), "/rules/0/team/pattern invalid"),
        (json!({"team": {"claims": ["/team"], "renames": {"A": "A"}}}), "/rules/0/team/renames/A invalid"),
        (json!({"team": {"claims": ["/team"], "only_renames": true}}), "/rules/0/team/renames required"),
        (json!({"scopes": {"fixed": ["root"]}}), "/rules/0/scopes/fixed/0 invalid"),
        (json!({"scopes": {"claims": ["/scope"]}}), "/rules/0/scopes/claims required"),
        (json!({"scopes": {"prefix": "eci:"}}), "/rules/0/scopes/claims required"),
        (json!({"scopes": {"claims": ["/r"], "table": {"a": ["root"]}}}), "/rules/0/scopes/table/a invalid"),
        (json!({"noted": vec!["/a"; 11]}), "/rules/0/noted out_of_range"),
        (json!({"noted": [""]}), "/rules/0/noted/0 invalid"),
    ];
    for (change, expected) in cases {
        let mut rule = good.clone();
        rule.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert!(wrong(&issuer(&rule)).contains(&expected.to_owned()), "{rule}: {:?}", wrong(&issuer(&rule)));
    }
    let with = |change: fn(&mut Issuer)| {
        let mut issuer = issuer(&good);
        change(&mut issuer);
        wrong(&issuer)
    };
    assert_eq!(with(|_| {}), Vec::<String>::new());
    assert_eq!(with(|i| i.name = "api_key".into()), ["/name invalid"]);
    assert_eq!(with(|i| i.audiences.clear()), ["/audiences required"]);
    assert_eq!(with(|i| i.issuer = "urn:sso".into()), ["/issuer invalid"]);
    assert_eq!(with(|i| i.issuer = "https://u@sso.example".into()), ["/issuer invalid"]);
    assert_eq!(
        with(|i| i.algorithms = vec!["HS256".into(), "none".into()]),
        ["/algorithms/0 invalid", "/algorithms/1 invalid"]
    );
    assert_eq!(with(|i| i.keys.url = Some("https://sso.example/keys".into())), ["/keys/url invalid"]);
    assert_eq!(with(|i| i.leeway_seconds = 301), ["/leeway_seconds out_of_range"]);
    assert_eq!(with(|i| i.rules.push(i.rules[0].clone())), ["/rules/1/name duplicate"]);
}

#[test]
fn scopes_of_the_platform_need_a_match() {
    let platform = Scope::ALL.into_iter().map(Scope::as_str).find(|word| super::check::is_of_platform(word)).unwrap();
    for scopes in [json!({"fixed": [platform]}), json!({"claims": ["/r"], "table": {"admin": [platform]}})] {
        let rule = json!({"name": "r", "team": {"fixed": "web"}, "scopes": scopes, "matches_anybody": true});
        assert_eq!(wrong(&issuer(&rule)), ["/rules/0/scopes invalid"], "{rule}");
        let rule = json!({"name": "r", "team": {"fixed": "web"}, "scopes": scopes, "match": {"/a": ["b"]}});
        assert_eq!(wrong(&issuer(&rule)), Vec::<String>::new());
    }
    // Without a restricting match, scopes that the issuer itself spells out count only if they are a team's.
    let mut rule = json!({"name": "r", "team": {"fixed": "web"}, "matches_anybody": true,
        "scopes": {"claims": ["/scope"], "prefix": "eci:"}});
    let token = claims(&json!({"scope": format!("eci:read eci:{platform} {platform} write"), "a": "b"}));
    let given = |rule: &Value| CompiledRules::of(&issuer(rule)).unwrap().judge(&token).unwrap().scopes;
    assert_eq!(given(&rule), [Scope::Read]);
    rule["match"] = json!({"/a": ["b"]});
    assert_eq!(given(&rule), [Scope::Read, Scope::from_word(platform).unwrap()]);
}

#[test]
fn the_first_rule_that_matches_wins_and_others_are_told() {
    let mut issuer =
        issuer(&json!({"name": "main", "match": {"/repository": ["my-org/app"], "/ref": ["refs/heads/main"]},
        "team": {"fixed": "web"}, "noted": ["/repository", "/run", "/absent"]}));
    let other = json!({"name": "any", "match": {"/repository": ["my-org/*"]}, "team": {"fixed": "others"}});
    issuer.rules.push(serde_json::from_value(other).unwrap());
    let rules = CompiledRules::of(&issuer).unwrap();
    let main = claims(&json!({"repository": ["x", "my-org/app"], "ref": "refs/heads/main", "run": 7}));
    let found = rules.judge(&main).unwrap();
    assert_eq!((found.rule, found.teams[0].as_str()), ("main", "web"));
    assert_eq!(found.noted, BTreeMap::from([("/run".to_owned(), "7".to_owned())]), "an array is not kept");
    let branch = claims(&json!({"repository": "my-org/app", "ref": "refs/heads/x"}));
    assert_eq!(rules.judge(&branch).unwrap().rule, "any");
    let stranger = claims(&json!({"repository": "evil/app", "ref": {}}));
    let Err(Unjudged::NoRule(tried)) = rules.judge(&stranger) else { panic!("nobody's") };
    let told: Vec<_> =
        tried.iter().flat_map(|one| one.failed.iter().map(|f| (&*one.rule, &*f.pointer, f.found))).collect();
    assert_eq!(
        told,
        [
            ("main", "/ref", PointerFinding::NotText),
            ("main", "/repository", PointerFinding::AnotherValue),
            ("any", "/repository", PointerFinding::AnotherValue)
        ]
    );
}

#[test]
fn a_team_is_what_the_rule_makes_of_a_word() {
    let teams = |team: &Value, token: &Value| {
        let rule = json!({"name": "r", "team": team, "matches_anybody": true});
        let rules = CompiledRules::of(&issuer(&rule)).unwrap();
        let found = rules.judge(&claims(token)).map_err(|_| "bad").unwrap();
        found.no_team.map_or(Ok(found.teams.iter().map(ToString::to_string).collect::<Vec<_>>()), |no| Err(no.why))
    };
    let groups = json!({"claims": ["/groups"], "pattern": "/platform/([a-z-]+)"});
    assert_eq!(
        teams(&groups, &json!({"groups": ["/platform/a", "/platform/a/b", "x", "/platform/c"]})).unwrap(),
        ["a", "c"]
    );
    assert_eq!(teams(&groups, &json!({"groups": ["/other/a"]})), Err(WhyNoTeam::Unmatched));
    assert_eq!(teams(&groups, &json!({})), Err(WhyNoTeam::Absent));
    let plain = json!({"claims": ["/team", "/teams"]});
    assert_eq!(teams(&plain, &json!({"team": "a", "teams": ["b", "a"]})).unwrap(), ["a", "b"]);
    assert_eq!(teams(&plain, &json!({"team": "my-group/sub"})), Err(WhyNoTeam::Path));
    assert_eq!(teams(&plain, &json!({"team": "Sub"})), Err(WhyNoTeam::Form));
    let renames = json!({"claims": ["/ns"], "renames": {"my-group/sub": "sub"}, "only_renames": true});
    assert_eq!(teams(&renames, &json!({"ns": "my-group/sub"})).unwrap(), ["sub"]);
    assert_eq!(teams(&renames, &json!({"ns": "sub"})), Err(WhyNoTeam::NotRenamed));
}

#[test]
fn a_foreign_word_means_nothing_by_itself() {
    let scopes = |scopes: &Value, token: &Value| {
        let rule = json!({"name": "r", "match": {"/a": ["b"]}, "team": {"fixed": "web"}, "scopes": scopes});
        let mut token = claims(token);
        token.insert("a".into(), json!("b"));
        CompiledRules::of(&issuer(&rule)).unwrap().judge(&token).map(|found| found.scopes).map_err(|_| "bad claim")
    };
    let table =
        json!({"claims": ["/realm_access/roles"], "table": {"cache writer": ["read", "write"], "auditor": ["audit"]}});
    let roles = |roles: Value| json!({"realm_access": {"roles": roles}});
    assert_eq!(scopes(&table, &roles(json!(["admin", "read", "offline_access"]))), Ok(vec![]));
    assert_eq!(scopes(&table, &roles(json!(["cache writer"]))), Ok(vec![Scope::Read, Scope::Write]));
    assert_eq!(scopes(&table, &roles(json!({"a": 1}))), Err("bad claim"));
    let prefix = json!({"claims": ["/scp"], "prefix": "eci:"});
    for scp in [
        json!("eci:read,eci:write"),
        json!(["eci:read eci:write"]),
        json!(["eci:read", "eci:write", "openid"]),
        json!("openid eci:write  eci:read"),
    ] {
        assert_eq!(scopes(&prefix, &json!({"scp": scp})), Ok(vec![Scope::Read, Scope::Write]), "{scp}");
    }
    assert_eq!(scopes(&json!({"fixed": ["read"]}), &json!({"scope": "write"})), Ok(vec![Scope::Read]));
}

#[test]
fn no_subject_looks_like_one_of_ours() {
    let names = [DEFAULT, "github"];
    let of = |issuer: &str, sub: &str| subject::of(issuer, sub, names);
    assert_eq!(of(DEFAULT, "alice").unwrap(), "alice");
    assert_eq!(of("github", "repo:a/b").unwrap(), "github:repo:a/b");
    assert_eq!(of(DEFAULT, "api_keys:1").unwrap(), "api_keys:1");
    for sub in ["api_key:ak_1", "access_key:x", "worker:tracker", "operator:root", "gateway:x", "github:repo:a/b"] {
        assert_eq!(of(DEFAULT, sub), Err(NoSubject::Reserved), "{sub}");
    }
    assert_eq!(of("github", &"s".repeat(250)), Err(NoSubject::Long));
    for hidden in ['\u{202e}', '\u{2066}', '\u{200f}', '\u{61c}', '\u{200b}', '\u{feff}', '\n', '\u{85}'] {
        assert!(!subject::is_plain(&format!("a{hidden}b")), "{hidden:?}");
    }
    assert!(subject::is_plain("Zoë 名前 🙂"));
}

#[test]
fn every_preset_is_good_and_can_be_printed_and_read_again() {
    let parameters: BTreeMap<String, String> = [
        ("url", "https://provider.example"),
        ("realm", "company"),
        ("tenant", "11111111-2222-3333-4444-555555555555"),
        ("audience", "us"),
        ("client_id", "c"),
        ("team", "web"),
        ("domain", "company.example"),
        ("region", "eu-central-1"),
        ("pool", "eu-central-1_A"),
        ("issuer", "https://sso.example"),
        ("email", "ci@p.iam.gserviceaccount.com"),
        ("repository", "my-org/app"),
        ("project", "my-group/app"),
        ("namespace", "web"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for preset in preset::ALL {
        let known = |name: &String| preset.parameters.iter().any(|parameter| parameter.name == *name);
        let given = parameters.clone().into_iter().filter(|(name, _)| known(name)).collect();
        let issuer = preset.issuer(&given).unwrap();
        let text = toml::to_string(&issuer).unwrap();
        assert_eq!(toml::from_str::<Issuer>(&text).unwrap(), issuer, "{text}");
        let json = serde_json::to_string(&issuer).unwrap();
        assert_eq!(serde_json::from_str::<Issuer>(&json).unwrap(), issuer);
        let missing = preset.issuer(&BTreeMap::new()).unwrap_err();
        assert!(missing.iter().all(|error| error.code == FieldCode::Required), "{missing:?}");
        let unknown = preset.issuer(&[("colour".to_owned(), "red".to_owned())].into()).unwrap_err();
        assert!(unknown.iter().any(|error| error.field == "colour"), "{unknown:?}");
    }
}
