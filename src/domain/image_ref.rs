//! Image references as the distribution specification defines them, in their full form: `nginx` means
//! `docker.io/library/nginx:latest`.
//!
//! What must stay true: a parsed reference prints as its full form, and that parses as the same value; no text makes it
//! panic. Two references are the same image only if their full forms are the same: a registry's public and VPC names
//! are different hosts, as they are to ECI's matching.
//!
//! This is the only parser of image references: what it refuses is refused wherever an image is given, and what it
//! accepts can be created, matched and waited for. Stored references are read leniently: a row may be older than this
//! parser.
//!
//! The grammar is that of <https://github.com/distribution/reference>, except for a first part in upper case
//! (`MyTeam/app`): there it names a host, which no registry has.
//!
//! It asks no registry anything.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

mod likely;
mod placeholder;
mod refusal;

/// The registry of a reference that names none.
pub const DEFAULT_REGISTRY: &str = "docker.io";
/// The path that precedes a bare name on [`DEFAULT_REGISTRY`].
const OFFICIAL: &str = "library";
/// The tag of a reference that names neither tag nor digest.
pub const DEFAULT_TAG: &str = "latest";
/// The most characters of a repository.
pub const MAX_REPOSITORY: usize = 255;
/// The most characters of a tag.
pub const MAX_TAG: usize = 128;
/// The most characters of a host (DNS).
pub const MAX_HOST: usize = 253;
/// The digests that registries know: the algorithm and its hex digits.
const DIGESTS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// One image reference in its full form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageRef {
    host: String,
    port: Option<u16>,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

pub(in crate::domain) use likely::of as likely;
pub(in crate::domain) use refusal::at_first_sight;
pub use refusal::{ImageRefError, ImageRefFault};

impl ImageRef {
    /// The registry's host in lower case.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The registry: the host, and the port if there is one.
    pub fn registry(&self) -> String {
        self.port.map_or_else(|| self.host.clone(), |port| format!("{}:{port}", self.host))
    }

    /// The path within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; none only if there is a digest and no tag.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, with its algorithm.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Whether both name the same registry.
    pub fn same_registry(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }

    /// Whether both name the same repository of the same registry, whatever the tag.
    pub fn same_repository(&self, other: &Self) -> bool {
        self.same_registry(other) && self.repository == other.repository
    }

    /// Whether both name the same version: by digest if either has one, else by tag.
    pub fn same_version(&self, other: &Self) -> bool {
        if self.digest.is_some() || other.digest.is_some() {
            return self.digest == other.digest;
        }
        self.tag == other.tag
    }

    /// Whether both name the same image.
    pub fn same_image(&self, other: &Self) -> bool {
        self.same_repository(other) && self.same_version(other)
    }
}

impl FromStr for ImageRef {
    type Err = ImageRefError;

    fn from_str(text: &str) -> Result<Self, ImageRefError> {
        read(text).map_err(|fault| refusal::explain(text, fault))
    }
}

fn read(text: &str) -> Result<ImageRef, ImageRefFault> {
    if text.is_empty() {
        return Err(ImageRefFault::Empty);
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(read_digest(digest)?)),
        None => (text, None),
    };
    let (name, tag) = split_tag(rest);
    if is_image_id(name) || name == "sha256" && tag.is_some_and(is_image_id) {
        return Err(ImageRefFault::ImageId);
    }
    let tag = tag.map(read_tag).transpose()?;
    let (registry, path) = split_registry(name);
    let (host, port) = read_registry(registry)?;
    let repository = read_repository(&host, port, path)?;
    let tag = tag.or_else(|| digest.is_none().then(|| DEFAULT_TAG.to_owned()));
    Ok(ImageRef { host, port, repository, tag, digest })
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// A colon after the last slash begins the tag; one before it belongs to a port.
fn split_tag(rest: &str) -> (&str, Option<&str>) {
    match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    }
}

/// The first part is a registry if it has a dot or a colon, or is `localhost`; else the registry is Docker's.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first.eq_ignore_ascii_case("localhost") => (first, rest),
        _ => (DEFAULT_REGISTRY, name),
    }
}

fn read_registry(registry: &str) -> Result<(String, Option<u16>), ImageRefFault> {
    // The colons of an IPv6 address are in brackets, so one after the last bracket separates the port.
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(read_port(port)?)),
        _ => (registry, None),
    };
    if !is_host(host) {
        return Err(ImageRefFault::Host);
    }
    let host = host.to_ascii_lowercase();
    // Docker Hub's old name.
    let host = if host == "index.docker.io" { DEFAULT_REGISTRY.to_owned() } else { host };
    Ok((host, port))
}

fn read_port(text: &str) -> Result<u16, ImageRefFault> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or(ImageRefFault::Port)
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').filter(|address| !address.contains('.'));
        return address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let label = |label: &str| {
        !label.starts_with('-') && !label.ends_with('-') && joined_by(label, |b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.len() <= MAX_HOST && host.split('.').all(label)
}

fn read_repository(host: &str, port: Option<u16>, path: &str) -> Result<String, ImageRefFault> {
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(ImageRefFault::UpperCase);
    }
    let bare = host == DEFAULT_REGISTRY && port.is_none() && !path.contains('/');
    let repository = if bare { format!("{OFFICIAL}/{path}") } else { path.to_owned() };
    let good = repository.len() <= MAX_REPOSITORY && repository.split('/').all(is_path_part);
    if good { Ok(repository) } else { Err(ImageRefFault::Repository) }
}

/// Letters and digits, with separators between them: one dot, one or two underscores, any number of dashes.
fn is_path_part(part: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = part.bytes().next().is_some_and(is_letter) && part.bytes().next_back().is_some_and(is_letter);
    let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && separators.into_iter().all(|s| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-'))
}

fn read_tag(tag: &str) -> Result<String, ImageRefFault> {
    if tag.is_empty() {
        return Err(ImageRefFault::EmptyTag);
    }
    let word = joined_by(tag, |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    let good = word && tag.len() <= MAX_TAG && !tag.starts_with(['.', '-']);
    if good { Ok(tag.to_owned()) } else { Err(ImageRefFault::Tag) }
}

fn read_digest(digest: &str) -> Result<String, ImageRefFault> {
    let (algorithm, hex) = digest.split_once(':').ok_or(ImageRefFault::Digest)?;
    let known = DIGESTS.contains(&(algorithm, hex.len()));
    if known && is_hex(hex) { Ok(digest.to_owned()) } else { Err(ImageRefFault::Digest) }
}

fn is_image_id(name: &str) -> bool {
    name.len() == 64 && is_hex(name)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn joined_by(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
