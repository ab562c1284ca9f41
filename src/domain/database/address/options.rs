//! The value of `options`: `-c name=value` or `--name=value`, one after another; `\` escapes a space.

use super::AddressError;

/// The settings in the `options` of an address.
pub(super) fn settings(text: &str) -> Result<Vec<(String, String)>, AddressError> {
    let mut settings = Vec::new();
    let mut words = words(text).into_iter();
    while let Some(word) = words.next() {
        let long =
            word.strip_prefix("--").map(|long| long.replacen('-', "_", long.split('=').next().map_or(0, dashes)));
        let setting = match (long, word.strip_prefix("-c")) {
            (Some(long), _) => long,
            (None, Some("")) => words.next().unwrap_or_default(),
            (None, Some(rest)) => rest.to_owned(),
            (None, None) => return Err(wrong()),
        };
        let (name, value) = setting.split_once('=').filter(|(name, _)| is_name(name)).ok_or_else(wrong)?;
        settings.push((name.to_owned(), value.to_owned()));
    }
    Ok(settings)
}

fn dashes(name: &str) -> usize {
    name.matches('-').count()
}

fn wrong() -> AddressError {
    AddressError::new(
        "has options that cannot be read: only settings may stand there, such as options=-c%20search_path=public, a space written %20",
    )
}

fn is_name(name: &str) -> bool {
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
    letters && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut letters) = (Vec::new(), String::new(), text.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.extend(letters.next()),
            letter if letter.is_whitespace() => words.push(std::mem::take(&mut word)),
            letter => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}
