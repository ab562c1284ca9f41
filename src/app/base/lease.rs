//! Runs work under a lease in the database, which is renewed while the work goes on.
//!
//! What must stay true: the work continues only while we certainly hold the lease, measured by the machine's uptime
//! from before the lease was requested. A process (or machine) that was frozen, suspended or cut off from the database
//! for longer than that takes not one more step of the work when it wakes, so nothing is sent and nothing is written.
//! (What was already handed to the operating system may still leave, signed with the recorded time. Each write also
//! checks the lease, by the database's clock.)
//!
//! [`operations`](crate::app::operations) and [`tracker`](crate::app::tracker) call it. It does not take or release the
//! lease.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::app::Error;
use crate::app::base::Base;
use crate::domain::clock::{Clock, Uptime};
use crate::store::{GroupLease, LeasedOperation};

/// How long to wait after a renewal that could not be requested.
const PAUSE: Duration = Duration::from_millis(500);
/// Work that lost its lease may just have finished: how long to wait for its result.
const GRACE: Duration = Duration::from_secs(1);

/// What a lease is on.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) enum LeasedItem<'a> {
    /// An operation.
    Operation(&'a LeasedOperation),
    /// A group of the tracker.
    Group(&'a GroupLease),
}

/// A lease, as its holder sees it.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) struct Lease<'a> {
    pub(in crate::app) on: LeasedItem<'a>,
    /// A moment before the lease was requested, by the machine's uptime.
    pub(in crate::app) taken: Uptime,
    /// How long the lease lasts from then.
    pub(in crate::app) lasts: Duration,
}

impl Lease<'_> {
    /// How much longer it lasts.
    fn left(self, clock: &dyn Clock) -> Duration {
        (self.taken + self.lasts).since(clock.uptime())
    }

    fn is_over(self, clock: &dyn Clock) -> bool {
        self.left(clock).is_zero()
    }
}

impl Base {
    /// Runs `work` while the lease is held, renewing it each time a third of it has passed. `None` if the lease was
    /// lost before the work was finished; the work was dropped.
    pub(in crate::app) async fn holding<T>(
        &self,
        mut lease: Lease<'_>,
        mut work: Pin<Box<impl Future<Output = T>>>,
    ) -> Option<T> {
        loop {
            let renewed = tokio::select! {
                biased;
                done = while_held(lease, self.clock(), work.as_mut()) => return done,
                renewed = self.renewed(lease) => renewed,
            };
            match renewed {
                Some(longer) => lease = longer,
                None => break,
            }
        }
        timeout(GRACE, while_held(lease, self.clock(), work.as_mut())).await.ok().flatten()
    }

    /// Waits until it is time to renew, and renews. `None` if the lease is no longer ours, or ran out in the meantime.
    async fn renewed<'a>(&self, lease: Lease<'a>) -> Option<Lease<'a>> {
        sleep((lease.taken + lease.lasts / 3).since(self.uptime())).await;
        while !lease.is_over(self.clock()) {
            let asked = self.uptime();
            match timeout(lease.left(self.clock()), self.renew(lease)).await.ok()? {
                Ok(true) => return Some(Lease { taken: asked, ..lease }),
                Ok(false) => return None,
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "could not renew a lease; retrying");
                    sleep(PAUSE).await;
                }
            }
        }
        None
    }

    /// `false` if the lease is no longer held, or there is nothing left to hold.
    async fn renew(&self, lease: Lease<'_>) -> Result<bool, Error> {
        let seconds = lease.lasts.as_secs_f64();
        Ok(match lease.on {
            LeasedItem::Operation(leased) => {
                self.store().renew_operation(leased.operation.id, leased.lease_token, seconds).await?
            }
            LeasedItem::Group(group) => self.store().renew_group(group, seconds).await?,
        })
    }
}

/// Polls the work only while the lease lasts: checks the clock before each poll.
async fn while_held<T>(lease: Lease<'_>, clock: &dyn Clock, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let held = poll_fn(|context| {
        if lease.is_over(clock) {
            return Poll::Ready(None);
        }
        work.as_mut().poll(context).map(Some)
    });
    // The work may be waiting for something that never wakes it.
    timeout(lease.left(clock), held).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;
    use std::sync::Mutex;

    use uuid::Uuid;

    use super::*;
    use crate::domain::clock::Instant;
    use crate::store::TrackerGroup;

    /// The clock of a machine that was suspended for this long.
    #[derive(Debug)]
    struct Suspended(Mutex<Duration>);

    impl Clock for Suspended {
        fn now(&self) -> Instant {
            Instant::UNIX_EPOCH
        }

        fn uptime(&self) -> Uptime {
            Uptime::now() + *self.0.lock().unwrap()
        }
    }

    async fn worked(group: &GroupLease, taken: Uptime, clock: &dyn Clock) -> (Option<&'static str>, bool) {
        let touched = Cell::new(false);
        let lease = Lease { on: LeasedItem::Group(group), taken, lasts: Duration::from_secs(12) };
        let work = async {
            touched.set(true);
            "done"
        };
        (while_held(lease, clock, pin!(work)).await, touched.get())
    }

    #[tokio::test]
    async fn not_one_step_is_taken_after_the_lease() {
        let group = TrackerGroup { account: "a".into(), region: "r".into() };
        let group =
            GroupLease { group, lease_token: Uuid::nil(), due_at: None, looked_at: None, round_at: None, cursor: None };
        let (clock, now) = (Suspended(Mutex::default()), Uptime::now());
        assert_eq!(worked(&group, now, &clock).await, (Some("done"), true));
        *clock.0.lock().unwrap() = Duration::from_secs(13);
        assert_eq!(worked(&group, now, &clock).await, (None, false));
    }
}
