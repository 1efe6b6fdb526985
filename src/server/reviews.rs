//! The two routes that answer reviews.
//!
//! An answer that is a review (HTTP 200, the uid, `allowed: false`) is honoured whatever the webhook's
//! `failurePolicy`; a bare HTTP error under `Ignore` admits the pod. So even a review that is too large, too
//! slow, or makes us panic is answered with a refusal as long as its uid can be read.
//!
//! Judging takes microseconds and never waits, so it runs where the request was read. What it lacks is looked
//! up in between, and then it is done anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use axum::routing::post;
use futures::future::{BoxFuture, FutureExt as _};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use super::Limits;
use super::body::{self, Incomplete};
use super::deadline::body_deadline;
use super::metrics::Metrics;
use super::record::record;
use super::refusal::{Refusal, check_content, check_head};
use crate::admission::{
    Answer, ExistingPods, LookedUp, LookupError, Reply, Reviewer, Unanswerable, Want, Webhook, refuse,
};

/// A review hangs on a Namespace, a service account and the pods of a namespace, each looked up once.
const MOST_LOOKUPS: usize = 3;

/// Who answers reviews. The server is measured with one that judges nothing, and tested with one that
/// panics.
pub trait Review: Send + Sync + 'static {
    /// Answers one AdmissionReview, or says what has to be looked up first. May not block.
    ///
    /// # Errors
    /// [`Unanswerable`] when no uid can be read from the body.
    fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        looked_up: &LookedUp,
    ) -> Result<Reply<'b>, Unanswerable>;
}

/// Who can look up what a review hangs on and the snapshot does not hold.
pub trait Lookup: Send + Sync + 'static {
    /// Looks it up, and writes down what was found or why nothing was. Whoever waits is gone at `deadline`.
    fn look_up<'l>(&'l self, want: Want, deadline: Instant, found: &'l mut LookedUp) -> BoxFuture<'l, ()>;
}

/// The policies in force: exchanged at any time, each review judged by one set of them.
impl Review for ArcSwap<Reviewer> {
    fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        looked_up: &LookedUp,
    ) -> Result<Reply<'b>, Unanswerable> {
        self.load().review(webhook, body, looked_up)
    }
}

/// What every request needs.
struct Desk {
    review: Arc<dyn Review>,
    lookup: Option<Arc<dyn Lookup>>,
    metrics: Arc<Metrics>,
    /// A permit for each byte of unfinished reviews.
    room: Semaphore,
    max_body_bytes: usize,
    patience: Duration,
}

pub(super) fn router(
    (review, lookup): (Arc<dyn Review>, Option<Arc<dyn Lookup>>),
    limits: &Limits,
    metrics: &Arc<Metrics>,
) -> Router {
    let desk = Arc::new(Desk {
        review,
        lookup,
        metrics: Arc::clone(metrics),
        room: Semaphore::new(limits.max_buffered_bytes as usize),
        max_body_bytes: limits.max_body_bytes,
        patience: limits.body_timeout,
    });
    Router::new()
        .route("/validate", post(validate))
        .route("/mutate", post(mutate))
        .method_not_allowed_fallback(wrong_method)
        .fallback(wrong_path)
        .with_state(desk)
}

async fn validate(State(desk): State<Arc<Desk>>, request: Request) -> Response<Body> {
    desk.answer(Webhook::Validate, request).await
}

async fn mutate(State(desk): State<Arc<Desk>>, request: Request) -> Response<Body> {
    desk.answer(Webhook::Mutate, request).await
}

async fn wrong_method(request: Request) -> Response<Body> {
    check_head(&request).err().unwrap_or(Refusal::Method).response()
}

async fn wrong_path(request: Request) -> Response<Body> {
    check_head(&request).err().unwrap_or(Refusal::Path).response()
}

impl Desk {
    async fn answer(&self, webhook: Webhook, request: Request) -> Response<Body> {
        if let Err(refusal) = check_head(&request).and_then(|()| check_content(request.headers())) {
            return refusal.response();
        }
        // What is looked up must leave time for an answer: the stream ends at its own limit, which is the whole.
        let limit = body_deadline(request.uri().query(), self.patience);
        let deadline = Instant::now() + limit * 2 / 3;
        match body::read(request.into_body(), &self.room, self.max_body_bytes).await {
            Ok(whole) => self.judge(webhook, &whole.bytes, deadline).await,
            Err(Incomplete { refusal, part }) => self.refuse(webhook, &part, refusal),
        }
    }

    async fn judge(&self, webhook: Webhook, body: &[u8], deadline: Instant) -> Response<Body> {
        let start = Instant::now();
        let mut looked_up = LookedUp::default();
        for _ in 0..=MOST_LOOKUPS {
            // A panic leaves nothing half-changed behind: the reviewer is immutable and the answer is dropped.
            let reply = catch_unwind(AssertUnwindSafe(|| self.review.review(webhook, body, &looked_up)));
            match reply {
                Ok(Ok(Reply::Answer(answer))) => {
                    record(&self.metrics, &answer.decision, start.elapsed());
                    return json(answer);
                }
                Ok(Ok(Reply::Wants(want))) => self.look_up(want, deadline, &mut looked_up).await,
                Ok(Err(unanswerable)) => return Refusal::NoReview.response_saying(unanswerable.message),
                Err(_) => break,
            }
        }
        self.metrics.panicked();
        tracing::error!(bytes = body.len(), "a review ended in a panic");
        self.refuse(webhook, body, Refusal::Panic)
    }

    /// Has something looked up. Afterwards it is written down what came of it, in any case.
    async fn look_up(&self, want: Want, deadline: Instant, looked_up: &mut LookedUp) {
        let answer = Unfound::of(&want);
        let is_in_time = match &self.lookup {
            Some(lookup) => {
                let found = AssertUnwindSafe(lookup.look_up(want, deadline, looked_up)).catch_unwind();
                match timeout_at(deadline.into(), found).await {
                    Ok(Ok(())) => true,
                    Ok(Err(_)) => {
                        self.metrics.panicked();
                        tracing::error!("a look-up for a review ended in a panic");
                        false
                    }
                    Err(_) => false,
                }
            }
            None => true,
        };
        let reason = if is_in_time { LookupError::NoCluster } else { LookupError::Late };
        answer.note(reason, looked_up);
    }

    /// Says no as a review where there is a uid to say it to, else as HTTP.
    fn refuse(&self, webhook: Webhook, part: &[u8], refusal: Refusal) -> Response<Body> {
        let start = Instant::now();
        let Ok(answer) = refuse(webhook, part, refusal.review_code(), refusal.text()) else {
            return refusal.response();
        };
        record(&self.metrics, &answer.decision, start.elapsed());
        refusal.mark(json(answer))
    }
}

/// What stays unknown if nobody finds it.
enum Unfound {
    Namespace,
    ServiceAccount,
    Pods,
}

impl Unfound {
    fn of(want: &Want) -> Self {
        match want {
            Want::Namespace(_) => Self::Namespace,
            Want::ServiceAccount { .. } => Self::ServiceAccount,
            Want::Pods(_) => Self::Pods,
        }
    }

    fn note(self, reason: LookupError, looked_up: &mut LookedUp) {
        match self {
            Self::Namespace => {
                looked_up.namespace.get_or_insert(Err(reason));
            }
            Self::ServiceAccount => {
                looked_up.service_account.get_or_insert(Err(reason));
            }
            Self::Pods => {
                looked_up.pod_warnings.get_or_insert_with(ExistingPods::not_listed);
            }
        }
    }
}

fn json(answer: Answer<'_>) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
