//! Cloud accounts: valid names, roles and addresses, and which account a request uses. Each account is one set of cloud
//! credentials.
//!
//! What must stay true: a team learns of no account that it may not use; a forbidden account and a missing one get the
//! same answer.
//!
//! Called by `config` for the account of the settings, and by `app` for those that an administrator adds.

use std::fmt;
use std::str::FromStr;

use crate::domain::clock::Instant;
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::policy::ANY;
use crate::domain::region::Region;

pub mod account_id;
pub mod endpoint;

/// The names that [`is_account_name`] allows, for messages.
pub const ACCOUNT_NAMES: &str = "1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit";
/// The roles that [`is_role_arn`] allows, for messages.
pub const ROLE_ARNS: &str = "a role such as acs:ram::1234567890123456:role/image-caches";
/// The session names that [`is_role_session`] allows, for messages.
pub const ROLE_SESSIONS: &str = "2 to 64 of letters, digits and . @ - _";
/// The most regions of one account.
const MAX_REGIONS: usize = 100;

/// The name of an account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountName(String);

/// A text that is not a valid account name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {ACCOUNT_NAMES}")]
pub struct AccountNameError;

/// An account that an administrator added, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudAccount {
    /// The name of the account.
    pub name: AccountName,
    /// The `AccessKeyId`.
    pub access_key_id: String,
    /// The role that the key assumes, if any.
    pub role: Option<AccountRole>,
    /// The regions in which it may be used; empty: wherever the gateway may.
    pub regions: Vec<Region>,
    /// The cloud's endpoint; none: that of the settings.
    pub endpoint: Option<String>,
    /// Counts the changes; used as the `ETag`.
    pub version: i64,
    /// When it was added.
    pub created_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// Since when it is disabled; nothing is sent with it.
    pub disabled_at: Option<Instant>,
}

/// A role that an account's key assumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRole {
    /// The role's resource name: `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// The name of the session in the cloud's own logs.
    pub session: String,
    /// How long its credentials last, in seconds: 900 to 43,200.
    pub seconds: i32,
}

impl CloudAccount {
    /// Checks what an administrator entered, except for the endpoint.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut findings = Findings::default();
        let key = (1..=128).contains(&self.access_key_id.len())
            && self.access_key_id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        findings.require(key, "/access_key_id", FieldCode::Invalid, "must be 1 to 128 letters, digits, - _ and .");
        if let Some(role) = &self.role {
            findings.require(is_role_arn(&role.arn), "/role/arn", FieldCode::Invalid, format!("must be {ROLE_ARNS}"));
            let session = is_role_session(&role.session);
            findings.require(session, "/role/session_name", FieldCode::Invalid, format!("must be {ROLE_SESSIONS}"));
            let lasts = (900..=43_200).contains(&role.seconds);
            findings.require(lasts, "/role/duration_seconds", FieldCode::OutOfRange, "must be 900 to 43200");
        }
        let count = self.regions.len() <= MAX_REGIONS;
        findings.require(count, "/regions", FieldCode::OutOfRange, "must have at most 100 regions");
        findings.into_result()
    }
}

/// Chooses the account for a request: the one that it asks for, else the only one that the policy allows, else that of
/// the settings. `allowed` is the policy's list, `own` the account of the settings, `added` all others.
///
/// # Errors If the requested one does not exist or is not allowed: the list of those that may be requested.
pub fn choose<'a>(
    asked: Option<&'a str>,
    allowed: Option<&'a [String]>,
    own: &'a str,
    added: impl Iterator<Item = &'a str>,
) -> Result<&'a str, Vec<&'a str>> {
    let may = |name: &&str| allowed.is_none_or(|names| names.iter().any(|allowed| allowed == ANY || allowed == name));
    let usable: Vec<&str> = std::iter::once(own).chain(added.filter(|name| *name != own)).filter(may).collect();
    if let Some(asked) = asked {
        return usable.iter().find(|name| **name == asked).copied().ok_or(usable);
    }
    let only = match allowed {
        Some([only]) => usable.iter().find(|name| *name == only).copied(),
        _ => None,
    };
    Ok(only.unwrap_or(own))
}

/// Whether `text` is a valid account name.
pub fn is_account_name(text: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (1..=63).contains(&text.len()) && letters && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether `text` is the resource name of a role.
pub fn is_role_arn(text: &str) -> bool {
    let Some((account, name)) = text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":role/")) else {
        return false;
    };
    let number = (1..=20).contains(&account.len()) && account.bytes().all(|b| b.is_ascii_digit());
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    number && letters && (1..=64).contains(&name.len())
}

/// Whether `text` is a valid session name.
pub fn is_role_session(text: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b".@-_".contains(&b));
    (2..=64).contains(&text.len()) && letters
}

impl AccountName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = AccountNameError;

    fn from_str(text: &str) -> Result<Self, AccountNameError> {
        if is_account_name(text) { Ok(Self(text.to_owned())) } else { Err(AccountNameError) }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_say() {
        assert!(["default", "a", "prod-2"].into_iter().all(is_account_name));
        assert!(!["", "-a", "a-", "A", "a b", "ä", &"a".repeat(64)].into_iter().any(is_account_name));
        assert!(["acs:ram::1:role/r", "acs:ram::1234567890123456:role/Image.Caches_1-x"].into_iter().all(is_role_arn));
        let wrong = [
            "",
            "acs:ram::1:user/u",
            "acs:ram:::role/r",
            "acs:ram::x:role/r",
            "acs:ram::1:role/",
            "acs:ram::1:role/a/b",
        ];
        assert!(!wrong.into_iter().any(is_role_arn));
        assert!(is_role_session("eci-cache-gateway") && !is_role_session("a") && !is_role_session("a b"));
    }

    #[test]
    fn the_account_is_the_one_that_is_asked_for_or_the_only_one_or_the_usual_one() {
        let chosen = |asked, allowed: Option<&[&str]>| {
            let allowed: Option<Vec<String>> =
                allowed.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            let chosen = choose(asked, allowed.as_deref(), "usual", ["usual", "a", "b"].into_iter());
            chosen.map(str::to_owned).map_err(|usable| usable.join(" "))
        };
        let ok = |name: &str| Ok(name.to_owned());
        assert_eq!(chosen(None, None), ok("usual"));
        assert_eq!(chosen(None, Some(&["a"])), ok("a"));
        assert_eq!(chosen(None, Some(&["gone"])), ok("usual"), "the policy refuses it");
        assert_eq!(chosen(None, Some(&["a", "b"])), ok("usual"), "the policy refuses it");
        assert_eq!(chosen(None, Some(&["*"])), ok("usual"));
        assert_eq!(chosen(Some("b"), None), ok("b"));
        assert_eq!(chosen(Some("b"), Some(&["a", "b"])), ok("b"));
        assert_eq!(chosen(Some("b"), Some(&["a"])), chosen(Some("nobodys"), Some(&["a"])));
        assert_eq!(chosen(Some("b"), Some(&["a"])), Err("a".to_owned()));
        assert_eq!(chosen(Some("b"), Some(&[])), Err(String::new()));
    }
}
