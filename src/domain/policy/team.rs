//! Teams as an administrator registers them, and which policy applies to each.

use super::{Policy, Refusal};
use crate::domain::clock::Instant;
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::identity::caller::TeamId;

/// The tag that names the team of a cache, if the team is registered and its own tags leave room.
pub const TEAM_TAG: &str = "eci-cache-gateway:team";
/// The tag that names the cost centre.
pub const COST_CENTRE_TAG: &str = "eci-cache-gateway:cost-centre";
/// The maximum number of contacts of a team.
const MAX_CONTACTS: usize = 10;

/// A registered team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// The id of the team, as it appears in tokens.
    pub id: TeamId,
    /// A name for people: 1 to 128 characters.
    pub display_name: String,
    /// Contacts for questions: up to 10 texts of up to 256 characters.
    pub contacts: Vec<String>,
    /// The cost centre: 1 to 64 characters.
    pub cost_centre: Option<String>,
    /// The team's own policy; none if the default policy applies.
    pub policy: Option<Policy>,
    /// Since when the team is disabled and its requests are refused.
    pub disabled_at: Option<Instant>,
    /// The version, which is incremented by each change and used in the `ETag`.
    pub version: i64,
    /// When the team was registered.
    pub created_at: Instant,
    /// When the team was last changed.
    pub updated_at: Instant,
}

/// What applies to an unregistered team (`ECG_POLICY_UNKNOWN_TEAMS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownTeams {
    /// The default policy applies.
    #[default]
    Default,
    /// The team cannot create anything.
    Refuse,
}

/// Where a policy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicySource {
    /// The team's own policy.
    Team,
    /// The default policy that an administrator wrote.
    Default,
    /// No policy was written: the built-in one, which allows no ids of the account's resources.
    BuiltIn,
}

impl PolicySource {
    /// The word for it in REST.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Default => "default",
            Self::BuiltIn => "built_in",
        }
    }
}

/// The policy that applies to a team, and where it comes from.
pub fn policy_of(team: Option<&Team>, default: Option<&Policy>) -> (Policy, PolicySource) {
    let own = team.and_then(|team| team.policy.as_ref()).map(|policy| (policy, PolicySource::Team));
    let (policy, source) = own.or(default.map(|policy| (policy, PolicySource::Default))).unzip();
    (policy.cloned().unwrap_or_default(), source.unwrap_or(PolicySource::BuiltIn))
}

/// Why nothing at all may be created for a team, if so.
pub fn barred(team: Option<&Team>, unknown: UnknownTeams) -> Option<Refusal> {
    let refusal = |rule, detail: &str| {
        Some(Refusal { field: String::new(), rule, detail: detail.to_owned(), allowed: Vec::new() })
    };
    match team {
        Some(team) if team.disabled_at.is_some() => refusal("disabled_team", "the team is disabled"),
        None if unknown == UnknownTeams::Refuse => refusal("unregistered_team", "the team is not registered here"),
        _ => None,
    }
}

impl Team {
    /// A team registered now, of which only the id is known.
    pub fn unnamed(id: TeamId, now: Instant) -> Self {
        Self {
            display_name: id.to_string(),
            id,
            contacts: Vec::new(),
            cost_centre: None,
            policy: None,
            disabled_at: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Checks what an administrator entered.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut findings = Findings::default();
        let name = is_text(&self.display_name, 128);
        findings.require(name, "/display_name", FieldCode::Invalid, "must be 1 to 128 printable characters");
        let count = self.contacts.len() <= MAX_CONTACTS;
        findings.require(count, "/contacts", FieldCode::OutOfRange, "must have at most 10 contacts");
        for (place, contact) in self.contacts.iter().enumerate() {
            let good = is_text(contact, 256);
            findings.require(
                good,
                format!("/contacts/{place}"),
                FieldCode::Invalid,
                "must be 1 to 256 printable characters",
            );
        }
        let centre = self.cost_centre.as_ref().is_none_or(|text| is_text(text, 64));
        findings.require(centre, "/cost_centre", FieldCode::Invalid, "must be 1 to 64 printable characters");
        findings.into_result()
    }

    /// The tags for what is created for the team, in order of priority if room is short.
    pub fn tags(&self) -> Vec<(String, String)> {
        let team = (TEAM_TAG.to_owned(), self.id.to_string());
        let centre = self.cost_centre.clone().map(|centre| (COST_CENTRE_TAG.to_owned(), centre));
        std::iter::once(team).chain(centre).collect()
    }
}

fn is_text(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(policy: Option<Policy>, disabled: bool) -> Team {
        Team {
            id: "web".parse().unwrap(),
            display_name: "Web".into(),
            contacts: Vec::new(),
            cost_centre: Some("4711".into()),
            policy,
            disabled_at: disabled.then_some(Instant::UNIX_EPOCH),
            version: 1,
            created_at: Instant::UNIX_EPOCH,
            updated_at: Instant::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_teams_own_policy_stands_above_the_default_one() {
        let (own, default) = (Policy::open(), Policy { max_total_gib: Some(1), ..Policy::default() });
        assert_eq!(policy_of(Some(&team(Some(own.clone()), false)), Some(&default)), (own, PolicySource::Team));
        assert_eq!(policy_of(Some(&team(None, false)), Some(&default)), (default.clone(), PolicySource::Default));
        assert_eq!(policy_of(None, Some(&default)), (default, PolicySource::Default));
        assert_eq!(policy_of(None, None), (Policy::default(), PolicySource::BuiltIn));
    }

    #[test]
    fn who_is_disabled_or_unknown_is_barred() {
        let rule = |team: Option<Team>, unknown| barred(team.as_ref(), unknown).map(|refusal| refusal.rule);
        assert_eq!(rule(Some(team(None, true)), UnknownTeams::Default), Some("disabled_team"));
        assert_eq!(rule(Some(team(None, false)), UnknownTeams::Refuse), None);
        assert_eq!(rule(None, UnknownTeams::Refuse), Some("unregistered_team"));
        assert_eq!(rule(None, UnknownTeams::Default), None);
    }
}
