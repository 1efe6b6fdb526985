//! Following files that change while we serve.
//!
//! By polling, not by watching: what a pod mounts is replaced by swapping a symlink, and a watch on the file itself sees
//! it vanish once and nothing ever after. Polling is cheap, runs on a thread of its own, and retries by itself what went
//! wrong, such as two files read from either side of a swap.
//!
//! Whatever cannot be read leaves the last good one in force.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::server::metrics::{Metrics, Reloaded};

/// What a poll has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceChange<T> {
    /// What is in force is current.
    Unchanged,
    /// Something new is there.
    Changed(T),
}

/// Something that is read again and again.
pub struct Reload<T> {
    what: Reloaded,
    /// Taken out while it runs on another thread.
    look: Option<Look<T>>,
    publish: Box<dyn FnMut(T) + Send>,
    metrics: Arc<Metrics>,
    /// The last failure, so that one that lasts is logged once.
    failure: Option<String>,
}

type Look<T> = Box<dyn FnMut() -> Result<SourceChange<T>, String> + Send>;

impl<T: Send + 'static> Reload<T> {
    /// `look` may block: it runs on a thread of its own. `publish` puts what it found in force.
    pub fn new(
        what: Reloaded,
        metrics: Arc<Metrics>,
        look: impl FnMut() -> Result<SourceChange<T>, String> + Send + 'static,
        publish: impl FnMut(T) + Send + 'static,
    ) -> Self {
        Self { what, look: Some(Box::new(look)), publish: Box::new(publish), metrics, failure: None }
    }

    /// Looks at every interval, for ever: to be spawned, and dropped at the end.
    pub async fn run(mut self, every: Duration) {
        let mut ticks = interval(every);
        // After a pause of the machine one look is enough.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look_once().await;
        }
    }

    /// Reads once, and puts in force what is new.
    pub async fn look_once(&mut self) {
        let Some(mut look) = self.look.take() else {
            return;
        };
        let looked = spawn_blocking(move || {
            let found = catch_unwind(AssertUnwindSafe(&mut look));
            (look, found.unwrap_or_else(|_| Err("the reader panicked".into())))
        });
        // A poll that never ran, because the runtime is ending, is not logged.
        if let Ok((look, found)) = looked.await {
            self.look = Some(look);
            self.found(found);
        }
    }

    fn found(&mut self, found: Result<SourceChange<T>, String>) {
        match found {
            Ok(SourceChange::Unchanged) => self.failure = None,
            Ok(SourceChange::Changed(new)) => {
                (self.publish)(new);
                self.failure = None;
                self.metrics.reloaded(self.what, Ok(()));
                tracing::info!(what = self.what.name(), "reloaded");
            }
            Err(error) => {
                self.metrics.reloaded(self.what, Err(()));
                if self.failure.as_ref() != Some(&error) {
                    tracing::error!(what = self.what.name(), %error, "not reloaded: the last good one stays in force");
                }
                self.failure = Some(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use arc_swap::ArcSwap;

    use super::*;

    #[tokio::test]
    async fn the_last_good_one_stays() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let in_force = Arc::new(ArcSwap::from_pointee(0));
        let script = Mutex::new(vec![
            Ok(SourceChange::Changed(3)),
            Err("unreadable".to_owned()),
            Err("unreadable".to_owned()),
            Ok(SourceChange::Changed(1)),
            Ok(SourceChange::Unchanged),
        ]);
        let publish = Arc::clone(&in_force);
        let mut reload = Reload::new(
            Reloaded::Policies,
            Arc::clone(&metrics),
            move || script.lock().unwrap().pop().expect("five looks"),
            move |new| publish.store(Arc::new(new)),
        );
        for expected in [0, 1, 1, 1, 3] {
            reload.look_once().await;
            assert_eq!(**in_force.load(), expected);
        }
        // A look that panics is a failure like others, and the next is made all the same.
        reload.look_once().await;
        reload.look_once().await;
        assert_eq!(**in_force.load(), 3);
        let text = metrics.render().unwrap();
        assert!(text.contains(r#"podgate_policy_reload_total{result="changed"} 2"#), "{text}");
        assert!(text.contains(r#"podgate_policy_reload_total{result="failed"} 4"#), "{text}");
    }
}
