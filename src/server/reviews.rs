//! What answers reviews: two paths, one method, no router.
//!
//! An answer that is a review (HTTP 200, the uid, `allowed: false`) is honoured whatever the webhook's
//! `failurePolicy`; a bare HTTP error under `Ignore` admits the pod. So even a review that is too large, too
//! slow, or makes us panic is answered with a refusal as long as its uid can be read.
//!
//! Judging takes microseconds and never waits, so it runs where the request was read; but a long review may take
//! far longer, and is judged on a thread of its own, once there is a [slot](crate::server::evaluation_slots). What a
//! review lacks is looked up in between, and then it is judged again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use crate::admission::{Answer, Decision, Reply, Reviewer, Unanswerable, Webhook, refuse};
use crate::policy::{Answers, Lookup, MOST_LOOKUPS};
use crate::server::args::ServerLimits;
use crate::server::body::{BodyReader, IncompleteBody, RequestBody, ReviewDeadlines, WholeBody};
use crate::server::evaluation_slots::EvaluationSlots;
use crate::server::lookups::{Resolver, resolve};
use crate::server::metrics::Metrics;
use crate::server::record::{LoggedReviews, record};
use crate::server::rejection::{Rejection, check_content, check_head};
use crate::server::review_size::FREE_BYTES;

/// The longest review that is judged where it was read. Hardly any real one is longer, and at worst it keeps the
/// others of its thread waiting for some milliseconds.
const INLINE_BYTES: usize = 64 * 1024;

/// The memory of all long answers together, until their peers have read them: 32 of the longest. An ordinary answer is
/// far shorter than what a connection may hold anyhow.
const ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Answers reviews. The server is measured with one that judges nothing, and tested with one that panics.
pub trait ReviewHandler: Send + Sync + 'static {
    /// Answers one AdmissionReview, or says what has to be looked up first. May not block.
    ///
    /// # Errors
    /// [`Unanswerable`] when no uid can be read from the body.
    fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        answers: &Answers,
    ) -> Result<Reply<'b>, Unanswerable>;
}

/// The policies in force: they may be replaced at any time, and each review is judged by one set of them.
impl ReviewHandler for ArcSwap<Reviewer> {
    fn review<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        answers: &Answers,
    ) -> Result<Reply<'b>, Unanswerable> {
        self.load().review(webhook, body, answers)
    }
}

/// Answers the requests of the port for reviews.
pub(super) struct ReviewService {
    evaluator: ReviewEvaluator,
    resolver: Option<Arc<dyn Resolver>>,
    bodies: BodyReader,
    slots: EvaluationSlots,
    /// A permit for each byte of long answers.
    answers: Arc<Semaphore>,
}

/// The handler, guarded against panics, and where its decisions are recorded.
#[derive(Clone)]
struct ReviewEvaluator {
    review: Arc<dyn ReviewHandler>,
    metrics: Arc<Metrics>,
    logged: LoggedReviews,
}

/// The result of evaluating a review.
#[expect(
    clippy::large_enum_variant,
    reason = "almost every review comes to an answer, and a box for it would be an allocation"
)]
enum ReviewOutcome<'b> {
    /// The answer, and how long it took.
    Answer(Answer<'b>, Duration),
    NeedsLookup(Lookup),
    Unanswerable(String),
    Panicked,
}

/// What is known of a review besides its body.
struct ReviewHead {
    webhook: Webhook,
    deadlines: ReviewDeadlines,
    /// The headers of the request, emptied: the answer's take their place, so that none are allocated.
    headers: HeaderMap,
}

impl ReviewService {
    pub(super) fn new(
        (review, resolver): (Arc<dyn ReviewHandler>, Option<Arc<dyn Resolver>>),
        limits: &ServerLimits,
        (metrics, logged): (&Arc<Metrics>, LoggedReviews),
    ) -> Self {
        Self {
            evaluator: ReviewEvaluator { review, metrics: Arc::clone(metrics), logged },
            resolver,
            bodies: BodyReader::new(limits, metrics),
            slots: EvaluationSlots::new(limits.max_body_bytes, metrics.waiting_for_slot()),
            answers: Arc::new(Semaphore::new(ANSWER_BYTES)),
        }
    }

