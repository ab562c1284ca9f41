//! `MatchImage`: the documented order, and what restricts it.

use super::*;

async fn matched(cloud: &TestCloud, extra: &[(&str, &str)]) -> Vec<String> {
    let (status, body) = cloud.ask("DescribeImageCaches", extra).await;
    assert_eq!(status, 200, "{body}");
    let caches = body["ImageCaches"].as_array().expect("a list");
    caches.iter().map(|cache| cache["ImageCacheName"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn best_match_then_size_then_newest() {
    let cloud = TestCloud::start().await;
    for (name, images, size_gib) in [
        ("other-tag", json!(["nginx:2"]), 20),
        ("large", json!(["nginx:1"]), 40),
        ("older", json!(["docker.io/library/nginx:1"]), 20),
        ("newer", json!(["library/nginx:1"]), 20),
        ("both", json!(["nginx:1", "redis:7"]), 60),
        ("neither", json!(["busybox:1"]), 20),
        ("elsewhere", json!(["registry.example.com/nginx:1"]), 20),
    ] {
        cloud.created(&spec(&json!({"name": name, "images": images, "size_gib": size_gib}))).await;
    }
    let one = [("MatchImage.1", "nginx:1")];
    assert_eq!(matched(&cloud, &one).await, [""; 0], "only a ready cache serves anyone");
    cloud.pass(20);
    assert_eq!(matched(&cloud, &one).await, ["newer", "older", "large", "both", "other-tag"]);
    let two = [("MatchImage.1", "nginx:1"), ("MatchImage.2", "redis:7")];
    assert_eq!(matched(&cloud, &two).await[0], "both");
    assert_eq!(matched(&cloud, &[&two[..], &[("ImageFullMatch", "True")]].concat()).await, ["both"]);
    let least = [&two[..], &[("ImageMatchCountRequest", "1")]].concat();
    assert_eq!(matched(&cloud, &least).await, ["both", "newer", "older", "large"]);
    let (_, page) = cloud.ask("DescribeImageCaches", &[&one[..], &[("Limit", "2")]].concat()).await;
    let token = page["NextToken"].as_str().expect("a further page");
    let rest = matched(&cloud, &[&one[..], &[("Limit", "2"), ("NextToken", token)]].concat()).await;
    assert_eq!(rest, ["large", "both"]);
}
