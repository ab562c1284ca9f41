//! The state of a cache at a given time: a build is planned once, as a list of times, which is then only read.
//!
//! Pure: no clock, no timers. Seconds below are stand-in seconds; dividing them by the speed gives real ones.
//!
//! * First build: `Preparing` 3 s, `Creating` 7 s and 1 s more for each further image (half of that with layer reuse),
//!   then `Ready`, or `Failed` before that.
//! * Flash: `Ready` after 4 s with the local snapshot, while `Progress` refers to the standard snapshot, which replaces
//!   the local one when it is done.
//! * Update: for 1 s, reads still return the previous state, then `Updating`, then `Ready` with a new snapshot, or
//!   `UpdateFailed` with the old one.

use std::borrow::Cow;

use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::images::BuildFailure;
use crate::domain::clock::Instant;

/// The duration of `Preparing`.
const PREPARING: f64 = 3.0;
/// The duration of pulling the first image.
const FIRST_IMAGE: f64 = 7.0;
/// The duration of pulling each further image.
const FURTHER_IMAGE: f64 = 1.0;
/// When a flash cache is usable.
const FLASH: f64 = 4.0;
/// How long reads lag behind an update.
const LAG: f64 = 1.0;
/// When the resources have been checked.
const CHECK: f64 = 0.5;
/// How long a registry takes to refuse.
const REFUSAL: f64 = 2.0;

/// `Status` of an image cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum BuildStatus {
    Preparing,
    Creating,
    Ready,
    Failed,
    Updating,
    UpdateFailed,
}

impl BuildStatus {
    /// The cloud's name of the status.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "Preparing",
            Self::Creating => "Creating",
            Self::Ready => "Ready",
            Self::Failed => "Failed",
            Self::Updating => "Updating",
            Self::UpdateFailed => "UpdateFailed",
        }
    }
}

/// The visible state of a cache at a given time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Look {
    pub(super) status: BuildStatus,
    pub(super) progress: i64,
    pub(super) snapshot_id: Option<String>,
    pub(super) flash_snapshot_id: Option<String>,
}

/// An event of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BuildEvent {
    pub(super) at: Instant,
    pub(super) name: String,
    pub(super) warning: bool,
    pub(super) reason: Cow<'static, str>,
    pub(super) message: String,
}

/// What to build, and when.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) begun_at: Instant,
    pub(super) speed: f64,
    pub(super) cache_name: String,
    pub(super) images: Vec<String>,
    pub(super) flash: bool,
    pub(super) reuse: bool,
    pub(super) failure: Option<BuildFailure>,
    pub(super) snapshot_id: String,
    pub(super) flash_snapshot_id: String,
}

/// A planned build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PlannedBuild {
    /// The states with the times at which they begin, in order; the first begins with the build. `Look::progress` below
    /// 0 means that it is computed.
    steps: Vec<(Instant, Look)>,
    happenings: Vec<BuildEvent>,
    /// When the images would be pulled, from and to, if nothing failed.
    pull: (Instant, Instant),
    /// Until when reads return the previous state.
    lag_until: Instant,
}

/// The progress of a state whose progress is computed.
const GROWING: i64 = -1;

impl PlannedBuild {
    /// Plans the build of a new cache.
    pub(super) fn first(order: &Order) -> Self {
        let blank = Look { status: BuildStatus::Preparing, progress: 0, snapshot_id: None, flash_snapshot_id: None };
        let creating = Look { status: BuildStatus::Creating, progress: GROWING, ..blank.clone() };
        let begin = vec![(order.at(0.0), blank), (order.at(PREPARING), creating)];
        order.plan(begin, PREPARING, BuildStatus::Failed)
    }

    /// Plans the build of an update; `prior` is the cache's state when it begins.
    pub(super) fn again(order: &Order, prior: &Look) -> Self {
        let updating = Look { status: BuildStatus::Updating, progress: GROWING, ..prior.clone() };
        let begin = vec![(order.at(0.0), prior.clone()), (order.at(LAG), updating)];
        let plan = order.plan(begin, LAG, BuildStatus::UpdateFailed);
        Self { lag_until: order.at(LAG), ..plan }
    }

    /// The state that reads return.
    pub(super) fn look_at(&self, now: Instant) -> Look {
        let (since, step) = self.steps.iter().rfind(|(from, _)| *from <= now).unwrap_or(&self.steps[0]);
        let grown =
            if step.status == BuildStatus::Failed || step.status == BuildStatus::UpdateFailed { *since } else { now };
        let progress = if step.progress == GROWING { self.percent(grown) } else { step.progress };
        Look { progress, ..step.clone() }
    }

