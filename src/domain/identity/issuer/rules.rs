//! The rules of an issuer, compiled: patterns parsed, words turned into teams and scopes.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::excerpt::{self, plain};
use super::explanation::{FailedPointer, PointerFinding, TriedRule};
use super::team_pattern::compile;
use super::{Issuer, IssuerRule, ScopeSource, TeamSource, check, glob, pointer};
use crate::domain::field::FieldError;
use crate::domain::identity::caller::{Scope, TeamId};

mod facts;

/// The longest value of a claim that the audit records, in characters.
const MAX_NOTED_CHARS: usize = 256;

/// The compiled rules of one issuer.
#[derive(Debug, Clone)]
pub struct CompiledRules(Vec<CompiledRule>);

#[derive(Debug, Clone)]
struct CompiledRule {
    rule: IssuerRule,
    pattern: Option<Regex>,
    /// Whether scopes of the platform that the issuer itself spells out after the prefix count.
    platform_by_prefix: bool,
}

/// What the matching rule derives from the claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match<'a> {
    /// The name of the rule.
    pub rule: &'a str,
    /// The teams: none, one or several, in order.
    pub teams: Vec<TeamId>,
    /// The pointers that teams are read from; empty if the team is fixed.
    pub claims: &'a [String],
    /// Why there is no team, if there is none.
    pub no_team: Option<NoTeam>,
    /// The scopes of the caller, in order.
    pub scopes: Vec<Scope>,
    /// The claims that the audit records, by pointer.
    pub noted: BTreeMap<String, String>,
    /// Whether one of the words is the removed scope `admin`.
    pub names_admin: bool,
}

/// Why the rule finds no team in the claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoTeam {
    /// The pointers that the rule reads.
    pub claims: Vec<String>,
    /// Why the claims give no team.
    pub why: WhyNoTeam,
}

/// What the claims hold instead of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNoTeam {
    /// None of the claims is present, or all are empty.
    Absent,
    /// Words that the rule's pattern does not match.
    Unmatched,
    /// Words that the rule's renames do not list, if only listed ones count.
    NotRenamed,
    /// Paths, such as those of groups.
    Path,
    /// Words that do not have the form of a team id.
    Form,
}

/// Why no rule could be applied to the claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unjudged {
    /// No rule matches: every rule, with the conditions that failed.
    NoRule(Vec<TriedRule>),
    /// The claim at the pointer is neither a text nor an array of texts.
    BadClaim {
        /// The rule that reads the claim.
        rule: String,
        /// The pointer to the claim.
        pointer: String,
    },
}

impl CompiledRules {
    /// Compiles the rules of `issuer`, or says what is wrong with it.
    pub fn of(issuer: &Issuer) -> Result<Self, Vec<FieldError>> {
        issuer.check()?;
        let platform = |rule: &IssuerRule| check::restricts(issuer, rule);
        Ok(Self(issuer.rules.iter().map(|rule| CompiledRule::of(rule, platform(rule))).collect()))
    }

    /// The single rule that the operator's own settings define.
    pub fn of_settings(rule: &IssuerRule) -> Self {
        Self(vec![CompiledRule::of(rule, true)])
    }

    /// Applies the first rule that matches to the claims.
    pub fn judge(&self, claims: &Map<String, Value>) -> Result<Match<'_>, Unjudged> {
        let mut tried = Vec::new();
        for ready in &self.0 {
            let failed = ready.failed(claims);
            if failed.is_empty() {
                return ready.judge(claims);
            }
            tried.push(TriedRule { rule: ready.rule.name.clone(), failed });
        }
        Err(Unjudged::NoRule(tried))
    }

    /// Every rule up to the first that matches, with the failed conditions and the values found, for an operator.
    pub fn tried(&self, claims: &Map<String, Value>) -> Vec<TriedRule> {
        let mut tried = Vec::new();
        for ready in &self.0 {
            let mut failed = ready.failed(claims);
            for one in &mut failed {
                one.values = excerpt::values(pointer::find(claims, &one.pointer));
            }
            let matches = failed.is_empty();
            tried.push(TriedRule { rule: ready.rule.name.clone(), failed });
            if matches {
                break;
            }
        }
        tried
    }
}

impl CompiledRule {
    fn of(rule: &IssuerRule, platform_by_prefix: bool) -> Self {
        // Checked before, so it compiles.
        let pattern = rule.team.pattern.as_deref().and_then(|pattern| compile(pattern).ok());
        Self { rule: rule.clone(), pattern, platform_by_prefix }
    }

    fn failed(&self, claims: &Map<String, Value>) -> Vec<FailedPointer> {
        let failed = self.rule.matches.iter().filter_map(|(pointer, expected)| {
            let found = held(pointer::find(claims, pointer), expected)?;
            Some(FailedPointer { pointer: pointer.clone(), found, values: Vec::new(), expected: expected.clone() })
        });
        failed.collect()
    }

