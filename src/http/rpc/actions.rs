//! The five actions: parameters in, `Gateway` called, the answer's fields out.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{object, words};
use crate::app::input::{ChangeOptions, Changed, IdempotencyKey};
use crate::app::precondition::Precondition;
use crate::app::{Call, CreateAnswer, Error, Gateway, Receipt};
use crate::domain::identity::caller::Caller;
use crate::domain::limits::queue::Class;
use crate::eci;
use crate::eci::incoming::Incoming;
use crate::eci::params::read;
use crate::eci::sign_v1;
use crate::http::exchange::Rpc;
use crate::http::problem::ProblemResponse;

const CREATE_WITHDRAWN: &str = "Nothing was sent to the cloud, and nothing will be: a repeat is safe.";
const CREATE_GOES_ON: &str = "The request was sent to the cloud, which has not answered; it continues. Repeat it \
                              with the same ClientToken: that is safe and returns the outcome.";
const CREATE_IS_REMOVED: &str = "The request was sent to the cloud, which has not answered. If the cloud still \
                                 creates the image cache, the gateway deletes it: a repeat is safe and creates a new \
                                 one.";
const DELETE_GOES_ON: &str = "The deletion was recorded and continues until the cloud has carried it out: nothing \
                              more needs to be done, and a repeat is safe.";
const UPDATE_GOES_ON: &str = "The request was recorded and continues; describe the image cache before repeating it. \
                              With the same ClientToken, a repeat is safe and returns the outcome; without one, it \
                              is refused while the update continues.";

/// The fields of a success, without `RequestId`.
type Answered = Result<Map<String, Value>, ProblemResponse>;

/// An action of the cloud that is served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RpcAction {
    Create,
    Describe,
    Update,
    Delete,
    Usage,
}

impl RpcAction {
    /// The action of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match eci::Action::from_name(name)? {
            eci::Action::Create => Self::Create,
            eci::Action::Describe => Self::Describe,
            eci::Action::Update => Self::Update,
            eci::Action::Delete => Self::Delete,
            eci::Action::Usage => Self::Usage,
            eci::Action::AssumeRole | eci::Action::GetCallerIdentity => return None,
        })
    }

    /// How it stands in line when there is too much to do. Describing one is a read.
    pub(super) fn class(self, incoming: &Incoming) -> Class {
        match self {
            Self::Create | Self::Update | Self::Delete => Class::Change,
            Self::Describe if !incoming.params.iter().any(|(name, _)| name == "ImageCacheId") => Class::List,
            Self::Describe | Self::Usage => Class::Read,
        }
    }

    /// The same thing's operation id in REST: its scope, and its name in the audit.
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Create => "create_image_cache",
            Self::Describe => "list_image_caches",
            Self::Update => "update_image_cache",
            Self::Delete => "delete_image_cache",
            Self::Usage => "list_usage",
        }
    }
}

/// A request whose caller is known.
pub(super) struct AuthenticatedCall<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) caller: &'a Caller,
    pub(super) call: &'a Call,
    pub(super) rpc: &'a Rpc,
    pub(super) incoming: &'a Incoming,
    /// When it must have been answered.
    pub(super) deadline: Instant,
    /// Whether nothing is to be done, only to be said whether it would be.
    pub(super) dry_run: bool,
    /// What is to be recorded of the answer.
    pub(super) receipt: &'a OnceLock<Receipt>,
}

