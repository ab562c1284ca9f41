//! The cloud: builds, tokens that it forgets, lists that lag, requests that arrive late.
//!
//! It behaves as the contract allows at worst: a token is remembered no longer than we assume, a request is accepted up
//! to 15 minutes after it was signed, a read may return the state of 59 s ago. And sometimes it is wrong: it returns
//! wrong data ([`crate::lies`]), or acknowledges something without doing it.

use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::operation::{CallOutcome, OperationKind};

use crate::lies::Lies;
use crate::rows::LAG;

/// Seconds since the beginning.
pub(crate) type Time = i32;
/// Later than any time.
pub(crate) const NEVER: Time = Time::MAX;
/// How long a signed request is accepted.
pub(crate) const ACCEPTANCE: Time = 900;

const CACHES: usize = 8;
/// The id of a cache that another row has.
pub(crate) const ANOTHERS: usize = CACHES;
const TOKENS: usize = 24;
const LATE: usize = MOST_LATE;
const MOST_LATE: usize = 12;

/// A cache in the cloud. Its index is its id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelCache {
    pub(crate) made: Time,
    pub(crate) gone: Time,
    /// When the newest build began.
    began: Time,
    pub(crate) done: Time,
    fails: bool,
    /// The operation that it belongs to.
    pub(crate) by: usize,
    /// Numbers the snapshots: the newest, and the previous one.
    snapshot: u8,
    snapshot_before: u8,
    /// How the previous build ended.
    ended_before: Status,
}

/// A request in transit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelRequest {
    pub(crate) kind: OperationKind,
    pub(crate) operation: usize,
    pub(crate) token: u16,
    pub(crate) signed: Time,
    pub(crate) target: usize,
    pub(crate) fails: bool,
}

/// What a read returns for a cache.
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
    /// When the last late request arrived.
    last_late: Time,
    pub(crate) memory: Time,
    pub(crate) build: Time,
    /// The number of creates that were carried out.
    pub(crate) creates: u32,
    /// How often each operation's request was carried out.
    pub(crate) carried_out: [u32; 4],
    /// When the first build of each operation was ready.
    pub(crate) first_ready: [Time; 4],
    /// A request of a create arrived late.
    pub(crate) late_create: bool,
    /// The wrong data that it returns.
    pub(crate) lies: Lies,
    /// The token of the create for which it returned another row's id.
    pub(crate) anothers: Option<u16>,
    /// The requests that it acknowledged without carrying them out.
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

    /// Whether it ever returned wrong data or a wrong acknowledgement.
    pub(crate) fn has_lied(&self) -> bool {
        self.lies.any() || self.denied.contains(&true)
    }

    /// Acknowledges the request without carrying it out: a create gets the id of a cache that does not exist.
    pub(crate) fn deny(&mut self, request: ModelRequest) -> (CallOutcome, usize) {
        self.denied[request.operation] = true;
        if request.kind != OperationKind::Create || self.count == CACHES {
            return (CallOutcome::Done, request.target);
        }
        self.count += 1;
        (CallOutcome::Done, self.count - 1)
    }

    /// Delays a request until `at`.
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

    /// When a read includes everything that arrived late, despite its lag.
    pub(crate) fn shown_from(&self) -> Time {
        if self.late_count > 0 { NEVER } else { self.last_late + LAG }
    }

    /// Takes a late request that arrives now; nobody gets the response.
    pub(crate) fn take_late(&mut self, now: Time) -> Option<ModelRequest> {
        let place = self.late[..self.late_count].iter().position(|(at, _)| *at <= now)?;
        let (_, request) = self.late[place];
        self.late_count -= 1;
        self.late[place] = self.late[self.late_count];
        self.last_late = now;
        Some(request)
    }

    /// Carries out or refuses a request; returns the outcome, and the cache of a create.
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
        // The cloud accepts an update in no other state.
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

    /// Deletes a duplicate cache.
    pub(crate) fn remove(&mut self, place: usize, now: Time) {
        self.caches[place].gone = self.caches[place].gone.min(now);
    }

    /// What a read by id returns for the time `then`.
    pub(crate) fn look(&self, place: usize, then: Time) -> Option<ShownCache> {
        self.truth(place, then).and_then(|shown| self.lies.show(shown, place, then))
    }

    /// The actual state at that time.
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

    /// The caches with the create's tag, as a list returns them for the time `then`.
    pub(crate) fn listed(&self, then: Time) -> impl Iterator<Item = usize> {
        (0..self.count).filter(move |place| self.look(*place, then).is_some())
    }
}
