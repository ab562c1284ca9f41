//! Finds the setting that a name refers to, and the most similar one for a wrong name; the same for names in requests.

use super::setting::{Section, all, find, variable_of};

/// The settings for proxies, one for each of our clients.
pub(super) const PROXIES: [&str; 3] = ["cloud.proxy", "auth.jwks_proxy", "webhook.proxy"];

/// Whether other programs read a proxy from this variable; we do not.
pub(super) fn is_proxy_variable(name: &str) -> bool {
    ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Variables that begin with `ECG_` but are not settings: the name of the settings file, those that docker-compose.yml
/// or `dev` reads, and those that `dev` writes for its users.
pub(super) const OTHER_VARIABLES: &[&str] = &[
    "ECG_CONFIG",
    "ECG_PORT",
    "ECG_PG_BIN",
    "ECG_PG_INSTALL",
    "ECG_URL",
    "ECG_TOKEN",
    "ECG_ADMIN_TOKEN",
    "ECG_ACCESS_KEY_ID",
    "ECG_ACCESS_KEY_SECRET",
    "ECG_STANDIN_URL",
    "ECG_STANDIN_ACCESS_KEY_ID",
    "ECG_STANDIN_ACCESS_KEY_SECRET",
];

/// What a name refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The setting itself.
    Value(&'static str),
    /// The file that contains the secret.
    FileOf(&'static str),
}

/// The meaning of a key such as `cloud.regions` or `keys.master_file`.
pub(super) fn meaning(table: &'static [Section], name: &str) -> Option<Meaning> {
    let secret = || find(table, name.strip_suffix("_file")?).filter(|setting| setting.secret);
    find(table, name).map(|setting| Meaning::Value(setting.key)).or_else(|| Some(Meaning::FileOf(secret()?.key)))
}

/// The meaning of a variable such as `ECG_CLOUD_REGIONS`.
pub(super) fn meaning_of_variable(table: &'static [Section], variable: &str) -> Option<Meaning> {
    let named = || all(table).find(|setting| setting.variable() == variable);
    let file = || all(table).find(|setting| setting.file_variable().is_some_and(|name| name == variable));
    named().map(|setting| Meaning::Value(setting.key)).or_else(|| Some(Meaning::FileOf(file()?.key)))
}

/// The key that is most similar to a wrong one.
pub(super) fn nearest_key(table: &'static [Section], mistaken: &str) -> &'static str {
    nearest(mistaken, all(table).map(|setting| setting.key)).unwrap_or_default()
}

/// The variable that is most similar to a wrong one.
pub(super) fn nearest_variable(table: &'static [Section], mistaken: &str) -> String {
    nearest(mistaken, all(table).map(|setting| variable_of(setting.key))).unwrap_or_default()
}

fn nearest<T: AsRef<str>>(mistaken: &str, known: impl Iterator<Item = T>) -> Option<T> {
    known.min_by_key(|name| strsim::levenshtein(mistaken, name.as_ref()))
}

/// The longest name that is compared with those that are known.
const MOST_LETTERS: usize = 64;

/// The name of `known` that was probably meant by a mistaken one, if any is near enough.
pub fn probably_meant<'a>(mistaken: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer texts are no misspelt name, and to compare them would take long.
    if mistaken.chars().count() > MOST_LETTERS {
        return None;
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
    let (wanted, mut best) = (plain(mistaken), None);
    for name in known {
        let distance = strsim::osa_distance(&wanted, &plain(name));
        // A field is often called by a part of its name: `size` for `size_gib`.
        let part = wanted.len() >= 3 && (name.starts_with(&wanted) || name.ends_with(&wanted));
        let near = part || distance <= 1.max(name.len() / 3);
        if near && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistaken_name_is_read_as_the_nearest() {
        let known = ["name", "region", "images", "size_gib", "retention_days", "ephemeral_storage_gib"];
        for (mistaken, meant) in [
            ("sizeGib", Some("size_gib")),
            ("size-gib", Some("size_gib")),
            ("size", Some("size_gib")),
            ("image", Some("images")),
            ("imgaes", Some("images")),
            ("Region", Some("region")),
            ("days", Some("retention_days")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(probably_meant(mistaken, known), meant, "{mistaken}");
        }
        assert_eq!(probably_meant(&"images".repeat(20), known), None);
    }
}
