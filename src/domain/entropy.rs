//! Randomness, passed in as a dependency. Production seeds it from the operating system, tests from a number, so that a
//! test gets the same ids and secrets in every run.

use std::sync::{Mutex, PoisonError};

use rand::{RngCore, SeedableRng, rngs::StdRng};

/// A cryptographically strong generator (`ChaCha12`) that many tasks may share.
#[derive(Debug)]
pub struct Entropy(Mutex<StdRng>);

impl Entropy {
    /// A generator seeded by the operating system, for production.
    pub fn from_os() -> Self {
        Self(Mutex::new(StdRng::from_os_rng()))
    }

    /// A generator seeded by a number, for tests and simulations only: the output is predictable.
    pub fn from_seed(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }

    /// `N` fresh random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
        bytes
    }

    /// A number in `0..1000`, for jitter.
    pub fn permille(&self) -> i32 {
        let drawn = u64::from_le_bytes(self.bytes()) % 1_000;
        i32::try_from(drawn).unwrap_or(0)
    }
}
