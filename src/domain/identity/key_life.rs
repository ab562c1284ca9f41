//! How long a new key may be valid: no longer than the credential that it is made with, so that a key does not outlive
//! its maker's credential.
//!
//! Pure. Called by `app`, for API keys and access keys alike.

use chrono::Duration;

use super::caller::{Caller, Scope};
use crate::domain::clock::Instant;

/// The longest life that a policy may allow (`max_key_life_days`), in days: ten years.
pub const MOST_DAYS: i32 = 3_650;

/// A requested key would be valid for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLong {
    /// The key would be valid for longer than the policy allows.
    #[error("must be at most {0} days ahead: max_key_life_days of the team's policy")]
    Policy(i32),
    /// The key would be valid for longer than the maker's credential.
    #[error("must not be later than {}, when your own credential ends, unless the team's policy sets \
             max_key_life_days", .0.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))]
    Maker(Instant),
}

/// Until when a new key of `maker` is valid that was requested until `asked`; none: until it is revoked. `days` is the
/// longest life that the policy allows: a maker who wants more than the rest of their own credential's life must ask
/// for it. Neither limit applies to a maker with [`Scope::PlatformSecurity`].
pub fn end(
    asked: Option<Instant>,
    maker: &Caller,
    days: Option<i32>,
    now: Instant,
) -> Result<Option<Instant>, TooLong> {
    if maker.may(Scope::PlatformSecurity) {
        return Ok(asked);
    }
    let of_policy = days.map(|days| (now + Duration::days(days.into()), TooLong::Policy(days)));
    let of_maker = || maker.expires_at.map(|end| (end, TooLong::Maker(end)));
    let Some((latest, why)) = of_policy.or_else(of_maker) else { return Ok(asked) };
    let end = asked.unwrap_or_else(|| maker.expires_at.map_or(latest, |end| end.min(latest)));
    if end > latest { Err(why) } else { Ok(Some(end)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::identity::caller::CredentialKind;

    fn maker(scopes: &[Scope], expires_at: Option<Instant>) -> Caller {
        Caller {
            team: "web".parse().unwrap(),
            subject: "alice".into(),
            credential: "t".into(),
            kind: CredentialKind::Own,
            scopes: scopes.to_vec(),
            expires_at,
            provenance: None,
        }
    }

    #[test]
    fn it_ends_with_its_makers_credential_or_as_the_policy_says() {
        let now = Instant::UNIX_EPOCH;
        let day = |days| Some(now + Duration::days(days));
        let (team, platform) = (&[Scope::Keys][..], &[Scope::Keys, Scope::PlatformSecurity][..]);
        for (asked, scopes, ends, days, expected) in [
            (None, team, day(1), None, Ok(day(1))),
            (day(1), team, day(1), None, Ok(day(1))),
            (day(2), team, day(1), None, Err(TooLong::Maker(day(1).unwrap()))),
            (None, team, None, None, Ok(None)),
            (day(9), team, None, None, Ok(day(9))),
            (None, team, day(1), Some(30), Ok(day(1))),
            (None, team, day(40), Some(30), Ok(day(30))),
            (day(30), team, day(1), Some(30), Ok(day(30))),
            (day(31), team, None, Some(30), Err(TooLong::Policy(30))),
            (None, team, None, Some(30), Ok(day(30))),
            (None, platform, day(1), Some(30), Ok(None)),
            (day(99), platform, day(1), Some(30), Ok(day(99))),
        ] {
            let found = end(asked, &maker(scopes, ends), days, now);
            assert_eq!(found, expected, "{asked:?} {scopes:?} {ends:?} {days:?}");
        }
    }
}