    /// The actual state, which reads may not return yet.
    pub(super) fn truth(&self, now: Instant) -> Look {
        self.look_at(now.max(self.lag_until))
    }

    /// The events so far, oldest first.
    pub(super) fn happenings(&self, now: Instant) -> impl Iterator<Item = &BuildEvent> {
        self.happenings.iter().filter(move |happening| happening.at <= now)
    }

    /// When the cache becomes `Failed`, if it does.
    pub(super) fn fails_at(&self) -> Option<Instant> {
        self.steps.iter().find(|(_, look)| look.status == BuildStatus::Failed).map(|(at, _)| *at)
    }

    /// When it is done, if it does not fail. The first state of an update's build is still the previous one.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        self.steps.iter().skip(1).find(|(_, look)| look.status == BuildStatus::Ready).map(|(at, _)| *at)
    }

    fn percent(&self, now: Instant) -> i64 {
        let (from, to) = self.pull;
        let whole = (to - from).num_microseconds().unwrap_or(i64::MAX).max(1);
        let done = (now - from).num_microseconds().unwrap_or(0).clamp(0, whole);
        // The state that sets the snapshot also sets 100.
        (done.saturating_mul(100) / whole).min(99)
    }
}

impl Order {
    /// Plans the rest of a build whose pulling begins at second `from`.
    fn plan(&self, mut steps: Vec<(Instant, Look)>, from: f64, failed: BuildStatus) -> PlannedBuild {
        let whole = self.pulling();
        let last = steps.last().map(|(_, look)| look.clone()).expect("a build begins with a step");
        let end = if let Some(failure) = &self.failure {
            let at = from + if failure.late { whole * 0.9 } else { REFUSAL };
            steps.push((self.at(at), Look { status: failed, ..last }));
            at
        } else {
            steps.extend(self.finish(from, &last));
            from + whole
        };
        let happenings = self.happenings(from, end);
        PlannedBuild { steps, happenings, pull: (self.at(from), self.at(from + whole)), lag_until: self.at(0.0) }
    }

    /// The states of a successful build.
    fn finish(&self, from: f64, last: &Look) -> Vec<(Instant, Look)> {
        let ready = Look { status: BuildStatus::Ready, ..last.clone() };
        let flash =
            Look { snapshot_id: None, flash_snapshot_id: Some(self.flash_snapshot_id.clone()), ..ready.clone() };
        let done =
            Look { progress: 100, snapshot_id: Some(self.snapshot_id.clone()), flash_snapshot_id: None, ..ready };
        let done = (self.at(from + self.pulling()), done);
        if self.flash { vec![(self.at(FLASH), flash), done] } else { vec![done] }
    }

    /// The events of the images before the failing one, spread over the pulling, and of the failure itself.
    fn happenings(&self, from: f64, end: f64) -> Vec<BuildEvent> {
        let pulled = self.failure.as_ref().map_or(self.images.len(), |failure| failure.place);
        let mut all = vec![(from.min(CHECK), false, "Started", "Successfully check image cache resource.".to_owned())];
        let stride = (end - from) / (count(pulled) + 1.0);
        for (place, image) in self.images.iter().take(pulled).enumerate() {
            let at = from + stride * (count(place) + 1.0);
            all.push((at, false, "Pulled", format!("Success pull image {image}")));
        }
        if let Some(failure) = &self.failure {
            all.push((end, true, failure.reason, failure.message.clone()));
        }
        let named = |(place, (at, warning, reason, message))| {
            let at = self.at(at);
            BuildEvent { at, name: self.name(at, place), warning, reason: Cow::Borrowed(reason), message }
        };
        (0_i64..).zip(all).map(named).collect()
    }

    /// `<cache name>.<hex unix nanoseconds>`. Times are whole microseconds, so `place` makes names unique.
    fn name(&self, at: Instant, place: i64) -> String {
        let nanoseconds = at.timestamp_nanos_opt().unwrap_or(0).saturating_add(place);
        format!("{}.{nanoseconds:x}", self.cache_name)
    }

    /// The duration of pulling and of the snapshot.
    fn pulling(&self) -> f64 {
        let further = count(self.images.len().saturating_sub(1));
        let whole = FIRST_IMAGE + FURTHER_IMAGE * further;
        if self.reuse { whole / 2.0 } else { whole }
    }

    /// The time of that stand-in second.
    fn at(&self, second: f64) -> Instant {
        let real = std::time::Duration::try_from_secs_f64(second / self.speed).unwrap_or_default();
        let microseconds = i64::try_from(real.as_micros()).unwrap_or(i64::MAX);
        self.begun_at + Duration::microseconds(microseconds)
    }
}

