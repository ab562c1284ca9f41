//! Which account at the cloud the credentials belong to, and what follows from that.
//!
//! The cloud's answers about image caches name no account, so the key of another account looks as if everything had
//! been removed. STS (`GetCallerIdentity`) does name it. The number of the account that a cloud account's image caches
//! belong to is pinned when it is first known, and credentials of another account are not used for anything.
//!
//! What must stay true: only a number that is known to differ stops anything; an unknown one stops nothing, because STS
//! is unreachable from many networks.
//!
//! Called by `app`, before each use of an account's client. It makes no calls itself.

use std::fmt;
use std::str::FromStr;

use chrono::Duration;
use url::{Host, Url};

/// How long to wait before STS is asked again after it could not be reached.
pub const ASK_AGAIN: Duration = Duration::minutes(10);
/// The domain of the cloud's endpoints.
const CLOUD: &str = ".aliyuncs.com";

/// The number of an account at the cloud: usually 16 digits, and only ever compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountId(String);

/// A text that is not an account number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be the number of an account at the cloud, such as 1234567890123456")]
pub struct AccountIdError;

/// Credentials that belong to an account other than the pinned one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The account that the image caches belong to.
    pub pinned: AccountId,
    /// The account that the credentials belong to.
    pub found: AccountId,
}

/// What follows from the account of the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountVerdict {
    /// They belong to the pinned account.
    Same,
    /// Their account is unknown: everything continues.
    Unknown,
    /// Nothing is pinned yet, and this can be.
    Unpinned(AccountId),
    /// They belong to another account: no answer to them counts, and nothing may be done with them.
    Foreign(Mismatch),
}

/// Compares the account of the credentials with the pinned one.
pub fn judge(pinned: Option<&AccountId>, found: Option<&AccountId>) -> AccountVerdict {
    match (pinned, found) {
        (_, None) => AccountVerdict::Unknown,
        (None, Some(found)) => AccountVerdict::Unpinned(found.clone()),
        (Some(pinned), Some(found)) if pinned == found => AccountVerdict::Same,
        (Some(pinned), Some(found)) => {
            AccountVerdict::Foreign(Mismatch { pinned: pinned.clone(), found: found.clone() })
        }
    }
}

/// Whether the STS at one endpoint knows the keys of the API at the other. The cloud's own STS does not know a
/// stand-in's key, and must not receive it either.
pub fn knows_keys_of(sts: &str, api: &str) -> bool {
    is_clouds(api) || !is_clouds(sts) || api.starts_with("https://")
}

fn is_clouds(endpoint: &str) -> bool {
    let url = Url::parse(&endpoint.replace("{region}", "cn-hangzhou")).ok();
    url.is_some_and(|url| matches!(url.host(), Some(Host::Domain(host)) if host.ends_with(CLOUD)))
}

impl AccountId {
    /// The number as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = AccountIdError;

    fn from_str(text: &str) -> Result<Self, AccountIdError> {
        let digits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if digits { Ok(Self(text.to_owned())) } else { Err(AccountIdError) }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pinned, found } = self;
        write!(f, "its image caches are in the cloud's account {pinned}, but its key belongs to the account {found}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AccountId {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_is_known_to_be_another_one_stops_anything() {
        let (one, two) = (id("1234567890123456"), id("6543210987654321"));
        assert_eq!(judge(None, None), AccountVerdict::Unknown);
        assert_eq!(judge(Some(&one), None), AccountVerdict::Unknown);
        assert_eq!(judge(None, Some(&one)), AccountVerdict::Unpinned(one.clone()));
        assert_eq!(judge(Some(&one), Some(&one)), AccountVerdict::Same);
        let mismatch = Mismatch { pinned: one.clone(), found: two.clone() };
        let words = "its image caches are in the cloud's account 1234567890123456, but its key belongs to the \
                     account 6543210987654321";
        assert_eq!(mismatch.to_string(), words);
        assert_eq!(judge(Some(&one), Some(&two)), AccountVerdict::Foreign(mismatch));
    }

    #[test]
    fn a_number_is_digits() {
        for good in ["1", "1234567890123456", "30000000000000000000"] {
            assert_eq!(good.parse::<AccountId>().map(|id| id.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", " 1", "1a", "-1", "１", "acs:ram::1:root", "196813200012****", "123456789012345678901"] {
            assert_eq!(bad.parse::<AccountId>(), Err(AccountIdError), "{bad}");
        }
    }

    #[test]
    fn a_stand_ins_key_is_not_shown_to_the_clouds_own_sts() {
        let (real, region) = ("https://sts.aliyuncs.com", "https://sts-vpc.cn-beijing.aliyuncs.com");
        for (sts, api, asked) in [
            (real, "https://eci.{region}.aliyuncs.com", true),
            (region, "https://eci-vpc.cn-beijing.aliyuncs.com", true),
            (real, "https://eci.internal.example", true),
            ("http://127.0.0.1:9080", "http://127.0.0.1:9080", true),
            (real, "http://127.0.0.1:9080", false),
            (real, "http://sim:9080", false),
            (region, "http://localhost:1", false),
        ] {
            assert_eq!(knows_keys_of(sts, api), asked, "{sts} {api}");
        }
    }
}
