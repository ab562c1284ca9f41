//! The URL of an endpoint. It may hold a secret: a token in its query, or a path that only its owner knows. So only
//! those who manage the team's endpoints see all of it; others see scheme and host.

use std::fmt;

/// The prefix of scheme and host in the plain-text column when only the encrypted column has the full URL. No version
/// of the gateway takes it for a URL, so none sends to half of one.
const SEALED: &str = "sealed:";

/// A URL whose `Debug` output has only scheme and host.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// The full URL, which may be secret.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Scheme and host, with the port if there is one.
    pub fn origin(&self) -> &str {
        origin(&self.0)
    }

    /// The text for the plain-text column when only the encrypted URL is stored.
    pub fn placeholder(&self) -> String {
        format!("{SEALED}{}", self.origin())
    }
}

/// Scheme and host of a URL; empty if the text is no URL.
pub fn origin(url: &str) -> &str {
    let Some(host) = url.find("://").map(|at| at + "://".len()) else { return "" };
    let end = url[host..].find(['/', '?', '#', '\\']).map_or(url.len(), |at| host + at);
    // No endpoint has a user name: whatever this is, it is not displayed.
    if url[..end].contains('@') { &url[..host] } else { &url[..end] }
}

impl<T: Into<String>> From<T> for EndpointUrl {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointUrl({}…)", self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_behind_the_host_is_shown() {
        for (url, shown) in [
            ("https://oapi.dingtalk.com/robot/send?access_token=hush", "https://oapi.dingtalk.com"),
            ("https://hooks.slack.com:8443/services/T0/B0/hush", "https://hooks.slack.com:8443"),
            ("https://a.example?hush", "https://a.example"),
            ("https://a.example", "https://a.example"),
            ("https://[::1]:8/hush", "https://[::1]:8"),
            ("https://me:hush@a.example/", "https://"),
            (r"https://a.example\hush", "https://a.example"),
            ("hush", ""),
        ] {
            assert_eq!(origin(url), shown, "{url}");
            assert!(!format!("{:?}", EndpointUrl::from(url)).contains("hush"), "{url}");
        }
        assert_eq!(EndpointUrl::from("https://a.example/hush").placeholder(), "sealed:https://a.example");
    }
}
