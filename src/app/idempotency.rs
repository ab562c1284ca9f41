//! Requests with an `Idempotency-Key`: the first one has its effect and its response is kept, a repeat gets that
//! response and does nothing. `app::access` says of each operation which way; creates, ensures and updates of image
//! caches have the same by their operations ([`crate::app::operations::names`]).
//!
//! What must stay true: the effect happens at most once, wherever the gateway dies. A change in the database commits
//! together with its response ([`HeldCommit`]), so a key without a response had no effect. An effect outside (a message
//! that is sent) is announced before it begins; if its request died, repeats are told that nobody knows.
//!
//! Two at once: in one process the second is refused while the first runs. Of two gateways both may begin; they meet at
//! the key when they commit, one is rolled back, and it answers with the response of the other.
//!
//! A response may hold a secret. So it is kept encrypted, and only for who asked: subject, path, query and body are one
//! fingerprint, and anybody else of the team with the same key is told that it was used for something else.
//!
//! A refusal is not kept: the request had no effect, and may be repeated with its key once the reason is gone.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretSlice};

use super::access::Repeats;
use super::base::Base;
use super::{Call, Error};
use crate::domain::idempotency::{KeyVerdict, judge, meaning};
use crate::domain::identity::caller::{Caller, TeamId};
use crate::domain::ids;
use crate::domain::problem::Code;
use crate::store::{HeldCommit, IDEMPOTENT_RESPONSE, NewKey, ResponseKey};

/// What the fingerprints of requests are for.
const LABEL: &str = "idempotent_request";
/// The length of a fingerprint in bytes.
const PRINT: usize = 32;

/// A request that came with a key.
#[derive(Debug, Clone)]
pub struct KeyedRequest {
    /// The API operation.
    pub operation: &'static str,
    /// In which way a repeat does nothing.
    pub repeats: Repeats,
    /// The key as the caller sent it: 1 to 255 printable ASCII characters.
    pub key: String,
    /// What it asks for: path, query and body, the body in a canonical form.
    pub asks: Vec<u8>,
    /// The longest time that it may run.
    pub within: Duration,
}

/// How a request ended.
#[derive(Debug)]
pub enum KeyedEnd {
    /// It had its effect, and this is its response.
    Succeeded(SecretSlice<u8>),
    /// It was refused, and had no effect.
    Refused,
    /// It failed. An effect outside the database may have happened.
    Failed,
}

/// What a request with a key is answered with.
#[derive(Debug)]
pub enum Answered<T> {
    /// What it ended with itself.
    Now(T),
    /// The response that was kept.
    Before(SecretSlice<u8>),
}

