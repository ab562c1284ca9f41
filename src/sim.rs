//! Floor 3: the stand-in, a local server that speaks the cloud's ECI API for image caches at `/`.
//!
//! For development and tests: no cloud account, no cost, and a clock that a test may move by hand. It is a
//! real HTTP server, verifies signatures, and refuses what the cloud refuses; unmodified SDKs can talk to it.
//!
//! # Rooms
//! `server` takes connections and requests (`transport`), `eci::incoming` parses them (V1 and V3, query and form),
//! `verify` and `signed` decide who may call, `rights` what they may call; `roles` and `identity` are STS; `create`,
//! `describe`, `update`, `delete` and `usage` are the actions of ECI, each a plain function of the `state`, the
//! parameters and the instant. `machine` says what a cache looks like at an instant: nothing runs in the background, so
//! a look at any instant is exact. `images` knows which images fail, `match_image` ranks caches, `limits` knows quota
//! and pace, `tokens` remembers `ClientToken`s, `answer` writes envelopes in JSON or XML. `faults`, `lies`, `inject`,
//! `watch` and `admin` are the back door of tests, `state_file` writes the state to a file, `journal` each act.
//!
//! # Time
//! At speed 1 a build takes 10 s: 3 s `Preparing`, 7 s `Creating`, and 1 s more per further image, half of the
//! pulling with layer reuse. [`StandInSettings::speed`] shortens builds only. The admin door's clock moves everything
//! but signatures and nonces, which go by the machine's: a caller need not know that the stand-in lives in another
//! hour.
//!
//! # What fails
//! An image whose repository contains `does-not-exist` or whose tag is `missing`; one of a registry whose host
//! begins with `private.`, without a login for that host in the same request (or with the password `wrong`);
//! one of a registry whose host begins with `unreachable.`;
//! images that together are larger than the cache: one tagged `50gib` has 50 GiB, one whose repository contains
//! `huge` 100, any other next to nothing.
//!
//! # Limits
//! 500 caches per region: at the quota the least recently used one with the strategy `LRU` goes, else `QuotaExceeded`.
//! 200 creates in any minute, then `Throttling.User`.
//!
//! # Accounts
//! One, or as many as [`StandInSettings::further`] names. Each has its own image caches, `ClientToken`s, quota and
//! pace: what one has, no other sees, changes or counts. Faults, outages, time and the ledger are everybody's. A
//! session of a role is in the role's account, where there is one of that number, else in that of the key that assumed
//! it.
//!
//! # Roles
//! STS is here too: `AssumeRole` (2015-04-01) gives temporary credentials of any role but those whose name contains
//! `does-not-exist` (`EntityNotExist.Role`) or `forbidden` (`NoPermission`); one whose name begins with `external-` demands
//! the rest of it as `ExternalId`. They go by the machine's clock, as signatures do.
//!
//! `GetCallerIdentity` says whose the credentials are, and needs no right: the first account has the number 1 and the
//! others those that follow it, a session that of its role.
//!
//! # Rights
//! Whoever was given a policy (`POST /_admin/policies`, an access key or a role) may do what it allows; anything else is
//! refused as the cloud does it: 403 `Forbidden.RAM`, of STS `NoPermission`, with `AccessDeniedDetail`. Whoever was not
//! may do everything.
//!
//! # The admin door
//! Unsigned, and open to this machine alone (others get 404):
//! * `POST /_admin/faults` takes one fault or a list, each spent once (or `times` times) on the next verified call of
//!   its `action` (of any, where absent): `{"action":"CreateImageCache","kind":"error","http":503,
//!   "code":"ServiceUnavailable","apply":true}`. With `apply` the action is carried out first: the outcome that a
//!   caller cannot know. `DELETE /_admin/faults` forgets those that wait. The kinds:
//!   * `error` (`http`, `code`, `message`), `throttle`, `status` (`http` with `body` as it stands), `hang` or
//!     `timeout` (never answers), `reset` (closes the connection), `garbage` (`variant`: `html`, `empty`,
//!     `truncated`);
//!   * always carried out: `latency` (answers after `ms`), `reset_at` (breaks off after `at` bytes of the answer's
//!     body), `wrong_id` (a create's answer has `id`, which may be empty; another id that looks good where absent),
//!     `word` (what is shown has the status `id`), `left_out` (the cache `id` is not shown; the first one where absent);
//!   * `pretend`, of `DeleteImageCache` alone: answered as if it were carried out, which it is not. The same
//!     `ClientToken` removes it the next time.
//! * `POST /_admin/lies` `{"hide_percent":30,"for_seconds":60}`: `DescribeImageCaches` shows neither by list nor by id
//!   that share (1 to 100) of the image caches, for so long (1 to 86400; without it until `DELETE /_admin/lies`). Which
//!   ones goes by a hash of their ids: a larger share hides what a smaller one does. Updates and deletes find them, and
//!   quota and usage count them. A later lie takes the place of the one before.
//! * `POST /_admin/outages` `{"region":"cn-beijing"}`: every call there gets 503, until `{"region":…,"over":true}`.
//! * `POST /_admin/clock` `{"step_seconds":3600}`, `{"speed":100}` or both; `GET` tells the time there.
//! * `POST /_admin/settings` `{"quota":3,"creates_per_minute":1000,"list_lag_seconds":60,"build_median_seconds":180,
//!   "build_spread":0.3}`; what is absent has its default. `GET` shows them. With a lag, a new cache is missing from
//!   lists that long, and shown by its id; with a median each build takes its own time around it (log-normal).
//! * `POST /_admin/caches` `{"put":[{"region":"cn-beijing","name":"web","tags":{},"age_seconds":60,"build_seconds":180}],
//!   "remove":[{"region":"cn-beijing","image_cache_id":"imc-…"}]}` puts caches there as if they had been created then, beyond
//!   quota and pace, and answers with their ids; it takes others away.
//! * `POST /_admin/use` `{"image_cache_id":"imc-…"}`: an instance used it, as `LastMatchedTime` shows.
//! * `GET /_admin/calls` gives the number of verified calls per action, and the ids that were really created,
//!   updated, deleted, and driven out by the quota; calls and creations also by access key (that of a session is the one
//!   that assumed the role).
//! * `POST /_admin/forget-tokens` forgets every `ClientToken`, as the cloud does after an unknown time.
//! * `POST /_admin/end-sessions` ends every session of a role: its token is `InvalidSecurityToken.Expired` from then on.
//! * `POST /_admin/policies` `{"to":"the-access-key-or-acs:ram::1:role/name","policy":{"Version":"1","Statement":[…]}}`: from
//!   now on that is what it may do; `"policy":null` takes it away. `GET` shows them. Conditions are not known, and refused.
//! * `POST /_admin/reset` forgets everything, time and settings too.
//!
//! # The state file
//! With [`StandInSettings::state_file`] the caches, their builds, `ClientToken`s, the ledger, time and settings outlive
//! the process: they are written before the answer that tells of them. Nonces, waiting faults, lies and outages are
//! forgotten. No registry password is in the file, and no hash of one without the key's secret. A file belongs to one
//! stand-in at a time.
//!
//! Who calls it: `cli` (`sim`, `dev`) and tests. What it does not do: guard its file against a second stand-in.

