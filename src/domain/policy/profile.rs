//! Region profiles: what a create in one region of one cloud account may leave out.

use std::fmt;
use std::str::FromStr;

use crate::domain::clock::Instant;
use crate::domain::field::{FieldError, Findings};
use crate::domain::image_cache::spec::fields::FIELDS;
use crate::domain::image_cache::spec::limits::note;
use crate::domain::image_cache::spec::values::SpecValue as _;
use crate::domain::region::Region;

/// Identifies a profile: `account:region`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileId {
    /// The cloud account's name: 1 to 63 letters, digits, `-`, `_` and `.`.
    pub account: String,
    /// The region of the profile.
    pub region: Region,
}

/// A text that does not identify a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a cloud account's name, a colon and a region, such as default:cn-hangzhou")]
pub struct ProfileIdError;

/// The defaults for fields that a create leaves out. Every team may use the resources that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionProfile {
    /// The cloud account and the region of the profile.
    pub id: ProfileId,
    /// The vSwitches; empty if there are none.
    pub vswitch_ids: Vec<String>,
    /// The id of the security group.
    pub security_group_id: Option<String>,
    /// The id of the EIP.
    pub eip_instance_id: Option<String>,
    /// The id of the resource group.
    pub resource_group_id: Option<String>,
    /// The zone; filled in only together with the vSwitches, which must be in it.
    pub zone_id: Option<String>,
    /// The version, which is incremented by each change and used in the `ETag`.
    pub version: i64,
    /// When the profile was last changed.
    pub updated_at: Instant,
}

impl RegionProfile {
    /// Checks what an administrator entered.
    pub fn check(&self) -> Result<(), Vec<FieldError>> {
        let mut findings = Findings::default();
        let fields = [
            (&FIELDS.vswitch_ids, self.vswitch_ids.given()),
            (&FIELDS.security_group_id, self.security_group_id.given()),
            (&FIELDS.eip_instance_id, self.eip_instance_id.given()),
            (&FIELDS.resource_group_id, self.resource_group_id.given()),
            (&FIELDS.zone_id, self.zone_id.given()),
        ];
        for (field, given) in fields {
            note(field, given, &mut findings);
        }
        findings.into_result()
    }
}

impl FromStr for ProfileId {
    type Err = ProfileIdError;

    fn from_str(text: &str) -> Result<Self, ProfileIdError> {
        let (account, region) = text.split_once(':').ok_or(ProfileIdError)?;
        let letters = account.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !letters || !(1..=63).contains(&account.len()) {
            return Err(ProfileIdError);
        }
        Ok(Self { account: account.to_owned(), region: region.parse().map_err(|_| ProfileIdError)? })
    }
}

impl fmt::Display for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.account, self.region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_account_and_region() {
        let id: ProfileId = "default:cn-hangzhou".parse().unwrap();
        assert_eq!(
            (id.account.as_str(), id.region.as_str(), id.to_string().as_str()),
            ("default", "cn-hangzhou", "default:cn-hangzhou")
        );
        for bad in ["", "default", ":cn-hangzhou", "default:", "a b:cn-hangzhou", "default:X"] {
            assert_eq!(bad.parse::<ProfileId>(), Err(ProfileIdError), "{bad}");
        }
    }
}
