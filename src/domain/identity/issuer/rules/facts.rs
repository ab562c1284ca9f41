//! Why the matching rule finds no team or no scope: what the claims hold, what the rule expects, and what nearly
//! matched. For an operator who has a token explained.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{CompiledRule, CompiledRules, texts, words};
use crate::domain::identity::caller::Scope;
use crate::domain::identity::issuer::{ScopeSource, TeamSource, excerpt};

impl CompiledRules {
    /// Where the rule looks for a team, and what must be there.
    pub fn team_facts(&self, rule: &str, claims: &Map<String, Value>) -> Vec<String> {
        self.named(rule).map_or_else(Vec::new, |ready| ready.team_facts(claims))
    }

    /// Where the rule looks for scopes, and what must be there.
    pub fn scope_facts(&self, rule: &str, claims: &Map<String, Value>) -> Vec<String> {
        self.named(rule).map_or_else(Vec::new, |ready| ready.scope_facts(claims))
    }

    fn named(&self, rule: &str) -> Option<&CompiledRule> {
        self.0.iter().find(|ready| ready.rule.name == rule)
    }
}

impl CompiledRule {
    fn team_facts(&self, claims: &Map<String, Value>) -> Vec<String> {
        let TeamSource { claims: pointers, pattern, renames, only_renames, .. } = &self.rule.team;
        let mut facts: Vec<String> = pointers.iter().map(|pointer| excerpt::sentence(claims, pointer)).collect();
        if let Some(pattern) = pattern {
            facts.push(format!("the pattern must match the whole word, and its group is the team: {pattern}"));
        }
        if !renames.is_empty() {
            let only = if *only_renames { ", and only these are teams" } else { "" };
            facts.push(format!("the renames know {}{only}", keys(renames)));
        }
        facts
    }

    fn scope_facts(&self, claims: &Map<String, Value>) -> Vec<String> {
        let ScopeSource { claims: pointers, table, prefix, .. } = &self.rule.scopes;
        let mut facts: Vec<String> = pointers.iter().map(|pointer| excerpt::sentence(claims, pointer)).collect();
        if pointers.is_empty() {
            facts.push(format!("the rule {} reads no claim for scopes, and has no fixed ones", self.rule.name));
            return facts;
        }
        facts.push(match prefix.as_deref() {
            None => "the rule has no prefix: the name of a scope in a claim grants nothing by itself".to_owned(),
            Some("") => "a word counts if it is the name of a scope".to_owned(),
            Some(prefix) => format!("a word counts if it is the name of a scope after the prefix \"{prefix}\""),
        });
        if !table.is_empty() {
            facts.push(format!("the rule's table knows {}", keys(table)));
        }
        let found = texts(claims, pointers).unwrap_or_default();
        let near = found.into_iter().flat_map(words).filter_map(|word| self.near(word));
        facts.extend(near.take(excerpt::MAX_VALUES));
        facts
    }

    /// What is missing in a word that is nearly a scope.
    fn near(&self, word: &str) -> Option<String> {
        let prefix = self.rule.scopes.prefix.as_deref();
        let behind = prefix.and_then(|prefix| word.strip_prefix(prefix));
        let own = behind.and_then(Scope::from_word);
        if own.is_some_and(|scope| scope.is_platforms() && !self.platform_by_prefix) {
            let why = "grants a scope of the platform only through a rule with a match that does not accept every \
                       token";
            return Some(format!("\"{word}\" {why}"));
        }
        if behind == Some("admin") {
            return Some(format!(
                "{} is no longer a scope: {}",
                excerpt::list(&[word.to_owned()]),
                Scope::IN_PLACE_OF_ADMIN
            ));
        }
        let bare = Scope::from_word(word).filter(|_| own.is_none())?.as_str();
        Some(match prefix {
            Some(prefix) => format!("\"{bare}\" would count as \"{prefix}{bare}\""),
            None => format!("\"{bare}\" would count with an entry in the rule's table, or with a prefix"),
        })
    }
}

fn keys<T>(table: &BTreeMap<String, T>) -> String {
    excerpt::list(&table.keys().cloned().collect::<Vec<_>>())
}
