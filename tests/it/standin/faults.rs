//! Unknown outcomes: tokens, faults, unreachable clouds, and what is sent on the wire.

use super::*;

#[tokio::test]
async fn a_token_creates_once() {
    let cloud = TestCloud::start().await;
    let client = cloud.client();
    let operation = cloud.operation();
    let first = client.create(&spec(&json!({})), &[], &cloud.attempt(operation, "token")).await.expect("created");
    let again = client.create(&spec(&json!({})), &[], &cloud.attempt(operation, "token")).await.expect("answered");
    assert_eq!((&first.eci_cache_id, &first.container_group_id), (&again.eci_cache_id, &again.container_group_id));
    let other =
        client.create(&spec(&json!({"name": "other"})), &[], &cloud.attempt(operation, "token")).await.map_err(code);
    assert_eq!(other.unwrap_err(), "IdempotentParameterMismatch");
    let long = client.create(&spec(&json!({})), &[], &cloud.attempt(operation, &"t".repeat(65))).await.map_err(code);
    assert_eq!(long.unwrap_err(), "InvalidParameter");
    assert_eq!(cloud.creations().await, 1);
    cloud.http.post(format!("{}/_admin/forget-tokens", cloud.url)).send().await.expect("sent");
    client.create(&spec(&json!({})), &[], &cloud.attempt(operation, "token")).await.expect("created");
    assert_eq!(cloud.creations().await, 2, "a forgotten token creates anew");
    let query = DescribeQuery { operation_tag: Some(operation), ..Default::default() };
    assert_eq!(cloud.page(query).await.caches.len(), 2);
    let looks = [("ClientToken", "look")];
    for count in [2, 3] {
        let (_, body) = cloud.post(&cloud.signed("POST", "DescribeImageCaches", &looks)).await;
        assert_eq!(body["TotalCount"], count, "a look is never remembered");
        cloud.created(&spec(&json!({}))).await;
    }
    let other = DescribeQuery { operation_tag: Some(cloud.operation()), ..Default::default() };
    assert_eq!(cloud.page(other).await.caches.len(), 0);
}

#[tokio::test]
async fn a_fault_leaves_the_outcome_open_and_the_token_finds_it() {
    let cloud = TestCloud::start().await;
    for (place, kind) in ["reset", "garbage", "error"].into_iter().enumerate() {
        for apply in [true, false] {
            let before = cloud.creations().await;
            cloud.fault(json!({"action": "CreateImageCache", "kind": kind, "apply": apply})).await;
            let operation = cloud.operation();
            let token = format!("{place}-{apply}");
            let fault = cloud
                .client()
                .create(&spec(&json!({})), &[], &cloud.attempt(operation, &token))
                .await
                .expect_err("a fault");
            assert!(matches!(fault, CallError::Unknown(_)), "{kind}: {fault:?}");
            assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
            assert_eq!(cloud.creations().await - before, usize::from(apply), "{kind} {apply}");
            cloud
                .client()
                .create(&spec(&json!({})), &[], &cloud.attempt(operation, &token))
                .await
                .expect("created or found");
            assert_eq!(cloud.creations().await - before, 1, "{kind} {apply}");
        }
    }
    assert_eq!(cloud.ledger().await["calls"]["CreateImageCache"], 12, "nothing was sent twice behind our back");
}

#[tokio::test]
async fn a_call_that_is_never_answered_times_out_with_an_open_outcome() {
    let cloud = TestCloud::start().await;
    cloud.fault(json!({"action": "CreateImageCache", "kind": "hang", "apply": true})).await;
    let hasty = cloud.client_with(&cloud.url, SECRET, Duration::from_secs(2));
    let fault =
        hasty.create(&spec(&json!({})), &[], &cloud.attempt(cloud.operation(), "token")).await.expect_err("a fault");
    assert!(matches!(fault, CallError::Unknown(_)), "{fault:?}");
    assert_eq!(cloud.creations().await, 1);
}

#[tokio::test]
async fn refusals_throttling_and_unreachable_clouds_are_told_apart() {
    let cloud = TestCloud::start().await;
    let client = cloud.client();
    cloud
        .fault(json!([
            {"action": "CreateImageCache", "kind": "throttle"},
            {"action": "CreateImageCache", "kind": "error", "http": 403, "code": "QuotaExceeded", "message": "ImageCache quota exceeded."},
        ]))
        .await;
    let wanted = spec(&json!({}));
    let throttled = client.create(&wanted, &[], &cloud.attempt(cloud.operation(), "a")).await;
    assert!(matches!(throttled, Err(CallError::Throttled(_))), "{throttled:?}");
    assert_eq!(
        client.create(&wanted, &[], &cloud.attempt(cloud.operation(), "b")).await.map_err(code).unwrap_err(),
        "QuotaExceeded"
    );
    assert_eq!(cloud.creations().await, 0);
    // Bound but not listening: the port is ours, and nothing answers there.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let free = socket.local_addr().expect("an address");
    let nobody = cloud.client_with(&format!("http://{free}"), SECRET, Duration::from_secs(30));
    let fault = nobody.describe(&region(), &DescribeQuery::default()).await.expect_err("nobody answers");
    assert!(matches!(fault, CallError::NotSent(_)), "{fault:?}");
}

#[tokio::test]
async fn a_hanging_request_does_not_stop_the_shutdown() {
    let cloud = TestCloud::start().await;
    cloud.fault(json!({"action": "DescribeImageCaches", "kind": "hang"})).await;
    let client = cloud.client();
    let asking = tokio::spawn(async move { client.describe(&region(), &DescribeQuery::default()).await });
    while cloud.ledger().await["faults_waiting"] != 0 {}
    cloud.standin.shutdown().await;
    assert!(matches!(asking.await.expect("no panic"), Err(CallError::Unknown(_))));
}

#[tokio::test]
async fn no_secret_stands_in_the_url_and_a_long_answer_is_not_read() {
    let cloud = TestCloud::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let listening = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut bytes = Vec::new();
        // The form's parameters are sorted, so this is one of the last.
        while !String::from_utf8_lossy(&bytes).contains("&Signature=") {
            assert_ne!(stream.read_buf(&mut bytes).await.expect("bytes"), 0);
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("written");
        // The client disconnects in the middle.
        let _hung_up = stream.write_all(&vec![b' '; 2_000_000]).await;
        String::from_utf8(bytes).expect("text")
    });
    let login = RegistryCredential {
        server: "private.example.com".into(),
        user_name: "robot".into(),
        password: "canary-password".into(),
    };
    let client = cloud.client_with(&url, SECRET, Duration::from_secs(30));
    let fault = client
        .create(&spec(&json!({})), &[login], &cloud.attempt(cloud.operation(), "token"))
        .await
        .expect_err("too long");
    assert!(matches!(&fault, CallError::Unknown(reason) if reason.contains("longer than 1048576 bytes")), "{fault:?}");
    let request = listening.await.expect("a request");
    let (head, form) = request.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    assert!(!head.contains("canary"), "{head}");
    assert!(form.contains("ImageRegistryCredential.1.Password=canary-password"));
    assert!(form.contains("SecurityToken=canary-sts-token") && !form.contains(SECRET));
}
