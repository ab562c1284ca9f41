//! STS: `GetCallerIdentity`, and the numbers of the accounts.
//!
//! It needs no right. For a session of a role, it returns the role and the role's account, not the key that assumed it.

use serde_json::{Map, Value, json};

use super::{Signatory, StandInSettings};
use crate::eci::ram;

/// The user id of every RAM user.
const USER_ID: &str = "200000000000000000";

/// The role id of every role.
pub(super) const ROLE_ID: &str = "300000000000000000";

/// The response of `GetCallerIdentity` for this caller.
pub(super) fn caller_identity(settings: &StandInSettings, signatory: Signatory<'_>) -> Map<String, Value> {
    let account = number_of(settings, signatory);
    let answer = match signatory.session {
        Some((role, session)) => json!({
            "IdentityType": "AssumedRoleUser",
            "AccountId": account,
            "PrincipalId": format!("{}:{session}", ROLE_ID),
            "RoleId": ROLE_ID,
            "Arn": assumed(role, session),
        }),
        None => json!({
            "IdentityType": "RAMUser",
            "AccountId": account,
            "PrincipalId": USER_ID,
            "UserId": USER_ID,
            "Arn": format!("acs:ram::{account}:user/stand-in"),
        }),
    };
    answer.as_object().cloned().unwrap_or_default()
}

/// The ARN of a session of a role: `acs:ram::1:assumed-role/name/session`.
pub(super) fn assumed(role: &str, session: &str) -> String {
    format!("{}/{session}", role.replacen(":role/", ":assumed-role/", 1))
}

/// The account number of a call; for a session, that of its role.
pub(super) fn number_of(settings: &StandInSettings, signatory: Signatory<'_>) -> String {
    if let Some(account) = signatory.session.and_then(|(role, _)| ram::account_of(role)) {
        return account.to_owned();
    }
    let place = accounts(settings).iter().position(|account| *account == signatory.account);
    (place.unwrap_or_default() + 1).to_string()
}

/// The account that a role belongs to, if there is one with that number.
pub(super) fn account_of_role<'a>(settings: &'a StandInSettings, role: &str) -> Option<&'a str> {
    let place = ram::account_of(role)?.parse::<usize>().ok()?.checked_sub(1)?;
    accounts(settings).get(place).copied()
}

/// The accounts in the order of their numbers, which start at 1. The first one has no name.
fn accounts(settings: &StandInSettings) -> Vec<&str> {
    let mut all = vec![""];
    for key in &settings.further {
        if !all.contains(&key.account.as_str()) {
            all.push(&key.account);
        }
    }
    all
}
