//! Unusual spellings of images: every door gives the same result with the same message.
#![cfg(test)]

use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::failure::CallError;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::ids::OperationId;
use eci_cache_gateway::eci::Attempt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rpc::client::RpcKey;
use crate::support::answer::Answer;
use crate::support::gateway::{TEAM, TestGateway, new_cache};

const SHA256: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Spellings that nobody can pull, and part of the message about each.
fn odd() -> Vec<(String, &'static str)> {
    let upper = format!("nginx@sha256:{}", SHA256[7..].to_uppercase());
    let long = "a".repeat(256);
    let listed = [
        ("ghcr.io/MyOrg/app:1", "lower case; `ghcr.io/myorg/app:1` is probably meant"),
        ("MyOrg/app:1", "`myorg/app:1` is probably meant"),
        ("Nginx", "`nginx` is probably meant"),
        ("$IMAGE", "placeholder $IMAGE: the variable was not expanded"),
        ("nginx:${CI_COMMIT_SHA}", "placeholder ${CI_COMMIT_SHA}"),
        ("nginx:$CI_COMMIT_SHA", "placeholder $CI_COMMIT_SHA"),
        ("nginx:$(Build.BuildId)", "placeholder $(Build.BuildId)"),
        ("{{ .Values.image.repository }}:1", "placeholder {{.Values.image.repository}}"),
        ("<none>:<none>", "placeholder <none>"),
        ("r.example.com/%REPO%:1", "placeholder %REPO%"),
        ("nginx:", "the tag behind the colon must not be empty"),
        (":1.27", "the repository must be"),
        ("https://ghcr.io/a/b:1", "scheme such as https://; `ghcr.io/a/b:1` is probably meant"),
        ("docker://nginx:1", "`nginx:1` is probably meant"),
        ("oci://r.example.com:5000/a:1", "`r.example.com:5000/a:1` is probably meant"),
        ("https://user:hush@r.example.com/a", "must not contain a user or password"),
        ("user:hush@r.example.com/a", "must not contain a user or password"),
        ("nginx 1.27", "must not contain spaces"),
        (" nginx:1.27", "must not contain spaces; `nginx:1.27` is probably meant"),
        ("nginx:1.27 ", "`nginx:1.27` is probably meant"),
        ("nginx:1.27\n", "must not contain line breaks; `nginx:1.27` is probably meant"),
        ("nginx:1.27\r\n", "must not contain line breaks"),
        ("nginx\t:1", "must not contain tabs"),
        ("\"nginx:1.27\"", "must not contain quotes; `nginx:1.27` is probably meant"),
        ("'nginx:1.27'", "must not contain quotes"),
        ("\u{feff}nginx:1.27", "byte order mark (U+FEFF); `nginx:1.27` is probably meant"),
        ("nginx\u{200b}:1.27", "character U+200B; `nginx:1.27` is probably meant"),
        ("nginx\u{a0}:1.27", "character U+00A0"),
        ("nginх:1.27", "U+0445"),
        ("nginx:1,redis:7", "commas or semicolons: each string is one reference"),
        ("nginx@1.27", "`nginx:1.27` is probably meant"),
        ("nginx@", "the digest must be"),
        ("nginx@sha256:abc", "64, 96 or 128 hex digits"),
        ("nginx@md5:0123456789abcdef0123456789abcdef", "sha256, sha384 or sha512"),
        ("app:feature/login", "`app:feature-login` is probably meant"),
        ("app:1.0.0+build.5", "`app:1.0.0-build.5` is probably meant"),
        ("app:-1", "must not begin with"),
        ("a:b:c", "the repository must be"),
        ("/nginx", "`nginx` is probably meant"),
        ("nginx/", "`nginx` is probably meant"),
        ("r.example.com//a:1", "`r.example.com/a:1` is probably meant"),
        ("r.example.com\\a:1", "backslashes; `r.example.com/a:1` is probably meant"),
        ("my_registry.local/app:1", "no underscore"),
        ("r.example.com:99999/app", "port must be 1 to 65535"),
        ("r.example.com:/app", "`r.example.com/app` is probably meant"),
        ("fc00::1:5000/app", "the registry must be"),
        ("[fe80::1%eth0]/app", "the registry must be"),
        ("a..b", "the repository must be"),
        ("-nginx", "the repository must be"),
        ("docker pull nginx:1.27", "`nginx:1.27` is probably meant"),
        ("image: nginx:1.27", "`nginx:1.27` is probably meant"),
        (&SHA256[7..], "image id"),
        (SHA256, "image id"),
        (&upper, "`nginx@sha256:0123456789abcdef"),
        (&long, "1 to 255 characters"),
    ];
    listed.map(|(text, told)| (text.to_owned(), told)).to_vec()
}

