//! The part of the scenario about credentials: keys, revocations, issuers of tokens, token exchange.

use serde_json::{Map, Value, json};

use crate::generated::types::{
    AccessKeyCreate, AccessKeyCreateDescription, AccessKeyScope, ApiKeyCreate, ApiKeyCreateName, Issuer, IssuerKeys,
    IssuerRule, IssuerScopeSource, IssuerTeamSource, KeyRotation, RevocationCreate, RevocationCreateJti, ScopeName,
    TokenExchange, TokenToExplain,
};
use crate::{Story, StoryResult, client_with, demand};

impl Story {
    pub(crate) async fn turn_an_access_key(&mut self) -> StoryResult<()> {
        let description = AccessKeyCreateDescription::try_from("progenitor")?;
        let new = AccessKeyCreate::builder().description(description).scopes([AccessKeyScope::Read]);
        let key = call!(self.create_access_key.body(new) as admin);
        demand(key.access_key_secret.is_some(), "no secret")?;
        let listed = call!(self.list_access_keys.limit(100) as admin).items;
        let again = listed.iter().find(|item| item.id == key.id).ok_or("the access key is not in the list")?;
        demand(again.access_key_secret.is_none(), "the list shows a secret")?;
        call!(self.revoke_access_key.access_key_id(&key.id) as admin);
        Ok(())
    }

    pub(crate) async fn turn_credentials(&mut self) -> StoryResult<()> {
        let access =
            call!(self.create_access_key.body(AccessKeyCreate::builder().scopes([AccessKeyScope::Read])) as admin);
        let hour = KeyRotation::builder().keep_old_hours(1);
        let rotated = call!(self.rotate_access_key.access_key_id(&access.id).body(hour) as admin);
        demand(rotated.access_key_secret != access.access_key_secret, "the secret is the old one")?;
        call!(self.revoke_access_key.access_key_id(&access.id) as admin);
        let name = ApiKeyCreateName::try_from("story")?;
        let new = ApiKeyCreate::builder().name(name).scopes([ScopeName::Read]);
        let key = call!(self.create_api_key.body(new) as admin);
        demand(key.key.as_ref().is_some_and(|key| key.starts_with("ecg_")), "no key")?;
        let now = KeyRotation::builder().keep_old_hours(0);
        let turned = call!(self.rotate_api_key.api_key_id(&key.id).body(now) as admin);
        demand(turned.key != key.key, "the key is the old one")?;
        demand(call!(self.get_api_key.api_key_id(&key.id) as admin).key.is_none(), "a read shows the key")?;
        let listed = call!(self.list_api_keys.limit(100) as admin).items;
        demand(listed.iter().any(|item| item.id == key.id), "the API key is not in the list")?;
        call!(self.revoke_api_key.api_key_id(&key.id) as admin);
        let jti = RevocationCreateJti::try_from("progenitor")?;
        let revoked = call!(self.create_revocation.body(RevocationCreate::builder().jti(jti)) as admin);
        let listed = call!(self.list_revocations.limit(100) as admin).items;
        demand(listed.iter().any(|item| item.id == revoked.id), "the revocation is not in the list")?;
        call!(self.delete_revocation.revocation_id(&revoked.id) as admin);
        Ok(())
    }

    pub(crate) async fn keep_issuers(&mut self) -> StoryResult<()> {
        let name = format!("story-{}", std::process::id());
        let new = new_issuer(&name)?;
        let made = call!(self.put_issuer.issuer_name(&name).body(new.clone()) as admin);
        demand(made.managed_by == "api" && documents(&made.document) == documents(&new), "another issuer")?;
        let strict = Issuer { leeway_seconds: Some(0), ..new.clone() };
        let changed = call!(self.put_issuer.issuer_name(&name).body(strict) as admin);
        let strict = changed.version == made.version + 1 && changed.document.leeway_seconds == Some(0);
        demand(strict, "the issuer did not change")?;
        let kept = call!(self.get_issuer.issuer_name(&name) as admin);
        demand(kept.document.rules[0].match_ == new.rules[0].match_, "another rule")?;
        let listed = call!(self.list_issuers.limit(100) as admin).items;
        demand(listed.iter().any(|item| item.name == name), "the issuer is not in the list")?;
        demand(listed.iter().any(|item| item.managed_by == "settings"), "no issuer of the settings")?;
        call!(self.delete_issuer.issuer_name(&name) as admin);
        Ok(())
    }

    /// Who the team's token authenticates; and, exchanged for a read-only token, who that one does.
    pub(crate) async fn exchange_the_token(&mut self) -> StoryResult<()> {
        let token = std::env::var("ECG_TOKEN")?;
        let explained = call!(self.explain_token.body(TokenToExplain::builder().token(&token)) as admin);
        demand(explained.accepted && explained.checks.iter().all(|check| check.passed), "it is refused")?;
        let becomes = explained.caller.as_ref().ok_or("accepted as nobody")?;
        let exchange = TokenExchange::builder()
            .grant_type("urn:ietf:params:oauth:grant-type:token-exchange")
            .subject_token(&token)
            .subject_token_type("urn:ietf:params:oauth:token-type:jwt")
            .scope("read".to_owned());
        let issued = call!(self.exchange_token.body(exchange) as stranger);
        demand(issued.token_type == "Bearer" && issued.scope == "read", "another token")?;
        let me = client_with(Some(&issued.access_token))?.get_me().send().await?.into_inner();
        demand(me.scopes == ["read"] && [me.team.clone()] == becomes.teams[..], "the token is somebody else's")
    }
}

fn documents(issuer: &Issuer) -> Option<&Map<String, Value>> {
    issuer.keys.as_ref().map(|keys| &keys.document)
}

/// An issuer whose tokens may read if they come from one repository.
fn new_issuer(name: &str) -> StoryResult<Issuer> {
    // A key set in the format of providers; the key is that of RFC 7517, A.1.
    let (x, y) = ("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM");
    let key_set = json!({"keys": [{"kty": "EC", "crv": "P-256", "x": x, "y": y}]}).as_object().cloned();
    let rule = IssuerRule::builder()
        .name("app")
        .match_([("/repository".to_owned(), vec!["story/app".to_owned()])])
        .team(IssuerTeamSource::builder().fixed("demo".to_owned()))
        .scopes(IssuerScopeSource::try_from(IssuerScopeSource::builder().fixed(["read".to_owned()]))?);
    let keys = IssuerKeys::builder().from("document".to_owned()).document(key_set.unwrap_or_default());
    let issuer = Issuer::builder()
        .name(name)
        .issuer(format!("https://{name}.example.com"))
        .audiences(["eci-cache-gateway".to_owned()])
        .keys(IssuerKeys::try_from(keys)?)
        .algorithms(["ES256".to_owned()])
        .rules([IssuerRule::try_from(rule)?]);
    Ok(issuer.try_into()?)
}
