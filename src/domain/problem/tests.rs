//! The rows of the table, and when a repeat is safe.

use std::collections::BTreeSet;

use super::*;

#[test]
fn a_row_is_complete_and_its_own() {
    let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), Code::ALL.len(), "a name is two codes'");
    for code in Code::ALL {
        let name = code.as_str();
        assert_eq!(Code::from_name(name), Some(code), "{name}");
        assert!(name.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_'), "{name}");
        assert!(code.statuses().iter().all(|status| (400..600).contains(status)), "{name}");
        assert!(code.meaning().ends_with('.') && code.resolution().ends_with('.'), "{name}: whole sentences");
        assert!(!code.title().is_empty() && !code.title().ends_with('.'), "{name}: a title is no sentence");
        let bad = [code.meaning(), code.resolution(), code.title()].iter().any(|text| text.contains(['|', '<']));
        assert!(!bad, "{name}: stands in a table of Markdown");
    }
}

#[test]
fn only_what_is_transient_may_be_repeated() {
    for code in Code::ALL {
        let transient = code.statuses().iter().all(|status| [408, 409, 425, 429, 500, 503].contains(status));
        assert!(transient || code.repeat() != Repeat::Yes, "{}", code.as_str());
    }
}

/// Every combination: a repeat must help, and one of three things make it safe.
#[test]
fn a_repeat_must_help_and_be_safe() {
    for bits in 0..32_u8 {
        let [may_help, idempotent_method, reads, takes_key, has_key] =
            [0, 1, 2, 3, 4].map(|bit| bits & (1 << bit) != 0);
        let repetition = Repetition { idempotent_method, reads, takes_key, has_key };
        let expected = match (may_help, idempotent_method, reads, takes_key, has_key) {
            (false, ..) => false,
            (true, true, ..) | (true, _, true, ..) => true,
            (true, false, false, takes_key, has_key) => takes_key && has_key,
        };
        assert_eq!(retryable(may_help, repetition), expected, "{may_help} {repetition:?}");
    }
}
