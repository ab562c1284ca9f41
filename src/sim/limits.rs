//! The limits of parameters, and of the account: quota, and calls in a minute.

use std::collections::VecDeque;

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::answer::ActionRefusal;
use crate::domain::clock::Instant;
use crate::domain::entropy::Entropy;
use crate::domain::image_cache::spec::{GATEWAY_TAGS, ImageCacheSpec, NewImageCache, RegistryCredential};
use crate::eci::params::read::ParameterError;

/// How long a build of one image takes by itself, in stand-in seconds.
pub(super) const ONE_IMAGE_SECONDS: f64 = 10.0;

/// What the account may do, which the admin door can change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CloudLimits {
    /// Image caches per region.
    pub(super) quota: usize,
    /// `CreateImageCache` calls in any 60 seconds.
    pub(super) creates_per_minute: usize,
    /// How long a new cache is missing from lists; a look by its id shows it at once.
    pub(super) list_lag_seconds: u32,
    /// How long half of the builds take, in stand-in seconds; each takes its own time around it. 0: as [`super`] says.
    pub(super) build_median_seconds: f64,
    /// How far they are spread: the standard deviation of the logarithm.
    pub(super) build_spread: f64,
}

impl Default for CloudLimits {
    fn default() -> Self {
        Self { quota: 500, creates_per_minute: 200, list_lag_seconds: 0, build_median_seconds: 0.0, build_spread: 0.3 }
    }
}

impl CloudLimits {
    /// By how much the next build is faster than a build of one image is by itself.
    pub(super) fn haste(&self, entropy: &Entropy) -> f64 {
        if self.build_median_seconds <= 0.0 {
            return 1.0;
        }
        // Box and Muller: two even numbers make a normal one.
        let even = || (f64::from(u32::from_le_bytes(entropy.bytes())) + 1.0) / (f64::from(u32::MAX) + 2.0);
        let normal = (-2.0 * even().ln()).sqrt() * (std::f64::consts::TAU * even()).cos();
        let seconds = self.build_median_seconds * (self.build_spread * normal).exp();
        ONE_IMAGE_SECONDS / seconds.clamp(0.01, 1_000_000.0)
    }
}

/// The creates of the last minute.
#[derive(Debug, Default)]
pub(super) struct Pace(VecDeque<Instant>);

impl Pace {
    /// Counts a create, or refuses it; a refused one does not count.
    pub(super) fn step(&mut self, limits: &CloudLimits, now: Instant) -> Result<(), ActionRefusal> {
        // Either way: a clock that was put back must not throttle for longer.
        self.0.retain(|at| (now - *at).abs() < Duration::minutes(1));
        if self.0.len() >= limits.creates_per_minute {
            return Err(throttled());
        }
        self.0.push_back(now);
        Ok(())
    }
}

/// What too many calls get.
pub(super) fn throttled() -> ActionRefusal {
    ActionRefusal::new(400, "Throttling.User", "Request was denied due to user flow control.")
}

/// What a full account gets.
pub(super) fn quota_exceeded(quota: usize) -> ActionRefusal {
    ActionRefusal::new(403, "QuotaExceeded", format!("The quota of image caches in the region is exceeded: {quota}."))
}

/// Checks every limit of what a cache shall be.
pub(super) fn check(spec: &ImageCacheSpec, logins: &[RegistryCredential]) -> Result<(), ActionRefusal> {
    let mut spec = spec.clone();
    // A team may not use them, the gateway itself does.
    spec.tags.retain(|key, _| !key.starts_with(GATEWAY_TAGS));
    let checked = NewImageCache { cloud_account: None, spec, registry_credentials: logins.to_vec() }.check();
    match checked.err().and_then(|errors| errors.into_iter().next()) {
        Some(error) => Err(ParameterError::of_field(&error).into()),
        None => Ok(()),
    }
}
