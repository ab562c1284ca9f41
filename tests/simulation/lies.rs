//! The wrong data that the cloud returns: nothing at all, one cache missing, or one cache with alternating states.

use eci_cache_gateway::domain::image_cache::status::Status;

use crate::cloud::{NEVER, ShownCache, Time};
use crate::faults::Odd;

/// The wrong data of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lies {
    /// When it shows nothing.
    hidden: (Time, Time),
    /// Which cache it hides, and when.
    veiled: (usize, Time, Time),
    /// It has hidden a single cache. Only once in a run: two such times in succession cannot be distinguished from a
    /// cache that does not exist.
    hides_alone: bool,
    /// The wrong state that every second read returns, for which cache, and until when.
    flap: (Odd, usize, Time),
    /// Which kinds of reads last got the wrong state, one bit each.
    flips: u8,
    /// The current read gets the wrong state.
    pub(crate) odd: bool,
}

impl Lies {
    /// No wrong data.
    pub(crate) const NONE: Self = Self {
        hidden: (NEVER, NEVER),
        veiled: (0, NEVER, NEVER),
        hides_alone: false,
        flap: (Odd::Nothing, 0, 0),
        flips: 0,
        odd: false,
    };

    /// Shows nothing from `now` until `until`.
    pub(crate) fn hide(&mut self, now: Time, until: Time) {
        self.hidden = (now, until);
    }

    /// Hides this cache from `now` until `until`.
    pub(crate) fn veil(&mut self, newest: Option<usize>, now: Time, until: Time) {
        if let Some(newest) = newest.filter(|_| !self.hides_alone) {
            self.hides_alone = true;
            self.veiled = (newest, now, until);
        }
    }

    /// From the next read on, every second one returns a wrong state of this cache.
    pub(crate) fn flap(&mut self, odd: Odd, newest: Option<usize>, until: Time) {
        if odd != Odd::Nothing || !self.hides_alone {
            self.hides_alone |= odd == Odd::Nothing;
            (self.flap, self.flips) = ((odd, newest.unwrap_or_default(), until), 0);
        }
    }

    /// The cloud is read; reads of the same kind alternate.
    pub(crate) fn turn(&mut self, reason: u8, now: Time) {
        self.odd = now < self.flap.2;
        if self.odd {
            self.flips ^= 1 << reason;
            self.odd = self.flips & (1 << reason) != 0;
        }
    }

    /// What a read for the time `then` returns for a cache.
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

    /// Whether it hides this cache.
    pub(crate) fn is_veiled(&self, place: usize, then: Time) -> bool {
        self.is_hidden(then) || (self.veiled.1 <= then && then < self.veiled.2 && place == self.veiled.0)
    }

    /// Whether it shows nothing.
    pub(crate) fn is_hidden(&self, then: Time) -> bool {
        self.hidden.0 <= then && then < self.hidden.1
    }

    /// When it shows everything correctly again.
    pub(crate) fn until(&self) -> Time {
        let end = |from: Time, until: Time| if from == NEVER { 0 } else { until };
        end(self.hidden.0, self.hidden.1).max(end(self.veiled.1, self.veiled.2)).max(self.flap.2)
    }

    /// Whether there was any wrong data.
    pub(crate) fn any(&self) -> bool {
        self.has_hidden() || self.has_veiled() || self.has_flapped()
    }

    /// Whether it ever showed nothing.
    pub(crate) fn has_hidden(&self) -> bool {
        self.hidden.0 != NEVER
    }

    /// Whether it ever hid a single cache.
    pub(crate) fn has_veiled(&self) -> bool {
        self.veiled.1 != NEVER
    }

    /// Whether it ever returned alternating states.
    pub(crate) fn has_flapped(&self) -> bool {
        self.flap.2 != 0
    }
}
