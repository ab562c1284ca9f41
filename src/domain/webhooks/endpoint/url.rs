//! Where an endpoint is. A URL may hold a secret: a token in its query, or a path that only its owner knows. So it is
//! shown as scheme and host, but to whoever keeps the team's endpoints.

use std::fmt;

/// What stands before scheme and host in the column of plain text where only the encrypted one has the rest. No version
/// takes it for a URL, so none sends to half of one.
const SEALED: &str = "sealed:";

/// A URL of which `Debug` shows scheme and host alone.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// All of it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Scheme and host, with the port where it has one.
    pub fn origin(&self) -> &str {
        origin(&self.0)
    }

    /// What is written in its place where only the encrypted URL is kept.
    pub fn placeholder(&self) -> String {
        format!("{SEALED}{}", self.origin())
    }
}

/// Scheme and host of a URL; of what is none, nothing.
pub fn origin(url: &str) -> &str {
    let Some(host) = url.find("://").map(|at| at + "://".len()) else { return "" };
    let end = url[host..].find(['/', '?', '#', '\\']).map_or(url.len(), |at| host + at);
    // No endpoint has a user name: whatever this is, it is not shown.
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
