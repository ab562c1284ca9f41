//! The cloud: builds, tokens that it forgets, lists that lag, requests that arrive late.
//!
//! It is what the contract says, at its worst: a token is remembered for no longer than we assume, a request is
//! accepted up to 15 minutes after it was signed, a look may show what was 59 s ago. And now and then it lies: it shows
//! what is not so ([`crate::lies`]), or says that something was done and does nothing.

use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::operation::{CallOutcome, OperationKind};

use crate::lies::Lies;
use crate::rows::LAG;

/// Seconds since the beginning.
pub(crate) type Time = i32;
/// Later than anything.
pub(crate) const NEVER: Time = Time::MAX;
/// How long a signed request is accepted.
pub(crate) const ACCEPTANCE: Time = 900;

const CACHES: usize = 8;
/// The id of a cache that another row has.
pub(crate) const ANOTHERS: usize = CACHES;
const TOKENS: usize = 24;
const LATE: usize = MOST_LATE;
const MOST_LATE: usize = 12;

/// One cache of the cloud. Its number is its id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelCache {
    pub(crate) made: Time,
    pub(crate) gone: Time,
    /// The newest build.
    began: Time,
    pub(crate) done: Time,
    fails: bool,
    /// Which operation's it is.
    pub(crate) by: usize,
    /// Numbers the snapshots that were made; the newest, and the one before.
    snapshot: u8,
    snapshot_before: u8,
    /// The build before ended so.
    ended_before: Status,
}

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelRequest {
    pub(crate) kind: OperationKind,
    pub(crate) operation: usize,
    pub(crate) token: u16,
    pub(crate) signed: Time,
    pub(crate) target: usize,
    pub(crate) fails: bool,
}

/// What a look shows of one cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShownCache {
    pub(crate) status: Status,
    pub(crate) snapshot: u8,
}

#[derive(Clone, Copy)]
pub(crate) struct ModelCloud {
    pub(crate) caches: [ModelCache; CACHES],
    pub(crate) count: usize,
    tokens: [(u16, Time, usize); TOKENS],
    token_count: usize,
    late: [(Time, ModelRequest); LATE],
    late_count: usize,
    /// When the last of them arrived.
    last_late: Time,
    pub(crate) memory: Time,
    pub(crate) build: Time,
    /// Creates that were carried out.
    pub(crate) creates: u32,
    /// How often each operation's request was carried out.
    pub(crate) carried_out: [u32; 4],
    /// When the first build of each operation was ready.
    pub(crate) first_ready: [Time; 4],
    /// Something of a create arrived late.
    pub(crate) late_create: bool,
    /// What it shows that is not so.
    pub(crate) lies: Lies,
    /// The token of a create for which it has given another row's id.
    pub(crate) anothers: Option<u16>,
    /// Requests that it said were done, and did not do.
    pub(crate) denied: [bool; 4],
    snapshots: u8,
}

impl ModelCloud {
    pub(crate) fn new(memory: Time, build: Time) -> Self {
        let cache = ModelCache {
            made: NEVER,
            gone: NEVER,
            began: 0,
            done: 0,
            fails: false,
            by: 0,
            snapshot: 0,
            snapshot_before: 0,
            ended_before: Status::Ready,
        };
        let request =
            ModelRequest { kind: OperationKind::Create, operation: 0, token: 0, signed: 0, target: 0, fails: false };
        Self {
            caches: [cache; CACHES],
            count: 0,
            tokens: [(0, 0, 0); TOKENS],
            token_count: 0,
            late: [(NEVER, request); LATE],
            late_count: 0,
            last_late: -LAG,
            memory,
            build,
            creates: 0,
            carried_out: [0; 4],
            first_ready: [NEVER; 4],
            late_create: false,
            lies: Lies::NONE,
            anothers: None,
            denied: [false; 4],
            snapshots: 0,
        }
    }

    /// Whether it ever showed something that was not so, or said so.
    pub(crate) fn has_lied(&self) -> bool {
        self.lies.any() || self.denied.contains(&true)
    }

    /// Says that the request was carried out, and does nothing: a create has the id of a cache that is not there.
    pub(crate) fn deny(&mut self, request: ModelRequest) -> (CallOutcome, usize) {
        self.denied[request.operation] = true;
        if request.kind != OperationKind::Create || self.count == CACHES {
            return (CallOutcome::Done, request.target);
        }
        self.count += 1;
        (CallOutcome::Done, self.count - 1)
    }

    /// A request that will arrive at `at`.
    pub(crate) fn delay(&mut self, at: Time, request: ModelRequest) {
        self.late_create |= request.kind == OperationKind::Create;
        if self.late_count < LATE {
            self.late[self.late_count] = (at, request);
            self.late_count += 1;
        }
    }