    pub(super) async fn answer(
        &self,
        request: Request<impl RequestBody>,
        limit: Duration,
    ) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let webhook = match webhook_of(&parts) {
            Ok(webhook) => webhook,
            Err(rejection) => return rejection.response(),
        };
        let deadlines = ReviewDeadlines::within(limit);
        let mut headers = parts.headers;
        headers.clear();
        let head = ReviewHead { webhook, deadlines, headers };
        match self.bodies.read(body, deadlines).await {
            Ok(whole) => self.judge(head, whole).await,
            Err(IncompleteBody { rejection, part }) => self.refuse(head, &part, rejection),
        }
    }

    async fn judge(&self, head: ReviewHead, mut whole: WholeBody) -> Response<Full<Bytes>> {
        let ReviewHead { webhook, deadlines, .. } = head;
        let start = Instant::now();
        let mut answers = Answers::on(today());
        for _ in 0..=MOST_LOOKUPS {
            let judged = if whole.bytes.len() <= INLINE_BYTES {
                self.evaluator.evaluate(webhook, &whole.bytes, &answers, start)
            } else {
                match self.judge_on_thread((webhook, &whole), answers, start, deadlines).await {
                    Ok((judged, still)) => {
                        answers = still;
                        judged
                    }
                    Err(refusal) => return self.refuse(head, whole.beginning(INLINE_BYTES), refusal),
                }
            };
            match judged {
                ReviewOutcome::Answer(answer, took) => {
                    return self.send(answer, took, head, &whole).await;
                }
                ReviewOutcome::NeedsLookup(lookup) => {
                    if let Err(refusal) = self.bodies.keep(&mut whole, deadlines).await {
                        return self.refuse(head, whole.beginning(INLINE_BYTES), refusal);
                    }
                    let deadline = deadlines.begin.into_std();
                    let found =
                        resolve(self.resolver.as_ref(), &lookup, deadline, &self.evaluator.metrics).await;
                    answers.insert(lookup, found);
                }
                ReviewOutcome::Unanswerable(message) => return Rejection::NoReview.response_saying(message),
                ReviewOutcome::Panicked => break,
            }
        }
        self.evaluator.metrics.panicked();
        tracing::error!(bytes = whole.bytes.len(), "a review ended in a panic");
        self.refuse(head, whole.beginning(INLINE_BYTES), Rejection::Panic)
    }

    /// Judges a long review on a thread of its own, once there is a slot. The slot and the memory of the body are kept
    /// until it ends, even when the peer has gone.
    async fn judge_on_thread(
        &self,
        (webhook, whole): (Webhook, &WholeBody),
        answers: Answers,
        start: Instant,
        deadlines: ReviewDeadlines,
    ) -> Result<(ReviewOutcome<'static>, Answers), Rejection> {
        let until = if whole.is_ordinary() { deadlines.end } else { deadlines.begin };
        let slot = self.slots.acquire(whole.bytes.len(), until).await.ok_or(Rejection::NoSlot)?;
        let (evaluator, whole) = (self.evaluator.clone(), whole.clone());
        let judging = spawn_blocking(move || {
            let judged = evaluator.evaluate(webhook, &whole.bytes, &answers, start).into_owned();
            drop((whole, slot));
            (judged, answers)
        });
        match timeout_at(deadlines.end, judging).await {
            Ok(Ok(judged)) => Ok(judged),
            Ok(Err(_)) => Ok((ReviewOutcome::Panicked, Answers::default())),
            Err(_) => Err(Rejection::NoSlot),
        }
    }

    /// Sends an answer, which is counted and logged only here: one that is too late does not count. A long one
    /// waits for memory, because its peer may not read it for as long as it is allowed to.
    async fn send(
        &self,
        Answer { body, decision }: Answer<'_>,
        took: Duration,
        head: ReviewHead,
        whole: &WholeBody,
    ) -> Response<Full<Bytes>> {
        let mut permit = None;
        if body.len() > FREE_BYTES {
            let permits = u32::try_from(body.len()).unwrap_or(u32::MAX);
            let acquired =
                timeout_at(head.deadlines.end, Arc::clone(&self.answers).acquire_many_owned(permits)).await;
            match acquired {
                Ok(Ok(acquired)) => permit = Some(acquired),
                Ok(Err(_)) | Err(_) => {
                    return self.refuse(head, whole.beginning(INLINE_BYTES), Rejection::NoMemory);
                }
            }
        }
        self.evaluator.record(&decision, took);
        match permit {
            Some(permit) => {
                json(head.headers, Bytes::from_owner(LongAnswer { bytes: body.into(), _permit: permit }))
            }
            None => json(head.headers, body.into()),
        }
    }

    /// Says no as a review where there is a uid to say it to, else as HTTP.
    fn refuse(&self, head: ReviewHead, part: &[u8], refusal: Rejection) -> Response<Full<Bytes>> {
        let start = Instant::now();
        let Ok(answer) = refuse(head.webhook, part, refusal.review_code(), refusal.text()) else {
            return refusal.response();
        };
        self.evaluator.record(&answer.decision, start.elapsed());
        refusal.mark(json(head.headers, answer.body.into()))
    }
}

