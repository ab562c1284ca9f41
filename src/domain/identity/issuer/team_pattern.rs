//! The regular expression that finds a team in a word of the claims.

use regex::{Regex, RegexBuilder};

/// Compiles the regular expression of a team so that it matches whole words only.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let built = |text: &str| {
        RegexBuilder::new(text).size_limit(1 << 18).dfa_size_limit(1 << 18).nest_limit(32).build().map_err(|error| {
            let told = error.to_string();
            told.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    };
    // First on its own: unbalanced parentheses could otherwise close the group that anchors it.
    built(pattern)?;
    built(&format!(r"\A(?:{pattern})\z"))
}
