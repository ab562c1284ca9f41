//! Which bytes are text, and what the others are told.

use std::io::Write as _;

use super::*;

const LIMIT: usize = 64;

fn typed(value: &str) -> Result<(), String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, value.parse().unwrap());
    check_type(&headers).map_err(|refusal| refusal.detail().to_owned())
}

fn coded(values: &[&str]) -> Result<Coding, String> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(CONTENT_ENCODING, value.parse().unwrap());
    }
    coding(&headers).map_err(|refusal| refusal.detail().to_owned())
}

fn read(raw: &[u8], coding: Coding) -> Result<String, (String, String)> {
    let text = text(Bytes::copy_from_slice(raw), coding, LIMIT);
    let told = |refusal: ProblemResponse| (refusal.code().to_owned(), refusal.detail().to_owned());
    text.map(|text| String::from_utf8(text.to_vec()).unwrap()).map_err(told)
}

fn zipped(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn wide(text: &str, big: bool, mark: bool) -> Vec<u8> {
    let mark = mark.then_some('\u{feff}');
    let text: String = mark.into_iter().chain(text.chars()).collect();
    text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn json_has_one_media_type() {
    for good in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json; charset=ISO-8859-1",
        "application/json; charset=us-ascii",
        "application/json; profile=x",
    ] {
        assert_eq!(typed(good), Ok(()), "{good}");
    }
    for (bad, told) in [
        ("application/merge-patch+json", "Content-Type is application/merge-patch+json"),
        ("text/plain", "Content-Type is text/plain; the body must be application/json"),
        ("application/x-www-form-urlencoded", "Content-Type is application/x-www-form-urlencoded"),
        ("text/json", "Content-Type is text/json"),
        ("", "Content-Type is empty"),
        ("application/json; charset=utf-16le", "charset is utf-16le"),
        ("application/json; charset=UTF-32", "charset is UTF-32"),
    ] {
        assert!(typed(bad).unwrap_err().contains(told), "{bad}: {:?}", typed(bad));
    }
    assert!(check_type(&HeaderMap::new()).unwrap_err().detail().contains("no Content-Type"));
}

#[test]
fn gzip_is_the_one_coding() {
    assert_eq!(coded(&[]), Ok(Coding::Identity));
    assert_eq!(coded(&["identity"]), Ok(Coding::Identity));
    for gzip in [&["gzip"][..], &["GZIP"], &["x-gzip"], &["identity, gzip"]] {
        assert_eq!(coded(gzip), Ok(Coding::Gzip), "{gzip:?}");
    }
    for (bad, name) in [(&["br"][..], "br"), (&["zstd"], "zstd"), (&["gzip, gzip"], "gzip"), (&["gzip", "br"], "br")] {
        let told = coded(bad).unwrap_err();
        assert!(told.contains(name) && told.contains("gzip"), "{told}");
    }
}

#[test]
fn a_body_is_utf_8_with_or_without_a_mark() {
    assert_eq!(read(b"{}", Coding::Identity).unwrap(), "{}");
    assert_eq!(read("\u{feff}{}".as_bytes(), Coding::Identity).unwrap(), "{}");
    assert_eq!(read(&zipped("\u{feff}{}".as_bytes()), Coding::Gzip).unwrap(), "{}");
    for (big, mark) in [(true, true), (true, false), (false, true), (false, false)] {
        let (code, told) = read(&wide("{\"a\":1}", big, mark), Coding::Identity).unwrap_err();
        assert!(code == "unsupported_charset" && told.contains("UTF-16"), "{told}");
    }
    let utf_32: Vec<u8> = "{\"a\"".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    assert!(read(&utf_32, Coding::Identity).unwrap_err().1.contains("UTF-32"));
    let latin = read(b"{\"a\":\"caf\xe9\"}", Coding::Identity).unwrap_err();
    assert_eq!(
        latin,
        ("unsupported_charset".into(), "the body is not valid UTF-8 from byte 9 on; it must be UTF-8".into())
    );
    for empty in [&b""[..], b" \n", b"\xef\xbb\xbf"] {
        let (code, told) = read(empty, Coding::Identity).unwrap_err();
        assert!(code == "malformed_json" && told.contains("empty"), "{told}");
    }
}

#[test]
fn what_is_compressed_has_the_same_limit() {
    let bomb = zipped(&vec![b' '; 1 << 20]);
    assert!(bomb.len() < 2048);
    assert_eq!(read(&bomb, Coding::Gzip).unwrap_err().0, "body_too_large");
    let whole = zipped(b"{\"a\":1}");
    for broken in [&whole[..whole.len() - 5], b"{}", &[]] {
        assert_eq!(read(broken, Coding::Gzip).unwrap_err().0, "malformed_json", "{broken:?}");
    }
    assert!(read(&whole, Coding::Identity).unwrap_err().1.contains("Content-Encoding: gzip"));
}
