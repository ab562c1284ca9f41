//! Validates endpoints: a URL with only a host, which may contain the region placeholder.

use super::{BuildError, REGION};

/// Rejects anything but an `http` or `https` URL of a host.
pub(super) fn check(endpoint: &str) -> Result<(), BuildError> {
    let url = url::Url::parse(&endpoint.replace(REGION, "cn-hangzhou")).map_err(|_| BuildError::Endpoint)?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let good = ["http", "https"].contains(&url.scheme()) && url.has_host() && plain && url.path() == "/";
    if good { Ok(()) } else { Err(BuildError::Endpoint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_nothing_else() {
        for good in
            ["https://eci.{region}.aliyuncs.com", "http://127.0.0.1:1234", "https://eci-vpc.{region}.aliyuncs.com/"]
        {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "eci.aliyuncs.com", "ftp://x", "https://user:pass@x", "https://x/path", "https://x?a=b"] {
            assert!(matches!(check(bad), Err(BuildError::Endpoint)), "{bad}");
        }
    }
}
