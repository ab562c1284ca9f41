//! Tables of what is accepted and what is refused, and properties of any text and any reference.

use super::*;

mod properties;

const SHA256: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn read(text: &str) -> Result<String, ImageRefFault> {
    text.parse::<ImageRef>().map(|image| image.to_string()).map_err(|error| error.fault)
}

#[test]
fn references_are_read_in_full() {
    for (text, full) in [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("library/nginx", "docker.io/library/nginx:latest"),
        ("team/app:v1", "docker.io/team/app:v1"),
        ("a/b/c/d:v1", "docker.io/a/b/c/d:v1"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("DOCKER.IO/nginx", "docker.io/library/nginx:latest"),
        ("docker.io/library/nginx:latest", "docker.io/library/nginx:latest"),
        ("docker.io:443/nginx", "docker.io:443/nginx:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("LocalHost/app", "localhost/app:latest"),
        ("localhost", "docker.io/library/localhost:latest"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("localhost:05000/app", "localhost:5000/app:latest"),
        ("host:80/app", "host:80/app:latest"),
        ("host/app", "docker.io/host/app:latest"),
        ("registry.cn-hangzhou.aliyuncs.com/ns/app:v1", "registry.cn-hangzhou.aliyuncs.com/ns/app:v1"),
        ("registry-vpc.cn-hangzhou.aliyuncs.com/ns/app:v1", "registry-vpc.cn-hangzhou.aliyuncs.com/ns/app:v1"),
        ("Registry.Example.COM/app", "registry.example.com/app:latest"),
        ("10.0.0.7:5000/app", "10.0.0.7:5000/app:latest"),
        ("[::1]:5000/app:v1", "[::1]:5000/app:v1"),
        ("[2001:DB8::1]/app", "[2001:db8::1]/app:latest"),
        ("k8s.gcr.io/pause:3.9", "k8s.gcr.io/pause:3.9"),
        ("a.b/c", "a.b/c:latest"),
        ("h.x", "docker.io/library/h.x:latest"),
        ("app:V1_2.3-rc.4", "docker.io/library/app:V1_2.3-rc.4"),
        ("app:_", "docker.io/library/app:_"),
        ("a__b", "docker.io/library/a__b:latest"),
        ("a---b.c_d", "docker.io/library/a---b.c_d:latest"),
    ] {
        assert_eq!(read(text).as_deref(), Ok(full), "{text}");
    }
}

#[test]
fn a_digest_needs_no_tag() {
    let full = |text: &str| read(text).unwrap();
    assert_eq!(full(&format!("nginx@{SHA256}")), format!("docker.io/library/nginx@{SHA256}"));
    assert_eq!(full(&format!("h.x:1/a:t@{SHA256}")), format!("h.x:1/a:t@{SHA256}"));
    let image: ImageRef = format!("nginx@{SHA256}").parse().unwrap();
    assert_eq!((image.tag(), image.digest()), (None, Some(SHA256)));
    let long = format!("a@sha512:{}", "0".repeat(128));
    assert!(read(&long).is_ok() && read(&format!("a@sha384:{}", "f".repeat(96))).is_ok());
}

#[test]
fn what_is_no_reference_says_why() {
    use ImageRefFault::{Digest, Empty, EmptyTag, Host, ImageId, Login, Port, Repository, Scheme, Tag, UpperCase};
    let has = |what: &str| ImageRefFault::Character(what.to_owned());
    let long = |count: usize| "a".repeat(count);
    let upper_hex = format!("nginx@{}", SHA256.to_uppercase().replace("SHA", "sha"));
    for (text, error) in [
        ("", Empty),
        ("/", Repository),
        ("/nginx", Repository),
        ("nginx/", Repository),
        ("a//b", Repository),
        (":", EmptyTag),
        (":tag", Repository),
        ("nginx:", EmptyTag),
        ("nginx:-x", Tag),
        ("nginx:.x", Tag),
        ("nginx:a b", has("spaces")),
        ("nginx:a+b", Tag),
        ("a:b:c", Repository),
        ("@", Digest),
        ("nginx@", Digest),
        ("nginx@sha256", Digest),
        ("nginx@sha256:abc", Digest),
        ("nginx@md5:0123456789abcdef0123456789abcdef", Digest),
        (&format!("nginx@{SHA256}@{SHA256}"), Digest),
        (&format!("@{SHA256}"), Repository),
        (&upper_hex, Digest),
        ("Nginx", UpperCase),
        ("MyTeam/app", UpperCase),
        ("h.x/App", UpperCase),
        (" nginx", has("spaces")),
        ("nginx\n", has("line breaks")),
        ("nginx\0", has("the invisible or foreign character U+0000")),
        ("ñginx", has("ñ (U+00F1): letters are a to z")),
        ("nginx:\u{202e}", has("the invisible or foreign character U+202E")),
        ("-nginx", Repository),
        ("nginx-", Repository),
        ("a..b", Repository),
        ("a___b", Repository),
        ("a._b", Repository),
        ("_a", Repository),
        ("https://h.x/app", Scheme),
        ("h.x:/app", Port),
        ("h.x:0/app", Port),
        ("h.x:65536/app", Port),
        ("h.x:+80/app", Port),
        ("h.x:80:90/app", Host),
        ("-h.x/app", Host),
        ("h-.x/app", Host),
        ("h..x/app", Host),
        (".x/app", Host),
        ("user:pass@h.x/app", Login),
        ("https://user:pass@h.x/app", Login),
        ("[::1/app", Host),
        ("[::g]:5000/app", Host),
        ("[fe80::1%eth0]/app", Host),
        ("h_x.y/app", Host),
        ("[2001:db8:3:4::192.0.2.33]:5000/app", Host),
        ("h.x/", Repository),
        ("../../etc/passwd", Host),
        (&SHA256[7..], ImageId),
        (SHA256, ImageId),
        (&long(256), Repository),
        (&format!("nginx:{}", long(129)), Tag),
        (&format!("{}.x/app", long(252)), Host),
    ] {
        assert_eq!(read(text), Err(error), "{text:?}");
    }
}

#[test]
fn a_slip_is_told_with_what_was_probably_meant() {
    let upper_hex = format!("nginx@{}", SHA256.to_uppercase().replace("SHA", "sha"));
    for (text, likely) in [
        ("ghcr.io/MyOrg/app:1", "ghcr.io/myorg/app:1"),
        ("GHCR.io/MyOrg/App:V1", "ghcr.io/myorg/app:V1"),
        ("MyOrg/app", "myorg/app"),
        ("Nginx:1.27", "nginx:1.27"),
        ("nginx:", "nginx"),
        ("nginx@", "nginx"),
        ("h.x/app/", "h.x/app"),
        ("/nginx", "nginx"),
        ("h.x//a//b:1", "h.x/a/b:1"),
        ("https://ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        ("docker://nginx", "nginx"),
        ("docker-pullable://nginx:1", "nginx:1"),
        ("oci://h.x:5000/a:1", "h.x:5000/a:1"),
        (" nginx ", "nginx"),
        ("nginx\n", "nginx"),
        ("\u{feff}nginx", "nginx"),
        ("nginx\u{200b}:1", "nginx:1"),
        ("\"nginx:1\"", "nginx:1"),
        ("“nginx:1”", "nginx:1"),
        ("docker pull nginx:1", "nginx:1"),
        ("image: nginx:1", "nginx:1"),
        ("nginx@1.27", "nginx:1.27"),
        ("app:feature/login", "app:feature-login"),
        ("h.x:5000/a/app:feature/login", "h.x:5000/a/app:feature-login"),
        ("app:1.0.0+build.5", "app:1.0.0-build.5"),
        ("h.x:/app", "h.x/app"),
        ("h.x\\a\\b:1", "h.x/a/b:1"),
        (&upper_hex, &format!("nginx@{SHA256}")),
        ("a:b:c", ""),
        ("h_x.y/app", ""),
        ("$IMAGE", ""),
        ("user:hush@h.x/app", ""),
    ] {
        let error = text.parse::<ImageRef>().unwrap_err();
        assert_eq!(error.likely.as_deref().unwrap_or_default(), likely, "{text:?}: {error}");
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}

#[test]
fn versions_are_compared_by_digest_where_there_is_one() {
    let image = |text: &str| text.parse::<ImageRef>().unwrap();
    let same = |a: &str, b: &str| image(a).same_image(&image(b));
    assert!(same("nginx", "docker.io/library/nginx:latest"));
    assert!(!same("nginx:1", "nginx:2") && image("nginx:1").same_repository(&image("nginx:2")));
    assert!(same(&format!("nginx:1@{SHA256}"), &format!("nginx@{SHA256}")), "the digest is the image");
    assert!(!same("nginx:1", &format!("nginx:1@{SHA256}")), "a tag may move");
    assert!(!image("h.x/a").same_repository(&image("h.x:80/a")));
}
