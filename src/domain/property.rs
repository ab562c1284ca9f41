//! Runs property tests: with the same values in every run, and reporting the smallest value that fails.
//!
//! No file is written: a value that failed once becomes a row of a table in the test. To search further, set
//! `PROPTEST_CASES` (256 is the number in the tests, 2560 ten times as many) and `PROPTEST_RNG_SEED` (any number, for
//! other values).
//!
//! Called by the tests beside the code, on every floor.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseResult, TestRunner};

/// The library's default number of cases.
const USUAL: u32 = 256;
/// Any number will do, as long as it stays the same.
const SEED: u64 = 2_026;

/// Tests the property with so many values; panics with the smallest for which it does not hold.
#[track_caller]
pub(crate) fn holds<S: Strategy>(cases: u32, values: S, property: impl Fn(S::Value) -> TestCaseResult) {
    if let Err(failure) = TestRunner::new(config(cases)).run(&values, property) {
        panic!("{failure}");
    }
}

fn config(cases: u32) -> Config {
    // Both come from the environment if it sets them.
    let Config { cases: wanted, rng_seed, .. } = Config::default();
    let rng_seed = match rng_seed {
        RngSeed::Random => RngSeed::Fixed(SEED),
        RngSeed::Fixed(_) => rng_seed,
    };
    let cases = cases.saturating_mul(wanted).div_ceil(USUAL);
    Config { cases, rng_seed, failure_persistence: None, ..Config::default() }
}

#[test]
fn a_property_that_does_not_hold_is_told_with_its_smallest_value() {
    let told = std::panic::catch_unwind(|| {
        holds(1_000, 0..1_000_000_u32, |number| {
            proptest::prop_assert!(number < 7_000, "too large");
            Ok(())
        });
    });
    let told = told.unwrap_err().downcast::<String>().unwrap();
    assert!(told.contains("too large") && told.contains("7000"), "{told}");
}

#[test]
fn every_run_tries_the_same_values() {
    let tried = || {
        let seen = std::cell::RefCell::new(Vec::new());
        holds(20, proptest::num::u64::ANY, |number| {
            seen.borrow_mut().push(number);
            Ok(())
        });
        seen.into_inner()
    };
    assert_eq!(tried(), tried());
}
