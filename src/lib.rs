//! The gateway between a company's teams and Alibaba Cloud's ECI image caches.
//!
//! Teams call it with keys that the gateway issued; it alone holds cloud credentials. It tells the cloud
//! each thing exactly once, follows every cache until it is usable, says so in signed webhooks, and keeps
//! every request and every state in Postgres.
//!
//! # The house
//!
//! A module names lower floors only, never a neighbour on its own floor; below that, at every level, modules name their
//! siblings without circles; `tests/it/house/floors` asserts both, and which crates each floor may use.
//!
//! | floor | modules | what they are |
//! |---|---|---|
//! | 4 | [`cli`]; [`telemetry`], [`shutdown`], [`localpg`] | the process: subcommands; for them logs, its end, a private Postgres, each by itself |
//! | 3½ | [`assembly`] | from settings to a gateway: the one place that makes its parts |
//! | 3 | [`http`], [`worker`], [`sim`], [`receiver`] | doors: REST, the workers; the stand-in, a receiver for development |
//! | 2 | [`app`] | what the gateway does, without a word of any transport |
//! | 1½ | [`config`] | settings: one table, read into values |
//! | 1 | [`store`], [`eci`], [`auth`], [`webhook`], [`crypto`] | all SQL; the cloud's client; tokens; sending; encryption |
//! | ½ | [`egress`], [`net`] | how clients get out: proxies, authorities; how they come in: one accept loop, its deadlines |
//! | 0 | [`domain`] | what decides: pure functions of state, input and now |
//!
//! Always door, `app`, `store`: three hops. Every door calls the same methods, of the rooms of [`app::Gateway`].
//!
//! # A create, from door to webhook
//!
//! 1. `http` reads the request, authenticates ([`auth`]) and calls [`create_image_cache`](app::image_caches::ImageCaches::create_image_cache).
//! 2. [`app::image_caches`] checks scope, limits and region, then records everything in ONE transaction: the
//!    idempotency key, the cache's row (`pending`), the operation, the audit entry, and the first attempt where it can
//!    be made at once. Only now anything is sent.
//! 3. A task of its own (the caller may leave) ([`app::operations`]) asks [`domain::operation`] what to do, records the attempt where none is,
//!    signs it with the recorded time and calls the cloud ([`eci`]).
//! 4. The outcome is ONE transaction again: operation, row (`preparing`), transition, event
//!    `image_cache.created`, one delivery for each endpoint that wants it, audit entry.
//! 5. The tracker ([`worker`], [`app::tracker`]) leases the (account, region) and looks; [`domain::transition`]
//!    says what a look means. The step to `ready` is ONE transaction with its event and deliveries.
//! 6. The deliverer of this process has them in memory the moment that is committed; what it cannot take waits in the
//!    queue, where retries are claimed in batches, too. Each is signed just before it is sent ([`webhook`]), and how they
//!    ended is recorded in batches.
//! 7. From then on the reconciler ([`app::reconciler`]) compares the cloud's list with the rows; [`domain::reconcile`]
//!    says what a difference means: vanished and which way, changed past the gateway, of nobody here.
//!
//! Each call to the cloud for an image cache is made with the client of *its* account ([`app::cloud_accounts`]): that of the
//! settings, or one that an administrator added. An account that cannot be used has none, and what is for it waits.
//!
//! # Many who read
//!
//! What is shown of an image cache is kept as JSON beside its row and counts for that version of the row alone; whoever
//! reads first after a change makes it, and it is written behind them. Single reads that come at the same time share a
//! statement that begins after all of them came (`store`'s `batch`), equal lists one question (`app`'s `single_flight`). A
//! token that was verified is remembered for a minute, revocations and disabled teams are looked at for each request.
//!
//! # Many who create
//!
//! Creates that begin while a commit is under way share the next one (`store`'s `state_writer`), and so do those that end:
//! one statement for all of them, and an answer for each only after its commit. What does not surely fit goes alone, as
//! if there were no others. Policies asked for at the same time share a statement, too.
//!
//! # Many who wait
//!
//! A long poll, a stream and a wait for `ready` look once for themselves and then join the event hub ([`app::events`]): one task per
//! process asks the database what is new to any of them, at once after a commit of its own process and within 0.1 s
//! after another's, and hands it around in memory. Nobody holds a connection while waiting.
//!
//! # When there is too much to do
//!
//! A request takes a place before it costs anything, or stands in its team's line for one, or is turned away
//! ([`app::admission`]; [`domain::limits`] decides). Whoever waits for something outside holds none meanwhile.
//!
//! # When things break
//!
//! A create whose answer was lost is never guessed: [`domain::operation`] sends the same `ClientToken` again
//! while the cloud surely remembers it, afterwards looks for the operation's tag, until no earlier attempt can
//! still be accepted. A refusal after such doubt is held until then; a copy that was carried out late, as a
//! second cache, is removed then. A delete that comes meanwhile waits. A gateway that dies leaves leases that
//! run out within 12 s; another takes over. One that was only frozen or cut off takes no further step when it
//! wakes (`app`'s `base::lease`). What was not committed did not happen, what was committed is told.
//!
//! `tests/simulation` runs these very rules through every schedule of up to three faults, and random ones.

// Only `cli::console` prints; everything else is logged.
#![deny(clippy::print_stdout, clippy::print_stderr)]

/// Measured with many small requests at once: less processor time than the system's.
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
