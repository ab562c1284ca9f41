//! The subject of a token's holder: never mistaken for one of the gateway's, or of another issuer's.
//!
//! Subjects appear in the audit, in logs and on screens, and revocations name them. What must stay true: the subject is
//! the plain `sub` for the issuer of the settings, and `<issuer's name>:<sub>` for any other; none begins with a word
//! that the gateway or another issuer uses; none holds characters that are invisible or change the direction of the
//! text after them.

use super::DEFAULT;

/// The longest `sub`, and the longest subject, in characters: as much as a revocation can name.
pub const MAX_CHARS: usize = 256;
/// The prefixes of the gateway's own subjects; also the claims that can replace `sub`.
pub const RESERVED: [&str; 9] =
    ["api_key", "access_key", "worker", "operator", "gateway", "client_id", "azp", "appid", "oid"];
/// The claims that identify the holder of a token without `sub`, in this order: Entra ID has the object's id;
/// Keycloak's lightweight tokens and other application tokens have the client's.
pub const STAND_INS: [&str; 4] = ["oid", "client_id", "azp", "appid"];

/// Whether a text is 1 to `MAX_CHARS` characters that are safe in logs and on screens.
pub fn is_plain(text: &str) -> bool {
    (1..=MAX_CHARS).contains(&text.chars().count()) && !text.chars().any(is_hidden)
}

/// Whether a character is invisible or changes how others appear: control characters, those that change the direction
/// of writing, and those without width.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{ad}')
}

/// Why a `sub` cannot be used as a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSubject {
    /// It looks like a subject of the gateway's, or of another issuer's.
    #[error("it begins with a prefix that is reserved for the gateway's own subjects or those of another issuer")]
    Reserved,
    /// It is too long to be named in a revocation.
    #[error("with the prefix of its issuer's name, it is longer than 256 characters")]
    Long,
}

/// The subject of a token of `issuer` with this `sub`. `names` are the names of all issuers.
pub fn of<'a>(issuer: &str, sub: &str, names: impl IntoIterator<Item = &'a str>) -> Result<String, NoSubject> {
    let begins = |word: &str| sub.strip_prefix(word).is_some_and(|rest| rest.starts_with(':'));
    if RESERVED.into_iter().any(begins) || names.into_iter().any(|name| name != DEFAULT && begins(name)) {
        return Err(NoSubject::Reserved);
    }
    named(issuer, sub)
}

/// The subject of a token without `sub`, from the claim that replaces it.
pub fn stand_in(issuer: &str, claim: &str, value: &str) -> Result<String, NoSubject> {
    named(issuer, &format!("{claim}:{value}"))
}

fn named(issuer: &str, rest: &str) -> Result<String, NoSubject> {
    let whole = if issuer == DEFAULT { rest.to_owned() } else { format!("{issuer}:{rest}") };
    if whole.chars().count() > MAX_CHARS { Err(NoSubject::Long) } else { Ok(whole) }
}
