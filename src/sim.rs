//! Floor 3: the stand-in, a local server that implements the cloud's ECI API for image caches at `/`.
//!
//! For development and tests: it needs no cloud account, costs nothing, and has a clock that tests can set. It is a
//! real HTTP server, verifies signatures, and refuses what the cloud refuses; unmodified SDKs work with it.
//!
//! # Modules
//! `server` accepts connections and requests (`transport`), `eci::incoming` parses them (V1 and V3, query and form),
//! `verify` and `signed` authenticate the caller, `rights` authorizes it; `roles` and `identity` are STS; `create`,
//! `describe`, `update`, `delete` and `usage` are the actions of ECI, each a plain function of the `state`, the
//! parameters and the time. `machine` computes the state of a cache at a given time: nothing runs in the background, so
//! the state is exact at any time. `images` knows which images fail, `match_image` ranks caches, `limits` knows quotas
//! and rate limits, `tokens` remembers `ClientToken`s, `answer` writes responses in JSON or XML. `faults`, `lies`,
//! `inject`, `watch` and `admin` are for tests, `state_file` writes the state to a file, `journal` logs each change.
//!
//! # Time
//! At speed 1 a build takes 10 s: 3 s `Preparing`, 7 s `Creating`, and 1 s more for each further image; with layer
//! reuse, pulling takes half as long. [`StandInSettings::speed`] affects only builds. The admin API's clock affects
//! everything except signatures and nonces, which use the machine's clock, so callers need not know the stand-in's
//! time.
//!
//! # What fails
//! An image whose repository contains `does-not-exist` or whose tag is `missing`; one of a registry whose host begins
//! with `private.`, without a login for that host in the same request (or with the password `wrong`); one of a registry
//! whose host begins with `unreachable.`; images that together are larger than the cache: one tagged `50gib` has 50
//! GiB, one whose repository contains `huge` has 100 GiB, any other next to nothing.
//!
//! # Limits
//! 500 caches per region: at the quota, the least recently used one with the strategy `LRU` is deleted; if there is
//! none, the create fails with `QuotaExceeded`. 200 creates in any minute, then `Throttling.User`.
//!
//! # Accounts
//! One, or as many as [`StandInSettings::further`] names. Each has its own image caches, `ClientToken`s, quota and rate
//! limit; accounts cannot see or affect each other. Faults, outages, the time and the ledger are shared. A session of a
//! role belongs to the role's account if there is one with that number, otherwise to the account of the key that
//! assumed the role.
//!
//! # Roles
//! STS is implemented too: `AssumeRole` (2015-04-01) returns temporary credentials of any role except those whose name
//! contains `does-not-exist` (`EntityNotExist.Role`) or `forbidden` (`NoPermission`); a role whose name begins with
//! `external-` requires the rest of its name as `ExternalId`. The expiry follows the machine's clock, as for
//! signatures.
//!
//! `GetCallerIdentity` returns the account of the credentials, and needs no right: the first account has the number 1
//! and the others the following numbers; a session has that of its role.
//!
//! # Rights
//! An access key or role that was given a policy (`POST /_admin/policies`) may do what it allows; anything else is
//! refused as by the cloud: 403 `Forbidden.RAM`, by STS `NoPermission`, with `AccessDeniedDetail`. One without a policy
//! may do everything.
//!
//! # The admin API
//! Unsigned, and available only from this machine (others get 404):
//! * `POST /_admin/faults` takes one fault or a list, each used once (or `times` times) for the next verified call of
//!   its `action` (of any action, if absent): `{"action":"CreateImageCache","kind":"error","http":503,
//!   "code":"ServiceUnavailable","apply":true}`. With `apply` the action is carried out first, so that the caller
//!   cannot know the outcome. `DELETE /_admin/faults` discards unused faults. The kinds:
//!   * `error` (`http`, `code`, `message`), `throttle`, `status` (`http` with `body` verbatim), `hang` or `timeout`
//!     (never answers), `reset` (closes the connection), `garbage` (`variant`: `html`, `empty`, `truncated`);
//!   * always carried out: `latency` (answers after `ms`), `reset_at` (closes the connection after `at` bytes of the
//!     response body), `wrong_id` (the response to a create has `id`, which may be empty; a plausible but wrong id if
//!     absent), `word` (the returned status is `id`), `left_out` (the cache `id` is not returned; the first one if
//!     absent);
//!   * `pretend`, only of `DeleteImageCache`: answered as if it were carried out, but it is not. The next call with the
//!     same `ClientToken` deletes it.
//! * `POST /_admin/lies` `{"hide_percent":30,"for_seconds":60}`: `DescribeImageCaches` hides that percentage (1 to 100)
//!   of the image caches, in lists and by id, for that time (1 to 86400; without it until `DELETE /_admin/lies`). A
//!   hash of their ids selects them: a larger percentage hides everything that a smaller one hides. Updates and deletes
//!   find them, and quota and usage count them. A new lie replaces the previous one.
//! * `POST /_admin/outages` `{"region":"cn-beijing"}`: every call in that region gets 503, until
//!   `{"region":…,"over":true}`.
//! * `POST /_admin/clock` `{"step_seconds":3600}`, `{"speed":100}` or both; `GET` returns the stand-in's time.
//! * `POST /_admin/settings` `{"quota":3,"creates_per_minute":1000,"list_lag_seconds":60,"build_median_seconds":180,
//!   "build_spread":0.3}`; absent members get their defaults. `GET` returns them. With a lag, a new cache is missing
//!   from lists for that time, but is returned by its id; with a median, the build times are spread around it
//!   (log-normal).
//! * `POST /_admin/caches`
//!   `{"put":[{"region":"cn-beijing","name":"web","tags":{},"age_seconds":60,"build_seconds":180}],
//!   "remove":[{"region":"cn-beijing","image_cache_id":"imc-…"}]}` adds caches as if they had been created then,
//!   regardless of quota and rate limit, and returns their ids; it removes others.
//! * `POST /_admin/use` `{"image_cache_id":"imc-…"}`: marks it as used by an instance, as `LastMatchedTime` shows.
//! * `GET /_admin/calls` returns the number of verified calls for each action, and the ids that were actually created,
//!   updated, deleted, and evicted because of the quota; calls and creates also by access key (for a session, the key
//!   that assumed the role).
//! * `POST /_admin/forget-tokens` forgets every `ClientToken`, as the cloud does after an unknown time.
//! * `POST /_admin/end-sessions` ends all sessions of roles: their tokens are `InvalidSecurityToken.Expired` from then
//!   on.
//! * `POST /_admin/policies`
//!   `{"to":"the-access-key-or-acs:ram::1:role/name","policy":{"Version":"1","Statement":[…]}}`: sets the policy;
//!   `"policy":null` removes it. `GET` returns them. Conditions are not supported, and refused.
//! * `POST /_admin/reset` deletes everything, including the time and the settings.
//!
//! # The state file
//! With [`StandInSettings::state_file`], the caches, their builds, `ClientToken`s, the ledger, time and settings
//! survive a restart: they are written before the response that depends on them. Nonces, unused faults, lies and
//! outages do not survive. The file contains no registry password, and a hash of one only if it is keyed with the
//! access key's secret. Only one stand-in may use a file at a time.
//!
//! Called by `cli` (`sim`, `dev`) and tests. It does not protect its file from a second stand-in.

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
    /// The account that it belongs to, by any name that is not empty; several keys may belong to one.
    pub account: String,
}

