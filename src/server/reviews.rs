//! The two routes that answer reviews.
//!
//! An answer that is a review (HTTP 200, the uid, `allowed: false`) is honoured whatever the webhook's
//! `failurePolicy`; a bare HTTP error under `Ignore` admits the pod. So even a review that is too large, too
//! slow, or makes us panic is answered with a refusal as long as its uid can be read.
//!
//! Judging takes microseconds and never waits, so it runs where the request was read; but a long review may take
//! far more, and is judged elsewhere, when it is its [turn](super::turns). What a review lacks is looked up in
//! between, and then it is judged anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use axum::routing::post;
use futures::future::{BoxFuture, FutureExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use super::Limits;
use super::body::{Deadlines, FREE_BYTES, Incomplete, Rooms, Whole};
use super::deadline::body_deadline;
use super::metrics::Metrics;
use super::record::record;
use super::refusal::{Refusal, check_content, check_head};
use super::turns::Turns;
use crate::admission::{
    Answer, ExistingPods, LookedUp, LookupError, Reply, Reviewer, Unanswerable, Want, Webhook, refuse,
};

/// A review hangs on a Namespace, a service account and the pods of a namespace, each looked up once.
const MOST_LOOKUPS: usize = 3;

/// The longest review that is judged where it was read. Hardly any real one is longer, and at worst it keeps the
/// others of its thread waiting for some milliseconds.
const HERE_BYTES: usize = 64 * 1024;

/// What long answers may take together, until their peers have taken them: 32 of the longest. An ordinary answer is
/// far shorter than what a connection may hold anyhow.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;

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
    judge: Judge,
    lookup: Option<Arc<dyn Lookup>>,
    rooms: Rooms,
    turns: Turns,
    /// A permit for each byte of long answers.
    answers: Arc<Semaphore>,
    patience: Duration,
}

/// Who judges, and where it is counted.
#[derive(Clone)]
struct Judge {
    review: Arc<dyn Review>,
    metrics: Arc<Metrics>,
}

/// What a review came to.
#[expect(
    clippy::large_enum_variant,
    reason = "almost every review comes to an answer, and a box for it would be an allocation"
)]
enum Judged<'b> {
    /// The answer, and how long it took.
    Answer(Answer<'b>, Duration),
    Wants(Want),
    Unanswerable(String),
    Panicked,
}