/// Spellings that registries and `distribution/reference` accept.
fn good() -> Vec<String> {
    let long_tag = format!("nginx:{}", "t".repeat(128));
    let deep = format!("r.example.com/{}a", "a/".repeat(127));
    let listed = [
        "nginx",
        "nginx:1.27",
        "library/nginx",
        "index.docker.io/library/debian",
        "docker.io/debian",
        "Registry.Example.com/app:V1_2.3-RC.4",
        "localhost/app",
        "localhost:5000/app:1",
        "192.168.0.1:8/debian",
        "192.168.0.1:80",
        "test.com:5000",
        "test:5000/repo",
        "[2001:db8::1]:5000/repo:tag",
        "[::1]:5000/repo",
        "sub-dom1.foo.com/bar/baz/quux:some-long-tag",
        "b.gcr.io/test.example.com/my-app:test.example.com",
        "xn--n3h.com/myimage:xn--n3h.com",
        "foo_bar.com:8080",
        "foo/foo_bar.com:8080",
        "docker---rules/docker",
        "dock__er/docker",
        "d/t",
        "lowercase:Uppercase",
        "app:_",
        "registry-vpc.cn-hangzhou.aliyuncs.com/ns/app:v1",
        "thisisthesongthatneverendsitgoesonandonandonthisisthesongthatnev",
        &long_tag,
        &deep,
    ];
    let digested = ["nginx", "nginx:1.27", "r.example.com:5000/a/b:c"].map(|name| format!("{name}@{SHA256}"));
    let sha512 = format!("xn--7o8h.com/myimage:xn--7o8h.com@sha512:{}", "f".repeat(128));
    listed.map(str::to_owned).into_iter().chain(digested).chain([sha512]).collect()
}

/// The message about the only invalid field, which must be `field`.
fn said(answer: &Answer, field: &str) -> String {
    let problem = answer.problem(422, "invalid_request");
    let errors = problem["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{problem}");
    let at = errors[0].get("pointer").or_else(|| errors[0].get("parameter")).unwrap();
    assert_eq!((at, &errors[0]["code"]), (&json!(field), &json!("invalid")), "{problem}");
    errors[0]["detail"].as_str().unwrap().to_owned()
}

/// Asks the gate whether this image is cached.
async fn gate(app: &TestGateway, image: &str) -> Answer {
    let image: String = url::form_urlencoded::byte_serialize(image.as_bytes()).collect();
    app.get(&format!("/v1/gate?region=cn-beijing&image={image}")).await
}

/// Creates a cache directly in the stand-in.
async fn past_the_gateway(app: &TestGateway, image: &str) -> Result<(), CallError> {
    let spec = serde_json::from_value(new_cache(image)).unwrap();
    let operation = OperationId::new(app.now(), &Entropy::from_os());
    let token = operation.to_string();
    let attempt = Attempt { operation, client_token: token, signed_at: app.now(), bucket: None, marks: Vec::new() };
    app.cloud_client().create(&spec, &[], &attempt).await.map(|_| ())
}