    fn judge(&self, claims: &Map<String, Value>) -> Result<Match<'_>, Unjudged> {
        let bad = |pointer: String| Unjudged::BadClaim { rule: self.rule.name.clone(), pointer };
        let (teams, no_team) = self.teams(claims).map_err(bad)?;
        Ok(Match {
            rule: &self.rule.name,
            teams,
            claims: &self.rule.team.claims,
            no_team,
            scopes: self.scopes(claims).map_err(bad)?,
            noted: noted(&self.rule.noted, claims),
            names_admin: self.names_admin(claims),
        })
    }

    fn teams(&self, claims: &Map<String, Value>) -> Result<(Vec<TeamId>, Option<NoTeam>), String> {
        let TeamSource { fixed, claims: pointers, .. } = &self.rule.team;
        if let Some(team) = fixed.as_ref().and_then(|fixed| fixed.parse().ok()) {
            return Ok((vec![team], None));
        }
        let (mut teams, mut why) = (Vec::new(), WhyNoTeam::Absent);
        for word in texts(claims, pointers)? {
            match self.team(word) {
                Ok(team) => teams.push(team),
                Err(reason) => why = reason,
            }
        }
        teams.sort_unstable();
        teams.dedup();
        let no_team = teams.is_empty().then(|| NoTeam { claims: pointers.clone(), why });
        Ok((teams, no_team))
    }

    fn team(&self, word: &str) -> Result<TeamId, WhyNoTeam> {
        let source = &self.rule.team;
        let word = match &self.pattern {
            Some(pattern) => {
                let found = pattern.captures(word).and_then(|captures| captures.get(1));
                found.ok_or(WhyNoTeam::Unmatched)?.as_str()
            }
            None => word,
        };
        match source.renames.get(word) {
            Some(team) => team.parse().map_err(|_| WhyNoTeam::Form),
            None if source.only_renames => Err(WhyNoTeam::NotRenamed),
            None => word.parse().map_err(|_| if word.contains('/') { WhyNoTeam::Path } else { WhyNoTeam::Form }),
        }
    }

    fn scopes(&self, claims: &Map<String, Value>) -> Result<Vec<Scope>, String> {
        let ScopeSource { fixed, claims: pointers, .. } = &self.rule.scopes;
        let mut scopes: Vec<Scope> = fixed.iter().filter_map(|word| Scope::from_word(word)).collect();
        for text in texts(claims, pointers)? {
            // The whole text counts, too: a role's name may contain spaces.
            scopes.extend(self.meant(text));
            scopes.extend(words(text).flat_map(|word| self.meant(word)));
        }
        scopes.sort_unstable();
        scopes.dedup();
        Ok(scopes)
    }

    fn names_admin(&self, claims: &Map<String, Value>) -> bool {
        let ScopeSource { claims: pointers, prefix, .. } = &self.rule.scopes;
        let admin = prefix.as_ref().map(|prefix| format!("{prefix}admin"));
        let found = texts(claims, pointers).unwrap_or_default();
        admin.is_some_and(|admin| found.into_iter().flat_map(words).any(|word| word == admin))
    }

    /// The scopes that one word grants.
    fn meant(&self, word: &str) -> Vec<Scope> {
        let ScopeSource { table, prefix, .. } = &self.rule.scopes;
        let listed = table.get(word).into_iter().flatten().filter_map(|scope| Scope::from_word(scope));
        let own = prefix.as_deref().and_then(|prefix| word.strip_prefix(prefix)).and_then(Scope::from_word);
        listed.chain(own.filter(|scope| self.platform_by_prefix || !scope.is_platforms())).collect()
    }
}

/// None if one of the patterns matches the value.
fn held(found: Option<&Value>, expected: &[String]) -> Option<PointerFinding> {
    let matches = |text: &str| expected.iter().any(|pattern| glob::matches(pattern, text));
    let values = match found {
        None => return Some(PointerFinding::Absent),
        Some(Value::Array(items)) => items.iter().filter_map(plain).collect::<Vec<_>>(),
        Some(value) => plain(value).into_iter().collect(),
    };
    if values.is_empty() {
        return Some(PointerFinding::NotText);
    }
    if values.iter().any(|text| matches(text)) { None } else { Some(PointerFinding::AnotherValue) }
}

/// The texts in the claims at the pointers, or the pointer to one that holds something else.
fn texts<'a>(claims: &'a Map<String, Value>, pointers: &[String]) -> Result<Vec<&'a str>, String> {
    let mut texts = Vec::new();
    for pointer in pointers {
        match pointer::find(claims, pointer) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => texts.push(text.as_str()),
            Some(Value::Array(items)) => {
                let all: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                texts.extend(all.ok_or_else(|| pointer.clone())?);
            }
            Some(_) => return Err(pointer.clone()),
        }
    }
    Ok(texts)
}

/// The words of a scope claim: separated by spaces, as the standard says, or by commas, as some providers do.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', ',']).filter(|word| !word.is_empty())
}

fn noted(pointers: &[String], claims: &Map<String, Value>) -> BTreeMap<String, String> {
    let value = |pointer: &String| {
        let text = plain(pointer::find(claims, pointer)?)?;
        Some((pointer.clone(), excerpt::plainly(&text).take(MAX_NOTED_CHARS).collect()))
    };
    pointers.iter().filter_map(value).collect()
}
