//! What was probably meant by a text that is no reference: common typing and pasting errors, corrected.

use super::split_registry;

/// Texts longer than this are not corrected.
const LONGEST: usize = 512;

/// `text` with its errors corrected, if the result is valid.
pub(in crate::domain) fn of(text: &str, is_good: impl Fn(&str) -> bool) -> Option<String> {
    if text.len() > LONGEST {
        return None;
    }
    let cleaned = lower(&joined(&unwrapped(text)));
    (cleaned != text && is_good(&cleaned)).then_some(cleaned)
}

/// Removes what was pasted along: blanks, quotes, a byte order mark, a command or key in front, a scheme.
fn unwrapped(text: &str) -> String {
    let around = |c: char| c.is_whitespace() || c.is_control() || "\"'`,;".contains(c) || !c.is_ascii();
    // Invisible marks and joiners.
    let unseen = |c: &char| !c.is_ascii() && !c.is_alphanumeric() && !c.is_whitespace();
    let seen: String = text.chars().filter(|c| !unseen(c)).collect();
    let mut text = seen.trim_matches(around);
    for before in ["docker pull ", "docker run ", "podman pull ", "image: ", "image:\t", "FROM ", "- "] {
        text = text.strip_prefix(before).unwrap_or(text).trim_matches(around);
    }
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    text.replace('\\', "/")
}

/// Joins the parts as references do.
fn joined(text: &str) -> String {
    let mut text = text.replace(":/", "/");
    while text.contains("//") {
        text = text.replace("//", "/");
    }
    let text = text.trim_end_matches(['/', ':', '@']).trim_start_matches('/');
    // `nginx@1.27`: a version that is no digest is a tag.
    let text = match text.split_once('@') {
        Some((name, version)) if !version.contains(':') && !name.contains(':') => format!("{name}:{version}"),
        _ => text.to_owned(),
    };
    tagged(&text)
}

/// A branch name is not a valid tag: `app:feature/x`, `app:1.0+build`.
fn tagged(text: &str) -> String {
    let (before, rest) = split_registry(text);
    let whole = if text.starts_with(before) { rest } else { text };
    let is_port = |behind: &str| {
        behind.split_once('/').is_some_and(|(port, _)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
    };
    let (name, tag) = match text.split_once(':') {
        Some((name, behind)) if !name.contains('/') && !is_port(behind) => (name, behind),
        _ => match whole.split_once(':') {
            Some((name, tag)) => (&text[..text.len() - whole.len() + name.len()], tag),
            None => return text.to_owned(),
        },
    };
    match tag.split_once('@') {
        Some((tag, digest)) => format!("{name}:{}@{digest}", plain(tag)),
        None => format!("{name}:{}", plain(tag)),
    }
}

fn plain(tag: &str) -> String {
    tag.replace(['/', '+'], "-")
}

/// Puts the repository and the digest in lower case.
fn lower(text: &str) -> String {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let end = name[slash..].find(':').map_or(name.len(), |at| slash + at);
    let lowered = format!("{}{}", name[..end].to_ascii_lowercase(), &name[end..]);
    digest.map_or_else(|| lowered.clone(), |digest| format!("{lowered}@{}", digest.to_ascii_lowercase()))
}