/// The number of images, at most 20.
fn count(images: usize) -> f64 {
    f64::from(u8::try_from(images).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(images: usize) -> Order {
        Order {
            begun_at: Instant::UNIX_EPOCH,
            speed: 1.0,
            cache_name: "web".into(),
            images: (0..images).map(|place| format!("nginx:{place}")).collect(),
            flash: false,
            reuse: false,
            failure: None,
            snapshot_id: "s-new".into(),
            flash_snapshot_id: "s-flash".into(),
        }
    }

    fn broken() -> Order {
        let failure = BuildFailure { place: 1, reason: "Failed", message: "manifest unknown".into(), late: false };
        Order { failure: Some(failure), ..order(2) }
    }

    fn second(second: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::seconds(second)
    }

    fn shown(build: &PlannedBuild, at: i64) -> (&'static str, i64, Option<String>, Option<String>) {
        let look = build.look_at(second(at));
        (look.status.as_str(), look.progress, look.snapshot_id, look.flash_snapshot_id)
    }

    #[test]
    fn one_image_takes_ten_seconds() {
        let build = PlannedBuild::first(&order(1));
        assert_eq!(shown(&build, 0), ("Preparing", 0, None, None));
        assert_eq!(shown(&build, 3), ("Creating", 0, None, None));
        assert_eq!(shown(&build, 9), ("Creating", 85, None, None));
        assert_eq!(shown(&build, 10), ("Ready", 100, Some("s-new".into()), None));
        let events: Vec<_> = build.happenings(second(10)).map(|event| event.message.as_str()).collect();
        assert_eq!(events, ["Successfully check image cache resource.", "Success pull image nginx:0"]);
    }

    #[test]
    fn more_images_take_longer_reuse_halves_and_speed_divides() {
        for (images, reuse, speed, ready) in [(3, false, 1.0, 12), (3, true, 1.0, 8), (18, false, 9.0, 3)] {
            let build = PlannedBuild::first(&Order { speed, reuse, ..order(images) });
            assert_eq!(shown(&build, ready - 1).0, "Creating", "{images} {reuse} {speed}");
            assert_eq!(shown(&build, ready).0, "Ready", "{images} {reuse} {speed}");
        }
    }

    #[test]
    fn flash_is_ready_before_it_is_complete() {
        let build = PlannedBuild::first(&Order { flash: true, ..order(1) });
        assert_eq!(shown(&build, 3).0, "Creating");
        assert_eq!(shown(&build, 4), ("Ready", 14, None, Some("s-flash".into())));
        assert_eq!(shown(&build, 9), ("Ready", 85, None, Some("s-flash".into())));
        assert_eq!(shown(&build, 10), ("Ready", 100, Some("s-new".into()), None));
    }

    #[test]
    fn a_failure_stops_the_build_where_it_stands() {
        let build = PlannedBuild::first(&broken());
        assert_eq!(shown(&build, 4).0, "Creating");
        assert_eq!(shown(&build, 5), ("Failed", 25, None, None));
        assert_eq!(shown(&build, 5_000), ("Failed", 25, None, None));
        assert_eq!(build.fails_at(), Some(second(5)));
        let events: Vec<_> = build.happenings(second(5)).map(|event| (event.warning, event.message.as_str())).collect();
        let expected = [
            (false, "Successfully check image cache resource."),
            (false, "Success pull image nginx:0"),
            (true, "manifest unknown"),
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn an_update_lags_then_shows_a_new_snapshot_or_keeps_the_old_one() {
        let prior = Look {
            status: BuildStatus::Ready,
            progress: 100,
            snapshot_id: Some("s-old".into()),
            flash_snapshot_id: None,
        };
        let build = PlannedBuild::again(&order(1), &prior);
        assert_eq!(shown(&build, 0), ("Ready", 100, Some("s-old".into()), None));
        assert_eq!(build.truth(second(0)).status, BuildStatus::Updating, "a second update is refused at once");
        assert_eq!(shown(&build, 1), ("Updating", 0, Some("s-old".into()), None));
        assert_eq!(shown(&build, 8), ("Ready", 100, Some("s-new".into()), None));
        let build = PlannedBuild::again(&broken(), &prior);
        assert_eq!(shown(&build, 3), ("UpdateFailed", 25, Some("s-old".into()), None));
        assert_eq!(build.fails_at(), None, "only a failed first build is dropped after a day");
    }

    #[test]
    fn event_names_are_unique_at_any_speed() {
        let build = PlannedBuild::first(&Order { speed: 1_000_000.0, ..order(20) });
        let names: std::collections::BTreeSet<_> = build.happenings(second(1)).map(|event| &event.name).collect();
        assert_eq!(names.len(), 21);
    }
}
