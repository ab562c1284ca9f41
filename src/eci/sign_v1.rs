//! Signature version 1.0 of Alibaba's RPC APIs: HMAC-SHA1 over the sorted, percent-encoded parameters.
//!
//! It works on decoded parameters: SDKs encode differently, so a verifier must decode and encode again, and never use
//! the raw query. `Signature` itself is always left out.
//!
//! The client calls it to sign, the stand-in and the RPC front to verify. It does not look for duplicate keys, check
//! the timestamp or store nonces: that is up to the verifier.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;

/// The parameter with the signature, which is therefore not signed.
pub const SIGNATURE: &str = "Signature";

/// Percent-encodes as in RFC 3986: only `A-Z a-z 0-9 - _ . ~` stay, hex digits are upper case.
pub fn encode(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(text.len() + text.len() / 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

/// The parameters as `key=value&…`, percent-encoded and sorted by the bytes of the decoded keys.
pub fn canonical(params: &[(String, String)]) -> String {
    render(params, |_, value| encode(value))
}

/// What is signed: the method, the path `/`, and the canonical parameters, encoded once more.
pub fn string_to_sign(method: &str, params: &[(String, String)]) -> String {
    wrap(method, &canonical(params))
}

/// The same string with empty values for secret parameters, so that it can be returned to the caller.
///
/// The real string contains the STS token and registry passwords in plain text. The access key id is not a secret.
pub fn blanked_string_to_sign(method: &str, params: &[(String, String)]) -> String {
    wrap(method, &render(params, |key, value| if is_secret(key) { String::new() } else { encode(value) }))
}

/// Whether a parameter's value must never be shown.
pub fn is_secret(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    // Also for parameters that no action has: a secret may be in the wrong place.
    let open = ["clienttoken", "nexttoken"].contains(&lower.as_str());
    !open && ["password", "passwd", "secret", "token"].iter().any(|word| lower.contains(word))
}

/// The value of `Signature` for that string.
pub fn signature(secret: &SecretString, string_to_sign: &str) -> String {
    STANDARD.encode(mac(secret, string_to_sign).finalize().into_bytes())
}

/// Whether `signature` is that string's signature, in constant time.
pub fn verify(secret: &SecretString, string_to_sign: &str, signature: &str) -> bool {
    STANDARD.decode(signature).is_ok_and(|bytes| mac(secret, string_to_sign).verify_slice(&bytes).is_ok())
}

fn mac(secret: &SecretString, string_to_sign: &str) -> Hmac<Sha1> {
    let key = SecretString::from(format!("{}&", secret.expose_secret()));
    let mac = Hmac::<Sha1>::new_from_slice(key.expose_secret().as_bytes()).expect("HMAC takes keys of any length");
    mac.chain_update(string_to_sign.as_bytes())
}

fn wrap(method: &str, canonical: &str) -> String {
    format!("{method}&%2F&{}", encode(canonical))
}

fn render(params: &[(String, String)], value_of: impl Fn(&str, &str) -> String) -> String {
    let mut sorted: Vec<_> = params.iter().filter(|(key, _)| key != SIGNATURE).collect();
    // Only by key: Rust compares strings by their bytes, which puts Image.10 between Image.1 and Image.2.
    sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
    let pairs: Vec<_> = sorted.iter().map(|(key, value)| format!("{}={}", encode(key), value_of(key, value))).collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> Vec<(String, String)> {
        [
            ("Image.2", "b"),
            ("Image.10", "c"),
            ("Image.1", "a b*~"),
            ("Signature", "not signed"),
            ("AccessKeyId", "key-id"),
            ("SecurityToken", "sts-token"),
            ("ImageRegistryCredential.1.Password", "pass-word"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
    }

    #[test]
    fn keys_sort_by_bytes_and_values_are_strictly_encoded() {
        assert!(canonical(&params()).starts_with("AccessKeyId=key-id&Image.1=a%20b%2A~&Image.10=c&Image.2=b&"));
        assert!(!canonical(&params()).contains("Signature"));
    }

    #[test]
    fn a_blanked_string_keeps_the_keys_and_shows_no_secret() {
        let blanked = blanked_string_to_sign("POST", &params());
        for secret in ["sts-token", "pass-word"] {
            assert!(!blanked.contains(secret), "{blanked}");
        }
        assert!(blanked.starts_with("POST&%2F&AccessKeyId%3Dkey-id%26Image.1%3Da%2520b%252A~%26"));
        assert!(blanked.ends_with("SecurityToken%3D"));
    }

    #[test]
    fn only_the_right_signature_verifies() {
        let secret = SecretString::from("testsecret");
        let text = string_to_sign("POST", &params());
        let right = signature(&secret, &text);
        assert!(verify(&secret, &text, &right));
        assert!(!verify(&SecretString::from("other"), &text, &right));
        assert!(!verify(&secret, &string_to_sign("GET", &params()), &right));
        for wrong in ["", "!", "AAAA", &right[1..]] {
            assert!(!verify(&secret, &text, wrong), "{wrong}");
        }
    }
}
