//! Dry runs ("only say what you would do"): the spellings of the parameter, and its values.
//!
//! If an interface or action without dry runs is asked for one, it must not ignore the parameter: the real action would
//! cost money. Called by `http` and `eci`, which parse requests.

/// The names of the parameter, without case and punctuation; a prefix (`X-`, `Is`) does not matter.
const NAMES: [&str; 4] = ["dryrun", "validateonly", "validationonly", "checkonly"];
/// The values that mean yes, and those that mean no.
const YES: [&str; 6] = ["true", "1", "yes", "y", "on", "t"];
const NO: [&str; 6] = ["false", "0", "no", "n", "off", "f"];

/// Whether a parameter or header of that name means a dry run: `DryRun`, `dry_run`, `X-Dry-Run`, `validateOnly`.
pub fn is_meant(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase());
    let letters: String = letters.collect();
    NAMES.iter().any(|name| letters.ends_with(name))
}

/// Whether the value asks for one. None if it means neither yes nor no.
pub fn says(value: &str) -> Option<bool> {
    let value = value.trim().to_ascii_lowercase();
    let yes = YES.contains(&value.as_str());
    (yes || NO.contains(&value.as_str())).then_some(yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_in_every_spelling_and_nothing_else_is() {
        for name in ["DryRun", "dryRun", "DRYRUN", "dry_run", "dry-run", "Dry.Run", "X-Dry-Run", "validate_only"] {
            assert!(is_meant(name), "{name}");
        }
        for name in ["", "Dry", "Run", "DryRunner", "Image.1", "ImageCacheName", "ClientToken", "dry"] {
            assert!(!is_meant(name), "{name}");
        }
        let said = ["True", " 1 ", "ON", "false", "0", "", "perhaps"].map(says);
        assert_eq!(said, [Some(true), Some(true), Some(true), Some(false), Some(false), None, None]);
    }
}
