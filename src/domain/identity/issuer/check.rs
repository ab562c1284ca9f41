//! Checks an issuer's definition, and reports errors by JSON pointer.

use std::collections::BTreeSet;

use url::{Host, Url};

use super::subject::{RESERVED, is_plain};
use super::team_pattern::compile;
use super::{ALGORITHMS, DEFAULT, Issuer, IssuerKeys, IssuerRule, KeysFrom, ScopeSource, TeamSource, glob, pointer};
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::identity::caller::{Scope, TeamId};

/// The most rules of an issuer.
const MAX_RULES: usize = 100;
/// The most entries of any other list or table of an issuer.
const MAX_ENTRIES: usize = 100;
/// The most claims that a rule may record.
const MAX_NOTED: usize = 10;
/// The longest regular expression for a team, in bytes.
const MAX_PATTERN_BYTES: usize = 256;

const NAME: &str = "must be 1 to 63 characters of a-z, 0-9, - and _, beginning with a letter or digit";
const TEAM: &str = "must be a team's id: 1 to 63 characters of a-z, 0-9, - and _, beginning with a letter or digit";
const TEXT: &str = "must be 1 to 256 printable characters";
const MANY: &str = "must have at most 100 entries";
const POINTER: &str =
    "must be a JSON pointer to a claim such as /repository or /realm_access/roles, of at most 256 printable characters";

impl Issuer {
    /// Reports everything that is wrong with the issuer, by JSON pointer. The keys themselves are checked where they
    /// are read.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut f = Findings::default();
        self.check_names(&mut f);
        self.check_audience(&mut f);
        self.keys.check(&self.issuer, &mut f);
        self.check_algorithms(&mut f);
        self.check_numbers(&mut f);
        self.check_rules(&mut f);
        f.into_result()
    }

    fn check_names(&self, f: &mut Findings) {
        f.require(is_name(&self.name), "/name", FieldCode::Invalid, NAME);
        let reserved = RESERVED.contains(&self.name.as_str());
        let detail = format!("must not be one of the reserved names: {}", RESERVED.join(", "));
        f.require(!reserved, "/name", FieldCode::Invalid, detail);
        f.require(is_plain(&self.issuer), "/issuer", FieldCode::Invalid, TEXT);
    }

    fn check_audience(&self, f: &mut Findings) {
        let detail = "must be given if client_ids is not: otherwise tokens made for anybody would be accepted";
        f.require(!self.audiences.is_empty() || !self.client_ids.is_empty(), "/audiences", FieldCode::Required, detail);
        check_texts(&self.audiences, "/audiences", f);
        check_texts(&self.client_ids, "/client_ids", f);
    }

    fn check_algorithms(&self, f: &mut Findings) {
        f.require(!self.algorithms.is_empty(), "/algorithms", FieldCode::Required, "must name at least one algorithm");
        f.require(
            self.algorithms.len() <= ALGORITHMS.len(),
            "/algorithms",
            FieldCode::OutOfRange,
            "has too many entries",
        );
        let secret_may_be = self.name == DEFAULT || self.keys.from == KeysFrom::JwksFile;
        for (place, name) in self.algorithms.iter().enumerate() {
            let known = ALGORITHMS.contains(&name.as_str()) && (name != "HS256" || secret_may_be);
            let detail = format!("must be one of {}", public_algorithms().join(", "));
            f.require(known, format!("/algorithms/{place}"), FieldCode::Invalid, detail);
        }
    }

    fn check_numbers(&self, f: &mut Findings) {
        for (field, value, range) in [
            ("/max_lifetime_seconds", self.max_lifetime_seconds, 60..=604_800),
            ("/max_key_age_seconds", self.max_key_age_seconds, 300..=86_400),
            ("/leeway_seconds", self.leeway_seconds, 0..=300),
        ] {
            let detail = format!("must be {} to {}", range.start(), range.end());
            f.require(range.contains(&value), field, FieldCode::OutOfRange, detail);
        }
    }

    fn check_rules(&self, f: &mut Findings) {
        f.require(
            !self.rules.is_empty(),
            "/rules",
            FieldCode::Required,
            "must have a rule: without one no token is accepted",
        );
        f.require(self.rules.len() <= MAX_RULES, "/rules", FieldCode::OutOfRange, "must have at most 100 rules");
        let mut names = BTreeSet::new();
        for (place, rule) in self.rules.iter().take(MAX_RULES).enumerate() {
            let at = format!("/rules/{place}");
            f.require(is_name(&rule.name), format!("{at}/name"), FieldCode::Invalid, NAME);
            let first = names.insert(rule.name.as_str());
            f.require(
                first,
                format!("{at}/name"),
                FieldCode::Duplicate,
                "must be different from the names of the other rules",
            );
            rule.check(self, &at, f);
        }
    }
}

