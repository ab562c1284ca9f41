//! Merges the environment over the file: one text (or list) for each setting, with the name under which it was set.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::SettingError;
use super::names::{self, Meaning};
use super::setting::{Section, variable_of};

/// One value that is not parsed yet.
#[derive(Clone)]
pub(super) struct Raw {
    /// The name under which it was set.
    pub(super) origin: String,
    /// The value as it was set.
    pub(super) value: WrittenValue,
}

/// A value as it was set.
#[derive(Clone)]
pub(super) enum WrittenValue {
    /// From the environment, or a scalar in the file.
    Text(String),
    /// An array in the file.
    List(Vec<String>),
}

impl WrittenValue {
    /// The items of a list; a text is split at commas.
    pub(super) fn items(&self) -> Vec<String> {
        match self {
            Self::List(items) => items.clone(),
            Self::Text(text) => text.split(',').map(|item| item.trim().to_owned()).filter(|i| !i.is_empty()).collect(),
        }
    }
}

/// All values that were set, and the errors so far.
#[derive(Default)]
pub(super) struct WrittenSettings {
    /// The table of settings.
    pub(super) table: &'static [Section],
    pub(super) values: BTreeMap<&'static str, Raw>,
    /// The settings that were set, valid or not.
    pub(super) written: BTreeSet<&'static str>,
    /// Whether there is a file that could not be read, so that it is unknown what was set.
    pub(super) unread: bool,
    pub(super) errors: Vec<SettingError>,
    pub(super) notes: Vec<String>,
}

const NO_VALUE: &str = "must be a string, a number, true or false, or an array of strings or numbers";

/// The values of the file, or those of the environment.
type Layer = BTreeMap<&'static str, Vec<(Meaning, Raw)>>;

impl WrittenSettings {
    /// Reads both; the environment takes precedence for each setting.
    pub(super) fn merge(
        table: &'static [Section],
        file: Option<&Path>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut source = Self { table, ..Self::default() };
        let env: Vec<(String, String)> = env.into_iter().collect();
        let is_proxy = |(name, value): &&(String, String)| !value.is_empty() && names::is_proxy_variable(name);
        let proxies: Vec<String> = env.iter().filter(is_proxy).map(|(name, _)| name.clone()).collect();
        let mut written = file.map(|file| source.file_layer(file)).unwrap_or_default();
        written.extend(source.env_layer(env));
        for (key, forms) in written {
            let known = source.errors.len();
            if let Some(raw) = source.one_of(&forms) {
                source.values.insert(key, raw);
            } else if source.errors.len() == known {
                continue;
            }
            source.written.insert(key);
        }
        source.note_proxies(&proxies);
        source
    }

    /// Warns that the environment's proxy variables are ignored, and names the settings to use instead.
    fn note_proxies(&mut self, variables: &[String]) {
        let unset = names::PROXIES.iter().filter(|key| !self.values.contains_key(*key));
        let unset: Vec<String> = unset.map(|key| variable_of(key)).collect();
        if !variables.is_empty() && !unset.is_empty() {
            let (variables, unset) = (variables.join(", "), unset.join(", "));
            self.notes.push(format!("of the environment {variables} is not followed; what sets a proxy is {unset}"));
        }
    }

    /// Records an error.
    pub(super) fn refuse(&mut self, setting: impl Into<String>, message: impl Into<String>) {
        self.errors.push(SettingError { setting: setting.into(), message: message.into() });
    }

    fn file_layer(&mut self, file: &Path) -> Layer {
        let place = file.display().to_string();
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => {
                self.refuse(place, format!("cannot be read: {error}"));
                self.unread = true;
                return Layer::new();
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => {
                let mut layer = Layer::new();
                self.flatten(&place, "", table, &mut layer);
                layer
            }
            Err(error) => {
                // The error's `Display` shows the line, which may contain a secret.
                let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
                self.refuse(format!("{place}, line {line}"), format!("is not valid TOML: {}", error.message()));
                self.unread = true;
                Layer::new()
            }
        }
    }

