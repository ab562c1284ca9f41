//! What the cloud shows that is not so: nothing at all, one cache not, or one now as this and now as that.

use eci_cache_gateway::domain::image_cache::status::Status;

use crate::cloud::{NEVER, ShownCache, Time};
use crate::faults::Odd;

/// The lies of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lies {
    /// When it shows nothing.
    hidden: (Time, Time),
    /// Which cache it does not show, and when.
    veiled: (usize, Time, Time),
    /// It has hidden one cache alone. Once in a run: what two such lies hide, one after the other, nobody can tell from
    /// what is not there.
    hides_alone: bool,
    /// What each second look shows of which cache, and until when.
    flap: (Odd, usize, Time),
    /// Which reasons to look have seen it so last, one bit each.
    flips: u8,
    /// The present look sees it so.
    pub(crate) odd: bool,
}

impl Lies {
    /// None so far.
    pub(crate) const NONE: Self = Self {
        hidden: (NEVER, NEVER),
        veiled: (0, NEVER, NEVER),
        hides_alone: false,
        flap: (Odd::Nothing, 0, 0),
        flips: 0,
        odd: false,
    };

    /// Shows nothing from `now` on until then.
    pub(crate) fn hide(&mut self, now: Time, until: Time) {
        self.hidden = (now, until);
    }

    /// Does not show this cache from `now` on until then.
    pub(crate) fn veil(&mut self, newest: Option<usize>, now: Time, until: Time) {
        if let Some(newest) = newest.filter(|_| !self.hides_alone) {
            self.hides_alone = true;
            self.veiled = (newest, now, until);
        }
    }

    /// From the next look on each second one shows this cache otherwise than it is.
    pub(crate) fn flap(&mut self, odd: Odd, newest: Option<usize>, until: Time) {
        if odd != Odd::Nothing || !self.hides_alone {
            self.hides_alone |= odd == Odd::Nothing;
            (self.flap, self.flips) = ((odd, newest.unwrap_or_default(), until), 0);
        }
    }

    /// Somebody looks; those who look for the same reason see it otherwise each second time.
    pub(crate) fn turn(&mut self, reason: u8, now: Time) {
        self.odd = now < self.flap.2;
        if self.odd {
            self.flips ^= 1 << reason;
            self.odd = self.flips & (1 << reason) != 0;
        }
    }

    /// What a look at `then` shows of a cache.
    pub(crate) fn show(&self, mut shown: ShownCache, place: usize, then: Time) -> Option<ShownCache> {
        if self.is_veiled(place, then) {
            return None;
        }
        if self.odd && place == self.flap.1 && then < self.flap.2 {
            shown.status = match self.flap.0 {
                Odd::Failed => Status::Failed,
                Odd::Creating => Status::Creating,
                Odd::Nothing => return None,
            };
        }
        Some(shown)
    }

    /// Whether it does not show this one.
    pub(crate) fn is_veiled(&self, place: usize, then: Time) -> bool {
        self.is_hidden(then) || (self.veiled.1 <= then && then < self.veiled.2 && place == self.veiled.0)
    }

    /// Whether it shows nothing.
    pub(crate) fn is_hidden(&self, then: Time) -> bool {
        self.hidden.0 <= then && then < self.hidden.1
    }

    /// When it shows everything as it is again.
    pub(crate) fn until(&self) -> Time {
        let end = |from: Time, until: Time| if from == NEVER { 0 } else { until };
        end(self.hidden.0, self.hidden.1).max(end(self.veiled.1, self.veiled.2)).max(self.flap.2)
    }

    /// Whether there were any.
    pub(crate) fn any(&self) -> bool {
        self.has_hidden() || self.has_veiled() || self.has_flapped()
    }

    /// Whether it ever showed nothing.
    pub(crate) fn has_hidden(&self) -> bool {
        self.hidden.0 != NEVER
    }

    /// Whether it ever did not show one alone.
    pub(crate) fn has_veiled(&self) -> bool {
        self.veiled.1 != NEVER
    }

    /// Whether it ever showed one now as this and now as that.
    pub(crate) fn has_flapped(&self) -> bool {
        self.flap.2 != 0
    }
}
