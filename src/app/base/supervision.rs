//! Keeps the tasks of this process alive: a pass that panics counts as failed, and the task's loop continues.
//!
//! What must stay true: a task that panics is reported by `/readyz` until a pass of it has succeeded, is counted
//! (`ecg_task_panics_total`), and is tried again after its loop's usual pause.
//!
//! The loops of `worker`, the event hub ([`crate::app::event_hub`]), and the command line (for the clock) call it. It
//! is not for parts that the process cannot do without: those end the process (`shutdown::essential`).

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;

use crate::app::Error;
use crate::app::base::Base;

/// The tasks of this process whose last pass panicked, by name. Kept only in memory, because it is about this process.
#[derive(Debug, Default)]
pub(in crate::app) struct Supervision(Mutex<BTreeSet<&'static str>>);

/// A pass panicked. The panic itself was logged when it happened.
#[derive(Debug, thiserror::Error)]
#[error("a panic: {0}")]
struct Panicked(String);

impl Supervision {
    fn ailing(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one pass of the task and turns a panic into an error.
    async fn pass<T>(&self, task: &'static str, pass: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match AssertUnwindSafe(pass).catch_unwind().await {
            Ok(ended) => {
                if ended.is_ok() {
                    self.ailing().remove(task);
                }
                ended
            }
            Err(panic) => {
                metrics::counter!("ecg_task_panics_total", "task" => task).increment(1);
                self.ailing().insert(task);
                Err(Error::Internal(Box::new(Panicked(words_of(&*panic).to_owned()))))
            }
        }
    }
}

/// The message of a panic.
pub fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}

impl Base {
    /// Runs one pass of a task that has to continue whatever happens: a panic becomes an error of the pass.
    pub async fn supervised<T>(
        &self,
        task: &'static str,
        pass: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.supervision().pass(task, pass).await
    }

    /// The tasks of this process whose last pass panicked.
    pub fn ailing_tasks(&self) -> Vec<&'static str> {
        self.supervision().ailing().iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pass_that_panics_has_failed_and_is_told_until_one_ends_well() {
        let supervision = Supervision::default();
        let ailing = || supervision.ailing().iter().copied().collect::<Vec<_>>();
        let panicked = supervision.pass("sealer", async { panic!("by a test") }).await;
        let Err(Error::Internal(cause)) = panicked.map(|(): ()| ()) else { panic!("it has failed") };
        assert_eq!((cause.to_string().as_str(), ailing()), ("a panic: by a test", vec!["sealer"]));
        // Neither another task's success nor an ordinary failure says anything about it.
        supervision.pass("tracker", async { Ok(()) }).await.unwrap();
        assert!(supervision.pass("sealer", async { Err::<(), _>(Error::database_away()) }).await.is_err());
        assert_eq!(ailing(), ["sealer"]);
        assert_eq!(supervision.pass("sealer", async { Ok(7) }).await.unwrap(), 7);
        assert!(ailing().is_empty());
    }
}
