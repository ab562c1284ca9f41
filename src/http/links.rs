//! Where clients reach this gateway, for the links of its answers.
//!
//! Handlers link by path (`/v1/…`). What stands before the path is put there in one place, as an answer leaves: the
//! operator's `public_url`, else the prefix that a trusted proxy took off the path and names in `X-Forwarded-Prefix`,
//! else nothing. Who calls it: the outermost wrapper, and the pages that hold links themselves.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::header::{LINK, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::proxies::TrustedProxies;
use crate::webhook::cidr::Cidr;

/// The longest prefix that is taken from a proxy.
const LONGEST: usize = 256;

/// What the operator says of it.
#[derive(Debug, Clone, Default)]
pub struct Links {
    public_url: Option<Arc<str>>,
    trusted_proxies: TrustedProxies,
}

impl Links {
    /// With the address that clients know, if it is set, and the proxies that are trusted.
    pub fn new(public_url: Option<&str>, trusted_proxies: Vec<Cidr>) -> Self {
        let public_url = public_url.map(|url| url.trim_end_matches('/').into());
        Self { public_url, trusted_proxies: TrustedProxies::new(trusted_proxies) }
    }

    /// The proxies whose word counts.
    pub fn proxies(&self) -> &TrustedProxies {
        &self.trusted_proxies
    }

    /// What stands before the path of a link in the answer to this request; it has no slash at its end.
    pub(super) fn base(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Arc<str> {
        if let Some(url) = &self.public_url {
            return Arc::clone(url);
        }
        let trusted = peer.is_some_and(|peer| self.trusted_proxies.trusts(peer));
        if trusted { prefix(headers).into() } else { Arc::from("") }
    }
}

/// The prefix that proxies took off. Each names its own part, the outermost first; what is no path counts as none.
fn prefix(headers: &HeaderMap) -> String {
    let values = headers.get_all("x-forwarded-prefix").iter().map(HeaderValue::to_str);
    let Ok(values) = values.collect::<Result<Vec<_>, _>>() else { return String::new() };
    let parts = values.iter().flat_map(|value| value.split(',')).map(|part| part.trim().trim_end_matches('/'));
    let prefix: String = parts.collect();
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"-._~/%!$&'()*+=:@".contains(&b);
    let dots = prefix.split('/').any(|part| part == "." || part == "..");
    let good = prefix.starts_with('/') && prefix.len() <= LONGEST && prefix.bytes().all(letter);
    if good && !dots && !prefix.contains("//") { prefix } else { String::new() }
}

/// Puts `base` before the paths of an answer's links.
pub(super) fn rebase(headers: &mut HeaderMap, base: &str) {
    if base.is_empty() {
        return;
    }
    let path = |text: &str| text.starts_with('/') && !text.starts_with("//");
    replace(headers, &LOCATION, |text| path(text).then(|| format!("{base}{text}")));
    // A `<` within a target is percent-encoded.
    replace(headers, &LINK, |text| text.contains("</").then(|| text.replace("</", &format!("<{base}/"))));
}

fn replace(headers: &mut HeaderMap, name: &HeaderName, with: impl Fn(&str) -> Option<String>) {
    let text = headers.get(name).and_then(|value| value.to_str().ok()).and_then(with);
    if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(links: &Links, peer: &str, prefixes: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for prefix in prefixes {
            headers.append("x-forwarded-prefix", prefix.parse().unwrap());
        }
        links.base(peer.parse().ok(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_names_a_prefix() {
        let links = Links::new(None, vec!["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]);
        for (peer, prefixes, expected) in [
            ("10.1.2.3", &["/eci"][..], "/eci"),
            ("::ffff:10.1.2.3", &["/eci/"], "/eci"),
            ("::1", &["/a/b"], "/a/b"),
            ("10.1.2.3", &["/outer, /inner"], "/outer/inner"),
            ("10.1.2.3", &["/outer", "/inner"], "/outer/inner"),
            ("10.1.2.3", &[], ""),
            ("10.1.2.3", &["/"], ""),
            ("192.0.2.1", &["/eci"], ""),
            ("10.1.2.3", &["eci"], ""),
            ("10.1.2.3", &["//evil.example"], ""),
            ("10.1.2.3", &["/a/../b"], ""),
            ("10.1.2.3", &["https://evil.example"], ""),
            ("10.1.2.3", &["/a?b"], ""),
            ("10.1.2.3", &["/a>"], ""),
        ] {
            assert_eq!(base(&links, peer, prefixes), expected, "{peer} {prefixes:?}");
        }
        assert_eq!(base(&Links::default(), "127.0.0.1", &["/eci"]), "");
        let public = Links::new(Some("https://gw.example.com/eci/"), vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(base(&public, "10.1.2.3", &["/other"]), "https://gw.example.com/eci");
    }

    #[test]
    fn links_are_put_behind_the_base() {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, "/v1/operations/op_1".parse().unwrap());
        headers.insert(LINK, "</v1/events?cursor=a>; rel=\"next\", </v1/me>; rel=\"x\"".parse().unwrap());
        rebase(&mut headers, "/eci");
        assert_eq!(headers[LOCATION], "/eci/v1/operations/op_1");
        assert_eq!(headers[LINK], "</eci/v1/events?cursor=a>; rel=\"next\", </eci/v1/me>; rel=\"x\"");
        headers.insert(LOCATION, "https://elsewhere.example/".parse().unwrap());
        rebase(&mut headers, "https://gw.example.com");
        assert_eq!(headers[LOCATION], "https://elsewhere.example/");
    }
}