    fn flatten(&mut self, place: &str, prefix: &str, table: toml::Table, layer: &mut Layer) {
        for (name, value) in table {
            let name = format!("{prefix}{name}");
            let origin = format!("{name} in {place}");
            match (value, names::meaning(self.table, &name)) {
                (toml::Value::Table(inner), None) => self.flatten(place, &format!("{name}."), inner, layer),
                (value, Some(meaning)) => match plain(value) {
                    Some(value) => add(layer, meaning, Raw { origin, value }),
                    None => self.refuse(origin, NO_VALUE),
                },
                (_, None) => {
                    self.refuse(
                        origin,
                        format!("is not a setting; the closest is {}", names::nearest_key(self.table, &name)),
                    );
                }
            }
        }
    }

    fn env_layer(&mut self, env: impl IntoIterator<Item = (String, String)>) -> Layer {
        let mut layer = Layer::new();
        for (name, value) in env {
            match names::meaning_of_variable(self.table, &name) {
                Some(_) if value.contains(char::REPLACEMENT_CHARACTER) => self.refuse(name, "must be UTF-8 text"),
                Some(meaning) if !value.is_empty() => {
                    add(&mut layer, meaning, Raw { origin: name, value: WrittenValue::Text(value) });
                }
                None => self.notes.extend(self.mistaken(&name)),
                Some(_) => {}
            }
        }
        layer
    }

    /// The warning about a variable that looks like a setting but is not.
    fn mistaken(&self, name: &str) -> Option<String> {
        let capitals = name.to_ascii_uppercase();
        if capitals != name && names::meaning_of_variable(self.table, &capitals).is_some() {
            return Some(format!("the variable {name} is not read: names are in capitals ({capitals})"));
        }
        if !name.starts_with("ECG_") || names::OTHER_VARIABLES.contains(&name) {
            return None;
        }
        let near = names::nearest_variable(self.table, name);
        Some(format!("the variable {name} is not a setting; the closest is {near}"))
    }

    /// The value of a setting, which may be given directly or as the name of a file, but not both.
    fn one_of(&mut self, forms: &[(Meaning, Raw)]) -> Option<Raw> {
        match forms {
            [(Meaning::Value(_), raw)] => Some(raw.clone()),
            [(Meaning::FileOf(_), raw)] => self.read_secret(raw),
            [(_, one), (_, other), ..] => {
                self.refuse(&one.origin, format!("{} is set too: set one of the two", other.origin));
                None
            }
            [] => None,
        }
    }

    fn read_secret(&mut self, raw: &Raw) -> Option<Raw> {
        let WrittenValue::Text(path) = &raw.value else {
            self.refuse(&raw.origin, "must be the path of a file");
            return None;
        };
        match fs::read_to_string(path) {
            Ok(text) => {
                // Editors and `echo` end a file with a line break, which is not part of the secret.
                let text = text.trim_end_matches(['\r', '\n']);
                // Like an empty variable: a deployment may mount a secret that exists only sometimes.
                (!text.is_empty())
                    .then(|| Raw { origin: raw.origin.clone(), value: WrittenValue::Text(text.to_owned()) })
            }
            Err(error) => {
                self.refuse(&raw.origin, format!("the file {path} cannot be read: {error}"));
                None
            }
        }
    }
}

fn add(layer: &mut Layer, meaning: Meaning, raw: Raw) {
    let (Meaning::Value(key) | Meaning::FileOf(key)) = meaning;
    layer.entry(key).or_default().push((meaning, raw));
}

fn plain(value: toml::Value) -> Option<WrittenValue> {
    match value {
        toml::Value::Array(items) => items.into_iter().map(scalar).collect::<Option<_>>().map(WrittenValue::List),
        value => scalar(value).map(WrittenValue::Text),
    }
}

fn scalar(value: toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}
