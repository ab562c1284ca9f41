//! Requests with arbitrary parameters, and valid requests with a few altered bytes.

use std::cell::Cell;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::domain::property::holds;

/// An edit of a text at some position.
#[derive(Debug, Clone)]
enum Edit {
    Cut(Index),
    Put(Index, u8),
    Set(Index, u8),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let put = (any::<Index>(), select(&b"%=&;,.\n\0\xff+"[..])).prop_map(|(at, byte)| Edit::Put(at, byte));
    let set = (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Set(at, byte));
    vec(prop_oneof![1 => any::<Index>().prop_map(Edit::Cut), 1 => put, 2 => set], 0..4)
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for edit in edits {
        match edit {
            Edit::Cut(at) => bytes.truncate(at.index(bytes.len() + 1)),
            Edit::Put(at, byte) => bytes.insert(at.index(bytes.len() + 1), *byte),
            Edit::Set(_, byte) if bytes.is_empty() => bytes.push(*byte),
            Edit::Set(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The requests pass the first check, so that the later ones are tested too.
#[test]
fn nothing_panics() {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let json = [("content-type", "application/json")];
    let kinds = [(form, "Image.1=a&Image.2=%C3%A9"), (json, r#"{"a":[{"b":1}]}"#)];
    let plain = v1("POST", &[("Image.1", "a b+c*~/é"), ("Format", "XML")], "");
    let understood = Cell::new(0);
    let spoilt = (select(kinds.to_vec()), any::<Index>(), [edits(), edits(), edits()]);
    holds(10_000, spoilt, |((kind, body), chosen, [in_header, in_body, in_query])| {
        let mut headers = v3(body.as_bytes(), &kind, "");
        let chosen = chosen.index(headers.len() + 1);
        if let Some((_, value)) = headers.get_mut(chosen) {
            *value = edited(value, &in_header);
        }
        let (body, query) = (edited(body, &in_body), edited(&plain, &in_query));
        for headers in [&headers[..], &[]] {
            let request = RawRequest { method: "POST", path: "/", query: &query, headers, body: body.as_bytes() };
            let _format = format_of(&request);
            let told = match Incoming::read(&request) {
                Ok(incoming) => {
                    understood.set(understood.get() + 1);
                    incoming.verify(&SecretString::from("other")).expect_err("another secret")
                }
                Err(refusal) => refusal,
            };
            prop_assert!(!told.code().is_empty() && told.message().len() < 300_000, "{}", told);
        }
        Ok(())
    });
    assert!(understood.get() > 50, "{} got past the first checks", understood.get());
}

/// Parameters of an action, none of which is a system parameter.
fn parameters() -> impl Strategy<Value = FormPairs> {
    btree_map("Image\\.[0-9]{1,3}", any::<String>(), 0..8).prop_map(FormPairs::from_iter)
}

#[test]
fn what_is_signed_by_v1_is_verified_and_nothing_else() {
    holds(300, (parameters(), select(&["GET", "POST"][..])), |(parameters, method)| {
        let extra: Vec<(&str, &str)> = parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let query = v1(method, &extra, "");
        let read =
            |method, query: &str| Incoming::read(&RawRequest { method, path: "/", query, headers: &[], body: b"" });
        let incoming = read(method, &query).map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert!(incoming.verify(&secret()).is_ok());
        for (key, value) in &parameters {
            prop_assert!(incoming.params.contains(&(key.clone(), value.clone())), "{} is lost", key);
        }
        let added = read(method, &format!("{query}&Image.1000=x"))
            .map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert!(added.verify(&secret()).is_err(), "a parameter was added");
        prop_assert!(incoming.verify(&SecretString::from("other")).is_err());
        Ok(())
    });
}

#[test]
fn what_is_signed_by_v3_is_verified_and_nothing_else() {
    let value = "[!-~]([ -~]{0,20}[!-~])?";
    let form = ("content-type", "application/x-www-form-urlencoded");
    holds(300, (parameters(), value), |(parameters, value)| {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters).finish();
        let headers = v3(body.as_bytes(), &[form, ("x-acs-anything", &value)], "");
        let read = |body: &str, headers: &[(String, String)]| {
            let request =
                RawRequest { method: "POST", path: "/", query: "RegionId=cn-beijing", headers, body: body.as_bytes() };
            Incoming::read(&request)
        };
        let incoming = read(&body, &headers).map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert!(incoming.verify(&secret()).is_ok());
        let other = read(&format!("{body}&Image.1000=x"), &headers);
        prop_assert!(other.is_err_and(|refusal| !refusal.code().is_empty()), "the body was changed");
        let mut changed = headers.clone();
        changed.iter_mut().filter(|(name, _)| name == "x-acs-anything").for_each(|(_, value)| value.push('x'));
        let changed = read(&body, &changed).map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        prop_assert!(changed.verify(&secret()).is_err(), "a header was changed");
        Ok(())
    });
}