type RunningKey = (TeamId, &'static str, String);

/// Requests with a key; cheap to clone.
#[derive(Debug, Clone)]
pub struct Idempotency {
    base: Base,
    /// Those that this process is carrying out.
    running: Arc<Mutex<HashSet<RunningKey>>>,
}

/// One of those that are carried out, until it is dropped.
struct Running(Arc<Mutex<HashSet<RunningKey>>>, RunningKey);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl Idempotency {
    pub(super) fn new(base: &Base) -> Self {
        Self { base: base.clone(), running: Arc::default() }
    }

    /// Carries a request out with `work`, unless that was done before. `end_of` says how it ended.
    pub async fn once<T>(
        &self,
        caller: &Caller,
        call: &Call,
        request: &KeyedRequest,
        work: impl Future<Output = T>,
        end_of: impl FnOnce(&T) -> KeyedEnd,
    ) -> Result<Answered<T>, Error> {
        let asked = self.key_of(caller, request);
        let _running = self.enter(&asked)?;
        if let Some(before) = self.recorded(&asked).await? {
            return Ok(Answered::Before(before));
        }
        if request.repeats == Repeats::Outside {
            return self.outside(&asked, request.within, work, end_of).await;
        }
        let (done, held) = if request.repeats == Repeats::Stepwise {
            (work.await, Arc::default())
        } else {
            call.defer_audited();
            HeldCommit::around(work).await
        };
        let end = end_of(&done);
        self.end(call, &asked, held, done, end).await
    }

    /// Commits what was changed together with its response.
    async fn end<T>(
        &self,
        call: &Call,
        asked: &ResponseKey,
        held: Arc<HeldCommit>,
        done: T,
        end: KeyedEnd,
    ) -> Result<Answered<T>, Error> {
        let KeyedEnd::Succeeded(response) = end else {
            drop(held);
            // Another gateway may have done it at the same time: then that is why it was refused here.
            let before = self.recorded(asked).await.ok().flatten();
            return Ok(before.map_or(Answered::Now(done), Answered::Before));
        };
        let sealed = self.sealed(asked, &response);
        if self.base.store().commit_with_response(&held, asked, &sealed).await? {
            call.set_committed();
            // Whatever was changed is only now there to be found.
            self.base.outlet().look.notify_one();
            return Ok(Answered::Now(done));
        }
        self.recorded(asked).await?.map(Answered::Before).ok_or(Error::IdempotencyInFlight)
    }

    /// Carries out what has its effect outside the database.
    async fn outside<T>(
        &self,
        asked: &ResponseKey,
        within: Duration,
        work: impl Future<Output = T>,
        end_of: impl FnOnce(&T) -> KeyedEnd,
    ) -> Result<Answered<T>, Error> {
        let store = self.base.store();
        if !store.announce_request(asked, within).await? {
            return self.recorded(asked).await?.map(Answered::Before).ok_or(Error::IdempotencyInFlight);
        }
        let done = work.await;
        let noted = match end_of(&done) {
            KeyedEnd::Succeeded(response) => store.keep_response(asked.id, &self.sealed(asked, &response)).await,
            KeyedEnd::Refused => store.withdraw_request(asked.id).await,
            KeyedEnd::Failed => Ok(()),
        };
        if let Err(error) = noted {
            // The caller has the answer all the same; repeats are told that it is not known.
            tracing::warn!(error = &error as &dyn std::error::Error, "could not keep the response to a request");
        }
        Ok(Answered::Now(done))
    }

    /// Counts the request as running. Refuses it if another one with its key is running here.
    fn enter(&self, asked: &ResponseKey) -> Result<Running, Error> {
        let key = (asked.team.clone(), asked.key.action, asked.key.key.clone());
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.insert(key.clone()) {
            Ok(Running(Arc::clone(&self.running), key))
        } else {
            Err(Error::IdempotencyInFlight)
        }
    }

    /// The response that was kept for this request. `None` if the key is new; an error if it does not allow a run.
    async fn recorded(&self, asked: &ResponseKey) -> Result<Option<SecretSlice<u8>>, Error> {
        let found = self.base.store().kept_response(asked).await?;
        match judge(found.as_ref().map(|found| found.recorded)) {
            KeyVerdict::Run => Ok(None),
            KeyVerdict::Mismatch => Err(Error::IdempotencyMismatch),
            KeyVerdict::InFlight => Err(Error::IdempotencyInFlight),
            KeyVerdict::Unknown => Err(unknown()),
            KeyVerdict::Replay => {
                let kept = found.and_then(|found| Some((found.id, found.response?)));
                let (id, sealed) = kept.ok_or_else(|| Error::Internal("a kept response that is not there".into()))?;
                let plain = self.base.sealer().open(&sealed, &context(id));
                let plain = plain.map_err(|error| Error::Internal(error.into()))?;
                let (print, response) = plain.expose_secret().split_at_checked(PRINT).unwrap_or_default();
                // Whoever can write to the database cannot make it the answer to a request of their own.
                if !asked.key.is_of(print) {
                    return Err(Error::Internal("a kept response of another request".into()));
                }
                tracing::info!(action = asked.key.action, "answered from the idempotency key");
                Ok(Some(SecretSlice::from(response.to_vec())))
            }
        }
    }

    fn sealed(&self, asked: &ResponseKey, response: &SecretSlice<u8>) -> Vec<u8> {
        // Wiped when dropped: a secret of the response does not stay behind in freed memory.
        let plain = SecretSlice::from([&asked.key.fingerprint, response.expose_secret()].concat());
        self.base.sealer().seal(plain.expose_secret(), &context(asked.id), self.base.entropy())
    }

    fn key_of(&self, caller: &Caller, request: &KeyedRequest) -> ResponseKey {
        let issuer = caller.provenance.as_ref().map_or("", |provenance| provenance.issuer.as_str());
        let asks = meaning(&[issuer.as_bytes(), caller.subject.as_bytes(), &request.asks]);
        let prints = self.base.fingerprint();
        let key = NewKey {
            action: request.operation,
            key: request.key.clone(),
            fingerprint: prints.of(LABEL, &asks).to_vec(),
            others: prints.of_former(LABEL, &asks).map(Vec::from).into_iter().collect(),
        };
        let at = self.base.now();
        ResponseKey { id: ids::uuid_v7(at, self.base.entropy()), team: caller.team.clone(), key, at }
    }
}

fn context(id: uuid::Uuid) -> String {
    format!("{IDEMPOTENT_RESPONSE}{id}")
}

fn unknown() -> Error {
    let detail = "the first request with this Idempotency-Key did not end, and whether it was carried out is not \
                  known: look, and if it was not, send the request with another key";
    Error::Conflict { code: Code::IdempotencyOutcomeUnknown, detail: detail.to_owned() }
}
