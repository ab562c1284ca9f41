//! The invariants: those that must hold once everything has come to rest, and those that must hold all the time.

use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::operation::OperationState;
use eci_cache_gateway::domain::webhooks::retry::MAX_ATTEMPTS;

use crate::cloud::NEVER;
use crate::store::{DELETE, EVENTS};
use crate::worker::is_over;
use crate::world::World;

impl World {
    /// What is violated at rest.
    pub(crate) fn check(&self) -> Option<&'static str> {
        let attempts = self.store.deliveries.iter().map(|delivery| delivery.attempts).max().unwrap_or_default();
        let checks = [
            (!self.all_over(), "stuck: an operation has not ended"),
            (self.store.row.core.status.is_in_motion(), "stuck: a cache in motion is not followed"),
            (
                !self.cloud.late_create
                    && !self.saw_nothing()
                    && !self.clocks.lasted
                    && self.cloud.creates > self.most_creates(),
                "two creates were carried out, and none was late",
            ),
            (self.recovered_late(), "late: a create has not ended soon after what went wrong for seconds"),
            (self.ended_late(), "late: an operation has not ended within hours"),
            (self.has_orphan(), "the cloud has a cache that no living row and no open finding names"),
            (!self.row_is_true(), "the row does not say what is the case"),
            (self.untold(), "a Ready of which nobody was told"),
            (self.refused_and_done() && !self.misled, "an operation counts as refused, and was carried out"),
            (self.is_undone(), "an older update undid a newer one"),
            (self.lives_untold(), "a cache lives that nobody was told of"),
            (self.was_lost(), "somebody lost the cache that they were given"),
            (self.endpoint.was_let_wait(attempts), "an endpoint rested although its team had resumed it"),
        ];
        checks.into_iter().find(|(wrong, _)| *wrong).map(|(_, what)| what)
    }

    fn all_over(&self) -> bool {
        let operations = &self.store.operations;
        operations.iter().all(|operation| is_over(operation.state) && operation.unsettled == NEVER)
    }

    /// A cache without a living row and without an open finding.
    fn has_orphan(&self) -> bool {
        if self.is_left_to_the_reconciler() {
            return false;
        }
        let known = self.store.row.cache.filter(|_| !self.store.row.core.status.is_final());
        let found = |place: usize| self.store.found & (1 << place) != 0;
        let named = |place: usize| Some(place) == known || found(place);
        (0..self.cloud.count).any(|place| self.cloud.look(place, NEVER - 1).is_some() && !named(place))
    }

    /// The cloud showed nothing, and there was no other evidence.
    fn saw_nothing(&self) -> bool {
        self.setting.alone && self.cloud.lies.has_hidden()
    }

    /// Whether the cloud still has it.
    pub(crate) fn exists(&self, cache: usize) -> bool {
        self.cloud.look(cache, NEVER - 1).is_some()
    }

    fn row_is_true(&self) -> bool {
        let row = &self.store.row;
        let shown = row.cache.and_then(|cache| self.cloud.look(cache, NEVER - 1));
        let create = self.store.operations[0].state;
        let delete = self.store.operations[DELETE].state;
        let deleted = delete != Some(OperationState::Succeeded) || row.core.status == Status::Deleted;
        let known = (create == Some(OperationState::Succeeded)) == row.cache.is_some();
        let same = match (row.core.status, shown) {
            (status, Some(shown)) => status == shown.status,
            // The copy of a refused delete may still arrive; the reconciler will notice.
            (status, None) => {
                status.is_final() || status == Status::Pending || row.cache.is_none() || self.deleted_late()
            }
        };
        deleted && known && same
    }

    fn deleted_late(&self) -> bool {
        self.store.operations[DELETE].is(OperationState::Refused) && self.cloud.carried_out[DELETE] > 0
    }

    /// Every Ready was reported once, and its webhook arrived.
    fn untold(&self) -> bool {
        let ready = self.store.row.core.ready;
        let generation = usize::try_from(self.store.row.core.generation).unwrap_or(0);
        let told = |place: usize| self.store.deliveries[place - 1].event != 0;
        let missing = ready && (1..=EVENTS).contains(&generation) && !told(generation);
        let lost = |place: usize| {
            let delivery = &self.store.deliveries[place];
            let received = self.received[place].1 > 0 && delivery.delivered;
            delivery.event != 0 && !received && delivery.attempts < MAX_ATTEMPTS
        };
        missing || (0..EVENTS).any(lost)
    }

    /// If snapshots distinguish builds, and no earlier build had failed.
    fn refused_and_done(&self) -> bool {
        let done = |place: usize| {
            self.store.operations[place].is(OperationState::Refused) && self.cloud.carried_out[place] > 0
        };
        let gone = self.store.row.core.status.is_final();
        (done(0)
            && !self.was_withdrawn()
            && !self.store.taken
            && !self.is_left_to_the_reconciler()
            && !self.saw_nothing())
            || (self.setting.comparable && !gone && (done(1) || (done(2) && !self.first_failed())))
    }

    /// A create that was withdrawn by a delete, and whose copy arrived after the lookup: it is deleted, as the check
    /// for orphans shows.
    fn was_withdrawn(&self) -> bool {
        self.store.operations[DELETE].state.is_some()
    }

    fn first_failed(&self) -> bool {
        self.cloud.first_ready[1] == NEVER
    }

    /// The cloud's last build is at least the last successful request.
    fn is_undone(&self) -> bool {
        let row = &self.store.row;
        let newest = (1..DELETE).rfind(|place| self.store.operations[*place].is(OperationState::Succeeded));
        let (Some(newest), Some(cache)) = (newest, row.cache) else { return false };
        self.cloud.caches[cache].by < newest && self.cloud.carried_out[newest] > 0
    }

    /// A cache is called lost although it exists, or there is a Ready event before the cloud's Ready.
    pub(crate) fn check_early(&mut self) {
        if self.clocks.lasted {
            return;
        }
        let row = &self.store.row;
        if row.core.status == Status::Lost && row.cache.is_some_and(|cache| self.exists(cache)) {
            self.misled = true;
            if !self.may_be_taken_for_lost() {
                self.violation = Some("a cache was called lost that the cloud has");
            }
        }
        if !self.misled && self.is_early() {
            self.violation = Some("a Ready event before the cloud's Ready");
        }
    }

    /// A single cache may be taken for lost while it is hidden, or if the worker that saw it between two misses has
    /// died; and so may a new one whose creation time was uncertain. It is revived afterwards.
    fn may_be_taken_for_lost(&self) -> bool {
        self.cloud.lies.has_veiled() || (self.cloud.lies.has_flapped() && self.met.count > 1) || !self.clocks.agree()
    }

    fn is_early(&self) -> bool {
        // For an update that the cloud acknowledged without carrying it out, it returns the previous Ready.
        self.store.deliveries.iter().enumerate().any(|(place, delivery)| {
            let by = self.store.made_by[place + 1];
            delivery.event != 0 && self.cloud.first_ready[by] > self.now && !self.cloud.denied[by]
        })
    }
}