mod admin;
mod answer;
mod create;
mod delete;
mod describe;
mod faults;
mod ground;
mod identity;
mod images;
mod inject;
mod journal;
mod lies;
mod limits;
mod machine;
mod match_image;
mod nonces;
mod rights;
mod roles;
mod seed;
mod server;
mod signed;
mod state;
mod state_file;
mod tokens;
mod transport;
mod update;
mod usage;
mod verify;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::domain::clock::Clock;
use crate::domain::entropy::Entropy;
use crate::eci::Action;

/// An access key of the stand-in.
#[derive(Debug, Clone)]
pub struct StandInKey {
    /// `AccessKeyId`.
    pub access_key_id: String,
    /// Its secret.
    pub access_key_secret: SecretString,
    /// Which account it opens, by any name that is not empty; several keys may open one.
    pub account: String,
}

/// How the stand-in behaves.
#[derive(Debug, Clone)]
pub struct StandInSettings {
    /// The access key id of its first account.
    pub access_key_id: String,
    /// That key's secret.
    pub access_key_secret: SecretString,
    /// The keys of other accounts, if there are any.
    pub further: Vec<StandInKey>,
    /// How fast builds run: 1.0 is 10 s for one image. Anything that is not above 0 counts as 1.0.
    pub speed: f64,
    /// Where the state is kept over a restart, in a folder that exists; nowhere if `None`.
    pub state_file: Option<PathBuf>,
    /// Where each create, update and delete that was carried out is written, one line each; nowhere if `None`.
    pub journal: Option<PathBuf>,
}