impl AuthenticatedCall<'_> {
    pub(super) async fn answer(&self, action: RpcAction) -> Answered {
        match action {
            RpcAction::Create => self.create().await,
            RpcAction::Describe => self.describe().await,
            RpcAction::Update => self.update().await,
            RpcAction::Delete => self.delete().await,
            RpcAction::Usage => self.usage().await,
        }
    }

    /// What is left until the deadline.
    fn wait(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The image cache that it is about, for the audit entry.
    fn about(&self, eci_cache_id: &str) {
        // The first telling counts.
        let _earlier = self.rpc.resource.set(eci_cache_id.chars().take(128).collect());
    }

    async fn create(&self) -> Answered {
        let (new, token) = read::read_create(&self.incoming.params).map_err(|refused| words::of_refused(&refused))?;
        if self.dry_run {
            return passed(self.gateway.image_caches().check_create(self.caller, &new).await);
        }
        let key = token.map(|token| self.key(&token));
        let unanswered = if key.is_some() { CREATE_GOES_ON } else { CREATE_IS_REMOVED };
        let told =
            self.gateway.image_caches().create_image_cache_now(self.caller, self.call, new, key, self.wait()).await;
        match told.map_err(|error| words::not_gone(words::of_error(error)))? {
            CreateAnswer::Done { eci_cache_id, container_group_id, receipt } => {
                // One create, one receipt.
                let _first = receipt.map(|receipt| self.receipt.set(receipt));
                Ok(fields([
                    ("ImageCacheId", json!(eci_cache_id)),
                    ("ContainerGroupId", json!(container_group_id.unwrap_or_default())),
                ]))
            }
            CreateAnswer::Withdrawn => Err(words::unavailable(CREATE_WITHDRAWN)),
            CreateAnswer::Unanswered => Err(words::unavailable(unanswered)),
        }
    }

    /// One request with one token happens once; nonce, time and signature are new in a repeat and do not count.
    fn key(&self, token: &str) -> IdempotencyKey {
        let counts = |pair: &&(String, String)| pair.0 != "ClientToken";
        let params: Vec<_> = self.incoming.params.iter().filter(counts).cloned().collect();
        IdempotencyKey { key: format!("rpc:{token}"), meaning: sign_v1::canonical(&params).into_bytes(), exact: None }
    }

    /// The answer to a change that was asked for before with the same token.
    async fn repeated(&self, action: RpcAction, key: Option<&IdempotencyKey>) -> Option<Answered> {
        let told =
            self.gateway.image_caches().repeated_change(self.caller, action.operation(), key?, self.wait()).await;
        told.map_err(words::of_error).transpose().map(|told| told.and_then(|over| ended(over, action)))
    }

    /// The end of a change that was recorded. One that was put off (throttled, or behind another) is waited for as long
    /// as the caller waits; then it goes on by itself, and cannot be called back.
    async fn changed(&self, action: RpcAction, changed: Result<Changed, Error>) -> Answered {
        let changed = changed.map_err(words::of_error)?;
        if changed.settled {
            return Ok(Map::new());
        }
        let operation = changed.image_cache.operation_id.parse();
        let operation = operation.map_err(|_| ProblemResponse::internal("an operation's id that cannot be read"))?;
        let over = self.gateway.image_caches().await_change(self.caller, operation, self.wait()).await;
        ended(over.map_err(words::of_error)?, action)
    }

    async fn describe(&self) -> Answered {
        let filter = read::read_describe(&self.incoming.params).map_err(|refused| words::of_refused(&refused))?;
        filter.eci_cache_id.iter().for_each(|id| self.about(id));
        if self.dry_run {
            return passed(Ok(()));
        }
        let found =
            self.gateway.image_caches().describe_image_caches(self.caller, &filter).await.map_err(words::of_error)?;
        let caches: Vec<Value> = found.caches.iter().map(object::of).collect();
        let mut answer = fields([("ImageCaches", json!(caches)), ("TotalCount", json!(found.total))]);
        answer.extend(found.next_token.map(|token| ("NextToken".to_owned(), json!(token))));
        Ok(answer)
    }

    async fn update(&self) -> Answered {
        let (id, region, changes, token) =
            read::read_update(&self.incoming.params).map_err(|refused| words::of_refused(&refused))?;
        self.about(&id);
        if self.dry_run {
            let cache = self
                .gateway
                .image_caches()
                .find_image_cache(self.caller, &region, &id)
                .await
                .map_err(words::of_error)?;
            return passed(self.gateway.image_caches().check_update(self.caller, cache, &changes).await);
        }
        let key = token.map(|token| self.key(&token));
        if let Some(answered) = self.repeated(RpcAction::Update, key.as_ref()).await {
            return answered;
        }
        let cache =
            self.gateway.image_caches().find_image_cache(self.caller, &region, &id).await.map_err(words::of_error)?;
        let options = ChangeOptions { precondition: Precondition::default(), wait: self.wait(), key };
        let done =
            self.gateway.image_caches().update_image_cache(self.caller, self.call, cache, changes, options).await;
        self.changed(RpcAction::Update, done).await
    }

    async fn delete(&self) -> Answered {
        let (id, region, token) =
            read::read_delete(&self.incoming.params).map_err(|refused| words::of_refused(&refused))?;
        self.about(&id);
        if self.dry_run {
            return passed(self.gateway.image_caches().find_image_cache(self.caller, &region, &id).await.map(drop));
        }
        let key = token.map(|token| self.key(&token));
        if let Some(answered) = self.repeated(RpcAction::Delete, key.as_ref()).await {
            return answered;
        }
        let cache =
            self.gateway.image_caches().find_image_cache(self.caller, &region, &id).await.map_err(words::of_error)?;
        let options = ChangeOptions { precondition: Precondition::default(), wait: self.wait(), key };
        let done = self.gateway.image_caches().delete_image_cache(self.caller, self.call, cache, options).await;
        self.changed(RpcAction::Delete, done).await
    }

    async fn usage(&self) -> Answered {
        let region = eci::usage::read(&self.incoming.params).map_err(|refused| words::of_refused(&refused))?;
        if self.dry_run {
            return passed(Ok(()));
        }
        let usage = self.gateway.image_caches().list_usage(self.caller, None, region).await;
        let usage = usage.map_err(|error| words::not_gone(words::of_error(error)))?;
        let mut attributes = usage.attributes;
        attributes.insert("TeamUsedImageCacheCount".to_owned(), json!(usage.team.used));
        attributes.insert("TeamReadyImageCacheCount".to_owned(), json!(usage.team.ready));
        Ok(fields([("Attributes", Value::Object(attributes))]))
    }
}

fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The answer to a dry run: the cloud says even the good end as an error, so that nobody takes it for done.
fn passed(checked: Result<(), Error>) -> Answered {
    checked.map_err(words::of_error)?;
    Err(words::refusal(400, "DryRunOperation", "Request validation has been passed with DryRun flag set."))
}

/// The answer to an update or delete: done, or why not yet and what remains.
fn ended(over: bool, action: RpcAction) -> Answered {
    match (over, action) {
        (true, _) => Ok(Map::new()),
        (false, RpcAction::Delete) => Err(words::unavailable(DELETE_GOES_ON)),
        (false, _) => Err(words::unavailable(UPDATE_GOES_ON)),
    }
}
