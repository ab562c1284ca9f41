//! The clouds' metadata services: the only list of addresses and names that no setting allows. A request to one of them
//! from a machine of that cloud returns the machine's credentials.
//!
//! Called by [`super::address`], which refuses them in every spelling, and by `assembly`, which warns operators whose
//! settings would allow one. Ranges that are merely private are not listed.

use std::net::IpAddr;
use std::sync::LazyLock;

use super::cidr::Cidr;

/// One service, or a network that contains only such services.
#[derive(Debug, Clone, Copy)]
pub struct Metadata {
    /// Its address or network.
    pub network: Cidr,
    /// Its name, for people.
    pub whose: &'static str,
}

/// Each with its source: the vendor's page or program that contains the address.
const LIST: [(&str, &str); 13] = [
    // AWS: IMDS .169.254, DNS .169.253, time .169.123, ECS tasks .170.2, EKS pod identity .170.23 ("Use the Instance
    // Metadata Service", "Task metadata endpoint", "EKS Pod Identity" in AWS's documentation). The same .169.254 at
    // Azure, Google Cloud, Oracle Cloud, DigitalOcean, Hetzner, IBM VPC, Huawei Cloud, Exoscale, Vultr, Brightbox and
    // OpenStack; Tencent .0.23 and .10.10, Scaleway .42.42 (their pages on instance metadata). The whole range is
    // link-local (RFC 3927): no receiver there can be reached through a router.
    (
        "169.254.0.0/16",
        "the metadata services of AWS, Azure, Google Cloud, Oracle, Tencent and others (169.254.169.254)",
    ),
    // Alibaba Cloud, "Instance metadata" (ECS), and its IPv6 form.
    ("100.100.100.200", "Alibaba Cloud's metadata service"),
    ("fd00:100::100:200", "Alibaba Cloud's metadata service (IPv6)"),
    // AWS: IMDS ::254, DNS ::253, time ::123, EKS pod identity ::23 ("IPv6" in the same pages).
    ("fd00:ec2::/32", "AWS's metadata services (IPv6, fd00:ec2::254)"),
    // Microsoft, "What is IP address 168.63.129.16?": WireServer hands out goal state and certificates.
    ("168.63.129.16", "Azure's WireServer"),
    // Oracle Cloud Infrastructure Classic, "Retrieving instance metadata".
    ("192.0.0.192", "Oracle Cloud Classic's metadata service"),
    // oci-python-sdk, instance_principals_security_token_signer.py.
    ("fd00:c1::a9fe:a9fe", "Oracle Cloud's metadata service (IPv6)"),
    // Google Cloud, "About VM metadata": instances with IPv6 only.
    ("fd20:ce::254", "Google Cloud's metadata service (IPv6)"),
    // cloud-init, DataSourceScaleway.
    ("fd00:42::42", "Scaleway's metadata service (IPv6)"),
    // Akamai (Linode), "Overview of the Metadata service".
    ("fd00:a9fe:a9fe::1", "Linode's metadata service (IPv6)"),
    // volcengine/cello, pkg/provider/credential.
    ("100.96.0.96", "Volcengine's metadata service"),
    // UCloud, "Metadata server" (UHost).
    ("100.80.80.80", "UCloud's metadata service"),
    // Link-local (RFC 4291): OpenStack and Linode answer at fe80::a9fe:a9fe.
    ("fe80::/10", "the metadata services of OpenStack and Linode (IPv6, fe80::a9fe:a9fe)"),
];

/// The names of such services. In another cloud, its resolver may return any address for them.
pub const NAMES: [&str; 10] = [
    "metadata.google.internal",
    "metadata.goog",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "metadata.platformequinix.com",
    "metadata.packet.net",
    "metadata.cloud.ibm.com",
    "instance-data",
    "instance-data.ec2.internal",
    "rancher-metadata",
];

static ALL: LazyLock<Vec<Metadata>> = LazyLock::new(|| {
    let read = |(text, whose): (&str, &'static str)| Some(Metadata { network: text.parse().ok()?, whose });
    LIST.into_iter().filter_map(read).collect()
});

/// The metadata services of all clouds that are known.
pub fn all() -> &'static [Metadata] {
    &ALL
}

/// Whether this is the address of a metadata service.
pub(super) fn is_at(ip: IpAddr) -> bool {
    ALL.iter().any(|service| service.network.contains(ip))
}

/// Whether this is the name of a metadata service, or a subdomain of it.
pub(super) fn is_named(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    NAMES.iter().any(|name| {
        let rest = host.len().checked_sub(name.len()).and_then(|at| host.get(..at).zip(host.get(at..)));
        rest.is_some_and(|(rest, end)| end.eq_ignore_ascii_case(name) && (rest.is_empty() || rest.ends_with('.')))
    })
}

/// The services in a network that an operator allows, which are refused nevertheless.
pub fn opened_by(network: &Cidr) -> impl Iterator<Item = &'static Metadata> {
    let network = *network;
    ALL.iter().filter(move |service| network.meets(&service.network))
}

/// The names below a host suffix that an operator allows.
pub fn named_by(suffix: &str) -> impl Iterator<Item = &'static str> {
    let suffix = suffix.trim_matches('.').to_ascii_lowercase();
    NAMES.into_iter().filter(move |name| {
        name.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_list_is_read() {
        assert_eq!(all().len(), LIST.len());
    }

    #[test]
    fn what_a_setting_would_open_is_found() {
        let opened = |text: &str| opened_by(&text.parse().unwrap()).count();
        assert_eq!(opened("10.0.0.0/8"), 0);
        assert_eq!(opened("192.0.0.0/24"), 1);
        assert_eq!(opened("168.63.129.16"), 1);
        assert_eq!(opened("169.254.169.254"), 1);
        assert_eq!(opened("100.64.0.0/10"), 3);
        assert_eq!(opened("fd00::/8"), 6);
        assert_eq!(opened("0.0.0.0/0") + opened("::/0"), LIST.len());
        assert_eq!(named_by("internal").count(), 3);
        assert_eq!(named_by(".Google.internal").collect::<Vec<_>>(), ["metadata.google.internal"]);
        assert_eq!(named_by("example.com").count(), 0);
    }

    #[test]
    fn names_are_known_in_every_case_and_with_what_is_below_them() {
        for name in ["metadata.google.internal", "Metadata.Google.Internal.", "x.metadata.goog", "instance-data"] {
            assert!(is_named(name), "{name}");
        }
        for name in ["my-metadata.goog", "metadata", "google.internal", "", "instance-data.example", "é.goog"] {
            assert!(!is_named(name), "{name}");
        }
    }
}
