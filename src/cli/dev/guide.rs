//! Where everything is and what to do next: on the terminal for people, in the env file for programs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use super::DevSetup;
use super::keys::{self, DevKeys};
use crate::auth::mint::{MintedClaims, mint};
use crate::cli::console;
use crate::config::Environment;
use crate::domain::clock::{Clock as _, SystemClock};
use crate::domain::entropy::Entropy;
use crate::domain::identity::caller::Scope;
use crate::domain::ids::uuid_v7;
use crate::sim::StandIn;

/// The `iss` of development tokens.
pub(super) const ISSUER: &str = "eci-cache-gateway-dev";
/// The `iss` of tokens that the gateway itself issues.
pub(super) const OWN_ISSUER: &str = "eci-cache-gateway";
/// The `aud` of development tokens.
pub(super) const AUDIENCE: &str = "eci-cache-gateway";
/// The team of the development token, and of the access key for unmodified SDKs.
pub(super) const TEAM: &str = "demo";
/// The longest lifetime that a verifier accepts.
const TOKEN_HOURS: i64 = 24;

fn env_file(folder: &Path) -> PathBuf {
    folder.join("env")
}

/// One line of the env file.
fn export(name: &str, value: &str) -> String {
    format!("export {name}='{value}'")
}

/// Reports which settings of this shell are ignored, except those that come from the previous env file.
pub(super) fn name_not_followed(folder: &Path, environment: &Environment) {
    let before = std::fs::read_to_string(env_file(folder)).unwrap_or_default();
    let own = |name: &str, value: &str| before.lines().any(|line| line == export(name, value));
    let others = environment.not_followed_by_dev().filter(|(name, value)| !own(name, value));
    let names: Vec<String> = others.map(|(name, _)| name).collect();
    if !names.is_empty() {
        console::remark(&format!("dev has its own settings and ignores {}.", names.join(", ")));
    }
}

/// Everything that is printed or written.
pub(super) struct Guide {
    folder: PathBuf,
    program: String,
    exports: Vec<(&'static str, String)>,
}

impl Guide {
    /// Creates the tokens and collects the addresses.
    pub(super) fn new(
        place: &DevSetup<'_>,
        api: SocketAddr,
        stand_in: &StandIn,
        keys: &DevKeys,
    ) -> anyhow::Result<Self> {
        let mut exports = vec![
            ("ECG_URL", format!("http://{api}")),
            ("ECG_TOKEN", token(keys, TEAM, "developer", &Scope::TEAM)?),
            ("ECG_ADMIN_TOKEN", token(keys, "platform", "administrator", &Scope::ALL)?),
            ("ECG_STANDIN_URL", stand_in.url()),
            ("ECG_DATABASE_URL", place.postgres.database_url()),
            ("ECG_AUDIT_ORIGIN", ISSUER.to_owned()),
            // Needed by the subcommands `token`, `api-key`, `auth explain`, `doctor cloud`.
            ("ECG_AUTH_ISSUER", ISSUER.to_owned()),
            ("ECG_AUTH_AUDIENCE", AUDIENCE.to_owned()),
            ("ECG_CLOUD_ENDPOINT", stand_in.url()),
            ("ECG_CLOUD_STS_ENDPOINT", stand_in.url()),
        ];
        exports.extend(keys.exports());
        Ok(Self { folder: place.folder.to_owned(), program: place.program.to_owned(), exports })
    }

    fn env_file(&self) -> PathBuf {
        env_file(&self.folder)
    }

    /// Writes the env file: exported shell variables.
    pub(super) fn write_env(&self) -> anyhow::Result<()> {
        let lines: Vec<String> = self.exports.iter().map(|(name, value)| export(name, value)).collect();
        keys::write_private(&self.env_file(), &(lines.join("\n") + "\n"))
    }

    fn value(&self, wanted: &str) -> &str {
        self.exports.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value)
    }

    /// Prints the guide on the terminal.
    pub(super) fn print(&self) {
        let (url, stand_in, token) = (self.value("ECG_URL"), self.value("ECG_STANDIN_URL"), self.value("ECG_TOKEN"));
        let (env, data) = (self.env_file(), &self.folder);
        let lines = LINES.replace("{program}", &self.program);
        // The reader may have gone: `dev` keeps running.
        let _nobody_reads = console::answer(&format!(
            "
The gateway is ready.

  API        {url}            documentation {url}/docs
  Stand-in   {stand_in}           plays Alibaba Cloud; nothing leaves this machine
  Database   psql \"$ECG_DATABASE_URL\"           one role for everything, which could alter the audit; `serve` refuses such a role
  Data       {data}
  Variables  {env}
  SDKs       {url}            the cloud's own API, with ECG_ACCESS_KEY_ID and _SECRET of the variables
  Token      of the team \"demo\", for {TOKEN_HOURS} hours (a new one with each start):

{token}

  Platform   $ECG_ADMIN_TOKEN of the variables has every scope, those of the platform among them
  Commands   {program} token --team web           `api-key`, `auth explain`, `doctor cloud` and others work with the variables, too

Paste into another terminal, line by line:

  . '{env}'
{lines}
  kill -INT {pid}

",
            program = self.program,
            pid = std::process::id(),
            data = data.display(),
            env = env.display(),
        ));
    }
}

/// The five steps to try: create, watch, receive, audit, stop.
const LINES: &str = r#"
  # create an image cache
  ID=$(curl -sS "$ECG_URL/v1/image-caches" -H "Authorization: Bearer $ECG_TOKEN" -H 'Content-Type: application/json' -d '{"name":"web","region":"cn-hangzhou","images":["nginx:1.27"]}' | tee /dev/stderr | sed -n 's/^{"id":"\(ic_[^"]*\)".*/\1/p')

  # watch it until it is ready
  curl -sS "$ECG_URL/v1/image-caches/$ID/wait?wait_seconds=55" -H "Authorization: Bearer $ECG_TOKEN"

  # receive the webhooks of the next one, verified (Ctrl-C ends it)
  curl -fsS --retry 5 --retry-all-errors "$ECG_URL/v1/webhook-endpoints" -H "Authorization: Bearer $ECG_TOKEN" -H 'Content-Type: application/json' -d '{"url":"http://127.0.0.1:9099/"}' | {program} receive --port 9099

  # see who did what
  curl -sS "$ECG_URL/v1/audit-entries?limit=5" -H "Authorization: Bearer $ECG_TOKEN"

  # stop (or Ctrl-C here)"#;

fn token(keys: &DevKeys, team: &str, subject: &str, scopes: &[Scope]) -> anyhow::Result<String> {
    let claims = MintedClaims {
        subject: subject.to_owned(),
        teams: vec![team.parse()?],
        scopes: scopes.to_vec(),
        lifetime: chrono::Duration::hours(TOKEN_HOURS),
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
    };
    let now = SystemClock.now();
    let jti = uuid_v7(now, &Entropy::from_os()).simple().to_string();
    Ok(mint(&keys.tokens, &claims, now, &jti)?.expose_secret().to_owned())
}
