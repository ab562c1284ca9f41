//! Issuers for common providers, to print and edit: each matches the tokens that the provider really sends.
//!
//! A preset is only an [`Issuer`] with one rule, made from a few parameters; it passes [`Issuer::check`] like any
//! other. Nothing here is used while requests are served.

use std::collections::BTreeMap;

use super::Issuer;
use crate::domain::field::{FieldCode, FieldError};

mod people;
mod pipelines;

/// A provider with a preset.
#[derive(Debug)]
pub struct Preset {
    /// The name, as passed to `auth preset`.
    pub name: &'static str,
    /// The provider, and what the rule is for.
    pub title: &'static str,
    /// The parameters of the preset.
    pub parameters: &'static [Parameter],
    make: fn(&PresetParameters) -> Issuer,
}

/// A parameter of a preset.
#[derive(Debug)]
pub struct Parameter {
    /// The name of the parameter.
    pub name: &'static str,
    /// What it means, with an example.
    pub meaning: &'static str,
    /// The default value; none if the parameter is required.
    pub default: Option<&'static str>,
}

/// All parameters of one preset, with their values.
struct PresetParameters(BTreeMap<&'static str, String>);

impl PresetParameters {
    fn text(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// The items of a comma-separated list.
    fn list(&self, name: &str) -> Vec<String> {
        let text = self.0.get(name).map(String::as_str).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }
}

const fn needed(name: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, meaning, default: None }
}

const fn usual(name: &'static str, meaning: &'static str, default: &'static str) -> Parameter {
    Parameter { name, meaning, default: Some(default) }
}

const AUDIENCE: Parameter = usual("audience", "what the tokens are made for (aud)", "eci-cache-gateway");
const TEAM: Parameter = needed("team", "the team that they act for: web");
const SCOPES: Parameter = usual("scopes", "their scopes, separated by commas", "read,write");

/// All presets.
pub const ALL: [&Preset; 10] = [
    &people::KEYCLOAK,
    &people::ENTRA_ID,
    &people::AUTH0,
    &people::OKTA,
    &people::COGNITO,
    &people::GENERIC,
    &pipelines::GOOGLE,
    &pipelines::GITHUB_ACTIONS,
    &pipelines::GITLAB,
    &pipelines::KUBERNETES,
];

/// The preset with this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    ALL.into_iter().find(|preset| preset.name == name)
}

impl Preset {
    /// The issuer with these parameters, or what is wrong with the parameters (by name) or with the resulting issuer
    /// (by JSON pointer).
    pub fn issuer(&self, parameters: &BTreeMap<String, String>) -> Result<Issuer, Vec<FieldError>> {
        let (mut given, mut wrong) = (BTreeMap::new(), Vec::new());
        for Parameter { name, meaning, default } in self.parameters {
            match parameters.get(*name).map(String::as_str).or(*default) {
                Some(value) => drop(given.insert(*name, value.to_owned())),
                None => wrong.push(FieldError::new(*name, FieldCode::Required, format!("must be given: {meaning}"))),
            }
        }
        let known = self.parameters.iter().map(|parameter| parameter.name).collect::<Vec<_>>();
        let unknown = parameters.keys().filter(|name| !known.contains(&name.as_str()));
        let detail = format!("is no parameter of {}: it has {}", self.name, known.join(", "));
        wrong.extend(unknown.map(|name| FieldError::new(name, FieldCode::Invalid, detail.clone())));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let issuer = (self.make)(&PresetParameters(given));
        issuer.check()?;
        Ok(issuer)
    }
}
