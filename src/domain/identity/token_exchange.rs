//! Token exchange (RFC 8693): what a request may ask for, and what the issued token may do.
//!
//! What must stay true: nobody gets more than the subject token grants, nor for longer than [`LIFETIME`]; a request for
//! what is not supported (another audience, a delegation) is refused with its own error and never ignored. Unknown
//! parameters are ignored, as RFC 6749, 3.2 demands.
//!
//! Called by `app::token_exchange`. It does not judge the subject token.

use chrono::Duration;
use secrecy::SecretString;

use super::caller::Scope;
use crate::domain::problem::Code;

/// The lifetime of an exchanged token. It is not limited by what is left of the subject token's: a pipeline's token
/// lives for minutes, and a build takes longer. What revokes the subject token revokes this one, too.
pub const LIFETIME: Duration = Duration::minutes(30);
/// The only supported grant type.
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// The type of the issued token.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// The most words of a scope that are read.
const MOST_WORDS: usize = 32;

/// Why a request is refused, with OAuth's code and the gateway's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeError {
    /// `error`: RFC 6749, 5.2 and RFC 8693, 2.2.2.
    pub error: &'static str,
    /// The gateway's own stable code.
    pub code: Code,
    /// Which parameter is wrong, and what is allowed.
    pub detail: String,
}

impl ExchangeError {
    /// The refusal of a malformed request.
    pub fn invalid(code: Code, detail: impl Into<String>) -> Self {
        Self { error: "invalid_request", code, detail: detail.into() }
    }
}

/// The parameters of a token exchange.
#[derive(Debug)]
pub struct ExchangeRequest {
    /// The token to exchange.
    pub subject_token: SecretString,
    /// The team to act for.
    pub team: Option<String>,
    /// The requested scopes; none means all that the subject token grants.
    pub scopes: Option<Vec<Scope>>,
}

impl ExchangeRequest {
    /// Reads the parameters of a request, in order. `audiences` are the names that this gateway accepts.
    ///
    /// # Errors The first parameter that is missing, is given twice or asks for something unsupported.
    pub fn read(pairs: Vec<(String, String)>, audiences: &[&str]) -> Result<Self, ExchangeError> {
        // RFC 6749, 3.2: a parameter without a value counts as left out.
        let mut form = ExchangeForm(pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect());
        form.check_grant()?;
        form.check_audience(audiences)?;
        // If the token was read from a file, it ends with a line break.
        let subject_token = form.needed("subject_token", "the token to exchange")?.trim_ascii().to_owned();
        let team = form.one("team")?;
        let scopes = form.one("scope")?.map(|text| scopes(&text)).transpose()?;
        Ok(Self { subject_token: SecretString::from(subject_token), team, scopes })
    }
}

/// The scopes of the new token: those asked for, which must be among those granted.
///
/// # Errors `invalid_scope` if more is asked for.
pub fn narrowed(given: &[Scope], asked: Option<&[Scope]>) -> Result<Vec<Scope>, ExchangeError> {
    let Some(asked) = asked else { return Ok(given.to_vec()) };
    match asked.iter().find(|scope| !given.contains(scope)) {
        Some(more) => Err(beyond(format!("the subject token does not grant the scope {}", more.as_str()))),
        None => Ok(asked.to_vec()),
    }
}

struct ExchangeForm(Vec<(String, String)>);

impl ExchangeForm {
    /// The single value of the parameter `name`.
    fn one(&mut self, name: &str) -> Result<Option<String>, ExchangeError> {
        let mut values = self.0.extract_if(.., |(key, _)| key == name).map(|(_, value)| value);
        let (first, second) = (values.next(), values.next());
        match second {
            Some(_) => Err(ExchangeError::invalid(Code::DuplicateParameter, format!("{name} must be given only once"))),
            None => Ok(first),
        }
    }

    fn needed(&mut self, name: &str, what: &str) -> Result<String, ExchangeError> {
        let missing = || ExchangeError::invalid(Code::MissingParameter, format!("{name} must be given: {what}"));
        self.one(name)?.ok_or_else(missing)
    }

    fn check_grant(&mut self) -> Result<(), ExchangeError> {
        if self.needed("grant_type", GRANT)? != GRANT {
            let detail = format!("grant_type must be {GRANT}");
            return Err(ExchangeError { error: "unsupported_grant_type", code: Code::UnsupportedGrantType, detail });
        }
        let allowed = format!("{JWT}, {ID_TOKEN} or {ACCESS_TOKEN}");
        if ![JWT, ID_TOKEN, ACCESS_TOKEN].contains(&&*self.needed("subject_token_type", &allowed)?) {
            let detail = format!("subject_token_type must be {allowed}");
            return Err(ExchangeError::invalid(Code::UnsupportedTokenType, detail));
        }
        if self.one("requested_token_type")?.is_some_and(|kind| ![JWT, ACCESS_TOKEN].contains(&&*kind)) {
            let detail = format!("requested_token_type must be {ACCESS_TOKEN} or {JWT}, or be left out");
            return Err(ExchangeError::invalid(Code::UnsupportedTokenType, detail));
        }
        if self.one("actor_token")?.is_some() || self.one("actor_token_type")?.is_some() {
            return Err(ExchangeError::invalid(Code::UnsupportedParameter, "actor_token is not supported"));
        }
        Ok(())
    }

