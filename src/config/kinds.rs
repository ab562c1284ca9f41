//! The types of settings: numbers, flags, names, addresses, files.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use url::{Host, Url};

use super::entry::WithDefault;
use super::parse::{One, ParseError, is_quoted};
use super::setting::SettingKind;
use crate::crypto::master::{self, MasterKey};
use crate::domain::database::address::{self, DatabaseAddress};
use crate::egress::{Authorities, Proxy};
use crate::webhook::cidr::{self, Cidr};

/// A text that `parse` accepts.
pub(super) fn text<T>(key: &'static str, allowed: &'static str, parse: impl Fn(&str) -> Option<T> + 'static) -> One<T> {
    One::new(key, SettingKind::Text, allowed, move |text| parse(text).ok_or(ParseError::NotAllowed))
}

/// A text that is used as it is if it passes a check.
pub(super) fn checked_text(
    key: &'static str,
    allowed: &'static str,
    is_good: impl Fn(&str) -> bool + 'static,
) -> One<String> {
    text(key, allowed, move |text| is_good(text).then(|| text.to_owned()))
}

const WORD: &str = "a string without surrounding spaces or quotes";

/// A text without surrounding spaces or quotes.
pub(super) fn word(key: &'static str) -> One<String> {
    checked_text(key, WORD, |text| !text.is_empty() && text.trim() == text && !is_quoted(text))
}

/// A secret word.
pub(super) fn secret(key: &'static str) -> One<SecretString> {
    let word = word(key).parse;
    One::new(key, SettingKind::Text, WORD, move |text| word(text).map(SecretString::from)).secret()
}

/// One of a few words.
pub(super) fn choice<T: Copy + 'static>(
    key: &'static str,
    allowed: &'static str,
    words: &'static [(&'static str, T)],
) -> One<T> {
    text(key, allowed, |text| words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning))
}

/// A text that the type itself parses.
pub(super) fn parsed<T: FromStr>(key: &'static str, allowed: &'static str) -> One<T> {
    text(key, allowed, |text| text.parse().ok())
}

/// A whole number.
pub(super) fn number<T>(key: &'static str, range: RangeInclusive<u64>, default: impl Display) -> WithDefault<T>
where
    T: TryFrom<u64> + 'static,
{
    counted(key, None, range, default, |number| T::try_from(number).ok())
}

/// A number of bytes.
pub(super) fn bytes(key: &'static str, range: RangeInclusive<u64>, default: usize) -> WithDefault<usize> {
    counted(key, Some("bytes"), range, default, |number| usize::try_from(number).ok())
}

/// A number of seconds.
pub(super) fn seconds(key: &'static str, range: RangeInclusive<u64>, default: u64) -> WithDefault<Duration> {
    counted(key, Some("seconds"), range, default, |number| Some(Duration::from_secs(number)))
}

/// The same as a signed duration, which the domain uses.
pub(super) fn signed_seconds(
    key: &'static str,
    range: RangeInclusive<u64>,
    default: i64,
) -> WithDefault<chrono::Duration> {
    counted(key, Some("seconds"), range, default, |number| chrono::Duration::from_std(Duration::from_secs(number)).ok())
}

/// A number of milliseconds.
pub(super) fn milliseconds(key: &'static str, range: RangeInclusive<u64>, default: u128) -> WithDefault<Duration> {
    counted(key, Some("milliseconds"), range, default, |number| Some(Duration::from_millis(number)))
}

/// A number of days.
pub(super) fn days(key: &'static str, range: RangeInclusive<u64>, default: u64) -> WithDefault<Duration> {
    counted(key, Some("days"), range, default, |number| Some(Duration::from_hours(24 * number)))
}

fn counted<T>(
    key: &'static str,
    unit: Option<&'static str>,
    range: RangeInclusive<u64>,
    default: impl Display,
    meaning: impl Fn(u64) -> Option<T> + 'static,
) -> WithDefault<T> {
    let allowed = format!("a whole number from {} to {}", range.start(), range.end());
    let within = range.clone();
    let read = move |text: &str| {
        let number = text.parse().ok().filter(|number| within.contains(number));
        number.and_then(&meaning).ok_or(ParseError::NotAllowed)
    };
    let mut one = One::new(key, SettingKind::Number, allowed, read);
    one.setting.range = Some(range);
    one.setting.unit = unit;
    one.or(default)
}

/// A flag that is off by default.
pub(super) fn flag(key: &'static str) -> WithDefault<bool> {
    One::new(key, SettingKind::Flag, "true or false", |text| text.parse().map_err(|_| ParseError::NotAllowed)).or(false)
}

/// An `http` or `https` URL that also passes the check `more`.
fn web(text: &str, more: impl Fn(&Url) -> bool) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let good = bare && url.password().is_none() && ["http", "https"].contains(&url.scheme()) && url.has_host();
    (good && more(&url)).then_some(url)
}

