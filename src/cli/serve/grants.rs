//! Which exceptions RBAC lets service accounts use, as the API server said a moment ago: both webhooks ask for a pod, and the
//! pods of a job come together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::Mutex;
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

/// An answer, and when it was asked for. Whoever asks holds it, so that others wait for the answer instead of asking as well.
type RecentAnswer = Arc<Mutex<Option<(Instant, bool)>>>;

/// The answers of the last seconds.
#[derive(Default)]
pub(super) struct RecentGrants(StdMutex<HashMap<Right, RecentAnswer>>);

impl RecentGrants {
    /// Those of these exceptions that a service account may use, by namespace and name.
    ///
    /// # Errors
    /// What went wrong with any question; what has been answered by then is kept.
    pub(super) async fn of(
        &self,
        cluster: &Cluster,
        account: (&str, &str),
        exceptions: &[Arc<str>],
    ) -> Result<Vec<Arc<str>>, ApiError> {
        let ask = |(namespace, name, exception): Right| async move {
            cluster.may_use_exception(&namespace, &name, &exception).await
        };
        self.told_by(account, exceptions, ask).await
    }

    /// The same, told by `ask`.
    async fn told_by<E, F: Future<Output = Result<bool, E>>>(
        &self,
        (namespace, name): (&str, &str),
        exceptions: &[Arc<str>],
        ask: impl Fn(Right) -> F,
    ) -> Result<Vec<Arc<str>>, E> {
        let ask = &ask;
        let question = |exception: &Arc<str>| {
            let right: Right = (namespace.to_owned(), name.to_owned(), Arc::clone(exception));
            async move {
                let exception = Arc::clone(&right.2);
                let kept = self.answer_to(&right);
                let mut kept = kept.lock().await;
                let now = Instant::now();
                if let Some((_, known)) = kept.filter(|(asked, _)| now.duration_since(*asked) < KEPT) {
                    return Ok((exception, known));
                }
                let may_use = ask(right).await?;
                *kept = Some((now, may_use));
                Ok((exception, may_use))
            }
        };
        let questions: Vec<_> = exceptions.iter().map(question).collect();
        let told: Vec<(Arc<str>, bool)> =
            stream::iter(questions).buffered(ASKED_AT_ONCE).try_collect().await?;
        Ok(told.into_iter().filter_map(|(exception, may_use)| may_use.then_some(exception)).collect())
    }

    /// What is kept of the answer about a right; if there is no room, something that nobody else knows of.
    fn answer_to(&self, right: &Right) -> RecentAnswer {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = kept.get(right) {
            return Arc::clone(answer);
        }
        if kept.len() >= MOST_KEPT {
            let now = Instant::now();
            kept.retain(|_, answer| is_in_use(answer, now));
        }
        let answer = RecentAnswer::default();
        if kept.len() < MOST_KEPT {
            kept.insert(right.clone(), Arc::clone(&answer));
        }
        answer
    }
}

