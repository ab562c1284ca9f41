//! STS: `AssumeRole`, and the temporary credentials that it returns.
//!
//! Sessions are not stored: their secret and the signature of their token are derived from the key's secret, so they
//! survive a restart, and every stand-in with the same key accepts them.
//!
//! What must stay true: temporary credentials are not accepted without their token, with another token, or after they
//! have expired.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{ActionRefusal, ActionResult};
use super::ground::ActionContext;
use super::identity::{self, ROLE_ID, assumed};
use super::signed::{SignatureDoor, VerifiedCall};
use crate::domain::clock::Instant;
use crate::domain::cloud_account::{is_role_arn, is_role_session};
use crate::eci::incoming::Incoming;
use crate::eci::sign_v1;

/// The code and message of a refusal.
pub(super) const NOT_AUTHORIZED: (&str, &str) =
    ("NoPermission", "You are not authorized to do this action. You should be authorized by RAM.");

/// The content of a token.
#[derive(Serialize, Deserialize)]
struct SessionToken {
    access_key_id: String,
    role: String,
    round: u64,
    ends_at: DateTime<Utc>,
    /// The account that the role is in.
    #[serde(default)]
    account: String,
    #[serde(default)]
    by: String,
    /// The name of the session.
    #[serde(default)]
    session: String,
}

/// Carries out `AssumeRole`. `now` is the time that signatures are checked against.
pub(super) fn assume(
    door: &SignatureDoor<'_>,
    params: &[(String, String)],
    ground: &ActionContext<'_>,
    now: Instant,
) -> ActionResult {
    let text = |key: &str| params.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value.as_str());
    let (arn, session) = (text("RoleArn"), text("RoleSessionName"));
    let wrong = |name: &str| {
        ActionRefusal::new(400, format!("InvalidParameter.{name}"), format!("The parameter {name} is wrong."))
    };
    let name = arn.rsplit_once('/').map(|(_, name)| name).filter(|_| is_role_arn(arn)).ok_or(wrong("RoleArn"))?;
    if !is_role_session(session) {
        return Err(wrong("RoleSessionName"));
    }
    let seconds = if text("DurationSeconds").is_empty() { "3600" } else { text("DurationSeconds") };
    let seconds = seconds.parse().ok().filter(|seconds| (900..=43_200).contains(seconds));
    let seconds: i64 = seconds.ok_or(wrong("DurationSeconds"))?;
    if name.contains("does-not-exist") {
        return Err(ActionRefusal::new(404, "EntityNotExist.Role", "The specified Role not exists."));
    }
    let external = name.strip_prefix("external-");
    if name.contains("forbidden") || external.is_some_and(|id| id != text("ExternalId")) {
        return Err(ActionRefusal::new(403, NOT_AUTHORIZED.0, NOT_AUTHORIZED.1));
    }
    let access_key_id = format!("STS.{}", URL_SAFE_NO_PAD.encode(ground.entropy.bytes::<18>()));
    let ends_at = now + Duration::seconds(seconds);
    let token = SessionToken {
        access_key_id: access_key_id.clone(),
        role: arn.to_owned(),
        round: door.round,
        ends_at,
        account: identity::account_of_role(door.settings, arn).unwrap_or(ground.signatory.account).to_owned(),
        by: ground.signatory.access_key_id.to_owned(),
        session: session.to_owned(),
    };
    let answer = json!({
        "Credentials": {
            "AccessKeyId": access_key_id,
            "AccessKeySecret": derived(door, "secret", &access_key_id),
            "SecurityToken": seal(door, &token),
            "Expiration": ends_at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        },
        "AssumedRoleUser": { "Arn": assumed(arn, session), "AssumedRoleId": format!("{ROLE_ID}:{session}") },
    });
    Ok(answer.as_object().cloned().unwrap_or_default())
}

/// The secret of the temporary key that signed, if its token is valid, and the caller.
pub(super) fn secret(
    door: &SignatureDoor<'_>,
    incoming: &Incoming,
    now: Instant,
) -> Result<(SecretString, VerifiedCall), ActionRefusal> {
    let missing = || ActionRefusal::new(400, "MissingSecurityToken", "SecurityToken is mandatory for this action.");
    let text = incoming.security_token.as_ref().ok_or_else(missing)?;
    let malformed =
        || ActionRefusal::new(400, "InvalidSecurityToken.Malformed", "Specified SecurityToken is malformed.");
    let token = open(door, secrecy::ExposeSecret::expose_secret(text)).ok_or_else(malformed)?;
    if token.access_key_id != incoming.access_key_id {
        let message = "Specified SecurityToken mismatch with the AccessKey.";
        return Err(ActionRefusal::new(400, "InvalidSecurityToken.MismatchWithAccessKey", message));
    }
    if token.ends_at <= now || token.round != door.round {
        return Err(ActionRefusal::new(403, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."));
    }
    let secret = derived(door, "secret", &token.access_key_id).into();
    let SessionToken { account, by, role, session, .. } = token;
    Ok((secret, VerifiedCall { account, access_key_id: by, role: Some(role), session }))
}

fn seal(door: &SignatureDoor<'_>, token: &SessionToken) -> String {
    let payload = URL_SAFE_NO_PAD.encode(json!(token).to_string());
    let seal = derived(door, "token", &payload);
    format!("{payload}.{seal}")
}

fn open(door: &SignatureDoor<'_>, text: &str) -> Option<SessionToken> {
    let (payload, seal) = text.split_once('.')?;
    let good = sign_v1::verify(&door.settings.access_key_secret, &format!("token {payload}"), seal);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok().filter(|_| good)?).ok()
}

fn derived(door: &SignatureDoor<'_>, what: &str, of: &str) -> String {
    sign_v1::signature(&door.settings.access_key_secret, &format!("{what} {of}"))
}