    /// When the next late request arrives.
    pub(crate) fn next_late(&self) -> Time {
        self.late[..self.late_count].iter().map(|(at, _)| *at).min().unwrap_or(NEVER)
    }

    /// When a look shows all that arrives late, however it lags.
    pub(crate) fn shown_from(&self) -> Time {
        if self.late_count > 0 { NEVER } else { self.last_late + LAG }
    }

    /// Takes the late requests that arrive now; nobody hears the answers.
    pub(crate) fn take_late(&mut self, now: Time) -> Option<ModelRequest> {
        let place = self.late[..self.late_count].iter().position(|(at, _)| *at <= now)?;
        let (_, request) = self.late[place];
        self.late_count -= 1;
        self.late[place] = self.late[self.late_count];
        self.last_late = now;
        Some(request)
    }

    /// Carries a request out, or not; the answer, and the cache of a create.
    pub(crate) fn arrive(&mut self, request: ModelRequest, now: Time) -> (CallOutcome, usize) {
        if (now - request.signed).abs() > ACCEPTANCE {
            return (CallOutcome::Refused, 0);
        }
        let known = self.tokens[..self.token_count].iter().rfind(|known| known.0 == request.token);
        if let Some((_, at, cache)) = known.copied()
            && now - at < self.memory
        {
            return (CallOutcome::Done, cache);
        }
        let (answer, cache) = match request.kind {
            OperationKind::Create => self.create(request, now),
            OperationKind::Update => self.update(request, now),
            OperationKind::Delete => {
                let cache = &mut self.caches[request.target];
                cache.gone = cache.gone.min(now);
                (CallOutcome::Done, request.target)
            }
        };
        if answer == CallOutcome::Done {
            self.carried_out[request.operation] += 1;
            if self.token_count < TOKENS {
                self.tokens[self.token_count] = (request.token, now, cache);
                self.token_count += 1;
            }
        }
        (answer, cache)
    }

    fn create(&mut self, request: ModelRequest, now: Time) -> (CallOutcome, usize) {
        let place = self.count;
        if place == CACHES {
            return (CallOutcome::Refused, 0);
        }
        self.count += 1;
        self.creates += 1;
        self.caches[place].made = now;
        self.begin(place, request, now);
        (CallOutcome::Done, place)
    }

    fn update(&mut self, request: ModelRequest, now: Time) -> (CallOutcome, usize) {
        let cache = self.caches[request.target];
        // In no other state the cloud takes an update.
        let first_failed = cache.fails && cache.snapshot == 0;
        if cache.gone <= now || now < cache.done || first_failed {
            return (CallOutcome::Refused, 0);
        }
        self.begin(request.target, request, now);
        (CallOutcome::Done, request.target)
    }

    fn begin(&mut self, place: usize, request: ModelRequest, now: Time) {
        let cache = &mut self.caches[place];
        cache.ended_before = if cache.fails { Status::UpdateFailed } else { Status::Ready };
        cache.snapshot_before = cache.snapshot;
        (cache.began, cache.done, cache.by, cache.fails) = (now, now + self.build, request.operation, request.fails);
        if !request.fails {
            self.snapshots += 1;
            cache.snapshot = self.snapshots;
            let first = &mut self.first_ready[request.operation];
            *first = (*first).min(now + self.build);
        }
    }

    /// Takes a cache away: what was made twice.
    pub(crate) fn remove(&mut self, place: usize, now: Time) {
        self.caches[place].gone = self.caches[place].gone.min(now);
    }

    /// What a look by id at `then` shows.
    pub(crate) fn look(&self, place: usize, then: Time) -> Option<ShownCache> {
        self.truth(place, then).and_then(|shown| self.lies.show(shown, place, then))
    }

    /// What it had then.
    pub(crate) fn truth(&self, place: usize, then: Time) -> Option<ShownCache> {
        let there = |cache: &&ModelCache| cache.made <= then && then < cache.gone;
        let cache = self.caches.get(place).filter(there)?;
        let first = cache.began == cache.made;
        let (status, snapshot) = if then < cache.began {
            (cache.ended_before, cache.snapshot_before)
        } else if then < cache.done {
            (if first { Status::Creating } else { Status::Updating }, cache.snapshot_before)
        } else if cache.fails {
            (if first { Status::Failed } else { Status::UpdateFailed }, cache.snapshot_before)
        } else {
            (Status::Ready, cache.snapshot)
        };
        Some(ShownCache { status, snapshot })
    }

    /// The caches with the create's tag, as a list shows them at `then`.
    pub(crate) fn listed(&self, then: Time) -> impl Iterator<Item = usize> {
        (0..self.count).filter(move |place| self.look(*place, then).is_some())
    }
}