impl ReviewEvaluator {
    fn record(&self, decision: &Decision<'_>, took: Duration) {
        record(&self.metrics, self.logged, decision, took);
    }

    /// Judges a review with what is known.
    fn evaluate<'b>(
        &self,
        webhook: Webhook,
        body: &'b [u8],
        answers: &Answers,
        start: Instant,
    ) -> ReviewOutcome<'b> {
        // A panic leaves nothing half-changed behind: the reviewer is immutable and the answer is dropped.
        let reply = catch_unwind(AssertUnwindSafe(|| self.review.review(webhook, body, answers)));
        match reply {
            Ok(Ok(Reply::Answer(answer))) => ReviewOutcome::Answer(answer, start.elapsed()),
            Ok(Ok(Reply::NeedsLookup(lookup))) => ReviewOutcome::NeedsLookup(lookup),
            Ok(Err(unanswerable)) => ReviewOutcome::Unanswerable(unanswerable.message),
            Err(_) => ReviewOutcome::Panicked,
        }
    }
}

impl ReviewOutcome<'_> {
    /// The same, without anything of the review's bytes.
    fn into_owned(self) -> ReviewOutcome<'static> {
        match self {
            Self::Answer(Answer { body, decision }, took) => {
                ReviewOutcome::Answer(Answer { body, decision: decision.into_owned() }, took)
            }
            Self::NeedsLookup(lookup) => ReviewOutcome::NeedsLookup(lookup),
            Self::Unanswerable(message) => ReviewOutcome::Unanswerable(message),
            Self::Panicked => ReviewOutcome::Panicked,
        }
    }
}

/// A long answer, and the memory that it reserves until it is written.
struct LongAnswer {
    bytes: Box<[u8]>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for LongAnswer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The day, in UTC.
fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Which webhook is asked.
///
/// # Errors
/// The first thing that is wrong with the head of the request.
fn webhook_of(head: &Parts) -> Result<Webhook, Rejection> {
    check_head(head)?;
    let webhook = match head.uri.path() {
        "/validate" => Webhook::Validate,
        "/mutate" => Webhook::Mutate,
        _ => return Err(Rejection::Path),
    };
    if head.method != Method::POST {
        return Err(Rejection::Method);
    }
    check_content(&head.headers)?;
    Ok(webhook)
}

fn json(mut headers: HeaderMap, answer: Bytes) -> Response<Full<Bytes>> {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut response = Response::new(Full::new(answer));
    *response.headers_mut() = headers;
    response
}
