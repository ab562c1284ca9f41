//! Which images cannot be cached, and the message of the cloud's event.

use secrecy::ExposeSecret as _;

use crate::domain::image_cache::spec::RegistryCredential;
use crate::domain::image_ref::ImageRef;

/// The size of an image whose repository contains `huge`.
const HUGE_GIB: i64 = 100;

/// Why a build fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BuildFailure {
    /// The index of the image that fails; those before it are pulled.
    pub(super) place: usize,
    /// The event's `Reason`.
    pub(super) reason: &'static str,
    /// The event's `Message`.
    pub(super) message: String,
    /// Whether it fails late, while unpacking, rather than at the first request to the registry.
    pub(super) late: bool,
}

/// A registry login of the request. The password itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) server: String,
    pub(super) good: bool,
}

impl From<&RegistryCredential> for Login {
    fn from(login: &RegistryCredential) -> Self {
        Self { server: login.server.clone(), good: login.password.expose_secret() != "wrong" }
    }
}

/// The first image that fails, if any. Images are added to the cache one after another.
pub(super) fn failure(images: &[String], logins: &[Login], size_gib: i64) -> Option<BuildFailure> {
    let mut filled = 0_i64;
    images.iter().enumerate().find_map(|(place, image)| {
        filled = filled.saturating_add(gib(image));
        let (reason, text, late) = why(image, logins, filled, size_gib)?;
        let message = format!("Failed to pull image \"{image}\": {text}");
        Some(BuildFailure { place, reason, message, late })
    })
}

fn why(image: &str, logins: &[Login], filled: i64, size_gib: i64) -> Option<(&'static str, String, bool)> {
    let Ok(read) = image.parse::<ImageRef>() else {
        // Only in state from an older version: a create refuses it.
        return Some((
            "Failed",
            format!("couldn't parse image reference \"{image}\": invalid reference format"),
            false,
        ));
    };
    let (host, repository, tag) = (read.registry(), read.repository(), read.tag());
    let welcome = logins.iter().any(|login| login.server == host && login.good);
    if host.starts_with("private.") && !welcome {
        let text = format!(
            "rpc error: code = Unknown desc = failed to resolve reference \"{image}\": pull access denied, \
             repository does not exist or may require authorization: server message: unauthorized: authentication \
             required for {host}"
        );
        return Some(("Failed", text, false));
    }
    if host.starts_with("unreachable.") {
        let text = format!(
            "rpc error: code = DeadlineExceeded desc = failed to resolve reference \"{image}\": failed to do \
             request: Head \"https://{host}/v2/{repository}/manifests/latest\": dial tcp 198.51.100.7:443: i/o timeout"
        );
        return Some(("Failed", text, false));
    }
    if repository.contains("does-not-exist") || tag == Some("missing") {
        let text = format!(
            "rpc error: code = NotFound desc = failed to resolve reference \"{image}\": manifest unknown: \
             manifest unknown"
        );
        return Some(("Failed", text, false));
    }
    if filled > size_gib {
        let text = format!(
            "rpc error: code = Unknown desc = failed to extract layer: write /var/lib/containerd: no space left on \
             device: disk full, the image cache has {size_gib} GiB"
        );
        return Some(("Failed", text, true));
    }
    None
}

/// The size of an image in GiB: from its tag (`50gib`), 100 if its repository contains `huge`, otherwise next to
/// nothing.
fn gib(image: &str) -> i64 {
    let Ok(image) = image.parse::<ImageRef>() else { return 0 };
    let said = image.tag().and_then(|tag| tag.strip_suffix("gib")).and_then(|size| size.parse::<u32>().ok());
    let named = if image.repository().contains("huge") { HUGE_GIB } else { 0 };
    said.map_or(named, i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(image: &str, size_gib: i64) -> Option<String> {
        let logins = [
            Login { server: "private.example:5000".into(), good: true },
            Login { server: "private.wrong".into(), good: false },
        ];
        failure(&["nginx:1".to_owned(), image.to_owned()], &logins, size_gib).map(|failure| failure.message)
    }

    #[test]
    fn each_kind_of_failure_is_told() {
        for (image, size_gib, expected) in [
            ("example.com/does-not-exist:1", 20, "manifest unknown"),
            ("nginx:missing", 20, "manifest unknown"),
            ("unreachable.example/app:1", 20, "i/o timeout"),
            ("private.other/app:1", 20, "unauthorized"),
            ("private.wrong/app:1", 20, "unauthorized"),
            ("team/huge-model:1", 99, "disk full"),
            ("team/model:50gib", 49, "disk full"),
            ("$IMAGE", 20, "invalid reference format"),
        ] {
            let message = fails(image, size_gib).expect(image);
            assert!(message.contains(expected) && message.contains(image), "{message}");
        }
        for (image, size_gib) in
            [("nginx:1", 20), ("private.example:5000/app:1", 20), ("team/huge-model:1", 100), ("a:50gib", 50)]
        {
            assert_eq!(fails(image, size_gib), None, "{image}");
        }
    }
}
