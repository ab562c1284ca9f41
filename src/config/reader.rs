//! Turns what was written into typed values, and notes what is not allowed.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::auth::read_issuers;
use super::keys::variable_of;
use super::source::{Raw, Source, Value};
use super::spelling::{is_32_bytes, is_cidr, must_be, shorten};
use super::{AuthKeys, LogFormat, SettingError};
use crate::auth::jwks::is_safe;
use crate::domain::checkpoint::is_origin;
use crate::domain::cloud_account::{
    ACCOUNT_NAMES, ROLE_ARNS, ROLE_SESSIONS, is_account_name, is_role_arn, is_role_session,
};
use crate::domain::database::address::Address;
use crate::domain::issuer::Issuer;
use crate::domain::policy::Prices;
use crate::domain::region::Region;
use crate::domain::team::UnknownTeams;
use crate::egress::Proxy;

/// Reads settings one after another.
pub(super) struct Reader(Source);

impl Reader {
    pub(super) fn new(source: Source) -> Self {
        Self(source)
    }

    /// `read`, unless anything was wrong.
    pub(super) fn finish<T>(self, read: T) -> Result<T, Vec<SettingError>> {
        if self.0.errors.is_empty() { Ok(read) } else { Err(self.0.errors) }
    }

    pub(super) fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0.notes)
    }

    /// One text, read by `parse`; `allowed` completes "must be".
    fn one<T>(&mut self, key: &'static str, allowed: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let Raw { origin, value } = self.0.values.get(key)?.clone();
        let Value::Text(text) = value else {
            self.0.refuse(origin, format!("must be {allowed}, not a list"));
            return None;
        };
        let parsed = parse(&text);
        if parsed.is_none() {
            self.0.refuse(origin, must_be(key, allowed, &text));
        }
        parsed
    }

    /// A list, each item read by `parse`.
    fn many<T>(&mut self, key: &'static str, allowed: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        let Raw { origin, value } = self.0.values.get(key)?.clone();
        let items = value.items();
        let mut parsed = Vec::with_capacity(items.len());
        for item in &items {
            match parse(item) {
                Some(value) => parsed.push(value),
                None => self.0.refuse(&origin, format!("each must be {allowed}, not {:?}", shorten(item))),
            }
        }
        Some(parsed)
    }

    pub(super) fn number<T: TryFrom<u64>>(&mut self, key: &'static str, range: RangeInclusive<u64>, default: T) -> T {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        let read = self.one(key, &allowed, |text| {
            let number: u64 = text.parse().ok().filter(|number| range.contains(number))?;
            T::try_from(number).ok()
        });
        read.unwrap_or(default)
    }

    pub(super) fn seconds(&mut self, key: &'static str, range: RangeInclusive<u64>, default: u64) -> Duration {
        Duration::from_secs(self.number(key, range, default))
    }

    /// False unless it is set.
    pub(super) fn flag(&mut self, key: &'static str) -> bool {
        self.one(key, "true or false", |text| text.parse().ok()).unwrap_or(false)
    }

    pub(super) fn address(&mut self, key: &'static str) -> Option<SocketAddr> {
        self.one(key, "an address and a port such as 127.0.0.1:8080", |text| text.parse().ok())
    }

    /// A text without spaces at its ends.
    pub(super) fn word(&mut self, key: &'static str) -> Option<String> {
        self.one(key, "a text without spaces around it", |text| {
            (!text.is_empty() && text.trim() == text).then(|| text.to_owned())
        })
    }

    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.one(key, "the path of a file", |text| (!text.is_empty()).then(|| PathBuf::from(text)))
    }

    pub(super) fn secret(&mut self, key: &'static str) -> Option<SecretString> {
        self.word(key).map(SecretString::from)
    }

    pub(super) fn key_id(&mut self, key: &'static str) -> Option<String> {
        let good = |text: &str| {
            (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        self.one(key, "1 to 32 letters, digits, - and _", |text| good(text).then(|| text.to_owned()))
    }

    pub(super) fn account(&mut self, key: &'static str) -> Option<String> {
        self.one(key, ACCOUNT_NAMES, |text| is_account_name(text).then(|| text.to_owned()))
    }

    pub(super) fn role_arn(&mut self, key: &'static str) -> Option<String> {
        self.one(key, ROLE_ARNS, |text| is_role_arn(text).then(|| text.to_owned()))
    }

    pub(super) fn role_session(&mut self, key: &'static str) -> Option<String> {
        self.one(key, ROLE_SESSIONS, |text| is_role_session(text).then(|| text.to_owned()))
    }

    /// The key before this one: with its id, which must be another.
    pub(super) fn previous_key(
        &mut self,
        current: &str,
        id: Option<String>,
        key: Option<SecretString>,
    ) -> Option<(String, SecretString)> {
        let id = match (id, key) {
            (Some(id), Some(key)) if id != current => return Some((id, key)),
            (Some(_), Some(_)) => "must be another than keys.master_id: each key has an id of its own",
            (None, Some(_)) => "must be set with keys.master_previous: the id that this key had",
            (Some(_), None) => "must be set only with keys.master_previous",
            (None, None) => return None,
        };
        self.0.refuse(variable_of("keys.master_previous_id"), id);
        None
    }

    pub(super) fn origin(&mut self, key: &'static str) -> Option<String> {
        let allowed = "1 to 255 characters without spaces and +, such as gateway.example.com/audit";
        self.one(key, allowed, |text| is_origin(text).then(|| text.to_owned()))
    }

    pub(super) fn role(&mut self, key: &'static str) -> Option<String> {
        let letters = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let good = |text: &str| (1..=63).contains(&text.len()) && letters(text);
        self.one(key, "a role of the database: 1 to 63 of a-z, 0-9 and _", |text| good(text).then(|| text.to_owned()))
    }

    pub(super) fn log_filter(&mut self, key: &'static str) -> Option<String> {
        let allowed = "a filter such as info or info,eci_cache_gateway=debug";
        self.one(key, allowed, |text| EnvFilter::builder().parse(text).ok().map(|_| text.to_owned()))
    }

    pub(super) fn log_format(&mut self, key: &'static str) -> Option<LogFormat> {
        self.one(key, "json or text", |text| match text {
            "json" => Some(LogFormat::Json),
            "text" => Some(LogFormat::Text),
            _ => None,
        })
    }

    pub(super) fn database_url(&mut self, key: &'static str) -> Option<SecretString> {
        let Raw { origin, value } = self.0.values.get(key)?.clone();
        let Value::Text(text) = value else {
            self.0.refuse(origin, "must be a text, not a list");
            return None;
        };
        if let Err(error) = Address::parse(&text) {
            self.0.refuse(origin, error.to_string());
            return None;
        }
        Some(SecretString::from(text))
    }

    pub(super) fn endpoint(&mut self, key: &'static str) -> Option<String> {
        self.one(key, "an http or https address without a path; {region} may stand for the region", |text| {
            let url = Url::parse(&text.replace("{region}", "cn-hangzhou")).ok()?;
            let bare =
                url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            (bare && url.password().is_none() && ["http", "https"].contains(&url.scheme())).then(|| text.to_owned())
        })
    }

    /// A proxy's address, with its login.
    pub(super) fn proxy(&mut self, key: &'static str) -> Option<Proxy> {
        let allowed = "the http address of a proxy, such as http://user:password@proxy.example.com:3128";
        self.one(key, allowed, |text| text.parse().ok())
    }

    /// Hosts by name or address.
    pub(super) fn hosts(&mut self, key: &'static str) -> Vec<String> {
        let allowed = "a host name or address such as idp.svc.cluster.local, without a port or *";
        self.many(key, allowed, |text| Host::parse(text).ok().map(|host| host.to_string())).unwrap_or_default()
    }

    /// An address for links, without a slash at its end.
    pub(super) fn public_url(&mut self, key: &'static str) -> Option<String> {
        let allowed =
            "an http or https address such as https://gateway.example.com/eci, without user, query or fragment";
        self.one(key, allowed, |text| {
            let url = Url::parse(text).ok()?;
            let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            let good = bare && url.password().is_none() && ["http", "https"].contains(&url.scheme()) && url.has_host();
            (good && !url.path().contains("//")).then(|| url.as_str().trim_end_matches('/').to_owned())
        })
    }

    pub(super) fn regions(&mut self, key: &'static str) -> Option<Vec<Region>> {
        let regions = self.many(key, "a region id such as cn-hangzhou", |text| text.parse().ok());
        // An empty list would refuse every region: that is never meant.
        regions.filter(|regions| !regions.is_empty())
    }

    pub(super) fn unknown_teams(&mut self, key: &'static str) -> Option<UnknownTeams> {
        self.one(key, "default or refuse", |text| match text {
            "default" => Some(UnknownTeams::Default),
            "refuse" => Some(UnknownTeams::Refuse),
            _ => None,
        })
    }

    /// The price table, whose amounts are in the currency of `currency`.
    pub(super) fn prices(&mut self, key: &'static str, currency: &'static str) -> Prices {
        let letters = |text: &str| (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let name =
            self.one(currency, "1 to 8 letters and digits such as CNY", |text| letters(text).then(|| text.to_owned()));
        let allowed = "a price such as gib_month=0.12 or cn-hangzhou.build=0.05, of gib_month, standard_copy_month, \
                       flash_copy_month and build";
        let one = |entry: &str| Prices::read("", [entry]).ok().map(|_| entry.to_owned());
        let entries = self.many(key, allowed, one).unwrap_or_default();
        let name = name.unwrap_or_else(|| "CNY".to_owned());
        Prices::read(&name, entries.iter().map(String::as_str)).unwrap_or_default()
    }

    pub(super) fn ports(&mut self, key: &'static str) -> Option<Vec<u16>> {
        let ports = self.many(key, "a port from 1 to 65535", |text| text.parse().ok().filter(|port| *port > 0));
        ports.filter(|ports| !ports.is_empty())
    }

    pub(super) fn cidrs(&mut self, key: &'static str) -> Vec<String> {
        let allowed = "an address, or a network such as 10.0.0.0/8 without bits set behind its prefix";
        self.many(key, allowed, |text| is_cidr(text).then(|| text.to_owned())).unwrap_or_default()
    }

    pub(super) fn host_suffixes(&mut self, key: &'static str) -> Vec<String> {
        self.some_host_suffixes(key).unwrap_or_default()
    }

    /// The same; none where nothing is said.
    pub(super) fn some_host_suffixes(&mut self, key: &'static str) -> Option<Vec<String>> {
        let good = |text: &str| {
            text.split('.')
                .all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        };
        let allowed = "a host name such as svc.cluster.local, without a port or *";
        let read = |text: &str| {
            let text = text.strip_prefix('.').unwrap_or(text);
            good(text).then(|| text.to_ascii_lowercase())
        };
        self.many(key, allowed, read)
    }

    pub(super) fn master_key(&mut self, key: &'static str) -> Option<SecretString> {
        let allowed = "32 bytes in base64 or as 64 hexadecimal digits (openssl rand -base64 32)";
        self.one(key, allowed, |text| is_32_bytes(text).then(|| SecretString::from(text)))
    }

    /// The issuers of `auth.issuers_file`.
    pub(super) fn issuers(&mut self) -> Vec<Issuer> {
        let Some(path) = self.path("auth.issuers_file") else { return Vec::new() };
        read_issuers(&path).unwrap_or_else(|errors| {
            for (place, told) in errors {
                self.0.refuse(place, told);
            }
            Vec::new()
        })
    }

    /// At most one of `auth.jwks_url`, `auth.jwks_file`, `auth.hs256_secret` and `auth.discovery`.
    pub(super) fn auth_keys(&mut self) -> Option<AuthKeys> {
        let names = ["auth.jwks_url", "auth.jwks_file", "auth.hs256_secret", "auth.discovery"];
        let set: Vec<String> = names.iter().filter_map(|key| Some(self.0.values.get(key)?.origin.clone())).collect();
        if let [one, others @ ..] = &set[..]
            && !others.is_empty()
        {
            self.0.refuse(one, format!("{} is set too: set exactly one of them", others.join(" and ")));
            return None;
        }
        let allowed = "an https address (http only on loopback, and to hosts in auth.jwks_http_hosts)";
        let hosts = self.0.values.get("auth.jwks_http_hosts").map(|raw| raw.value.items()).unwrap_or_default();
        let good = |url: &Url| is_safe(url, &hosts);
        let url = self.one("auth.jwks_url", allowed, |text| Url::parse(text).ok().filter(good)).map(AuthKeys::JwksUrl);
        let file = self.path("auth.jwks_file").map(AuthKeys::JwksFile);
        let secret = self.one("auth.hs256_secret", "at least 32 bytes long", |text| {
            (text.len() >= 32).then(|| AuthKeys::Hs256(SecretString::from(text)))
        });
        url.or(file).or(secret).or(self.flag("auth.discovery").then_some(AuthKeys::Discovery))
    }
}
