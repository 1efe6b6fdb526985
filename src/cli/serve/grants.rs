//! Which exceptions RBAC lets service accounts use, as the API server said a moment ago: both webhooks ask for a pod, and the
//! pods of a job come together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::Instant;

use crate::cluster::{ApiError, Cluster};

/// How long an answer is used again, whatever it was: so long after a right was revoked it still counts.
const KEPT: Duration = Duration::from_secs(5);
/// Most answers that are kept.
const MOST_KEPT: usize = 4096;
/// How many questions about one pod are asked at once.
const ASKED_AT_ONCE: usize = 8;

/// A service account, by namespace and name, and an exception.
type Right = (String, String, Arc<str>);

/// The answers of the last seconds.
#[derive(Default)]
pub(super) struct RecentGrants(Mutex<HashMap<Right, (Instant, bool)>>);

impl RecentGrants {
    /// Those of these exceptions that a service account may use, by namespace and name.
    ///
    /// # Errors
    /// What went wrong with any question; what has been answered by then is kept.
    pub(super) async fn of(
        &self,
        cluster: &Cluster,
        (namespace, name): (&str, &str),
        exceptions: &[Arc<str>],
    ) -> Result<Vec<Arc<str>>, ApiError> {
        let ask = |exception: &Arc<str>| {
            let right: Right = (namespace.to_owned(), name.to_owned(), Arc::clone(exception));
            async move {
                if let Some(known) = self.recent(&right, Instant::now()) {
                    return Ok((right.2, known));
                }
                let asked = Instant::now();
                let may_use = cluster.may_use_exception(&right.0, &right.1, &right.2).await?;
                self.keep(right.clone(), asked, may_use);
                Ok::<_, ApiError>((right.2, may_use))
            }
        };
        let questions: Vec<_> = exceptions.iter().map(ask).collect();
        let told: Vec<(Arc<str>, bool)> =
            stream::iter(questions).buffered(ASKED_AT_ONCE).try_collect().await?;
        Ok(told.into_iter().filter_map(|(exception, may_use)| may_use.then_some(exception)).collect())
    }

    fn recent(&self, right: &Right, now: Instant) -> Option<bool> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(right).filter(|(asked, _)| now.duration_since(*asked) < KEPT).map(|(_, may_use)| *may_use)
    }

    /// Keeps an answer to what was asked then.
    fn keep(&self, right: Right, asked: Instant, may_use: bool) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.retain(|_, (of_other, _)| asked.saturating_duration_since(*of_other) < KEPT);
        }
        if kept.len() < MOST_KEPT {
            kept.insert(right, (asked, may_use));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn right(name: &str) -> Right {
        ("team".to_owned(), "trainer".to_owned(), name.into())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_used_for_five_seconds_whatever_it_was() {
        let (grants, start) = (RecentGrants::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        grants.keep(right("a"), start, true);
        grants.keep(right("b"), start, false);
        assert_eq!(grants.recent(&right("a"), at(4999)), Some(true));
        assert_eq!(grants.recent(&right("b"), at(4999)), Some(false));
        assert_eq!(grants.recent(&right("a"), at(5000)), None);
        assert_eq!(grants.recent(&right("b"), at(5000)), None);
        assert_eq!(grants.recent(&right("c"), start), None);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_answers_are_kept_and_no_more() {
        let (grants, start) = (RecentGrants::default(), Instant::now());
        for index in 0..2 * MOST_KEPT {
            grants.keep(right(&format!("n{index}")), start, true);
        }
        assert_eq!(grants.0.lock().unwrap().len(), MOST_KEPT);
        grants.keep(right("later"), start + KEPT, true);
        assert_eq!(grants.0.lock().unwrap().len(), 1);
    }
}