    /// RFC 8693, 2.1: both may be given several times, and the token must be good for each; for us they are all the
    /// same one.
    fn check_audience(&mut self, audiences: &[&str]) -> Result<(), ExchangeError> {
        for name in ["audience", "resource"] {
            let mut values = self.0.extract_if(.., |(key, _)| key == name);
            if values.any(|(_, value)| !audiences.contains(&value.as_str())) {
                let detail = format!("{name} must be {}, or be left out", audiences.join(" or "));
                return Err(ExchangeError { error: "invalid_target", code: Code::InvalidTarget, detail });
            }
        }
        Ok(())
    }
}

/// The scopes that a text names: each once, in order.
fn scopes(text: &str) -> Result<Vec<Scope>, ExchangeError> {
    let words = || text.split(' ').filter(|word| !word.is_empty());
    if words().count() > MOST_WORDS {
        return Err(beyond(format!("scope names more than {MOST_WORDS} scopes")));
    }
    let mut found = Vec::new();
    for word in words() {
        let Some(scope) = Scope::from_word(word) else {
            let known = Scope::ALL.map(Scope::as_str).join(" ");
            return Err(beyond(format!("scope contains an unknown scope; the scopes are {known}")));
        };
        if !found.contains(&scope) {
            found.push(scope);
        }
    }
    Ok(found)
}

fn beyond(detail: String) -> ExchangeError {
    ExchangeError { error: "invalid_scope", code: Code::InvalidScope, detail }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const LEAST: [(&str, &str); 3] = [("grant_type", GRANT), ("subject_token_type", JWT), ("subject_token", "a.b.c")];

    fn read(more: &[(&str, &str)]) -> Result<ExchangeRequest, ExchangeError> {
        let pairs = LEAST.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ExchangeRequest::read(pairs.collect(), &["gateway", "https://gateway.example"])
    }

    #[test]
    fn what_is_asked_is_read() {
        let more = [("scope", " read  write read"), ("team", "web"), ("resource", "gateway"), ("client_id", "x")];
        let asked = read(&more).unwrap();
        assert_eq!(asked.subject_token.expose_secret(), "a.b.c");
        assert_eq!((asked.team.as_deref(), asked.scopes), (Some("web"), Some(vec![Scope::Read, Scope::Write])));
        let least = read(&[("scope", ""), ("audience", "gateway"), ("audience", "https://gateway.example")]).unwrap();
        assert_eq!((least.team, least.scopes), (None, None));
    }

    #[test]
    fn what_there_is_not_is_refused_by_its_name() {
        for (more, error, names) in [
            (("grant_type", GRANT), "invalid_request", "grant_type"),
            (("subject_token", "d.e.f"), "invalid_request", "subject_token"),
            (("team", "b"), "", ""),
            (("scope", "root"), "invalid_scope", "scope"),
            (("audience", "elsewhere"), "invalid_target", "audience"),
            (("resource", "https://elsewhere.example"), "invalid_target", "resource"),
            (("actor_token", "a.b.c"), "invalid_request", "actor_token"),
            (("requested_token_type", ID_TOKEN), "invalid_request", "requested_token_type"),
        ] {
            match read(&[more]) {
                Ok(_) => assert_eq!(error, "", "{more:?}"),
                Err(fault) => {
                    assert_eq!(fault.error, error, "{more:?}");
                    assert!(fault.detail.starts_with(names), "{fault:?}");
                }
            }
        }
        for missing in 0..LEAST.len() {
            let mut pairs: Vec<_> = LEAST.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            pairs[missing].1.clear();
            let fault = ExchangeRequest::read(pairs, &[]).unwrap_err();
            assert_eq!((fault.error, fault.code), ("invalid_request", Code::MissingParameter));
            assert!(fault.detail.starts_with(LEAST[missing].0), "{fault:?}");
        }
    }

    #[test]
    fn nobody_gets_more_than_was_given() {
        let given = [Scope::Read, Scope::Write];
        assert_eq!(narrowed(&given, None).unwrap(), given);
        assert_eq!(narrowed(&given, Some(&[Scope::Write])).unwrap(), [Scope::Write]);
        assert_eq!(narrowed(&given, Some(&[Scope::Read, Scope::Audit])).unwrap_err().error, "invalid_scope");
    }
}
