//! RAM: the rights to the cloud's actions, and policies in the cloud's format.
//!
//! What each action needs is in its row ([`Action::facts`]): `doctor cloud` prints a policy with these rights and tests
//! each of them, and the stand-in enforces them. The right to an action is named after its product and the action
//! (`eci:CreateImageCache`).
//!
//! Source: the policy elements in RAM's documentation.
//!
//! Conditions are not supported. A policy that has one is rejected, so that the condition is not silently ignored.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Action;
pub use super::action::RamResource;
use crate::domain::region::Region;

/// The version of every policy.
const VERSION: &str = "1";
/// Stands for every account, region or resource.
const ANY: &str = "*";

/// The right to one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// The action it permits.
    pub action: Action,
    /// The resource it applies to.
    pub on: RamResource,
    /// What the gateway needs it for.
    pub need: &'static str,
}

/// The right to every action that needs one, in the order of the actions.
pub static RIGHTS: LazyLock<Vec<Right>> = LazyLock::new(|| {
    let right = |action: Action| action.facts().right.map(|(on, need)| Right { action, on, need });
    Action::ALL.into_iter().filter_map(right).collect()
});

impl Right {
    /// The right to the action, if it needs one.
    pub fn to(action: Action) -> Option<&'static Self> {
        RIGHTS.iter().find(|right| right.action == action)
    }

    /// Its name in policies: `eci:CreateImageCache`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.action.product().as_str(), self.action)
    }
}

/// The resource name of one image cache or all (`*`), in one region or all, of one account or all.
pub fn image_caches(region: Option<&Region>, account: Option<&str>, id: Option<&str>) -> String {
    let region = region.map_or(ANY, Region::as_str);
    format!("acs:eci:{region}:{}:imagecache/{}", account.unwrap_or(ANY), id.unwrap_or(ANY))
}

/// The account id in a role's ARN: `acs:ram::1234567890123456:role/name`.
pub fn account_of(role_arn: &str) -> Option<&str> {
    let (account, _) = role_arn.strip_prefix("acs:ram::")?.split_once(':')?;
    Some(account)
}

/// A policy in RAM's format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct RamPolicy {
    version: String,
    statement: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    effect: RamEffect,
    action: Words,
    resource: Words,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum RamEffect {
    Allow,
    Deny,
}

/// One string or a list of strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    Many(Vec<String>),
}

/// The result of evaluating a policy for an action on a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// A statement allows it, and none denies it.
    Allowed,
    /// No statement allows it.
    ImplicitDeny,
    /// A statement denies it, even if another one allows it.
    ExplicitDeny,
}

impl RamPolicy {
    /// A policy that allows these pairs of actions and resources, one statement each.
    pub fn allowing(statements: impl IntoIterator<Item = (Vec<String>, Vec<String>)>) -> Self {
        let allow = |(actions, resources)| Statement {
            effect: RamEffect::Allow,
            action: Words::Many(actions),
            resource: Words::Many(resources),
        };
        Self { version: VERSION.to_owned(), statement: statements.into_iter().map(allow).collect() }
    }

    /// Evaluates the policy for `action` (`eci:DeleteImageCache`) on `resource`.
    pub fn judge(&self, action: &str, resource: &str) -> Judgement {
        let says = |effect: RamEffect| {
            let about = |statement: &&Statement| statement.effect == effect && statement.is_about(action, resource);
            self.statement.iter().any(|statement| about(&statement))
        };
        match (says(RamEffect::Deny), says(RamEffect::Allow)) {
            (true, _) => Judgement::ExplicitDeny,
            (false, true) => Judgement::Allowed,
            (false, false) => Judgement::ImplicitDeny,
        }
    }

    /// Whether it has the only existing version.
    pub fn has_good_version(&self) -> bool {
        self.version == VERSION
    }
}

