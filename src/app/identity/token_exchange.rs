//! Token exchange (RFC 8693): exchanges a pipeline's token, which lives for minutes, for one of ours that lives for
//! half an hour.
//!
//! What must stay true: only a token that is valid right now can be exchanged, never one of ours (so nothing can be
//! renewed indefinitely) and never a key; the new token grants no more than the rule did, and is bound to what it was
//! issued for. It becomes invalid when the subject, the subject token or the new token itself is revoked, when its team
//! is disabled, and within a second after the issuer or the rule is changed or deleted ([`Identity::bond_holds`]).
//!
//! The REST API calls it, and [`super::authentication`] calls it for tokens that it issued.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use crate::app::admission::Permit;
use crate::app::identity::Identity;
use crate::app::{Call, Error};
use crate::domain::identity::api_key::PresentedKey;
use crate::domain::identity::caller::{Bond, Caller, CredentialKind};
use crate::domain::identity::token_exchange::{ACCESS_TOKEN, ExchangeError, ExchangeRequest, LIFETIME, narrowed};
use crate::domain::problem::Code;

/// The result of an exchange.
#[derive(Debug)]
pub struct Exchanged {
    /// The new token.
    pub token: SecretString,
    /// The caller that the token authenticates.
    pub caller: Arc<Caller>,
}

impl Exchanged {
    /// The `issued_token_type` of the answer.
    pub const TOKEN_TYPE: &str = ACCESS_TOKEN;

    /// The lifetime in seconds.
    pub fn expires_in(&self) -> i64 {
        LIFETIME.num_seconds()
    }

    /// Its scopes, separated by spaces.
    pub fn scope(&self) -> String {
        self.caller.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl Identity {
    /// The keys that verify our own tokens, as a JWKS document.
    pub fn own_jwks(&self) -> &str {
        self.own_tokens.jwks()
    }

    /// The `iss` of our own tokens.
    pub fn own_issuer(&self) -> &str {
        self.own_tokens.issuer()
    }

    /// Parses the parameters of an exchange request.
    ///
    /// # Errors
    /// `Exchange` if one of them is not valid.
    pub fn read_exchange(&self, pairs: Vec<(String, String)>) -> Result<ExchangeRequest, Error> {
        let own = &self.own_tokens;
        Ok(ExchangeRequest::read(pairs, &[own.audience(), own.issuer()])?)
    }

    /// Authenticates the subject token, for the team named in the request or in the `X-Team` header.
    ///
    /// # Errors
    /// `Exchange` if the token is not valid, or is of a kind that is not exchanged.
    pub async fn exchange_subject(
        &self,
        call: &Call,
        place: &Permit,
        asked: &ExchangeRequest,
        team: Option<&str>,
    ) -> Result<Arc<Caller>, Error> {
        let team = chosen(team, asked.team.as_deref())?;
        let token = asked.subject_token.expose_secret();
        self.is_exchangeable(token)?;
        match self.authenticate(call, place, Some(token), team).await {
            Err(Error::Unauthenticated { code, detail }) => {
                Err(ExchangeError::invalid(code, format!("subject_token: {detail}")).into())
            }
            answered => answered,
        }
    }

    /// Issues the new token for `subject`.
    ///
    /// # Errors
    /// `Exchange` if it asks for more than `subject` may have, or if no rule admitted `subject`.
    pub async fn exchange_token(
        &self,
        call: &Call,
        asked: &ExchangeRequest,
        subject: &Caller,
    ) -> Result<Exchanged, Error> {
        let scopes = narrowed(&subject.scopes, asked.scopes.as_deref())?;
        let provenance = subject.provenance.clone().ok_or_else(not_of_a_rule)?;
        let bond = self.bond(subject).await?;
        let caller = Caller { scopes, ..subject.clone() };
        let (token, caller) = self.own_tokens.issue(caller, &provenance, bond, self.base.now());
        note(call, &caller);
        Ok(Exchanged { token, caller: Arc::new(caller) })
    }

    /// Refuses anything that is not a token of an identity provider.
    fn is_exchangeable(&self, token: &str) -> Result<(), Error> {
        if PresentedKey::is_meant(token) {
            let detail = "subject_token must be a token of an identity provider; an API key is used directly, \
                          without an exchange";
            return Err(ExchangeError::invalid(Code::NotExchangeable, detail).into());
        }
        if self.own_tokens.is_meant(token) {
            let detail = "subject_token must be a token of an identity provider; a token that was issued by an \
                          exchange cannot be renewed";
            return Err(ExchangeError::invalid(Code::NotExchangeable, detail).into());
        }
        Ok(())
    }

    async fn bond(&self, subject: &Caller) -> Result<Bond, Error> {
        let CredentialKind::Token { jti, issued_at } = &subject.kind else { return Err(not_of_a_rule()) };
        Ok(Bond {
            jti: format!("tok_{}", self.base.uuid().simple()),
            subject_jti: jti.clone(),
            subject_issued_at: *issued_at,
            seal: self.seal_of(subject).await?.ok_or_else(not_of_a_rule)?,
        })
    }

    /// Whether the issuer and the rule behind one of our tokens are still what they were when it was issued.
    pub(in crate::app) async fn bond_holds(&self, caller: &Caller, bond: &Bond) -> Result<bool, Error> {
        Ok(self.seal_of(caller).await?.is_some_and(|seal| seal == bond.seal))
    }
}

/// The team named in the header or in the parameter; an error if they differ.
fn chosen<'a>(header: Option<&'a str>, parameter: Option<&'a str>) -> Result<Option<&'a str>, Error> {
    match (header, parameter) {
        (Some(one), Some(other)) if one != other => {
            let detail = "team and the header X-Team name different teams; send only one of them";
            Err(ExchangeError::invalid(Code::TwoTeams, detail).into())
        }
        (one, other) => Ok(one.or(other)),
    }
}

/// Adds to the audit entry, apart from the caller: the rule, the subject token, and what the new token may do.
fn note(call: &Call, caller: &Caller) {
    caller.provenance.iter().for_each(|provenance| call.comes_by(provenance));
    let scopes: Vec<&str> = caller.scopes.iter().map(|scope| scope.as_str()).collect();
    call.notes([("token_scopes".to_owned(), scopes.join(" "))]);
    if let CredentialKind::Exchanged(bond) = &caller.kind {
        call.notes(bond.subject_jti.clone().map(|jti| ("token_subject_jti".to_owned(), jti)));
    }
}

fn not_of_a_rule() -> Error {
    ExchangeError::invalid(Code::NotExchangeable, "subject_token was not accepted by a rule of an issuer").into()
}

impl From<ExchangeError> for Error {
    fn from(fault: ExchangeError) -> Self {
        Self::Exchange(fault)
    }
}