/// The settings of the stand-in.
#[derive(Debug, Clone)]
pub struct StandInSettings {
    /// The access key id of the first account.
    pub access_key_id: String,
    /// That key's secret.
    pub access_key_secret: SecretString,
    /// The keys of further accounts, if there are any.
    pub further: Vec<StandInKey>,
    /// The speed of builds: at 1.0, one image takes 10 s. Values that are not above 0 count as 1.0.
    pub speed: f64,
    /// The file in which the state survives a restart, in an existing directory; none if `None`.
    pub state_file: Option<PathBuf>,
    /// The file to which each create, update and delete that was carried out is written, one per line; none if `None`.
    pub journal: Option<PathBuf>,
}

/// The state that all requests share.
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
    /// Carries out an action and returns its result.
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

/// A running stand-in. It stops when it is told to or dropped.
#[derive(Debug)]
pub struct StandIn {
    address: SocketAddr,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl StandIn {
    /// Starts serving on `listener`, with the state in the state file. Must be called within a tokio runtime.
    ///
    /// A state file that cannot be read is renamed to `<name>.unreadable-<instant>`, and the stand-in starts empty.
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

    /// The address on which it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, such as `http://127.0.0.1:1234`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting requests and closes every connection, including those that a fault keeps hanging.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // The task ends by itself; if it panicked, there is nothing left to stop.
            let _ended = task.await;
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The caller: the account, empty for the first one, and the key; for a session also its role and name.
#[derive(Debug, Clone, Copy)]
struct Signatory<'a> {
    account: &'a str,
    access_key_id: &'a str,
    session: Option<(&'a str, &'a str)>,
}

impl StandInSettings {
    /// The secret of a key, and the caller it identifies.
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
