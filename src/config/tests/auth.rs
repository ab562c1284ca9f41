//! Authentication: claims, clocks, and the file of issuers.

use super::*;

#[test]
fn the_claims_of_tokens_have_names_a_longest_life_and_a_leeway() {
    let claims = |variables: &[(&str, &str)]| load(variables).map(|config| config.auth.claims);
    assert_eq!(claims(&[]), Ok(ClaimsConfig::default()));
    let set = [
        ("TEAM_CLAIM", "groups"),
        ("SCOPE_CLAIM", "scp"),
        ("SCOPE_PREFIX", "eci:"),
        ("MAX_LIFETIME_SECONDS", "3600"),
        ("LEEWAY_SECONDS", "0"),
    ];
    let set = set.map(|(name, value)| (format!("ECG_AUTH_{name}"), value));
    let set: Vec<(&str, &str)> = set.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let expected = ClaimsConfig {
        team: Some("groups".into()),
        scope: "scp".into(),
        scope_prefix: Some("eci:".into()),
        max_lifetime: Duration::from_hours(1),
        leeway: Duration::ZERO,
    };
    assert_eq!(claims(&set), Ok(expected));
    for (name, value, range) in [
        ("ECG_AUTH_MAX_LIFETIME_SECONDS", "59", "from 60 to 604800"),
        ("ECG_AUTH_MAX_LIFETIME_SECONDS", "604801", "from 60 to 604800"),
        ("ECG_AUTH_LEEWAY_SECONDS", "301", "from 0 to 300"),
        ("ECG_AUTH_LEEWAY_SECONDS", "-1", "from 0 to 300"),
    ] {
        let refused = claims(&[(name, value)]).unwrap_err();
        assert!(refused[0].contains(range), "{refused:?}");
    }
}

#[test]
fn a_foreign_issuers_words_count_only_where_that_is_said() {
    let prefix = |value| {
        let set = [("ECG_AUTH_JWKS_URL", "https://id.example.com/keys"), ("ECG_AUTH_SCOPE_PREFIX", value)];
        (load(&set).unwrap().auth.claims.scope_prefix, notes(&set).len())
    };
    assert_eq!(prefix(""), (None, 1), "an empty variable is none, and what that means is noted");
    assert_eq!(prefix("none"), (Some(String::new()), 0));
    assert_eq!(prefix("eci:"), (Some("eci:".to_owned()), 0));
    assert!(notes(&COMPLETE).is_empty(), "the secret is the operator's own");
}

const GOOD: &str = r#"
    [[issuers]]
    name = "github"
    issuer = "https://token.actions.githubusercontent.com"
    audiences = ["eci-cache-gateway"]
    [[issuers.rules]]
    name = "app"
    match = { "/repository" = ["my-org/app"] }
    team = { fixed = "web" }
    scopes = { fixed = ["read"] }
"#;

#[test]
fn issuers_stand_in_a_file() {
    let read = |text: &str| {
        let file = TempFile::with(text);
        let path = file.0.display().to_string();
        let read = load(&[("ECG_AUTH_ISSUERS_FILE", &path)]).map(|config| config.auth.issuers);
        read.map_err(|told| told.into_iter().map(|text| text.replace(&path, "FILE")).collect::<Vec<_>>())
    };
    let issuers = read(GOOD).unwrap();
    assert_eq!((issuers.len(), issuers[0].name.as_str(), issuers[0].leeway_seconds), (1, "github", 60));
    for (from, to, told) in [
        ("fixed = \"web\"", "fixed = \"Web\"", "FILE, /issuers/0/rules/0/team/fixed: must be a team's id"),
        ("{ \"/repository\" = [\"my-org/app\"] }", "{}", "FILE, /issuers/0/rules/0/match: every token of the issuer"),
        ("audiences", "audience", "FILE: line 5: unknown field `audience`"),
        ("[[issuers]]", "[[issuer]]", "FILE: line 2: unknown field `issuer`"),
        ("name = \"github\"", "name = ", "FILE: line 3:"),
    ] {
        let refused = read(&GOOD.replacen(from, to, 1)).unwrap_err();
        assert!(refused.iter().any(|text| text.starts_with(told)), "{to}: {refused:?}");
    }
    assert!(read("issuers = []").unwrap_err()[0].starts_with("FILE: must hold 1 to 50 issuers"));
    assert!(load(&[("ECG_AUTH_ISSUERS_FILE", "/nowhere/issuers")]).unwrap_err()[0].contains("cannot be read"));
}

#[test]
fn with_issuers_of_a_file_the_settings_need_not_describe_one() {
    let file = TempFile::with(GOOD);
    let path = file.0.display().to_string();
    let others = COMPLETE.iter().copied().filter(|(name, _)| !name.starts_with("ECG_AUTH_"));
    let set: Vec<_> = others.chain([("ECG_AUTH_ISSUERS_FILE", path.as_str())]).collect();
    let serve = loaded(&set).for_serve().unwrap();
    assert!(serve.auth.default.is_none() && serve.auth.issuers.len() == 1);
    // If it is set partly, it must be complete.
    let half: Vec<_> = set.iter().copied().chain([("ECG_AUTH_ISSUER", "https://id.example.com")]).collect();
    assert_eq!(said(loaded(&half).for_serve()).unwrap_err().len(), 2);
    assert!(loaded(&half).for_auth().is_err());
    assert!(loaded(&set).for_auth().is_ok());
}
