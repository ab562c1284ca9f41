//! Which header values are taken, and what the others are told.

use super::*;

fn with(name: &'static str, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name, value.parse().unwrap());
    }
    headers
}

#[test]
fn a_wait_is_taken_from_any_preference_and_capped() {
    let waits = |values: &[&str]| {
        let wait = prefer_wait(&with("prefer", values));
        (wait.time.as_secs(), wait.asked)
    };
    assert_eq!(waits(&[]), (10, false));
    assert_eq!(waits(&["wait=0"]), (0, true));
    assert_eq!(waits(&["return=minimal, Wait = 30; x=y"]), (30, true));
    assert_eq!(waits(&["return=minimal", "wait=600"]), (55, true));
    assert_eq!(waits(&["wait=soon"]), (10, false));
    assert_eq!(waits(&["wait=-1"]), (10, false));
}

#[test]
fn an_idempotency_key_is_given_once() {
    assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    assert_eq!(idempotency_key(&with("idempotency-key", &["a b"])).unwrap().as_deref(), Some("a b"));
    for bad in [vec![""], vec!["a", "b"], vec!["é"]] {
        assert_eq!(idempotency_key(&with("idempotency-key", &bad)).unwrap_err().code(), "malformed_header");
    }
    let long = "x".repeat(256);
    assert!(idempotency_key(&with("idempotency-key", &[&long])).is_err());
}

#[test]
fn a_tag_of_ours_is_read_through_what_proxies_make_of_it() {
    let read = |value: &str| precondition(&with("if-match", &[value])).unwrap().matching.unwrap();
    let named = |versions: &[i64]| Versions::OneOf(versions.to_vec());
    assert_eq!(precondition(&HeaderMap::new()).unwrap(), Precondition::default());
    assert_eq!(read("*"), Versions::Any);
    for tag in ["\"v12\"", "W/\"v12\"", "\"v12-gzip\"", "W/\"v12-gzip\"", "\"v12--gzip\"", "\"v12;br\"", "\"v12-df\""] {
        assert_eq!(read(tag), named(&[12]), "{tag}");
    }
    assert_eq!(read("\"v1\", W/\"v2\", \"other\","), named(&[1, 2]));
    for foreign in ["\"other\"", "\"v\"", "\"v12x\"", "\"v-1\"", "\"v1-2\"", "\"v99999999999999999999\"", "\"V12\""] {
        assert_eq!(read(foreign), named(&[]), "{foreign}");
    }
    for bad in ["v12", "12", "", ",", "*, \"v1\"", "\"v1", "w/\"v1\"", "\"v1\" \"v2\""] {
        assert_eq!(precondition(&with("if-match", &[bad])).unwrap_err().code(), "malformed_header", "{bad}");
    }
    assert_eq!(precondition(&with("if-none-match", &["*"])).unwrap().not_matching, Some(Versions::Any));
}

#[test]
fn a_client_that_has_the_version_is_told_so() {
    let has = |value: &str| has_tag(&with("if-none-match", &[value]), &etag(3));
    assert!(has("\"v3\"") && has("W/\"v3\"") && has("*") && has("\"x\", \"v3\"") && has("\"v3-gzip\""));
    assert!(!has("\"v4\"") && !has("v3") && !has("\"v33\""));
    assert!(!has_tag(&HeaderMap::new(), &etag(3)));
}

#[test]
fn only_a_sane_trace_context_is_kept() {
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    assert_eq!(traceparent(&with("traceparent", &[good])).as_deref(), Some(good));
    for bad in [
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
    ] {
        assert_eq!(traceparent(&with("traceparent", &[bad])), None, "{bad}");
    }
}

#[test]
fn a_tag_is_known_through_what_proxies_make_of_it() {
    let tag = etag_of(3, b"{}");
    let letters = tag.trim_matches('"').strip_prefix("v3-").unwrap().to_owned();
    assert!(letters.len() == 8 && letters.bytes().all(|letter| letter.is_ascii_lowercase()), "{tag}");
    let known = |sent: &str| has_tag(&with("if-none-match", &[sent]), &tag);
    for same in [&tag, &format!("W/{tag}"), &format!("\"v3-{letters}-gzip\""), &format!("\"v1\", {tag}"), "*"] {
        assert!(known(same), "{same}");
        if same != "*" {
            let read = precondition(&with("if-match", &[same])).unwrap().matching.unwrap();
            assert!(matches!(read, Versions::OneOf(versions) if versions.contains(&3)), "{same}");
        }
    }
    for other in ["\"v3\"", "\"v3-other\"", &tag[1..], &format!("\"v3-{letters}x\"")] {
        assert!(!known(other), "{other}");
    }
}
