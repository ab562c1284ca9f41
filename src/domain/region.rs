//! Alibaba Cloud region ids such as `cn-hangzhou`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A region id: lower-case letters, digits and dashes, at most 32 characters.
///
/// Only the form is checked, not membership in a list, so that new regions work without a change here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

/// A text that cannot be a region id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a region id such as cn-hangzhou: 4 to 32 lower-case letters, digits and dashes")]
pub struct RegionError;

impl Region {
    /// The region id as the cloud writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = RegionError;

    fn from_str(text: &str) -> Result<Self, RegionError> {
        let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let dashes = text.contains('-') && !text.starts_with('-') && !text.ends_with('-') && !text.contains("--");
        if letters && dashes && (4..=32).contains(&text.len()) { Ok(Self(text.to_owned())) } else { Err(RegionError) }
    }
}

impl TryFrom<String> for Region {
    type Error = RegionError;

    fn try_from(text: String) -> Result<Self, RegionError> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_checked() {
        for good in ["cn-hangzhou", "ap-southeast-1", "us-east-1", "cn-beijing-finance-1"] {
            assert!(good.parse::<Region>().is_ok(), "{good}");
        }
        for bad in ["", "cn", "CN-Hangzhou", "cn--x", "-cn-x", "cn-hangzhou-", "cn_hangzhou", "evil.example/cn-x"] {
            assert_eq!(bad.parse::<Region>(), Err(RegionError), "{bad}");
        }
    }
}
