//! Why a text is no image reference, explained so that its sender can fix it.

use std::fmt;

use super::{likely, placeholder};

/// What is wrong with a text that is no image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageRefFault {
    /// The reference is empty.
    #[error("must not be empty: was a variable empty?")]
    Empty,
    /// A variable or a template placeholder that the sender's tool should have replaced.
    #[error("must not contain the placeholder {0}: the variable was not expanded")]
    Placeholder(String),
    /// A URL's scheme.
    #[error("must not begin with a scheme such as https://")]
    Scheme,
    /// A user name or password before the registry. The message does not repeat it.
    #[error("must not contain a user or password: logins have their own fields")]
    Login,
    /// A character that no reference may contain.
    #[error("must not contain {0}")]
    Character(String),
    /// The registry is no host name, IPv4 address or IPv6 address in brackets.
    #[error(
        "the registry must be a host name or address of at most 253 characters, such as registry.example.com: letters, \
         digits, dots and dashes, and no underscore"
    )]
    Host,
    /// The port is invalid.
    #[error("the registry's port must be 1 to 65535")]
    Port,
    /// Upper-case letters in the repository.
    #[error("the repository must be lower case")]
    UpperCase,
    /// The repository is malformed in another way.
    #[error(
        "the repository must be 1 to 255 characters: parts of a-z and 0-9, joined by `/`, and within them by `.`, `_`, `__` or dashes"
    )]
    Repository,
    /// 64 hex digits: an image id, which no registry can look up.
    #[error("must not be an image id (64 hex digits): name the repository")]
    ImageId,
    /// A colon with nothing after it.
    #[error("the tag behind the colon must not be empty: was a variable empty?")]
    EmptyTag,
    /// The tag is malformed.
    #[error("the tag must be 1 to 128 letters, digits, `_`, `.` and `-`, and must not begin with `.` or `-`")]
    Tag,
    /// The digest is malformed.
    #[error("the digest must be sha256, sha384 or sha512, a colon, and its 64, 96 or 128 hex digits in lower case")]
    Digest,
}

/// A text that is no image reference: what is wrong, and what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ImageRefError {
    /// What is wrong.
    pub fault: ImageRefFault,
    /// A reference that the sender probably meant.
    pub likely: Option<String>,
}

impl fmt::Display for ImageRefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)?;
        match &self.likely {
            Some(likely) => write!(f, "; `{likely}` is probably meant"),
            None => Ok(()),
        }
    }
}

/// The parser stops at the first letter that does not fit; the sender needs to know what is wrong with the text as a
/// whole.
pub(super) fn explain(text: &str, fault: ImageRefFault) -> ImageRefError {
    let fault = at_first_sight(text).unwrap_or(fault);
    let silent = matches!(
        fault,
        ImageRefFault::Empty | ImageRefFault::Placeholder(_) | ImageRefFault::Login | ImageRefFault::ImageId
    );
    let likely = if silent { None } else { likely::of(text, |text| super::read(text).is_ok()) };
    ImageRefError { fault, likely }
}

/// Finds what no reference may contain anywhere.
pub(in crate::domain) fn at_first_sight(text: &str) -> Option<ImageRefFault> {
    if text.trim().is_empty() {
        return Some(ImageRefFault::Empty);
    }
    if let Some(found) = placeholder::find(text) {
        return Some(ImageRefFault::Placeholder(found));
    }
    if text.rsplit_once('@').is_some_and(|(_, behind)| behind.contains('/')) {
        return Some(ImageRefFault::Login);
    }
    if text.contains("://") {
        return Some(ImageRefFault::Scheme);
    }
    text.chars().find_map(odd).map(ImageRefFault::Character)
}

/// The name of a character that no reference may contain.
fn odd(letter: char) -> Option<String> {
    let name = match letter {
        ' ' => "spaces",
        '\n' | '\r' => "line breaks",
        '\t' => "tabs",
        '"' | '\'' | '`' | '\u{2018}'..='\u{201f}' => "quotes",
        ',' | ';' => "commas or semicolons: each string is one reference",
        '\\' => "backslashes",
        '\u{feff}' => "a byte order mark (U+FEFF)",
        _ if letter.is_ascii_graphic() => return None,
        _ if letter.is_alphanumeric() => {
            return Some(format!("{letter} (U+{:04X}): letters are a to z", u32::from(letter)));
        }
        _ => return Some(format!("the invisible or foreign character U+{:04X}", u32::from(letter))),
    };
    Some(name.to_owned())
}