impl IssuerKeys {
    fn check(&self, issuer: &str, f: &mut Findings) {
        let (url, file, document) = (self.url.is_some(), self.file.is_some(), self.document.is_some());
        for (field, given, from) in [
            ("url", url, KeysFrom::JwksUrl),
            ("file", file, KeysFrom::JwksFile),
            ("document", document, KeysFrom::Document),
        ] {
            let place = format!("/keys/{field}");
            f.require(given || self.from != from, &place, FieldCode::Required, "must be given if from requires it");
            f.require(
                !given || self.from == from,
                place,
                FieldCode::Invalid,
                "must be left out unless from requires it",
            );
        }
        if self.from == KeysFrom::Discovery {
            let detail = "must be an https URL (or http to loopback, or to a host that the operator has configured) \
                          without query, fragment or user name, because the keys are discovered below it; otherwise \
                          give keys";
            f.require(discovery_url(issuer).is_some(), "/issuer", FieldCode::Invalid, detail);
        }
    }
}

/// The address of an issuer's discovery document, if its name is a URL.
pub fn discovery_url(issuer: &str) -> Option<Url> {
    let url = Url::parse(issuer).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let host = matches!(url.host(), Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)));
    let good = plain && host && url.password().is_none() && ["https", "http"].contains(&url.scheme());
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    good.then(|| Url::parse(&address).ok()).flatten()
}

impl IssuerRule {
    fn check(&self, issuer: &Issuer, at: &str, f: &mut Findings) {
        self.check_match(issuer, at, f);
        self.team.check(&format!("{at}/team"), f);
        self.scopes.check(&format!("{at}/scopes"), f);
        let platform = self.scopes.named().any(is_of_platform);
        let detail = "grants scopes of the platform: the rule must have a match that does not accept every token";
        f.require(!platform || restricts(issuer, self), format!("{at}/scopes"), FieldCode::Invalid, detail);
        f.require(
            self.noted.len() <= MAX_NOTED,
            format!("{at}/noted"),
            FieldCode::OutOfRange,
            "must have at most 10 entries",
        );
        check_pointers(&self.noted, &format!("{at}/noted"), f);
    }

    fn check_match(&self, issuer: &Issuer, at: &str, f: &mut Findings) {
        let place = format!("{at}/match");
        f.require(self.matches.len() <= MAX_ENTRIES, &place, FieldCode::OutOfRange, MANY);
        for (claim, patterns) in &self.matches {
            let place = format!("{place}{}", pointer::of_name(claim));
            f.require(pointer::is_pointer(claim), &place, FieldCode::Invalid, POINTER);
            let count = (1..=MAX_ENTRIES).contains(&patterns.len());
            f.require(count, &place, FieldCode::OutOfRange, "must have 1 to 100 patterns");
            check_texts(patterns, &place, f);
        }
        let detail = "every token of the issuer would match: name claims and their values in match, or set \
                      matches_anybody: true";
        f.require(self.matches_anybody || restricts(issuer, self), place, FieldCode::MatchesAnybody, detail);
    }
}

/// Whether the rule's match excludes some token of the issuer: one of its pointers reads something that not every token
/// has, and its patterns do not match every value.
pub(super) fn restricts(issuer: &Issuer, rule: &IssuerRule) -> bool {
    rule.matches.iter().any(|(claim, patterns)| {
        let takes = |text: &String| patterns.iter().any(|pattern| glob::matches(pattern, text));
        match claim.as_str() {
            "/iss" => !takes(&issuer.issuer),
            "/aud" => issuer.audiences.is_empty() || !issuer.audiences.iter().all(takes),
            // Every token has these.
            "/exp" | "/iat" | "/nbf" | "/jti" => false,
            claim if claim.starts_with("/aud/") => false,
            _ => !patterns.iter().any(|pattern| glob::matches_anything(pattern)),
        }
    })
}

