//! Properties of any text, and of any valid reference.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;

use super::*;
use crate::domain::property::holds;

/// Texts that have a meaning in a reference.
const PARTS: [&str; 24] = [
    "a",
    "b",
    "0",
    "9",
    "A",
    ".",
    "..",
    "_",
    "__",
    "-",
    "/",
    "//",
    ":",
    "@",
    "[",
    "]",
    "::1",
    "localhost",
    "sha256:",
    "docker.io",
    "x.y",
    "80",
    "é",
    "\0",
];

/// The parts of a valid reference: registry, repository, tag and digest, of which only the second is always present.
fn reference() -> impl Strategy<Value = [String; 4]> {
    let part = "[a-z0-9]{1,6}((\\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}";
    let host = "(localhost|[A-Za-z0-9]{1,8}(-[a-z0-9]{1,4})?\\.[a-zA-Z]{2,5}|\\[2001:DB8::[1-9a-f]{1,4}\\])";
    let registry = format!("({host}(:[1-9][0-9]{{0,3}})?/)?");
    // Without a registry, a first part with a dot would be read as one.
    let repository = format!("[a-z0-9]{{1,6}}(/{part}){{0,3}}");
    let (tag, digest) = ("(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,20})?", "(@sha256:[0-9a-f]{64})?");
    [&registry, &repository, tag, digest].map(|part| string_regex(part).unwrap())
}

#[test]
fn nothing_panics_and_what_is_read_reads_back() {
    let taken = Cell::new(0);
    holds(20_000, vec(select(&PARTS[..]), 0..12), |parts| {
        let text = parts.concat();
        if let Ok(image) = text.parse::<ImageRef>() {
            let full = image.to_string();
            prop_assert_eq!(full.parse(), Ok(image), "{:?} became {:?}", text, full);
            taken.set(taken.get() + 1);
        }
        Ok(())
    });
    assert!(taken.get() > 400, "{}", taken.get());
}

#[test]
fn any_text_is_read_or_refused_with_something_that_reads_back() {
    holds(5_000, any::<String>(), |text| {
        if let Err(ImageRefError { likely: Some(likely), .. }) = text.parse::<ImageRef>() {
            prop_assert!(likely.parse::<ImageRef>().is_ok(), "{:?}: {:?} is no reference either", text, likely);
        }
        Ok(())
    });
}

#[test]
fn any_good_reference_prints_in_full_and_reads_back_as_itself() {
    holds(2_000, reference(), |[registry, repository, tag, digest]| {
        let text = format!("{registry}{repository}{tag}{digest}");
        let image: ImageRef = text.parse().map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
        let full = image.to_string();
        let again: ImageRef = full.parse().map_err(|error| TestCaseError::fail(format!("{full}: {error}")))?;
        prop_assert_eq!(&again, &image);
        prop_assert_eq!(again.to_string(), full);
        prop_assert_eq!(image.digest(), digest.strip_prefix('@'));
        let default = digest.is_empty().then_some(DEFAULT_TAG);
        prop_assert_eq!(image.tag(), tag.strip_prefix(':').or(default));
        prop_assert!(image.repository().ends_with(&repository), "{}", image.repository());
        Ok(())
    });
}

#[test]
fn the_case_of_a_registry_does_not_matter() {
    holds(500, reference(), |[registry, repository, tag, digest]| {
        let of = |registry: String| format!("{registry}{repository}{tag}{digest}").parse::<ImageRef>();
        prop_assert_eq!(of(registry.to_uppercase()), of(registry.to_lowercase()));
        Ok(())
    });
}
