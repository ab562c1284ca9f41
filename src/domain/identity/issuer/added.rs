//! Issuers that an administrator adds through the API: what they may not contain, and what ties a token to their rules.

use std::str::FromStr;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{DEFAULT, Issuer, IssuerRule, KeysFrom};
use crate::domain::field::{FieldCode, FieldError, Findings};
use crate::domain::identity::caller::{TeamId, TeamIdError};

/// A well-formed name of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerName(TeamId);

impl FromStr for IssuerName {
    type Err = TeamIdError;

    fn from_str(text: &str) -> Result<Self, TeamIdError> {
        text.parse().map(Self)
    }
}

impl IssuerName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Issuer {
    /// Reports everything that is wrong with an issuer to be added, by JSON pointer. `taken` are the `iss` values in
    /// use: that of the settings, and the gateway's own.
    pub fn check_added(&self, taken: &[&str]) -> Result<(), Vec<FieldError>> {
        let mut errors = self.check().err().unwrap_or_default();
        let mut f = Findings::default();
        // A route has this name, so an issuer with it could not be read.
        let free = self.name != DEFAULT && self.name != "explain";
        f.require(free, "/name", FieldCode::Taken, "must not be default or explain");
        let free = !taken.contains(&self.issuer.as_str());
        f.require(free, "/issuer", FieldCode::Taken, "must not be the iss of another issuer, or that of this gateway");
        let detail = "must not be jwks_file: files can be named only in the operator's settings";
        f.require(self.keys.from != KeysFrom::JwksFile, "/keys/from", FieldCode::NotAllowed, detail);
        errors.extend(f.into_result().err().into_iter().flatten());
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The digest that ties an exchanged token to the issuer and this rule. None if there is no such rule. Changes of
    /// other rules do not affect it.
    pub fn seal(&self, rule: &str) -> Option<String> {
        #[derive(Serialize)]
        struct Bound<'a> {
            issuer: Issuer,
            rule: &'a IssuerRule,
        }
        let rule = self.rules.iter().find(|known| known.name == rule)?;
        let issuer = Issuer { rules: Vec::new(), ..self.clone() };
        // Texts, numbers and lists always serialize.
        let bytes = serde_json::to_vec(&Bound { issuer, rule }).unwrap_or_default();
        let print = Sha256::digest(&bytes);
        Some(print[..16].iter().fold(String::with_capacity(32), |text, byte| text + &format!("{byte:02x}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::issuer::{ScopeSource, TeamSource};

    fn issuer() -> Issuer {
        let rule = |name: &str, team: &str| IssuerRule {
            name: name.into(),
            matches: [("/repository".to_owned(), vec![format!("acme/{name}")])].into(),
            team: TeamSource { fixed: Some(team.into()), ..TeamSource::default() },
            scopes: ScopeSource { fixed: vec!["read".into()], ..ScopeSource::default() },
            ..IssuerRule::default()
        };
        Issuer {
            name: "github".into(),
            issuer: "https://github.example".into(),
            audiences: vec!["gateway".into()],
            rules: vec![rule("web", "web"), rule("zoo", "zoo")],
            ..Issuer::default()
        }
    }

    #[test]
    fn a_seal_is_of_the_issuer_and_one_rule() {
        let before = issuer();
        let seal = before.seal("web").unwrap();
        let after = |change: fn(&mut Issuer)| {
            let mut issuer = issuer();
            change(&mut issuer);
            issuer.seal("web")
        };
        assert_eq!(before.seal("none"), None);
        assert_ne!(before.seal("zoo"), Some(seal.clone()));
        assert_eq!(after(|issuer| issuer.rules.truncate(1)).as_ref(), Some(&seal), "another rule went");
        assert_eq!(after(|issuer| issuer.rules.reverse()).as_ref(), Some(&seal));
        assert_ne!(after(|issuer| issuer.audiences.push("more".into())).as_ref(), Some(&seal));
        assert_ne!(after(|issuer| issuer.rules[0].scopes.fixed.push("write".into())).as_ref(), Some(&seal));
        assert_ne!(after(|issuer| issuer.rules[0].matches.clear()).as_ref(), Some(&seal));
    }

    #[test]
    fn what_may_not_be_added_is_named() {
        let wrong = |change: fn(&mut Issuer)| {
            let mut issuer = issuer();
            change(&mut issuer);
            let errors = issuer.check_added(&["https://settings.example", "https://gateway.example"]).err();
            errors.unwrap_or_default().into_iter().map(|error| error.field).collect::<Vec<_>>()
        };
        assert_eq!(wrong(|_| {}), [""; 0]);
        assert_eq!(wrong(|issuer| issuer.name = DEFAULT.into()), ["/name"]);
        assert_eq!(wrong(|issuer| issuer.name = "explain".into()), ["/name"]);
        assert_eq!(wrong(|issuer| issuer.issuer = "https://gateway.example".into()), ["/issuer"]);
        assert_eq!(wrong(|issuer| issuer.issuer = "https://settings.example".into()), ["/issuer"]);
        let file = |issuer: &mut Issuer| {
            issuer.keys.from = KeysFrom::JwksFile;
            issuer.keys.file = Some("/etc/shadow".into());
        };
        assert_eq!(wrong(file), ["/keys/from"]);
        assert_eq!(wrong(|issuer| issuer.rules.clear()), ["/rules"]);
    }
}