impl Statement {
    /// Actions are case-insensitive, resources are not.
    fn is_about(&self, action: &str, resource: &str) -> bool {
        let lower = action.to_ascii_lowercase();
        self.action.any(|pattern| fits(&pattern.to_ascii_lowercase(), &lower))
            && self.resource.any(|pattern| fits(pattern, resource))
    }
}

impl Words {
    fn any(&self, good: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::One(word) => good(word),
            Self::Many(words) => words.iter().any(|word| good(word)),
        }
    }
}

/// Whether a pattern with `*` and `?` matches the whole text. It backtracks only to the last `*`, so the time is at
/// most proportional to the product of both lengths.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut place) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(letter) if *letter == b'?' || *letter == text[place] => (at, place) = (at + 1, place + 1),
            _ => {
                let Some((back, from)) = star else { return false };
                star = Some((back, from + 1));
                (at, place) = (back + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eci::Product;

    fn policy(text: &str) -> RamPolicy {
        serde_json::from_str(text).expect("the test's own policy")
    }

    #[test]
    fn every_action_on_image_caches_needs_a_right() {
        for action in Action::ALL.into_iter().filter(|action| action.product() == Product::Eci) {
            assert!(Right::to(action).is_some(), "{action}: what the page `RAM authorization` says of it");
        }
        assert_eq!(Right::to(Action::AssumeRole).map(Right::name).as_deref(), Some("sts:AssumeRole"));
    }

    #[test]
    fn a_denial_wins_and_silence_denies() {
        let policy = policy(
            r#"{"Version":"1","Statement":[
            {"Effect":"Allow","Action":["eci:*ImageCache*","sts:AssumeRole"],"Resource":"acs:eci:cn-*:1:imagecache/*"},
            {"Effect":"Deny","Action":"ECI:deleteimagecache","Resource":["acs:eci:cn-beijing:*:imagecache/imc-?x*"]}]}"#,
        );
        for (action, resource, expected) in [
            ("eci:CreateImageCache", "acs:eci:cn-beijing:1:imagecache/*", Judgement::Allowed),
            ("eci:DescribeImageCaches", "acs:eci:cn-beijing:1:imagecache/imc-1", Judgement::Allowed),
            ("eci:CreateImageCache", "acs:eci:us-east-1:1:imagecache/*", Judgement::ImplicitDeny),
            ("eci:CreateImageCache", "acs:eci:cn-beijing:2:imagecache/*", Judgement::ImplicitDeny),
            ("eci:ListUsage", "*", Judgement::ImplicitDeny),
            ("eci:DeleteImageCache", "acs:eci:cn-beijing:1:imagecache/imc-ax", Judgement::ExplicitDeny),
            ("eci:DeleteImageCache", "acs:eci:cn-beijing:1:imagecache/imc-x", Judgement::Allowed),
        ] {
            assert_eq!(policy.judge(action, resource), expected, "{action} {resource}");
        }
    }

    #[test]
    fn a_policy_that_says_more_is_not_taken_for_one_that_does_not() {
        for text in [
            r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}]}"#,
            r#"{"Version":"1","Statement":[{"Effect":"Allow","NotAction":"*","Resource":"*"}]}"#,
            r#"{"Version":"1","Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}"#,
            r#"{"Statement":[]}"#,
        ] {
            assert!(serde_json::from_str::<RamPolicy>(text).is_err(), "{text}");
        }
        assert!(!policy(r#"{"Version":"2012-10-17","Statement":[]}"#).has_good_version());
    }

    #[test]
    fn patterns_fit_the_whole_text() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-c-", false),
            ("?", "", false),
            ("**a", "aa", true),
            ("eci:Describe*", "eci:DescribeImageCaches", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!fits(&"a*".repeat(2_000), &"a".repeat(1_999)), "and that at once");
    }

    #[test]
    fn the_account_of_a_role_is_in_its_name() {
        assert_eq!(account_of("acs:ram::1234567890123456:role/image-caches"), Some("1234567890123456"));
        assert_eq!(account_of("arn:aws:iam::1:role/x"), None);
    }
}
