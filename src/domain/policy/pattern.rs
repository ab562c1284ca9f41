//! Patterns of registries and repositories.
//!
//! The grammar: `[*.]host[:port][/path]`, or `*` for everything. A host matches itself, `*.host` every host below it
//! (not itself); the port must be equal, and a pattern without a port matches only references without one. In the path
//! `*` matches any characters, including slashes and none at all; without a path, the whole registry matches. The first
//! part is a host if it has a dot or a colon or is `localhost`; else the registry is Docker's, and a bare name is below
//! `library`, as in image references: `nginx` is `docker.io/library/nginx`, `team-a/*` is `docker.io/team-a/*`. Tags
//! and digests are not allowed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::image_ref::{self, DEFAULT_REGISTRY, ImageRef};

/// A pattern in its full form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistryPattern {
    /// The host and port; `*` for every registry.
    registry: String,
    /// The path; `*` for the whole registry.
    path: String,
}

/// A text that is not a valid pattern: what is wrong, and the pattern that was probably meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a registry pattern such as registry.example.com/team-a/* or *.example.com: lower case, without tag, digest \
     or scheme{0}"
)]
pub struct PatternError(String);

impl RegistryPattern {
    /// Whether the pattern matches the image.
    pub fn lets(&self, image: &ImageRef) -> bool {
        self.lets_registry(&image.registry()) && glob(self.path.as_bytes(), image.repository().as_bytes())
    }

    fn lets_registry(&self, registry: &str) -> bool {
        match self.registry.strip_prefix("*.") {
            Some(parent) => registry.strip_suffix(parent).is_some_and(|below| below.len() > 1 && below.ends_with('.')),
            None => self.registry == "*" || self.registry == registry,
        }
    }
}

/// Whether the pattern matches the whole text; `*` stands for any run of bytes.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen, mut star) = (0, 0, None);
    while seen < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == text[seen] => (at, seen) = (at + 1, seen + 1),
            _ => {
                // Back to the last star, which takes one byte more.
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                (at, seen) = (place + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

impl FromStr for RegistryPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::read(text).ok_or_else(|| explain(text))
    }
}

/// Explains what is wrong with a text, and which pattern its sender probably meant.
fn explain(text: &str) -> PatternError {
    let wrong = image_ref::at_first_sight(text).map(|fault| format!("; it {fault}")).unwrap_or_default();
    let reads = |text: &str| RegistryPattern::read(text).is_some();
    let untagged = text.split('@').next().map(|name| match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    });
    let likely = image_ref::likely(text, reads).or_else(|| {
        let untagged = untagged.filter(|name| *name != text)?;
        if reads(untagged) { Some(untagged.to_owned()) } else { image_ref::likely(untagged, reads) }
    });
    let likely = likely.map(|likely| format!("; `{likely}` is probably meant")).unwrap_or_default();
    PatternError(format!("{wrong}{likely}"))
}

