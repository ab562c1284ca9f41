//! Why it failed, in plain words: the cloud's codes and events become a cause, a hint and whether a retry can help.
//!
//! What must stay true: the cloud's own words are never replaced, only explained beside them; a cause that we do not
//! know says so and promises nothing; no decision depends on it (a refusal has ended its operation before it is
//! explained). The words to look for are in [`table`].
//!
//! Sources: the error centre and the "custom events" page of ECI, the messages of containerd and of the registries'
//! HTTP API (OCI distribution specification). Called by the views and error bodies of every interface.

use std::borrow::Cow;

use super::image_cache::spec::SIZE_GIB;

mod table;

/// Why something failed, as a stable word. New words may appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The registry does not have the image.
    ImageNotFound,
    /// The registry wants a login, or refused the one it got.
    RegistryLogin,
    /// The images do not fit into the cache.
    ImageTooLarge,
    /// The image is not made for the platform of the builder.
    Platform,
    /// The registry could not be reached.
    Network,
    /// The registry's certificate is not trusted.
    Certificate,
    /// The registry wants fewer pulls.
    RegistryBusy,
    /// A quota of the cloud account is used up.
    Quota,
    /// The vSwitch has no free address.
    SubnetFull,
    /// The vSwitch and the zone, or the vSwitch and the security group, do not belong together.
    ZoneMismatch,
    /// The zone has no capacity to build with at the moment.
    NoStock,
    /// The cloud account is disabled, in debt or not verified.
    AccountDisabled,
    /// The cloud does not accept the gateway's own access key.
    GatewayKey,
    /// The cloud account may not do this.
    Permission,
    /// The service or the feature is not enabled for the cloud account.
    NotEnabled,
    /// The image cache is in the wrong state for the request.
    WrongState,
    /// The ClientToken was used with other parameters.
    TokenReused,
    /// The image cache does not exist.
    NotThere,
    /// The request itself is invalid.
    BadRequest,
    /// The cloud is overloaded.
    CloudBusy,
    /// The gateway itself ended the operation before anything was sent.
    Withdrawn,
    /// The cause is unknown.
    Unclear,
}

/// What a failure means for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureExplanation {
    /// The cause as a stable code.
    pub cause: Cause,
    /// The cause, as a sentence.
    pub sentence: &'static str,
    /// How to resolve the problem.
    pub hint: Cow<'static, str>,
    /// Whether the same request may succeed later, unchanged.
    pub retryable: bool,
}

impl Cause {
    /// The word for it in REST, error bodies and events.
    pub fn as_str(self) -> &'static str {
        table::entry(self).word
    }
}

/// Explains what the cloud said: `code` is its error code or an event's Reason, `message` its text, and `size_gib` the
/// size of the cache, if known.
pub fn explain(code: &str, message: &str, size_gib: Option<i32>) -> FailureExplanation {
    let cause = table::cause_of(code, message);
    let entry = table::entry(cause);
    let hint = match (cause, size_gib) {
        (Cause::ImageTooLarge, Some(size)) => larger(message, size).into(),
        _ => entry.hint.into(),
    };
    FailureExplanation { cause, sentence: entry.sentence, hint, retryable: entry.retryable }
}

/// Whether the cloud refused the signer of the call, not what it asked for.
pub fn is_of_key(code: &str) -> bool {
    table::is_of_key(code)
}

/// Whether the cloud says that the signer lacks a right.
pub fn is_of_rights(code: &str) -> bool {
    table::is_of_rights(code)
}

/// The hint for images that do not fit into `size` GiB.
fn larger(message: &str, size: i32) -> String {
    let most = *SIZE_GIB.end();
    match needed(message).filter(|needed| *needed > size && *needed <= most) {
        Some(needed) => format!("create it again with size_gib {needed} or more"),
        None if size >= most => format!("{most} GiB is the maximum size: split the images across several image caches"),
        None => {
            let try_next = size.saturating_mul(2).min(most);
            format!(
                "create it again with a larger size_gib: the cloud does not say how much is missing, try {try_next}"
            )
        }
    }
}

/// The size that a message asks for: the number before GiB, GB or Gi after a word such as "requires".
fn needed(message: &str) -> Option<i32> {
    let lower = message.to_ascii_lowercase();
    let asked = ["requires", "require", "needs", "need", "at least"].iter().find_map(|word| lower.split_once(word))?.1;
    let digits = asked.find(|c: char| c.is_ascii_digit())?;
    let number = &asked[digits..];
    let end = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
    let (number, unit) = number.split_at(end);
    if !unit.trim_start().starts_with('g') {
        return None;
    }
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let up = i32::from(part.bytes().any(|digit| digit != b'0'));
    whole.parse::<i32>().ok()?.checked_add(up)
}

#[cfg(test)]
mod tests;