/// The URL of an API of the cloud.
pub(super) fn endpoint(key: &'static str) -> One<String> {
    checked_text(key, "an http or https address without a path; {region} may stand for the region", |text| {
        web(&text.replace("{region}", "cn-hangzhou"), |url| url.path() == "/").is_some()
    })
}

/// A URL for links, without a trailing slash.
pub(super) fn public_url(key: &'static str) -> One<String> {
    let allowed = "an http or https address such as https://gateway.example.com/eci, without user, query or fragment";
    text(key, allowed, |text| {
        let url = web(text, |url| !url.path().contains("//"))?;
        Some(url.as_str().trim_end_matches('/').to_owned())
    })
}

/// The URL of a proxy, with credentials.
pub(super) fn proxy(key: &'static str) -> One<Proxy> {
    let allowed = "the http address of a proxy, such as http://user:password@proxy.example.com:3128";
    parsed(key, allowed).secret()
}

/// The URL of a database.
pub(super) fn database(key: &'static str) -> One<DatabaseAddress> {
    let read = |text: &str| DatabaseAddress::parse(text).map_err(|error| ParseError::Because(error.to_string()));
    One::new(key, SettingKind::Text, address::EXAMPLE, read).secret()
}

/// A master key.
pub(super) fn key(key: &'static str) -> One<Arc<MasterKey>> {
    text(key, master::ALLOWED, |text| MasterKey::parse(text).ok().map(Arc::new)).secret()
}

/// A network such as `10.0.0.0/8`, or a single address.
pub(super) fn networks(key: &'static str) -> One<Cidr> {
    parsed(key, cidr::ALLOWED)
}

/// A host name or address.
pub(super) fn host(key: &'static str) -> One<String> {
    let allowed = "a host name or address such as idp.svc.cluster.local, without a port or *";
    text(key, allowed, |text| Host::parse(text).ok().map(|host| host.to_string()))
}

/// A suffix of host names.
pub(super) fn host_suffix(key: &'static str) -> One<String> {
    let label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    text(key, "a host name such as svc.cluster.local, without a port or *", move |text| {
        let text = text.strip_prefix('.').unwrap_or(text);
        text.split('.').all(label).then(|| text.to_ascii_lowercase())
    })
}

/// The path of a file that is read elsewhere.
pub(super) fn path(key: &'static str) -> One<PathBuf> {
    file(key, |path| Ok(path.to_owned()))
}

/// A file that `read` parses; errors are reported after its name.
pub(super) fn file<T>(key: &'static str, read: impl Fn(&Path) -> Result<T, String> + 'static) -> One<T> {
    One::new(key, SettingKind::File, "the path of a file", move |text| {
        if text.is_empty() {
            return Err(ParseError::NotAllowed);
        }
        let path = PathBuf::from(text);
        read(&path).map_err(|told| ParseError::Because(format!("the file {} {told}", path.display())))
    })
}

/// The content of a file.
pub(super) fn content(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))
}

/// A file of certificates in PEM, read and parsed together with the settings.
pub(super) fn authorities(key: &'static str) -> One<Authorities> {
    file(key, |path| Authorities::read(content(path)?).map_err(|error| error.to_string()))
}