impl TeamSource {
    fn check(&self, at: &str, f: &mut Findings) {
        let one = self.fixed.is_some() == self.claims.is_empty();
        f.require(one, at, FieldCode::Required, "must have either fixed or claims");
        let fixed = self.fixed.as_ref().is_none_or(|team| is_name(team));
        f.require(fixed, format!("{at}/fixed"), FieldCode::Invalid, TEAM);
        let mapped = self.pattern.is_some() || !self.renames.is_empty() || self.only_renames;
        let detail = "must not map a fixed team: pattern and renames are for claims";
        f.require(self.fixed.is_none() || !mapped, at, FieldCode::Invalid, detail);
        check_pointers(&self.claims, &format!("{at}/claims"), f);
        if let Some(pattern) = &self.pattern {
            let wrong = wrong_pattern(pattern);
            f.require(wrong.is_none(), format!("{at}/pattern"), FieldCode::Invalid, wrong.unwrap_or_default());
        }
        let place = format!("{at}/renames");
        f.require(self.renames.len() <= MAX_ENTRIES, &place, FieldCode::OutOfRange, MANY);
        let detail = "must have entries if only_renames is set";
        f.require(!self.only_renames || !self.renames.is_empty(), &place, FieldCode::Required, detail);
        for (word, team) in &self.renames {
            let place = format!("{place}{}", pointer::of_name(word));
            f.require(
                is_plain(word),
                &place,
                FieldCode::Invalid,
                "must rename a word of 1 to 256 printable characters",
            );
            f.require(is_name(team), place, FieldCode::Invalid, TEAM);
        }
    }
}

/// What is wrong with the regular expression of a team.
fn wrong_pattern(pattern: &str) -> Option<String> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return Some("must be at most 256 bytes long".to_owned());
    }
    match compile(pattern) {
        Err(told) => Some(format!("must be a regular expression: {told}")),
        Ok(compiled) if compiled.captures_len() != 2 => {
            Some("must have exactly one capture group, which is the team: ^/platform/([a-z0-9-]+)$".to_owned())
        }
        Ok(_) => None,
    }
}

impl ScopeSource {
    fn check(&self, at: &str, f: &mut Findings) {
        let known = Scope::allowed();
        for (place, word) in self.fixed.iter().enumerate() {
            f.require(is_scope(word), format!("{at}/fixed/{place}"), FieldCode::Invalid, known.clone());
        }
        check_pointers(&self.claims, &format!("{at}/claims"), f);
        let mapped = !self.table.is_empty() || self.prefix.is_some();
        let detail = "must be given together with table or prefix, which map the words of these claims to scopes";
        f.require(mapped != self.claims.is_empty(), format!("{at}/claims"), FieldCode::Required, detail);
        f.require(self.table.len() <= MAX_ENTRIES, format!("{at}/table"), FieldCode::OutOfRange, MANY);
        for (word, given) in &self.table {
            let place = format!("{at}/table{}", pointer::of_name(word));
            f.require(is_plain(word), &place, FieldCode::Invalid, "must map a word of 1 to 256 printable characters");
            f.require(given.iter().all(|scope| is_scope(scope)), place, FieldCode::Invalid, known.clone());
        }
        let prefix = self.prefix.as_ref().is_none_or(|prefix| prefix.is_empty() || is_plain(prefix));
        f.require(prefix, format!("{at}/prefix"), FieldCode::Invalid, "must be at most 256 printable characters");
    }

    /// The scopes that it lists itself.
    fn named(&self) -> impl Iterator<Item = &str> {
        self.fixed.iter().chain(self.table.values().flatten()).map(String::as_str)
    }
}

/// Whether a scope is one of the platform's.
pub(super) fn is_of_platform(scope: &str) -> bool {
    Scope::from_word(scope).is_some_and(Scope::is_platforms)
}

fn is_scope(word: &str) -> bool {
    Scope::from_word(word).is_some()
}

fn public_algorithms() -> Vec<&'static str> {
    ALGORITHMS.into_iter().filter(|name| *name != "HS256").collect()
}

/// Whether `text` is a valid name for an issuer, a rule or a team.
fn is_name(text: &str) -> bool {
    text.parse::<TeamId>().is_ok()
}

fn check_texts(texts: &[String], at: &str, f: &mut Findings) {
    f.require(texts.len() <= MAX_ENTRIES, at, FieldCode::OutOfRange, MANY);
    for (place, text) in texts.iter().enumerate() {
        f.require(is_plain(text), format!("{at}/{place}"), FieldCode::Invalid, TEXT);
    }
}

fn check_pointers(pointers: &[String], at: &str, f: &mut Findings) {
    f.require(pointers.len() <= MAX_ENTRIES, at, FieldCode::OutOfRange, MANY);
    for (place, text) in pointers.iter().enumerate() {
        f.require(pointer::is_pointer(text), format!("{at}/{place}"), FieldCode::Invalid, POINTER);
    }
}
