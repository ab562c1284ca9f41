//! Work that somebody must hold while it is done: a lease in the database, renewed while the work is in hand.
//!
//! What must stay true: the work goes on only while we surely hold the lease, judged by the machine's uptime from
//! before it was asked for. A process (or machine) that was frozen, suspended, or cut off from the database, for longer
//! than that does nothing more when it wakes: not one step of the work is taken, so nothing is sent and nothing is
//! written. (What was handed to the system before may still leave, signed with the time that was recorded; and each
//! write is guarded by the lease again, where the database's clock decides.)
//!
//! Who calls it: [`operations`](crate::app::operations) and [`tracker`](crate::app::tracker). What it does not do: take
//! the lease, or give it back.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::app::Error;
use crate::app::base::Base;
use crate::domain::clock::{Clock, Uptime};
use crate::store::{GroupLease, LeasedOperation};

/// A renewal that could not be asked for is asked for again after that long.
const PAUSE: Duration = Duration::from_millis(500);
/// Work whose lease is no longer ours may just have ended it: its answer is on the way, for so long.
const GRACE: Duration = Duration::from_secs(1);

/// What is held.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) enum LeasedItem<'a> {
    /// An operation.
    Operation(&'a LeasedOperation),
    /// A group of the tracker.
    Group(&'a GroupLease),
}

/// A lease as its holder sees it.
#[derive(Debug, Clone, Copy)]
pub(in crate::app) struct Lease<'a> {
    pub(in crate::app) on: LeasedItem<'a>,
    /// A moment before it was asked for, by the machine's uptime.
    pub(in crate::app) taken: Uptime,
    /// For how long.
    pub(in crate::app) lasts: Duration,
}

impl Lease<'_> {
    /// How long it lasts still.
    fn left(self, clock: &dyn Clock) -> Duration {
        (self.taken + self.lasts).since(clock.uptime())
    }

    fn is_over(self, clock: &dyn Clock) -> bool {
        self.left(clock).is_zero()
    }
}

impl Base {
    /// Does `work` while the lease is held, and renews it each third of its time. None: the lease was lost before the
    /// work was done, and the work was dropped.
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

    /// Waits until it is time, and renews. None: it is not ours any more, or ran out while we asked.
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

    /// `false`: it is not held any more, or there is nothing left to hold.
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

/// Polls the work, but only while the lease lasts: the clock is asked first, each time.
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

    /// The clock of a machine that was suspended for so long.
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
