//! The parameters of each action, and what happens to unknown ones.
//!
//! The cloud ignores parameters that it does not know. Here that could build something else than was asked for, or cost
//! money (a misspelt `ClientToken`, a filter that does not exist). So each parameter is one of three: the action takes
//! it ([`Facts::takes`](crate::eci::action::Facts::takes)); every SDK may send it and it changes nothing
//! ([`HARMLESS`]); or it is refused by name. A parameter with an empty value is ignored.
//!
//! Source: the published API metadata of version 2018-08-08 (2026-04), and what the SDKs' request classes can send. `N`
//! stands for a position in a list. Values are not read here.

use std::sync::LazyLock;

use super::read::ParameterError;
use crate::domain::image_cache::spec::fields::objects::members_of;
use crate::domain::image_cache::spec::fields::{ALL, FIELDS, Field, ValueForm};
use crate::domain::operation::dry_run;
use crate::eci::{Action, Product};

/// What an action of ECI takes besides `RegionId`.
#[derive(Debug)]
pub struct ActionParameters {
    /// The action of the cloud that takes them.
    pub action: Action,
    /// The names of its parameters, with `N` for positions in lists.
    pub taken: Vec<String>,
}

/// What an SDK, or a proxy in front of the cloud, adds by itself and what affects no image cache.
pub const HARMLESS: [&str; 12] = [
    // Hidden in the metadata, but in every request class of the SDKs.
    "OwnerAccount",
    "OwnerId",
    "ResourceOwnerAccount",
    "ResourceOwnerId",
    // Of the Go SDK, for its virtual kubelet.
    "VkClientVersion",
    // About the route of a request and the caller's language.
    "SourceIp",
    "SecureTransport",
    "ProxyOriginalSourceIp",
    "ProxyOriginalSecurityTransport",
    "AcceptLanguage",
    "RequestId",
    // Seen in a recorded request of an SDK; no action has ever had it.
    "Extra",
];

/// Every action of ECI with its parameters: those of its row, and those of the fields of an image cache. Actions that
/// change something come first, because a refusal names the first action that has the parameter.
pub static ACTIONS: LazyLock<Vec<ActionParameters>> = LazyLock::new(|| {
    let mut of_eci: Vec<Action> = Action::ALL.into_iter().filter(|action| action.product() == Product::Eci).collect();
    of_eci.sort_by_key(|action| action.is_look());
    let parameters = |action| ActionParameters { action, taken: own(action).chain(of_fields(action)).collect() };
    of_eci.into_iter().map(parameters).collect()
});

fn own(action: Action) -> impl Iterator<Item = String> {
    action.facts().takes.iter().map(|name| (*name).to_owned())
}

/// The parameters of the fields that the action sets or filters by.
fn of_fields(action: Action) -> Vec<String> {
    let of = |in_update: bool| {
        let taken = ALL.iter().filter(move |field| !in_update || field.in_update.is_some());
        taken.flat_map(|field| parameters_of(field, in_update)).collect()
    };
    match action {
        Action::Create => of(false),
        Action::Update => of(true),
        Action::Describe => {
            [FIELDS.name.wire, FIELDS.images.parameter(), FIELDS.resource_group_id.wire].map(str::to_owned).into()
        }
        _ => Vec::new(),
    }
}

/// The parameters of a field: `Tag.N` is `Tag.N.Key` and `Tag.N.Value`.
fn parameters_of(field: &Field, in_update: bool) -> Vec<String> {
    let inside = |member: &str| format!("{}.{member}", field.wire);
    match field.form {
        // Every action takes it.
        ValueForm::Region => Vec::new(),
        ValueForm::Tags { .. } => ["Key", "Value"].map(inside).into(),
        ValueForm::Objects { .. } => {
            let taken = members_of(field).iter().filter(|member| !in_update || member.in_update);
            taken.map(|member| inside(member.wire)).collect()
        }
        _ => vec![field.wire.to_owned()],
    }
}

impl ActionParameters {
    /// Whether the action has a parameter of this form.
    pub fn takes(&self, form: &str) -> bool {
        self.taken.iter().any(|taken| taken == form)
    }

    /// Whether the action takes it, or nothing depends on it.
    fn knows(&self, name: &str) -> bool {
        let form = form(name);
        let of_another = || self.action.facts().lenient && ACTIONS.iter().any(|other| other.takes(&form));
        let harmless = || form == "RegionId" || HARMLESS.contains(&form.as_str());
        self.takes(&form) || harmless() || of_another()
    }

    /// The parameter that was probably meant.
    fn near(&self, name: &str) -> Option<&str> {
        let mistaken = letters(&form(name));
        let alike = |known: &str| {
            let known = letters(known);
            known == mistaken || known.trim_end_matches('n') == mistaken.trim_end_matches(['s', 'n'])
        };
        std::iter::once("RegionId").chain(self.taken.iter().map(String::as_str)).find(|known| alike(known))
    }

