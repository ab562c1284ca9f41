//! Patterns of registries and repositories.
//!
//! The grammar: `[*.]host[:port][/path]`, or `*` for everything. A host stands for itself, `*.host` for every host below
//! it (not itself); a port must be the same, and none means none. In the path `*` stands for any characters, slashes
//! too, and none at all; without a path, all of the registry is meant. The first part is a host if it has a dot, a colon
//! or is `localhost`; else the registry is Docker's, and a bare name is below `library`, as image references have it:
//! `nginx` is `docker.io/library/nginx`, `team-a/*` is `docker.io/team-a/*`. Tags and digests have no place here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::image_ref::{DEFAULT_REGISTRY, ImageRef};

/// A pattern in its full form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistryPattern {
    /// With its port; `*` for every registry.
    registry: String,
    /// `*` for all of it.
    path: String,
}

/// A text that is no such pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a registry pattern such as registry.example.com/team-a/* or *.example.com: lower case, without tag, digest \
     or scheme"
)]
pub struct PatternError;

impl RegistryPattern {
    /// Whether the image comes from there.
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

/// Whether the whole text is what the pattern says; `*` stands for any run of bytes.
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
        if text.is_empty() {
            return Err(PatternError);
        }
        if text == "*" {
            return Ok(Self { registry: "*".into(), path: "*".into() });
        }
        let (first, rest) = text.split_once('/').map_or((text, None), |(first, rest)| (first, Some(rest)));
        let is_host = first.contains(['.', ':']) || first == "localhost";
        // `nginx:1` alone is an image with a tag, as references go.
        if rest.is_none() && first.contains(':') && !first.contains(['.', '[']) && !first.starts_with("localhost:") {
            return Err(PatternError);
        }
        let (registry, path) = match (is_host, rest) {
            (true, rest) => (first, rest.unwrap_or("*").to_owned()),
            (false, None) => (DEFAULT_REGISTRY, format!("library/{text}")),
            (false, Some(_)) => (DEFAULT_REGISTRY, text.to_owned()),
        };
        // What a reference in its place would be read as is what is meant: aliases of Docker's host among it.
        let host = registry.strip_prefix("*.").unwrap_or(registry);
        let sample: ImageRef = format!("{host}/a/b").parse().map_err(|_| PatternError)?;
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/*".contains(&b);
        let whole = (1..=255).contains(&path.len()) && path.bytes().all(allowed) && !path.contains("//");
        if !whole || path.starts_with('/') || sample.repository() != "a/b" {
            return Err(PatternError);
        }
        let below = if host.len() < registry.len() { "*." } else { "" };
        Ok(Self { registry: format!("{below}{}", sample.registry()), path })
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
            assert_eq!(bad.parse::<RegistryPattern>(), Err(PatternError), "{bad}");
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