/// Whether somebody waits for an answer, or may use it again.
fn is_in_use(answer: &RecentAnswer, now: Instant) -> bool {
    let is_recent = |(asked, _): (Instant, bool)| now.duration_since(asked) < KEPT;
    Arc::strong_count(answer) > 1 || answer.try_lock().is_ok_and(|kept| kept.is_some_and(is_recent))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::{advance, timeout};

    use super::*;

    const ACCOUNT: (&str, &str) = ("team", "trainer");

    /// What RBAC says, and what it was asked.
    #[derive(Default)]
    struct Rbac {
        granted: RefCell<Vec<&'static str>>,
        asked: RefCell<Vec<String>>,
        fails: Cell<bool>,
        takes: Cell<Duration>,
    }

    impl Rbac {
        async fn tell(&self, (namespace, name, exception): Right) -> Result<bool, &'static str> {
            self.asked.borrow_mut().push(format!("{namespace}/{name} {exception}"));
            tokio::time::sleep(self.takes.get()).await;
            if self.fails.get() { Err("no answer") } else { Ok(self.granted.borrow().contains(&&*exception)) }
        }

        async fn granted(
            &self,
            recent: &RecentGrants,
            names: &[&str],
        ) -> Result<Vec<Arc<str>>, &'static str> {
            let names: Vec<Arc<str>> = names.iter().map(|name| (*name).into()).collect();
            recent.told_by(ACCOUNT, &names, |right| self.tell(right)).await
        }

        fn asked(&self) -> Vec<String> {
            self.asked.take()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_used_for_five_seconds_whatever_it_was() {
        let (recent, rbac) = (RecentGrants::default(), Rbac::default());
        rbac.granted.borrow_mut().push("a");
        assert_eq!(rbac.granted(&recent, &["a", "b"]).await, Ok(vec!["a".into()]));
        assert_eq!(rbac.asked(), ["team/trainer a", "team/trainer b"]);
        *rbac.granted.borrow_mut() = vec!["b"];
        advance(Duration::from_millis(4999)).await;
        assert_eq!(rbac.granted(&recent, &["a", "b"]).await, Ok(vec!["a".into()]));
        assert!(rbac.asked().is_empty());
        assert_eq!(
            recent.told_by(("team", "other"), &["a".into()], |right| rbac.tell(right)).await,
            Ok(vec![])
        );
        assert_eq!(rbac.asked(), ["team/other a"]);
        advance(Duration::from_millis(1)).await;
        assert_eq!(rbac.granted(&recent, &["a", "b"]).await, Ok(vec!["b".into()]));
        assert_eq!(rbac.asked(), ["team/trainer a", "team/trainer b"]);
    }

    /// The time runs from the question on: what was revoked while it was answered counts no longer than that.
    #[tokio::test(start_paused = true)]
    async fn the_time_of_an_answer_runs_from_its_question_on() {
        let (recent, rbac) = (RecentGrants::default(), Rbac::default());
        rbac.takes.set(Duration::from_secs(3));
        rbac.granted(&recent, &["a"]).await.unwrap();
        advance(Duration::from_secs(2)).await;
        rbac.granted(&recent, &["a"]).await.unwrap();
        assert_eq!(rbac.asked().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_not_kept() {
        let (recent, rbac) = (RecentGrants::default(), Rbac::default());
        rbac.fails.set(true);
        assert_eq!(rbac.granted(&recent, &["a"]).await, Err("no answer"));
        rbac.fails.set(false);
        rbac.granted.borrow_mut().push("a");
        assert_eq!(rbac.granted(&recent, &["a"]).await, Ok(vec!["a".into()]));
        assert_eq!(rbac.asked().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_the_same_meanwhile_waits_for_the_answer() {
        let (recent, rbac) = (RecentGrants::default(), Rbac::default());
        rbac.takes.set(Duration::from_secs(1));
        let reviews = (0..100).map(|_| rbac.granted(&recent, &["a"]));
        assert!(futures::future::join_all(reviews).await.iter().all(|told| *told == Ok(vec![])));
        assert_eq!(rbac.asked().len(), 1);
    }

    /// Who gives up leaves nothing behind that others would wait for.
    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_given_up_is_asked_again() {
        let (recent, rbac) = (RecentGrants::default(), Rbac::default());
        rbac.takes.set(Duration::from_secs(60));
        assert!(timeout(Duration::from_secs(1), rbac.granted(&recent, &["a"])).await.is_err());
        rbac.takes.set(Duration::ZERO);
        assert_eq!(rbac.granted(&recent, &["a"]).await, Ok(vec![]));
        assert_eq!(rbac.asked().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_answers_are_kept_and_no_more() {
        let (recent, rbac) = (RecentGrants::default(), Rbac::default());
        let names: Vec<String> = (0..2 * MOST_KEPT).map(|index| format!("n{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        rbac.granted(&recent, &names).await.unwrap();
        assert_eq!(recent.0.lock().unwrap().len(), MOST_KEPT);
        advance(KEPT).await;
        rbac.granted(&recent, &["later"]).await.unwrap();
        assert_eq!(recent.0.lock().unwrap().len(), 1);
    }
}
