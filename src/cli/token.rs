//! `token`: mints a development token.

use secrecy::ExposeSecret as _;

use super::{CommandFailure, console};
use crate::auth::mint::{MintedClaims, mint};
use crate::config::{AuthKeys, Config};
use crate::domain::clock::{Clock as _, SystemClock};
use crate::domain::entropy::Entropy;
use crate::domain::identity::caller::{Scope, TeamId};
use crate::domain::ids::uuid_v7;

/// The token to mint.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    /// The team that the token acts for. May be repeated; each request then chooses a team with X-Team.
    #[arg(long = "team", required = true, value_name = "TEAM")]
    teams: Vec<TeamId>,
    /// The scopes of the token, separated by commas or spaces: read, write, webhooks, audit, keys, platform:read,
    /// platform:policy, platform:accounts, platform:security, platform:audit.
    #[arg(long = "scope", value_name = "SCOPES", value_parser = scopes, default_value = "read,write,webhooks,audit")]
    scopes: Vec<Scopes>,
    /// The subject of the token (the claim sub).
    #[arg(long, default_value = "developer")]
    subject: String,
    /// The number of hours for which the token is valid: 1 to 24.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(i64).range(1..=24))]
    hours: i64,
}

/// Scopes given in one argument.
#[derive(Debug, Clone)]
pub(super) struct Scopes(pub(super) Vec<Scope>);

pub(super) fn scopes(text: &str) -> Result<Scopes, String> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let known = words.map(|word| Scope::from_word(word).ok_or_else(|| not_one(word))).collect::<Result<Vec<_>, _>>()?;
    if known.is_empty() { Err(Scope::allowed()) } else { Ok(Scopes(known)) }
}

fn not_one(word: &str) -> String {
    let gone = if word == "admin" { format!("; {}", Scope::IN_PLACE_OF_ADMIN) } else { String::new() };
    format!("{word} is not a scope: it {}{gone}", Scope::allowed())
}

pub(super) fn run(arguments: &TokenArgs, config: Config) -> Result<(), CommandFailure> {
    let need = |name: &str| {
        CommandFailure::Usage(format!(
            "{name} must be set: tokens are minted with the settings that \
                                                    verify them"
        ))
    };
    let Some(AuthKeys::Hs256(secret)) = config.auth.keys else { return Err(need("ECG_AUTH_HS256_SECRET")) };
    let claims = MintedClaims {
        subject: arguments.subject.clone(),
        teams: arguments.teams.clone(),
        scopes: arguments.scopes.iter().flat_map(|some| some.0.clone()).collect(),
        lifetime: chrono::Duration::hours(arguments.hours),
        issuer: config.auth.issuer.ok_or_else(|| need("ECG_AUTH_ISSUER"))?,
        audience: config.auth.audience.ok_or_else(|| need("ECG_AUTH_AUDIENCE"))?,
    };
    let now = SystemClock.now();
    let jti = uuid_v7(now, &Entropy::from_os()).simple().to_string();
    console::answer(&format!("{}\n", mint(&secret, &claims, now, &jti)?.expose_secret()))
}
