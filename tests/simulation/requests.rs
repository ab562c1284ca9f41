//! The caller's requests after the create, and what the door does with them.

use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::operation::{OperationKind, OperationState};

use crate::cloud::{NEVER, Time};
use crate::schedule::Script;
use crate::store::{DELETE, ModelOperation};
use crate::world::World;

/// A request of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerRequest {
    Update(usize),
    Delete,
    Join,
    Resume,
}

impl World {
    /// The caller's next request, and its time.
    pub(crate) fn next_request(&self) -> (Time, CallerRequest) {
        let (made, last) = self.requests;
        if made >= self.script.requests() {
            return (NEVER, CallerRequest::Delete);
        }
        let status = self.store.row.core.status;
        let free = !self.store.operations.iter().any(|operation| operation.is(OperationState::Running));
        let when_ready = if status == Status::Ready && free { self.now } else { NEVER };
        let when_updatable = if status == Status::UpdateFailed && free { self.now } else { when_ready };
        let (at, asked) = match (self.script, made) {
            (Script::CreateDelete, 0) => (2, CallerRequest::Delete),
            (Script::ReadyDelete, 0) => (when_ready, CallerRequest::Delete),
            (Script::Update | Script::UpdateTwice | Script::UpdateDelete | Script::AskUpdate, 0) => {
                (when_ready, CallerRequest::Update(1))
            }
            (Script::Resume, 0) => (self.endpoint.is_resumed_at(), CallerRequest::Resume),
            (Script::AskJoin, 0) => (2, CallerRequest::Join),
            (Script::AskJoinReady, 0) => (when_ready, CallerRequest::Join),
            (Script::UpdateTwice, 1) => (when_updatable, CallerRequest::Update(2)),
            (Script::UpdateDelete, 1) => (last + 2, CallerRequest::Delete),
            _ => (NEVER, CallerRequest::Delete),
        };
        let away_until = self.away_until.max(self.read_only_until);
        (if at == NEVER { NEVER } else { at.max(away_until) }, asked)
    }

    /// What the door and `app` do with a request, in one transaction.
    pub(crate) fn request(&mut self, asked: CallerRequest) {
        self.requests = (self.requests.0 + 1, self.now);
        self.go_by_clock_of(0);
        self.note(|| format!("the caller asks for {asked:?}"));
        let status = self.store.row.core.status;
        let (place, state) = match asked {
            CallerRequest::Delete if status.is_final() || status == Status::Deleting => return,
            CallerRequest::Delete => (DELETE, self.delete_state()),
            CallerRequest::Join => return self.join(),
            CallerRequest::Resume => return self.resume(),
            CallerRequest::Update(place) => (place, OperationState::Running),
        };
        if self.script.asks_without_token() {
            self.store.name();
            self.relied = true;
        }
        let operation = &mut self.store.operations[place];
        (operation.state, operation.due) = (Some(state), self.clock);
        self.store.row.newest = place;
        self.store.row.version += 1;
        self.store.changed = self.store.changed.max(self.clock);
    }

    /// A delete waits for running operations; a create of which nothing was sent is claimed at once.
    fn delete_state(&mut self) -> OperationState {
        let now = self.clock;
        let running = |operation: &&mut ModelOperation| operation.is(OperationState::Running);
        let Some(earlier) = self.store.operations.iter_mut().find(running) else { return OperationState::Running };
        if earlier.progress.kind == OperationKind::Create && !earlier.progress.in_doubt {
            earlier.due = now;
        }
        OperationState::Waiting
    }
}
