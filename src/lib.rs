//! A gateway between a company's teams and Alibaba Cloud's ECI image caches.
//!
//! Teams call it with keys that the gateway issued; only the gateway has cloud credentials. It makes each change in the
//! cloud exactly once, tracks every cache until it is usable, reports that in signed webhooks, and stores every request
//! and every state in Postgres.
//!
//! # Architecture
//!
//! A module refers only to lower floors, never to another module on its own floor. Within a module, at every level,
//! submodules refer to each other without cycles. `tests/it/house/floors` checks both, and which crates each floor may
//! use.
//!
//! | floor | modules | purpose |
//! |---|---|---|
//! | 4 | [`cli`]; [`telemetry`], [`shutdown`], [`localpg`] | subcommands; logs, shutdown, a private Postgres |
//! | 3½ | [`assembly`] | builds a gateway and its parts from the settings |
//! | 3 | [`http`], [`worker`], [`sim`], [`receiver`] | doors: REST, workers; the stand-in, a receiver for development |
//! | 2 | [`app`] | what the gateway does, independent of any transport |
//! | 1½ | [`config`] | settings: one table, parsed into values |
//! | 1 | [`store`], [`eci`], [`auth`], [`webhook`], [`crypto`] | SQL; cloud client; tokens; sending; encryption |
//! | ½ | [`egress`], [`net`] | outgoing connections: proxies, CAs; incoming connections: the accept loop |
//! | 0 | [`domain`] | decisions: pure functions of state, input and time |
//!
//! A request always takes three hops: door, `app`, `store`. Every door calls the same methods of [`app::Gateway`].
//!
//! # A create, from the door to the webhook
//!
//! 1. `http` parses the request, has the caller authenticated ([`app::identity`], [`auth`]) and calls
//!    [`create_image_cache`](app::image_caches::ImageCaches::create_image_cache).
//! 2. [`app::image_caches`] checks scope, limits and region, then records everything in ONE transaction: the
//!    idempotency key, the cache's row (`pending`), the operation, the audit entry, and the first attempt if it can be
//!    made at once. Nothing is sent before that commit.
//! 3. A separate task, which continues if the caller disconnects ([`app::operations`]), asks [`domain::operation`] what
//!    to do, records the attempt if there is none, signs it with the recorded time and calls the cloud ([`eci`]).
//! 4. The outcome is again ONE transaction: operation, row (`preparing`), transition, event `image_cache.created`, one
//!    delivery for each subscribed endpoint, audit entry.
//! 5. The tracker ([`worker`], [`app::tracker`]) leases the (account, region) and reads the cache from the cloud;
//!    [`domain::transition`] decides what the observation means. The transition to `ready` is ONE transaction with its
//!    event and deliveries.
//! 6. After the commit, the deliverer of this process has the deliveries in memory at once; those that exceed its
//!    capacity wait in the queue, from which retries are claimed in batches too. Each delivery is signed just before it
//!    is sent ([`webhook`]), and the results are recorded in batches.
//! 7. From then on the reconciler ([`app::reconciler`]) compares the cloud's list with the rows; [`domain::reconcile`]
//!    decides what a difference means: the cache has vanished and how, was changed outside the gateway, or does not
//!    belong to it.
//!
//! Each call to the cloud for an image cache is made with the client of *its* account ([`app::cloud_accounts`]): that
//! of the settings, or one that an administrator added. An account that cannot be used has no client, and its calls
//! wait.
//!
//! # Many readers
//!
//! The JSON representation of an image cache is stored beside its row, and is valid only for that version of the row.
//! The first reader after a change renders it, and it is stored in the background. Single reads that arrive at the same
//! time share a statement that starts after all of them arrived (`store`'s `batch`); identical lists share one query
//! (`app`'s `single_flight`). A verified token is remembered for a minute; revocations and disabled teams are checked
//! for each request.
//!
//! # Many creates
//!
//! Creates that start while a commit is in progress share the next one (`store`'s `state_writer`), and so do those that
//! end: there is one statement for all of them, and each is answered only after its commit. A create that may not fit
//! is written alone. Policies that are read at the same time share a statement too.
//!
//! # Many waiting clients
//!
//! A long poll, a stream or a wait for `ready` reads once by itself and then joins the event hub ([`app::events`]): one
//! task for each process queries the database for new events of all waiters, at once after a commit of its own process
//! and within 0.1 s after a commit of another, and distributes them in memory. Nobody holds a connection while waiting.
//!
//! # Overload
//!
//! Before a request costs anything, it takes a slot, waits for one in its team's queue, or is turned away
//! ([`app::admission`]; [`domain::limits`] decides). While it waits for something external, it holds no slot.
//!
//! # Failures
//!
//! If the response to a create is lost, its outcome is never guessed: [`domain::operation`] sends the same
//! `ClientToken` again as long as the cloud certainly remembers it, and afterwards searches for the operation's tag,
//! until no earlier attempt can be accepted any more. A refusal after such an attempt is not reported before then; if a
//! late attempt created a second cache, it is deleted then. A delete that arrives in the meantime waits. The leases of
//! a gateway that dies expire within 12 s, and another one takes over. One that was only suspended or disconnected does
//! nothing more with an old lease when it resumes (`app`'s `base::lease`). What was not committed did not happen; what
//! was committed is reported.
//!
//! `tests/simulation` runs the same rules through every schedule of up to three faults, and through random ones.

// Only `cli::console` prints; everything else logs.
#![deny(clippy::print_stdout, clippy::print_stderr)]

/// Measured with many concurrent small requests: it takes less CPU time than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod app;
pub mod assembly;
pub mod auth;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod eci;
pub mod egress;
pub mod http;
#[cfg(feature = "dev")]
pub mod localpg;
pub mod net;
#[cfg(feature = "dev")]
pub mod receiver;
pub mod shutdown;
#[cfg(feature = "dev")]
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod webhook;
pub mod worker;