    fn refusal(&self, name: &str) -> ParameterError {
        let elsewhere = ACTIONS.iter().find(|other| other.takes(&form(name))).map(|other| other.action);
        let more = match (self.near(name), elsewhere) {
            (Some(near), _) => format!("; {near} is"),
            (None, Some(other)) => format!(", only of {other}"),
            (None, None) => String::new(),
        };
        ParameterError::invalid(name, &format!("it is no parameter of {}{more}. Nothing was done", self.action))
    }
}

/// Refuses parameters that the action does not have; otherwise the request would be carried out as if they were absent.
pub fn check(action: &str, params: &[(String, String)]) -> Result<(), ParameterError> {
    let Some(known) = ACTIONS.iter().find(|known| known.action.as_str() == action) else { return Ok(()) };
    let asked = params.iter().filter(|(name, value)| !value.is_empty() && !dry_run::is_meant(name));
    let mut unknown = asked.map(|(name, _)| name).filter(|name| !known.knows(name));
    unknown.next().map_or(Ok(()), |name| Err(known.refusal(name)))
}

/// Whether a dry run is requested, in any spelling.
pub fn dry_run(params: &[(String, String)]) -> Result<bool, ParameterError> {
    let mut said = false;
    for (name, value) in params.iter().filter(|(name, _)| dry_run::is_meant(name)) {
        said |= dry_run::says(value).ok_or_else(|| ParameterError::invalid(name, "it must be true or false"))?;
    }
    Ok(said)
}

/// A name with `N` for each position: `Tag.12.Key` becomes `Tag.N.Key`. The same goes for `AcrRegistryInfo.1Domain.1`,
/// which one SDK sends.
fn form(name: &str) -> String {
    let part = |part: &str| match part.trim_start_matches(|digit: char| digit.is_ascii_digit()) {
        rest if rest.len() == part.len() => rest.to_owned(),
        "" => "N".to_owned(),
        "Domain" => "N.Domain".to_owned(),
        _ => part.to_owned(),
    };
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}

fn letters(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(action: &str, name: &str) -> Option<String> {
        check(action, &[(name.to_owned(), "x".to_owned())]).err().map(|refused| refused.message)
    }

    #[test]
    fn what_an_action_takes_and_what_changes_nothing_pass() {
        for known in ACTIONS.iter() {
            let taken = known.taken.iter().map(String::as_str);
            for name in taken.chain(HARMLESS).chain(["RegionId", "DryRun"]) {
                let sent = name.replacen(".N", ".1", 1).replace(".N", ".20");
                assert_eq!(refused(known.action.as_str(), &sent), None, "{}", known.action);
            }
        }
        assert_eq!(refused("CreateImageCache", "AcrRegistryInfo.1Domain.1"), None);
        assert_eq!(refused("DeleteImageCache", "Image.1"), None, "an id says all about a delete");
        assert_eq!(check("CreateImageCache", &[("Unheard.Of".into(), String::new())]), Ok(()), "it asks for nothing");
    }

    #[test]
    fn what_an_action_has_not_is_named_with_what_was_meant() {
        for (action, name, told) in [
            ("CreateImageCache", "clientToken", "; ClientToken is"),
            ("CreateImageCache", "Images.1", "; Image.N is"),
            ("CreateImageCache", "Image", "; Image.N is"),
            ("CreateImageCache", "Tag.1.key", "; Tag.N.Key is"),
            ("CreateImageCache", "ImageCacheId", ", only of UpdateImageCache"),
            ("UpdateImageCache", "Annotations", ", only of CreateImageCache"),
            ("UpdateImageCache", "AcrRegistryInfo.1.ArnUser", ", only of CreateImageCache"),
            ("DescribeImageCaches", "Image.1", "; Image is"),
            ("DescribeImageCaches", "Status", "it is no parameter of DescribeImageCaches. Nothing"),
            ("DeleteImageCache", "Force", "it is no parameter of DeleteImageCache. Nothing"),
            ("ListUsage", "Limits", "it is no parameter of ListUsage. Nothing"),
        ] {
            let message = refused(action, name).unwrap_or_default();
            assert!(message.contains(told) && message.contains(name), "{action} {name}: {message}");
        }
    }

    #[test]
    fn a_dry_run_is_seen_wherever_it_stands() {
        let asks = |name: &str, value: &str| dry_run(&[(name.to_owned(), value.to_owned())]);
        assert_eq!(
            (asks("DryRun", "True"), asks("dryRun", "1"), asks("dry_run", "false")),
            (Ok(true), Ok(true), Ok(false))
        );
        assert!(asks("DryRun", "").is_err() && asks("DryRun", "maybe").is_err());
        assert_eq!(asks("Image.1", "true"), Ok(false));
    }
}