pub(super) fn router(
    (review, lookup): (Arc<dyn Review>, Option<Arc<dyn Lookup>>),
    limits: &Limits,
    metrics: &Arc<Metrics>,
) -> Router {
    let desk = Arc::new(Desk {
        judge: Judge { review, metrics: Arc::clone(metrics) },
        lookup,
        rooms: Rooms::new(limits, metrics),
        turns: Turns::new(limits.max_body_bytes, metrics.waiting_for_a_turn()),
        answers: Arc::new(Semaphore::new(ANSWER_BYTES)),
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
        let deadlines = Deadlines::within(body_deadline(request.uri().query(), self.patience));
        match self.rooms.read(request.into_body(), deadlines).await {
            Ok(whole) => self.judge(webhook, whole, deadlines).await,
            Err(Incomplete { refusal, part }) => self.refuse(webhook, &part, refusal),
        }
    }

    async fn judge(&self, webhook: Webhook, mut whole: Whole, deadlines: Deadlines) -> Response<Body> {
        let start = Instant::now();
        let mut looked_up = LookedUp::default();
        for _ in 0..=MOST_LOOKUPS {
            let judged = if whole.bytes.len() <= HERE_BYTES {
                self.judge.judge(webhook, &whole.bytes, &looked_up, start)
            } else {
                match self.judge_elsewhere((webhook, &whole), looked_up, start, deadlines).await {
                    Ok((judged, still)) => {
                        looked_up = still;
                        judged
                    }
                    Err(refusal) => return self.refuse(webhook, whole.beginning(HERE_BYTES), refusal),
                }
            };
            match judged {
                Judged::Answer(answer, took) => {
                    return self.send(answer, took, (webhook, &whole), deadlines).await;
                }
                Judged::Wants(want) => {
                    if let Err(refusal) = self.rooms.keep(&mut whole, deadlines).await {
                        return self.refuse(webhook, whole.beginning(HERE_BYTES), refusal);
                    }
                    self.look_up(want, deadlines.begin.into_std(), &mut looked_up).await;
                }
                Judged::Unanswerable(message) => return Refusal::NoReview.response_saying(message),
                Judged::Panicked => break,
            }
        }
        self.judge.metrics.panicked();
        tracing::error!(bytes = whole.bytes.len(), "a review ended in a panic");
        self.refuse(webhook, whole.beginning(HERE_BYTES), Refusal::Panic)
    }

    /// Judges a long review on a thread of its own, when it is its turn. The turn and the body's place are kept
    /// until it ends, even when the peer has gone.
    async fn judge_elsewhere(
        &self,
        (webhook, whole): (Webhook, &Whole),
        looked_up: LookedUp,
        start: Instant,
        deadlines: Deadlines,
    ) -> Result<(Judged<'static>, LookedUp), Refusal> {
        let until = if whole.is_ordinary() { deadlines.end } else { deadlines.begin };
        let turn = self.turns.take(whole.bytes.len(), until).await.ok_or(Refusal::NoTurn)?;
        let (judge, whole) = (self.judge.clone(), whole.clone());
        let judging = spawn_blocking(move || {
            let judged = judge.judge(webhook, &whole.bytes, &looked_up, start).into_owned();
            drop((whole, turn));
            (judged, looked_up)
        });
        match timeout_at(deadlines.end, judging).await {
            Ok(Ok(judged)) => Ok(judged),
            Ok(Err(_)) => Ok((Judged::Panicked, LookedUp::default())),
            Err(_) => Err(Refusal::NoTurn),
        }
    }

    /// Sends an answer, which is counted and logged only here: one that comes too late was never given. A long one
    /// waits for room, because its peer may not take it for as long as it is given.
    async fn send(
        &self,
        Answer { body, decision }: Answer<'_>,
        took: Duration,
        (webhook, whole): (Webhook, &Whole),
        deadlines: Deadlines,
    ) -> Response<Body> {
        let mut room = None;
        if body.len() > FREE_BYTES {
            let permits = u32::try_from(body.len()).unwrap_or(u32::MAX);
            let taken =
                timeout_at(deadlines.end, Arc::clone(&self.answers).acquire_many_owned(permits)).await;
            match taken {
                Ok(Ok(taken)) => room = Some(taken),
                Ok(Err(_)) | Err(_) => {
                    return self.refuse(webhook, whole.beginning(HERE_BYTES), Refusal::NoRoom);
                }
            }
        }
        record(&self.judge.metrics, &decision, took);
        match room {
            Some(room) => json(Bytes::from_owner(LongAnswer { bytes: body.into(), _room: room })),
            None => json(body),
        }
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
                        self.judge.metrics.panicked();
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
        record(&self.judge.metrics, &answer.decision, start.elapsed());
        refusal.mark(json(answer.body))
    }
}

impl Judge {
    /// Judges a review with what is known.
    fn judge<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        looked_up: &LookedUp,
        start: Instant,
    ) -> Judged<'b> {
        // A panic leaves nothing half-changed behind: the reviewer is immutable and the answer is dropped.
        let reply = catch_unwind(AssertUnwindSafe(|| self.review.review(webhook, body, looked_up)));
        match reply {
            Ok(Ok(Reply::Answer(answer))) => Judged::Answer(answer, start.elapsed()),
            Ok(Ok(Reply::Wants(want))) => Judged::Wants(want),
            Ok(Err(unanswerable)) => Judged::Unanswerable(unanswerable.message),
            Err(_) => Judged::Panicked,
        }
    }
}

impl Judged<'_> {
    /// The same, without anything of the review's bytes.
    fn into_owned(self) -> Judged<'static> {
        match self {
            Self::Answer(Answer { body, decision }, took) => {
                Judged::Answer(Answer { body, decision: decision.into_owned() }, took)
            }
            Self::Wants(want) => Judged::Wants(want),
            Self::Unanswerable(message) => Judged::Unanswerable(message),
            Self::Panicked => Judged::Panicked,
        }
    }
}

/// An answer, and the room that it takes until it is written.
struct LongAnswer {
    bytes: Box<[u8]>,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for LongAnswer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
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

fn json(answer: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(answer.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
