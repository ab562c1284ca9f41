//! Patterns for the values of claims.
//!
//! `*` matches any characters except `/`, including none; `**` matches any characters at all. Everything else matches
//! itself, and a star cannot be escaped. The time is bounded by the product of the lengths: all places in the pattern
//! that the text may have reached are followed at once.

/// Whether the pattern matches every text.
pub(super) fn matches_anything(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*')
}

/// The longest text that is matched, in bytes: a longer one matches only a pattern that matches everything.
const LONGEST: usize = 1_024;

/// Whether the pattern matches the whole text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == text;
    }
    if text.len() > LONGEST {
        return pattern.contains("**") && matches_anything(pattern);
    }
    let steps = steps(pattern.as_bytes());
    let mut places = vec![false; steps.len() + 1];
    places[0] = true;
    skip_stars(&steps, &mut places);
    for byte in text.bytes() {
        let mut next = vec![false; steps.len() + 1];
        for (place, step) in steps.iter().enumerate().filter(|(place, _)| places[*place]) {
            match step {
                GlobStep::Byte(wanted) if *wanted == byte => next[place + 1] = true,
                GlobStep::Any => next[place] = true,
                GlobStep::Within if byte != b'/' => next[place] = true,
                GlobStep::Byte(_) | GlobStep::Within => {}
            }
        }
        if !next.contains(&true) {
            return false;
        }
        places = next;
        skip_stars(&steps, &mut places);
    }
    places[steps.len()]
}

/// A star may also match nothing.
fn skip_stars(steps: &[GlobStep], places: &mut [bool]) {
    for (place, step) in steps.iter().enumerate() {
        if places[place] && !matches!(step, GlobStep::Byte(_)) {
            places[place + 1] = true;
        }
    }
}

enum GlobStep {
    Byte(u8),
    /// `*`
    Within,
    /// `**`
    Any,
}

fn steps(pattern: &[u8]) -> Vec<GlobStep> {
    let mut steps = Vec::with_capacity(pattern.len());
    let mut rest = pattern;
    while let [first, others @ ..] = rest {
        rest = others;
        match (first, rest) {
            (b'*', [b'*', more @ ..]) => {
                rest = more;
                steps.push(GlobStep::Any);
            }
            (b'*', _) => steps.push(GlobStep::Within),
            (byte, _) => steps.push(GlobStep::Byte(*byte)),
        }
    }
    steps
}