#[tokio::test]
async fn what_cannot_be_pulled_is_refused_alike_at_every_door() {
    let app = TestGateway::start().await;
    let key = RpcKey::new(&app).await;
    let id = app.created().await;
    let ready = app.until(&id, "ready").await;
    let imc = ready["eci_cache_id"].as_str().unwrap();
    let update = format!("/v1/image-caches/{id}");
    for (image, told) in odd() {
        let body = new_cache(&image);
        let created = said(&app.post("/v1/image-caches", &body).await, "/images/0");
        assert!(created.contains(told) && !created.contains("hush"), "{image:?}: {created}");
        let question = json!({"region": "cn-beijing", "images": [image]});
        let adopt = json!({"region": "cn-beijing", "filter": {"image": image}, "dry_run": true});
        let admin = app.token(TEAM, &Scope::PLATFORM);
        let adopt = app.bare(Method::POST, "/v1/image-caches/adopt").bearer_auth(admin).json(&adopt);
        for verdict in [
            said(&app.post("/v1/image-caches/ensure", &body).await, "/images/0"),
            said(&app.post("/v1/image-caches/dry-run", &body).await, "/images/0"),
            said(&app.patch(&update, &json!({"images": [image]})).await, "/images/0"),
            said(&app.post("/v1/matches", &question).await, "/images/0"),
            said(&gate(&app, &image).await, "image"),
            said(&Answer::of(adopt).await, "/filter/image"),
        ] {
            assert_eq!(verdict, created, "{image:?}");
        }
        let region = ("RegionId", "cn-beijing");
        for (action, parameter, more) in [
            ("CreateImageCache", "Image.1", vec![("ImageCacheName", "web"), ("Image.1", &*image)]),
            ("UpdateImageCache", "Image.1", vec![("ImageCacheId", imc), ("Image.1", &*image)]),
            ("DescribeImageCaches", "MatchImage.1", vec![("MatchImage.1", &*image)]),
        ] {
            let refused = key.post(&app, action, &[&[region], &more[..]].concat()).await.expect(400);
            let message = refused["Message"].as_str().unwrap();
            assert!(message.contains(&created) && message.contains(parameter), "{action} {image:?}: {message}");
        }
        let refused = past_the_gateway(&app, &image).await.unwrap_err();
        assert!(refused.to_string().contains("InvalidParameter"), "{image:?}: {refused}");
    }
    assert_eq!(app.creations().await, 1, "only the first");
}

#[tokio::test]
async fn what_registries_take_is_taken_at_every_door() {
    let app = TestGateway::start().await;
    for image in good() {
        let body = new_cache(&image);
        app.post("/v1/image-caches/dry-run", &body).await.expect(200);
        app.post("/v1/matches", &json!({"region": "cn-beijing", "images": [image]})).await.expect(200);
        gate(&app, &image).await.problem(404, "nothing_cached");
        past_the_gateway(&app, &image).await.unwrap_or_else(|fault| panic!("{image}: {fault}"));
    }
    let id = app.create("Registry.Example.com/app:V1").await.expect(201)["id"].as_str().unwrap().to_owned();
    app.until(&id, "ready").await;
    gate(&app, "registry.example.com/app:V1").await.expect(200);
}

#[tokio::test]
async fn a_row_from_before_these_rules_stays_readable_and_changeable() {
    let app = TestGateway::start().await;
    let id = app.created().await;
    app.until(&id, "ready").await;
    let odd = "UPDATE image_caches SET images = ARRAY['$IMAGE'], spec = jsonb_set(spec, '{images}', '[\"$IMAGE\"]')";
    sqlx::query(odd).execute(app.sql()).await.unwrap();
    assert_eq!(app.cache(&id).await["images"], json!(["$IMAGE"]));
    assert_eq!(app.items("/v1/image-caches?image=%24IMAGE").await.len(), 1);
    app.post("/v1/matches", &json!({"region": "cn-beijing", "images": ["nginx"]})).await.expect(200);
    gate(&app, "nginx:1.27").await.problem(404, "nothing_cached");
    let changed = app.patch(&format!("/v1/image-caches/{id}"), &json!({"tags": {"a": "b"}})).await.expect(200);
    assert_eq!((&changed["images"], &changed["tags"]), (&json!(["$IMAGE"]), &json!({"a": "b"})));
}

#[tokio::test]
async fn patterns_of_a_policy_are_refused_in_words() {
    let app = TestGateway::start().await;
    let put = |pattern: &str| {
        let admin = app.token(TEAM, &Scope::PLATFORM);
        let policy: Value = json!({"registries": [pattern]});
        Answer::of(app.bare(Method::PUT, "/v1/default-policy").bearer_auth(admin).json(&policy))
    };
    for (pattern, told) in [
        ("ghcr.io/MyOrg/*", "`ghcr.io/myorg/*` is probably meant"),
        ("https://r.example.com/a/*", "`r.example.com/a/*` is probably meant"),
        ("nginx:1.27", "`nginx` is probably meant"),
        ("$REGISTRY/*", "placeholder $REGISTRY"),
    ] {
        let problem = put(pattern).await.problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/registries/0", "{problem}");
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("must be a registry pattern") && detail.contains(told), "{detail}");
    }
}
