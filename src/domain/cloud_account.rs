//! Cloud accounts: which names, roles and addresses can be. Each account is one set of cloud credentials.
//!
//! Who calls it: `config` for the account of the settings, `app` for those that an administrator adds.

/// What [`is_account_name`] allows.
pub const ACCOUNT_NAMES: &str = "1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or digit";
/// What [`is_role_arn`] allows.
pub const ROLE_ARNS: &str = "a role such as acs:ram::1234567890123456:role/image-caches";
/// What [`is_role_session`] allows.
pub const ROLE_SESSIONS: &str = "2 to 64 of letters, digits and . @ - _";

/// Whether an account may have that name.
pub fn is_account_name(text: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    (1..=63).contains(&text.len()) && letters && !text.starts_with('-') && !text.ends_with('-')
}

/// Whether it is the resource name of a role.
pub fn is_role_arn(text: &str) -> bool {
    let Some((account, name)) = text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":role/")) else {
        return false;
    };
    let number = (1..=20).contains(&account.len()) && account.bytes().all(|b| b.is_ascii_digit());
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    number && letters && (1..=64).contains(&name.len())
}

/// Whether a session may have that name.
pub fn is_role_session(text: &str) -> bool {
    let letters = text.bytes().all(|b| b.is_ascii_alphanumeric() || b".@-_".contains(&b));
    (2..=64).contains(&text.len()) && letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_say() {
        assert!(["default", "a", "prod-2"].into_iter().all(is_account_name));
        assert!(!["", "-a", "a-", "A", "a b", "ä", &"a".repeat(64)].into_iter().any(is_account_name));
        assert!(["acs:ram::1:role/r", "acs:ram::1234567890123456:role/Image.Caches_1-x"].into_iter().all(is_role_arn));
        let wrong = [
            "",
            "acs:ram::1:user/u",
            "acs:ram:::role/r",
            "acs:ram::x:role/r",
            "acs:ram::1:role/",
            "acs:ram::1:role/a/b",
        ];
        assert!(!wrong.into_iter().any(is_role_arn));
        assert!(is_role_session("eci-cache-gateway") && !is_role_session("a") && !is_role_session("a b"));
    }
}