/// What every request shares.
#[derive(Debug)]
struct StandInState {
    settings: StandInSettings,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    state: Mutex<state::CloudState>,
    keeper: Option<state_file::StateFile>,
    journal: Option<journal::Journal>,
    stop: CancellationToken,
}

impl StandInState {
    /// What an action does and answers.
    fn act(
        &self,
        state: &mut state::CloudState,
        action: Action,
        params: &[(String, String)],
        ground: &ground::ActionContext<'_>,
    ) -> answer::ActionResult {
        match action {
            Action::Create => create::run(state, params, ground),
            Action::Describe => describe::run(state, params, ground),
            Action::Update => update::run(state, params, ground),
            Action::Delete => delete::run(state, params, ground),
            Action::Usage => usage::run(state, params, ground),
            Action::AssumeRole => {
                let door = signed::SignatureDoor { settings: &self.settings, round: state.round };
                roles::assume(&door, params, ground, self.clock.now())
            }
            Action::GetCallerIdentity => Ok(identity::caller_identity(&self.settings, ground.signatory)),
        }
    }
}

/// A running stand-in. Stops when told to, or when dropped.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Serves on `listener` from now on, with what the state file holds. Must be called within a tokio runtime.
    ///
    /// A state file that cannot be read is set aside, as `<name>.unreadable-<instant>`, and the stand-in begins empty.
    pub fn start(
        listener: TcpListener,
        settings: StandInSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<Entropy>,
    ) -> Self {
        let address = listener.local_addr().expect("a listener that is bound has an address");
        let stop = CancellationToken::new();
        let settings = StandInSettings { speed: sane(settings.speed), ..settings };
        let (keeper, state) = state_file::open(settings.state_file.as_deref(), clock.now());
        let open = |path: &PathBuf| journal::Journal::open(path).expect("the journal can be opened");
        let journal = settings.journal.as_ref().map(open);
        let shared =
            StandInState { settings, clock, entropy, state: Mutex::new(state), keeper, journal, stop: stop.clone() };
        let task = tokio::spawn(server::serve(listener, Arc::new(shared)));
        Self { address, stop, task: Some(task) }
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL, such as `http://127.0.0.1:1234`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops taking requests and closes every connection, also those that a fault keeps hanging.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // The task ends by itself; if it panicked there is nothing left to stop.
            let _ended = task.await;
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Whose call it is: the account, empty for the first one, and the key; of a session also its role and its name.
#[derive(Debug, Clone, Copy)]
struct Signatory<'a> {
    account: &'a str,
    access_key_id: &'a str,
    session: Option<(&'a str, &'a str)>,
}

impl StandInSettings {
    /// The secret of a key, and whose it is.
    fn key(&self, access_key_id: &str) -> Option<(&SecretString, Signatory<'_>)> {
        if access_key_id == self.access_key_id {
            return Some((&self.access_key_secret, self.first()));
        }
        let key = self.further.iter().find(|key| key.access_key_id == access_key_id)?;
        Some((
            &key.access_key_secret,
            Signatory { account: &key.account, access_key_id: &key.access_key_id, session: None },
        ))
    }

    fn first(&self) -> Signatory<'_> {
        Signatory { account: "", access_key_id: &self.access_key_id, session: None }
    }
}

fn sane(speed: f64) -> f64 {
    if speed > 0.0 { speed.clamp(0.001, 1_000_000.0) } else { 1.0 }
}