impl RegistryPattern {
    /// Parses a pattern; none if it is invalid.
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            return Some(Self { registry: "*".into(), path: "*".into() });
        }
        let (first, rest) = text.split_once('/').map_or((text, None), |(first, rest)| (first, Some(rest)));
        let is_host = first.contains(['.', ':']) || first == "localhost";
        // `nginx:1` alone is an image with a tag in a reference.
        if rest.is_none() && first.contains(':') && !first.contains(['.', '[']) && !first.starts_with("localhost:") {
            return None;
        }
        let (registry, path) = match (is_host, rest) {
            (true, rest) => (first, rest.unwrap_or("*").to_owned()),
            (false, None) => (DEFAULT_REGISTRY, format!("library/{text}")),
            (false, Some(_)) => (DEFAULT_REGISTRY, text.to_owned()),
        };
        // Parse it as a reference, so that aliases of Docker's host are resolved the same way.
        let host = registry.strip_prefix("*.").unwrap_or(registry);
        let sample: ImageRef = format!("{host}/a/b").parse().ok()?;
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/*".contains(&b);
        let whole = (1..=255).contains(&path.len()) && path.bytes().all(allowed) && !path.contains("//");
        if !whole || path.starts_with('/') || sample.repository() != "a/b" {
            return None;
        }
        let below = if host.len() < registry.len() { "*." } else { "" };
        Some(Self { registry: format!("{below}{}", sample.registry()), path })
    }
}

impl TryFrom<String> for RegistryPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<RegistryPattern> for String {
    fn from(pattern: RegistryPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for RegistryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.registry == "*" { f.write_str("*") } else { write!(f, "{}/{}", self.registry, self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_one_full_form() {
        for (text, full) in [
            ("nginx", "docker.io/library/nginx"),
            ("team-a/*", "docker.io/team-a/*"),
            ("registry.example.com", "registry.example.com/*"),
            ("registry.example.com:5000/a/*", "registry.example.com:5000/a/*"),
            ("*.example.com/x", "*.example.com/x"),
            ("REGISTRY.example.com/a", "registry.example.com/a"),
            ("localhost/a", "localhost/a"),
            ("*", "*"),
            ("*/a", "docker.io/*/a"),
        ] {
            let pattern: RegistryPattern = text.parse().unwrap();
            assert_eq!(pattern.to_string(), full, "{text}");
            assert_eq!(full.parse::<RegistryPattern>().unwrap(), pattern, "{text}");
        }
        for bad in [
            "",
            "/a",
            "a//b",
            "nginx:1",
            "a/b:1",
            "r.example.com/a@sha256:x",
            "https://r.example.com",
            "a b",
            "*.*/a",
            "r.example.com/Team",
        ] {
            assert!(bad.parse::<RegistryPattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_tells_what_was_probably_meant() {
        for (bad, told) in [
            ("ghcr.io/MyOrg/*", "`ghcr.io/myorg/*` is probably meant"),
            ("https://r.example.com/a/*", "`r.example.com/a/*` is probably meant"),
            ("nginx:1.27", "`nginx` is probably meant"),
            ("r.example.com/a:1", "`r.example.com/a` is probably meant"),
            ("$REGISTRY/*", "must not contain the placeholder $REGISTRY"),
            (" nginx", "must not contain spaces; `nginx` is probably meant"),
        ] {
            let error = bad.parse::<RegistryPattern>().unwrap_err().to_string();
            assert!(error.contains(told), "{bad}: {error}");
        }
    }

    #[test]
    fn an_image_is_let_through_by_its_full_form() {
        for (pattern, image, lets) in [
            ("nginx", "nginx", true),
            ("nginx", "docker.io/library/nginx:1.27", true),
            ("nginx", "docker.io/nginx/nginx", false),
            ("registry.example.com/team-a/*", "registry.example.com/team-a/app:1", true),
            (
                "registry.example.com/team-a/*",
                "Registry.Example.com/team-a/x/y@sha256:0123456789012345678901234567890123456789012345678901234567890123",
                true,
            ),
            ("registry.example.com/team-a/*", "registry.example.com/team-b/app", false),
            ("registry.example.com/team-a/*", "registry.example.com/team-ab/app", false),
            ("registry.example.com/team-a/*", "registry.example.com.evil.example/team-a/app", false),
            ("registry.example.com/team-a/*", "registry.example.com:5000/team-a/app", false),
            ("*.example.com", "a.b.example.com/x", true),
            ("*.example.com", "example.com/x", false),
            ("*.example.com", "badexample.com/x", false),
            ("r.example.com/*/base", "r.example.com/a/b/base", true),
            ("r.example.com/*/base", "r.example.com/a/basement", false),
            ("*", "r.example.com/x", true),
        ] {
            let (pattern, image): (RegistryPattern, ImageRef) = (pattern.parse().unwrap(), image.parse().unwrap());
            assert_eq!(pattern.lets(&image), lets, "{pattern} {image}");
        }
    }
}
