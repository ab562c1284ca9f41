//! Reads the flat parameters of a call: texts, numbers, truth values, lists (`Image.1`), objects (`Tag.1.Key`).
//!
//! An empty value counts as absent, truth values are read in any case (Python sends `True`), a parameter that
//! nobody asks for is ignored, and a key that came twice is refused before anything else is looked at.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::answer::Refusal;

/// The parameters of one call, query and form together. Not `Debug`: they hold passwords.
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// Takes the decoded pairs; a key that stands there twice is refused.
    pub(super) fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Refusal> {
        let mut all = BTreeMap::new();
        for (key, value) in pairs {
            if all.contains_key(&key) {
                let name: String = key.chars().take(100).collect();
                return Err(Refusal::invalid(&name, "it is given more than once"));
            }
            all.insert(key, value);
        }
        Ok(Self(all))
    }

    /// Every pair, as the signature needs them.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        self.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// A text; none where it is absent or empty.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The same as an owned text.
    pub(super) fn owned(&self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    /// A text that must be there.
    pub(super) fn required(&self, key: &str) -> Result<&str, Refusal> {
        self.text(key).ok_or_else(|| Refusal::missing(key))
    }

    /// A whole number within `range`.
    pub(super) fn number(&self, key: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Refusal> {
        let allowed = || Refusal::invalid(key, &format!("it must be {} to {}", range.start(), range.end()));
        let read = |value: &str| value.parse().ok().filter(|number| range.contains(number)).ok_or_else(allowed);
        self.text(key).map(read).transpose()
    }

    /// A truth value.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Refusal> {
        let read = |value: &str| match value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Refusal::invalid(key, "it must be true or false")),
        };
        self.text(key).map(read).transpose()
    }

    /// `prefix.1`, `prefix.2`, … in the order of their numbers, at most `most`.
    pub(super) fn list(&self, prefix: &str, most: usize) -> Result<Vec<String>, Refusal> {
        let mut items = BTreeMap::new();
        for (rest, value) in self.under(prefix) {
            items.insert(place(prefix, rest, most)?, value.to_owned());
        }
        Ok(items.into_values().filter(|value| !value.is_empty()).collect())
    }

    /// `prefix.1.Field`, …: one map of fields per number, in the order of the numbers, at most `most`.
    pub(super) fn objects<'a>(&'a self, prefix: &str, most: usize) -> Result<Vec<BTreeMap<&'a str, &'a str>>, Refusal> {
        let mut objects: BTreeMap<usize, BTreeMap<&'a str, &'a str>> = BTreeMap::new();
        for (rest, value) in self.under(prefix) {
            let (number, field) = rest.split_once('.').unwrap_or((rest, ""));
            objects.entry(place(prefix, number, most)?).or_default().insert(field, value);
        }
        Ok(objects.into_values().collect())
    }

    /// `Tag.N`: the key must be there, the value may be empty.
    pub(super) fn tags(&self) -> Result<Vec<(String, String)>, Refusal> {
        let read = |tag: BTreeMap<&str, &str>| {
            let key = tag.get("Key").filter(|key| !key.is_empty());
            let key = key.ok_or_else(|| Refusal::invalid("Tag", "each tag needs a Key"))?;
            Ok(((*key).to_owned(), tag.get("Value").copied().unwrap_or_default().to_owned()))
        };
        self.objects("Tag", 20)?.into_iter().map(read).collect()
    }

    fn under<'a>(&'a self, prefix: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let prefix = format!("{prefix}.");
        let length = prefix.len();
        let from = self.0.range(prefix.clone()..);
        from.take_while(move |(key, _)| key.starts_with(&prefix))
            .map(move |(key, value)| (&key[length..], value.as_str()))
    }
}

fn place(prefix: &str, number: &str, most: usize) -> Result<usize, Refusal> {
    let allowed = || Refusal::invalid(prefix, &format!("it must be numbered from 1 to {most}"));
    number.parse().ok().filter(|place| (1..=most).contains(place)).ok_or_else(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::new(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))).expect("no key twice")
    }

    #[test]
    fn lists_go_by_number_and_keep_to_their_prefix() {
        let params =
            params(&[("Image.10", "c"), ("Image.2", "b"), ("Image.1", "a"), ("Image", "x"), ("ImageCacheName", "n")]);
        assert_eq!(params.list("Image", 20), Ok(vec!["a".into(), "b".into(), "c".into()]));
        assert!(params.list("Image", 9).is_err());
        assert_eq!(params.list("Nothing", 9), Ok(vec![]));
    }

    #[test]
    fn odd_numbers_of_lists_are_refused() {
        for key in ["Image.0", "Image.x", "Image.", "Image.-1", "Image.99999999999999999999"] {
            assert!(params(&[(key, "a")]).list("Image", 20).is_err(), "{key}");
        }
    }

    #[test]
    fn tags_need_a_key_only() {
        assert_eq!(params(&[("Tag.1.Key", "a")]).tags(), Ok(vec![("a".into(), String::new())]));
        assert!(params(&[("Tag.1.Value", "a")]).tags().is_err());
    }

    #[test]
    fn truth_is_read_in_any_case_and_a_double_key_is_refused() {
        assert_eq!(params(&[("Flash", "True")]).flag("Flash"), Ok(Some(true)));
        assert!(params(&[("Flash", "yes")]).flag("Flash").is_err());
        let twice = [("A".to_owned(), "1".to_owned()), ("A".to_owned(), "1".to_owned())];
        assert!(Params::new(twice).is_err());
    }
}
