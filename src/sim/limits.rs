//! The limits of parameters, and of the account: quota and rate limit.

use std::collections::VecDeque;

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::answer::ActionRefusal;
use crate::domain::clock::Instant;
use crate::domain::entropy::Entropy;
use crate::domain::image_cache::spec::{GATEWAY_TAGS, ImageCacheSpec, NewImageCache, RegistryCredential};
use crate::eci::params::read::ParameterError;

/// How long a build of one image takes by default, in stand-in seconds.
pub(super) const ONE_IMAGE_SECONDS: f64 = 10.0;

/// The limits of the account, which the admin API can change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CloudLimits {
    /// The maximum number of image caches per region.
    pub(super) quota: usize,
    /// The maximum number of `CreateImageCache` calls in any 60 seconds.
    pub(super) creates_per_minute: usize,
    /// How long a new cache is missing from lists; it is returned by its id at once.
    pub(super) list_lag_seconds: u32,
    /// The median build time in stand-in seconds; 0 means the fixed times described in [`super`].
    pub(super) build_median_seconds: f64,
    /// The standard deviation of the logarithm of the build time.
    pub(super) build_spread: f64,
}

impl Default for CloudLimits {
    fn default() -> Self {
        Self { quota: 500, creates_per_minute: 200, list_lag_seconds: 0, build_median_seconds: 0.0, build_spread: 0.3 }
    }
}

impl CloudLimits {
    /// How many times faster than the default the next build is.
    pub(super) fn haste(&self, entropy: &Entropy) -> f64 {
        if self.build_median_seconds <= 0.0 {
            return 1.0;
        }
        // The Box-Muller transform: two uniform numbers give a normal one.
        let even = || (f64::from(u32::from_le_bytes(entropy.bytes())) + 1.0) / (f64::from(u32::MAX) + 2.0);
        let normal = (-2.0 * even().ln()).sqrt() * (std::f64::consts::TAU * even()).cos();
        let seconds = self.build_median_seconds * (self.build_spread * normal).exp();
        ONE_IMAGE_SECONDS / seconds.clamp(0.01, 1_000_000.0)
    }
}

/// The times of the creates in the last minute.
#[derive(Debug, Default)]
pub(super) struct Pace(VecDeque<Instant>);

impl Pace {
    /// Counts a create, or refuses it; a refused one does not count.
    pub(super) fn step(&mut self, limits: &CloudLimits, now: Instant) -> Result<(), ActionRefusal> {
        // In both directions: if the clock was set back, calls must not be throttled for longer.
        self.0.retain(|at| (now - *at).abs() < Duration::minutes(1));
        if self.0.len() >= limits.creates_per_minute {
            return Err(throttled());
        }
        self.0.push_back(now);
        Ok(())
    }
}

/// The refusal of too many calls.
pub(super) fn throttled() -> ActionRefusal {
    ActionRefusal::new(400, "Throttling.User", "Request was denied due to user flow control.")
}

/// The refusal of a create at the quota.
pub(super) fn quota_exceeded(quota: usize) -> ActionRefusal {
    ActionRefusal::new(403, "QuotaExceeded", format!("The quota of image caches in the region is exceeded: {quota}."))
}

/// Checks all limits of a cache's specification.
pub(super) fn check(spec: &ImageCacheSpec, logins: &[RegistryCredential]) -> Result<(), ActionRefusal> {
    let mut spec = spec.clone();
    // Teams must not use them, but the gateway does.
    spec.tags.retain(|key, _| !key.starts_with(GATEWAY_TAGS));
    let checked = NewImageCache { cloud_account: None, spec, registry_credentials: logins.to_vec() }.check();
    match checked.err().and_then(|errors| errors.into_iter().next()) {
        Some(error) => Err(ParameterError::of_field(&error).into()),
        None => Ok(()),
    }
}
