//! Which endpoints an administrator may set for a cloud account. Registry logins are sent there, so the operator's
//! settings decide, not whoever manages the accounts.
//!
//! What must stay true: https, to a host whose labels end in allowed ones. An address that two parsers could read in
//! two ways (a user, a trailing dot, letters beyond ASCII, an IP address) is refused.
//!
//! The host is the one that [`url`] parses, and connections go to that host. Called by `app`, when an account is
//! written and before it is used; accounts that were stored under other settings are judged, too.

use url::{Host, Url};

/// The placeholder for the region.
const REGION: &str = "{region}";
/// The last labels of the cloud's own hosts.
const CLOUD: [&str; 2] = ["aliyuncs", "com"];
/// The first labels of its endpoints. Customers have names of their own there (load balancers, buckets).
const SERVICES: [&str; 2] = ["eci", "eci-vpc"];

/// Which hosts are allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// The suffixes that a host must end in, label by label. None: only the cloud's own endpoints
    /// (`eci.<region>.aliyuncs.com`, `eci-vpc.<region>.aliyuncs.com`, `eci.aliyuncs.com`).
    pub suffixes: Option<Vec<String>>,
    /// Whether it may be a program on this machine, and then also use plain HTTP: for `dev`.
    pub loopback: bool,
}

impl Allowed {
    /// Judges an endpoint, in which `{region}` stands for the region.
    ///
    /// # Errors What is wrong with it, as a phrase that follows "must".
    pub fn judge(&self, endpoint: &str) -> Result<(), String> {
        if !endpoint.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("have no spaces and no letters beyond ASCII".to_owned());
        }
        let url = Url::parse(&endpoint.replace(REGION, "cn-hangzhou")).ok();
        // `https:host` and `https:\\host` parse as URLs, too.
        let url = url.filter(|_| endpoint.split_once("://").is_some_and(|(_, rest)| !rest.starts_with('/')));
        let Some(url) = url.filter(|url| is_bare(url) && !endpoint.contains(['@', '\\', '%'])) else {
            return Err(format!(
                "be https:// and a host, without user, path or query; {REGION} is replaced by the region"
            ));
        };
        if self.loopback && is_loopback(&url) && ["http", "https"].contains(&url.scheme()) {
            return Ok(());
        }
        match url.host() {
            _ if url.scheme() != "https" => Err("be https".to_owned()),
            Some(Host::Domain(host)) if self.has(host, url.port()) => Ok(()),
            _ => Err(self.message()),
        }
    }

    /// Whether host and port are allowed; `port` is none for that of https.
    fn has(&self, host: &str, port: Option<u16>) -> bool {
        let host: Vec<&str> = host.split('.').collect();
        if host.iter().any(|label| label.is_empty()) {
            return false;
        }
        match &self.suffixes {
            None => {
                let labels = host.strip_suffix(&CLOUD);
                let service = labels.is_some_and(|labels| match labels {
                    [service] | [service, _] => SERVICES.contains(service),
                    _ => false,
                });
                service && port.is_none()
            }
            Some(suffixes) => suffixes.iter().any(|suffix| ends_in(&host, suffix)),
        }
    }

    fn message(&self) -> String {
        match &self.suffixes {
            None => format!(
                "lead to the cloud itself: eci.{REGION}.aliyuncs.com or eci-vpc.{REGION}.aliyuncs.com, without a port; the \
                 operator may allow others (cloud.endpoint_suffixes)"
            ),
            Some(suffixes) => {
                format!("lead to a host that ends in {} (cloud.endpoint_suffixes)", suffixes.join(" or "))
            }
        }
    }
}

fn ends_in(host: &[&str], suffix: &str) -> bool {
    let suffix: Vec<&str> = suffix.split('.').collect();
    host.ends_with(&suffix)
}

fn is_bare(url: &Url) -> bool {
    let user = !url.username().is_empty() || url.password().is_some();
    !user && url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.port() != Some(0)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_says_which_hosts_are_allowed() {
        let of = |suffixes: &[&str]| Allowed {
            suffixes: Some(suffixes.iter().map(|suffix| (*suffix).to_owned()).collect()),
            loopback: false,
        };
        let inside = of(&["eci.internal.example", "aliyuncs.com"]);
        for good in ["https://a.eci.internal.example:8443", "https://eci.internal.example", "https://x.aliyuncs.com"] {
            assert_eq!(inside.judge(good), Ok(()), "{good}");
        }
        for bad in [
            "https://xeci.internal.example",
            "https://internal.example",
            "http://eci.internal.example",
            "https://10.0.0.1",
        ] {
            assert!(inside.judge(bad).is_err(), "{bad}");
        }
        assert!(of(&[]).judge("https://eci.aliyuncs.com").is_err());
        assert!(of(&["10.0.0.1"]).judge("https://10.0.0.1").is_err(), "an address is no name");
    }

    #[test]
    fn a_program_on_this_machine_is_for_dev() {
        let dev = Allowed { suffixes: None, loopback: true };
        for good in
            ["http://127.0.0.1:1234", "https://[::1]:1", "http://localhost:9", "https://eci.{region}.aliyuncs.com"]
        {
            assert_eq!(dev.judge(good), Ok(()), "{good}");
        }
        for bad in ["http://192.0.2.1", "http://eci.aliyuncs.com", "ftp://127.0.0.1", "http://localhost.evil.example"] {
            assert!(dev.judge(bad).is_err(), "{bad}");
        }
        assert!(Allowed::default().judge("http://127.0.0.1:1").is_err());
    }
}
