//! Alibaba Cloud: credentials and endpoints.

use std::time::Duration;

use secrecy::SecretString;

use crate::config::kinds::{authorities, checked_text, endpoint, host_suffix, parsed, proxy, seconds, secret, word};
use crate::config::section::section;
use crate::domain::cloud_account::{
    ACCOUNT_NAMES, ROLE_ARNS, ROLE_SESSIONS, is_account_name, is_role_arn, is_role_session,
};
use crate::domain::region::Region;
use crate::eci;
use crate::egress::{Authorities, Egress, Proxy};

section! {
    /// Alibaba Cloud: credentials and endpoints.
    CloudConfig, "The cloud";

    /// The id of the access key.
    access_key_id: Option<String> = word("cloud.access_key_id").required("the cloud's access key");

    /// The secret of the access key.
    access_key_secret: Option<SecretString> = secret("cloud.access_key_secret").required("the access key's secret");

    /// The name of this key's account in records and metrics. Do not change it once there are image caches.
    account: String = checked_text("cloud.account", ACCOUNT_NAMES, is_account_name).or("default");

    /// A role (`acs:ram::…:role/…`) that the key assumes: calls are then signed with temporary credentials.
    role_arn: Option<String> = checked_text("cloud.role_arn", ROLE_ARNS, is_role_arn);

    /// The name of the role's session in the cloud's logs.
    role_session: String = checked_text("cloud.role_session", ROLE_SESSIONS, is_role_session).or("eci-cache-gateway");

    /// How long the role's credentials last, which can be no longer than the role allows.
    role_lasts: Duration = seconds("cloud.role_seconds", 900..=43_200, 3_600);

    /// The external id that the role's owner requires.
    role_external_id: Option<SecretString> = secret("cloud.role_external_id");

    /// The address of STS, which assumes roles and identifies the account of a key
    /// (docs/vanishing.md#whose-the-key-is); in a VPC `https://sts-vpc.<region>.aliyuncs.com`.
    sts_endpoint: String = endpoint("cloud.sts_endpoint").or("https://sts.aliyuncs.com");

    /// The address of the API for the operator's own account. `ECG_CLOUD_ENDPOINT_SUFFIXES` does not apply to it.
    endpoint: String = endpoint("cloud.endpoint").or("https://eci.{region}.aliyuncs.com");

    /// The suffixes that the hosts of added cloud accounts (`api_endpoint`) must end in, label by label, such as
    /// `eci.internal.example`; always https. By default only `eci.<region>.aliyuncs.com`,
    /// `eci-vpc.<region>.aliyuncs.com` and `eci.aliyuncs.com` are allowed, because that domain also has hosts of
    /// customers. An account that was stored with a different address is reported in the log and not used.
    endpoint_suffixes: Option<Vec<String>> =
        host_suffix("cloud.endpoint_suffixes").many().or_none("the cloud's own");

    /// The regions that teams may use; an empty list means all.
    regions: Vec<Region> = parsed("cloud.regions", "a region id such as cn-hangzhou").many().otherwise("all");

    /// The HTTP proxy through which the cloud and STS are reached. `HTTPS_PROXY` and similar variables are ignored.
    proxy: Option<Proxy> = proxy("cloud.proxy");

    /// Certificates (PEM) to trust for the cloud and STS, in addition to the system's.
    authorities: Option<Authorities> = authorities("cloud.ca_file");

    /// How long one call to the cloud may take.
    timeout: Duration = seconds("cloud.timeout_seconds", 1..=60, 10);

    /// How long a connection to the cloud is kept for the next call. It must be less than the cloud keeps it.
    keep_idle: Duration = seconds("cloud.keep_idle_seconds", 0..=60, eci::KEEP_IDLE.as_secs());
}

impl CloudConfig {
    /// How the cloud and STS are reached.
    pub fn egress(&self) -> Egress {
        Egress::new(self.proxy.clone(), self.authorities.clone())
    }
}
