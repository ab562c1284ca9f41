//! How long a caller waits for a response, derived from its `User-Agent`: the default timeout of that SDK.
//!
//! Taken from the SDKs' own sources: `httpx` under both Node.js generations waits 3 s; `aliyun-python-sdk-core`, Tea
//! for Python, `alibaba-cloud-sdk-go` and the Java SDKs wait 10 s; the Terraform provider sets `client_read_timeout`,
//! 30 s in early releases and 60 s since.
//!
//! Called by the RPC front. It cannot know a timeout that a user has set.

use std::time::Duration;

/// The least time reserved for the network, however short the timeout is.
const LEAST_WAY: Duration = Duration::from_millis(500);
/// How the `User-Agent` of the cloud's SDKs begins.
const SDK: &str = "alibabacloud";
/// A word of the `User-Agent` in lower case, and the timeout of that SDK in seconds.
const LANGUAGES: [(&str, u64); 4] = [("node.js/", 3), ("python/", 10), ("golang/", 10), ("java/", 10)];
/// The first minor release of the Terraform provider that certainly waits 60 s.
const PATIENT_PROVIDER: u32 = 200;

/// The default read timeout of the SDK with this `User-Agent`; `None` if it is not known.
pub fn read_timeout(user_agent: &str) -> Option<Duration> {
    let lower = user_agent.to_ascii_lowercase();
    if lower.contains("terraform") {
        let patient = provider_minor(&lower).is_some_and(|minor| minor >= PATIENT_PROVIDER);
        return Some(Duration::from_secs(if patient { 60 } else { 30 }));
    }
    let known = || LANGUAGES.iter().find(|(word, _)| lower.contains(word)).map(|(_, seconds)| *seconds);
    Some(lower.as_str()).filter(|lower| lower.starts_with(SDK)).and_then(|_| known()).map(Duration::from_secs)
}

/// The time within which such a caller must have its answer: a sixth of its timeout is reserved for the network.
pub fn answer_within(user_agent: &str) -> Option<Duration> {
    read_timeout(user_agent).map(|timeout| timeout * 5 / 6)
}

/// The reserve beyond that: for the network, and for what must be done before the request can be answered.
pub fn way(answer_within: Duration) -> Duration {
    (answer_within / 5).max(LEAST_WAY)
}

/// The minor release in `provider/1.212.0`.
fn provider_minor(user_agent: &str) -> Option<u32> {
    let (_, version) = user_agent.split_once("provider/")?;
    version.split('.').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sdk_is_known_by_what_it_says_of_itself() {
        for (user_agent, seconds) in [
            ("AlibabaCloud (linux; x64) Node.js/v20.20.2 Core/1.8.0", Some(3)),
            ("AlibabaCloud (linux; x64) Node.js/v20.20.2 Core/1.0.1 TeaDSL/2", Some(3)),
            ("AlibabaCloud (Linux 5.10;x86_64) Python/3.11.7 Core/2.16.1 python-requests/2.32.4", Some(10)),
            ("AlibabaCloud (Linux; x86_64) Python/3.11.7 Core/0.3.15 TeaDSL/2", Some(10)),
            ("AlibabaCloud (linux; amd64) Golang/1.20.5 Core/0.01", Some(10)),
            ("AlibabaCloud (Linux;amd64) Java/1.8.0 Core/4.6.0 HTTPClient/ApacheHttpClient", Some(10)),
            (
                "AlibabaCloud (linux; amd64) Golang/1.20 Core/0.01 Extra/Terraform HashiCorp-Terraform/1.5.7 \
                 Provider/1.212.0 Module/",
                Some(60),
            ),
            ("AlibabaCloud (linux; amd64) Golang/1.13 Core/0.01 HashiCorp-Terraform/0.12.24 Provider/1.80.0", Some(30)),
            ("HashiCorp-Terraform-v0.11.7", Some(30)),
            ("curl/8.0", None),
            ("python-requests/2.32", None),
            ("", None),
        ] {
            assert_eq!(read_timeout(user_agent), seconds.map(Duration::from_secs), "{user_agent}");
        }
        let node = answer_within("AlibabaCloud (linux; x64) Node.js/v20 Core/1.8.0");
        assert_eq!(node, Some(Duration::from_millis(2_500)));
    }
}
