//! The expression that finds a team in a word of the claims.

use regex::{Regex, RegexBuilder};

/// The expression of a team, which is to match whole words.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let built = |text: &str| {
        RegexBuilder::new(text).size_limit(1 << 18).dfa_size_limit(1 << 18).nest_limit(32).build().map_err(|error| {
            let told = error.to_string();
            told.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    };
    // First by itself: parentheses that close what is put around it would change what is anchored.
    built(pattern)?;
    built(&format!(r"\A(?:{pattern})\z"))
}
