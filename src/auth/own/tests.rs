//! Issued tokens are accepted, and nothing else is.

use secrecy::SecretBox;

use super::*;

fn seed(byte: u8) -> SecretBox<[u8; 32]> {
    SecretBox::new(Box::new([byte; 32]))
}

fn tokens(current: u8, previous: Option<u8>) -> OwnTokens {
    OwnTokens::new("https://gateway.example", "gateway", &seed(current), previous.map(seed).as_ref())
}

fn now() -> Instant {
    Instant::UNIX_EPOCH + Duration::days(20_000)
}

fn issued(by: &OwnTokens) -> (String, Caller) {
    let noted = BTreeMap::from([("/repository".to_owned(), "acme/web".to_owned())]);
    let provenance = Provenance { issuer: "github".into(), rule: "main".into(), noted, names_admin: false };
    let caller = Caller {
        provenance: Some(Box::new(provenance.clone())),
        team: "web".parse().unwrap(),
        subject: "github:repo:acme/web".into(),
        credential: "j-1".into(),
        kind: CredentialKind::Own,
        scopes: vec![Scope::Read, Scope::Write],
        expires_at: None,
    };
    let issued_at = Some(now() - Duration::microseconds(1));
    let bond =
        Bond { jti: "tok_1".into(), subject_jti: Some("j-1".into()), subject_issued_at: issued_at, seal: "s".into() };
    let (token, caller) = by.issue(caller, &provenance, bond, now());
    (token.expose_secret().to_owned(), caller)
}

#[test]
fn what_it_issues_it_reads() {
    let tokens = tokens(1, None);
    let (token, caller) = issued(&tokens);
    assert!(tokens.is_meant(&token));
    for at in [now(), now() + LIFETIME - Duration::seconds(1)] {
        assert_eq!(*tokens.verify(&token, Some("web"), at).unwrap(), caller);
    }
    assert_eq!(tokens.verify(&token, None, now() + LIFETIME).unwrap_err(), TokenRefusal::Expired);
    assert_eq!(tokens.verify(&token, Some("other"), now()).unwrap_err().code().as_str(), "wrong_team");
    assert!(!format!("{tokens:?}").contains("signer"), "{tokens:?}");
}

#[test]
fn a_key_that_was_replaced_is_known_while_it_is_there() {
    let (old, both, new) = (tokens(1, None), tokens(2, Some(1)), tokens(2, None));
    let (by_old, by_new) = (issued(&old).0, issued(&both).0);
    assert!(both.verify(&by_old, None, now()).is_ok() && new.verify(&by_new, None, now()).is_ok());
    assert!(!new.is_meant(&by_old) && !old.is_meant(&by_new));
    let document: Value = serde_json::from_str(both.jwks()).unwrap();
    assert_eq!(document["keys"].as_array().unwrap().len(), 2);
    assert_eq!(tokens(1, Some(1)).jwks(), old.jwks(), "one key is published once");
}

#[test]
fn nothing_that_was_altered_is_read() {
    let (tokens, other) = (tokens(1, None), OwnTokens::new("https://gateway.example", "other", &seed(1), None));
    let (token, _) = issued(&tokens);
    assert_eq!(other.verify(&token, None, now()).unwrap_err().code().as_str(), "token_wrong_audience");
    let other = OwnTokens::new("https://other.example", "gateway", &seed(1), None);
    assert_eq!(other.verify(&token, None, now()).unwrap_err(), TokenRefusal::WrongIssuer);
    let parts: Vec<&str> = token.split('.').collect();
    let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let wider = String::from_utf8(claims).unwrap().replace("read write", "read write audit");
    let altered = format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(wider), parts[2]);
    assert_eq!(tokens.verify(&altered, None, now()).unwrap_err(), TokenRefusal::BadSignature);
    let hs256 = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256", "typ": "JWT", "kid": kid(&tokens.signer)}).to_string());
    let confused = format!("{hs256}.{}.{}", parts[1], parts[2]);
    assert_eq!(tokens.verify(&confused, None, now()).unwrap_err(), TokenRefusal::WrongAlgorithm);
    let nameless = URL_SAFE_NO_PAD.encode(json!({"alg": "EdDSA"}).to_string());
    assert!(!tokens.is_meant(&format!("{nameless}.{}.{}", parts[1], parts[2])));
}
