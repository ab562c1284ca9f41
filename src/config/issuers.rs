//! A file of issuers as the value of a setting.

use std::path::Path;

use serde::Deserialize;

use super::SettingError;
use super::parse::{One, ParseError};
use super::setting::SettingKind;
use crate::domain::field::FieldError;
use crate::domain::identity::issuer::{Issuer, MAX_ISSUERS};

/// The maximum size of a file of issuers in bytes.
const MAX_FILE_BYTES: usize = 1 << 20;

/// A file of issuers; each error in it is reported with its position.
pub(super) fn issuers(key: &'static str) -> One<Vec<Issuer>> {
    One::new(key, SettingKind::File, "the path of a file", |path| {
        let wrong = |(setting, message)| SettingError { setting, message };
        read_issuers(Path::new(path)).map_err(|told| ParseError::Within(told.into_iter().map(wrong).collect()))
    })
}

/// The issuers in a file, or its errors with their positions.
fn read_issuers(path: &Path) -> Result<Vec<Issuer>, Vec<(String, String)>> {
    let place = path.display().to_string();
    let wrong = |told: String| vec![(place.clone(), told)];
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if text.len() > MAX_FILE_BYTES {
        return Err(wrong("must be at most 1 MiB".to_owned()));
    }
    let issuers = parse(path, &text).map_err(wrong)?;
    if issuers.is_empty() || issuers.len() > MAX_ISSUERS {
        return Err(wrong(format!("must hold 1 to {MAX_ISSUERS} issuers")));
    }
    let told =
        |at: usize, error: FieldError| (format!("{place}, /issuers/{at}{}", error.field), error.detail.into_owned());
    let errors = issuers.iter().enumerate().filter_map(|(at, issuer)| Some((at, issuer.check().err()?)));
    let errors: Vec<_> = errors.flat_map(|(at, errors)| errors.into_iter().map(move |error| (at, error))).collect();
    if errors.is_empty() { Ok(issuers) } else { Err(errors.into_iter().map(|(at, error)| told(at, error)).collect()) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuersFile {
    issuers: Vec<Issuer>,
}

fn parse(path: &Path, text: &str) -> Result<Vec<Issuer>, String> {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        let mut from = serde_json::Deserializer::from_str(text);
        let file: Result<IssuersFile, _> = serde_path_to_error::deserialize(&mut from);
        return file.map(|file| file.issuers).map_err(|error| error.to_string());
    }
    let file: Result<IssuersFile, _> = toml::from_str(text);
    file.map(|file| file.issuers).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        format!("line {line}: {}", error.message())
    })
}
