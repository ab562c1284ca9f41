//! Why a request is refused, with the cloud's code, HTTP status and message for each reason.
//!
//! What must stay true: no message contains an STS token or a password; under V1 the message of `SignatureDoesNotMatch`
//! ends in `server string to sign is:` and a string, because an old SDK crashes otherwise. If that string is exactly
//! what was signed, the message is exactly the cloud's: SDKs compare the two to tell a wrong secret from an error of
//! their own.

use std::borrow::Cow;

use crate::domain::clock::Instant;

/// The longest text of the caller that a message repeats, in characters: enough for the string to sign of a URL of 64
/// kB.
const ECHO: usize = 262_144;
/// The cloud's message for a wrong signature under V1.
const NOT_MATCHED: &str = "Specified signature is not matched with our calculation.";

/// A refusal. Parsing never returns the last five: they are for the code that knows keys, nonces and actions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.code(), self.message())]
pub enum RequestRefusal {
    /// A method other than GET and POST.
    UnsupportedMethod,
    /// A body that is neither a form nor, under V3, a JSON object.
    UnsupportedBody,
    /// A parameter or header that was sent twice.
    Doubled(String),
    /// A system parameter, or under V3 its header, that is missing.
    Missing(&'static str),
    /// A system parameter with an invalid value, and what is allowed.
    Invalid(&'static str, &'static str),
    /// `Format` is neither `JSON` nor `XML`.
    Format,
    /// `Timestamp` or `x-acs-date` is not a valid time.
    TimestampFormat,
    /// The request was signed too long ago, or too far in the future.
    TimestampExpired {
        /// The time at which it claims to have been signed.
        signed_at: Instant,
        /// When it arrived.
        now: Instant,
    },
    /// Something that must be signed is not, or `Authorization` cannot be parsed.
    IncompleteSignature(Cow<'static, str>),
    /// The hash of the body is not the one that was signed.
    BodyHash,
    /// The signature is wrong under V1.
    SignatureV1 {
        /// The string to sign, without secrets.
        string_to_sign: String,
        /// Whether it is complete, because it contained no secret.
        exact: bool,
    },
    /// The signature is wrong under V3. The string to sign and the canonical request are given without secrets.
    SignatureV3 {
        /// `ACS3-HMAC-SHA256` and the hash.
        string_to_sign: String,
        /// The canonical request that was hashed.
        canonical_request: String,
    },
    /// The path or the action does not exist.
    UnknownApi,
    /// The nonce was used before.
    NonceUsed,
    /// The access key does not exist.
    UnknownKey,
    /// The access key is disabled.
    InactiveKey,
    /// Not the supported version of the API.
    Version,
}

impl RequestRefusal {
    /// The HTTP status of the refusal.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::UnknownApi | Self::UnknownKey => 404,
            Self::UnsupportedMethod => 405,
            Self::UnsupportedBody => 415,
            _ => 400,
        }
    }

    /// `Code` of the refusal.
    pub fn code(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::UnsupportedMethod => "UnsupportedHTTPMethod",
            Self::UnsupportedBody => "UnsupportedMediaType",
            Self::Doubled(_) | Self::Invalid(..) => "InvalidParameter",
            Self::Missing(parameter) => return Cow::Owned(format!("Missing{parameter}")),
            Self::Format => "InvalidParameter.Format",
            Self::TimestampFormat => "InvalidTimeStamp.Format",
            Self::TimestampExpired { .. } => "InvalidTimeStamp.Expired",
            Self::IncompleteSignature(_) => "IncompleteSignature",
            Self::BodyHash => "InvalidParameter.ContentSha256",
            Self::SignatureV1 { .. } | Self::SignatureV3 { .. } => "SignatureDoesNotMatch",
            Self::UnknownApi => "InvalidApi.NotFound",
            Self::NonceUsed => "SignatureNonceUsed",
            Self::UnknownKey => "InvalidAccessKeyId.NotFound",
            Self::InactiveKey => "InvalidAccessKeyId.Inactive",
            Self::Version => "InvalidVersion",
        })
    }

    /// `Message` of the refusal.
    pub fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::UnsupportedMethod => "This http method is not supported.",
            Self::UnsupportedBody => "The body must be application/x-www-form-urlencoded.",
            Self::Format => "Specified parameter format is not valid.",
            Self::TimestampFormat => {
                "Specified time stamp or date value is not well formatted. (It must be UTC as yyyy-MM-ddTHH:mm:ssZ.)"
            }
            Self::BodyHash => "The specified parameter x-acs-content-sha256 is not the hash of the body.",
            Self::UnknownApi => "Specified api is not found, please check your url and method.",
            Self::NonceUsed => "Specified signature nonce was used already.",
            Self::UnknownKey => "Specified access key is not found.",
            Self::InactiveKey => "Specified access key is disabled.",
            Self::Version => "Specified parameter Version is not valid.",
            _ => return Cow::Owned(self.worded()),
        })
    }

    /// The messages that contain what was sent.
    fn worded(&self) -> String {
        match self {
            Self::Doubled(name) => {
                let name: String = name.chars().take(100).collect();
                format!("The specified parameter {name} is not valid: it is given more than once.")
            }
            Self::Missing(parameter) => format!("{parameter} is mandatory for this action."),
            Self::Invalid(parameter, allowed) => {
                format!("The specified parameter {parameter} is not valid: {allowed}.")
            }
            Self::IncompleteSignature(why) => {
                format!("The request signature does not conform to Aliyun standards: {why}. server string to sign is:")
            }
            Self::TimestampExpired { signed_at, now } => {
                let time = |at: &Instant| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
                let (signed_at, now) = (time(signed_at), time(now));
                format!(
                    "Specified time stamp or date value is expired. (Signed at {signed_at}, received at {now}; they may be \
                     15 minutes apart. Check the clock and the time zone of the caller.)"
                )
            }
            Self::SignatureV1 { string_to_sign, exact } => {
                let shown = echo(string_to_sign);
                let note = if *exact && shown.len() == string_to_sign.len() {
                    ""
                } else {
                    " (Passwords and tokens are left out of the string below, and it may be cut. If the rest is what you \
                     signed, then the AccessKeySecret is wrong.)"
                };
                format!("{NOT_MATCHED}{note} server string to sign is:{shown}")
            }
            Self::SignatureV3 { string_to_sign, canonical_request } => format!(
                "Specified signature does not match our calculation. server StringToSign is [{string_to_sign}] \
                 server CanonicalRequest is [{}]",
                echo(canonical_request)
            ),
            _ => String::new(),
        }
    }
}

fn echo(text: &str) -> &str {
    text.char_indices().nth(ECHO).map_or(text, |(end, _)| &text[..end])
}
