//! The two routes that answer reviews.
//!
//! An answer that is a review (HTTP 200, the uid, `allowed: false`) is honoured whatever the webhook's
//! `failurePolicy`; a bare HTTP error under `Ignore` admits the pod. So even a review that is too large, too
//! slow, or makes us panic is answered with a refusal as long as its uid can be read.
//!
//! Judging takes microseconds and never waits, so it runs where the request was read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use axum::routing::post;
use tokio::sync::Semaphore;

use super::Limits;
use super::body::{self, Incomplete};
use super::metrics::Metrics;
use super::record::record;
use super::refusal::{Refusal, check_content, check_head};
use crate::admission::{Answer, Reviewer, Unanswerable, Webhook, refuse};

/// Who answers reviews. The server is measured with one that judges nothing, and tested with one that
/// panics.
pub trait Review: Send + Sync + 'static {
    /// Answers one AdmissionReview. May not block.
    ///
    /// # Errors
    /// [`Unanswerable`] when no uid can be read from the body.
    fn review<'b>(&self, webhook: Webhook, body: &'b [u8]) -> Result<Answer<'b>, Unanswerable>;
}

/// The policies in force: exchanged at any time, each review judged by one set of them.
impl Review for ArcSwap<Reviewer> {
    fn review<'b>(&self, webhook: Webhook, body: &'b [u8]) -> Result<Answer<'b>, Unanswerable> {
        self.load().review(webhook, body)
    }
}

/// What every request needs.
struct Desk {
    review: Arc<dyn Review>,
    metrics: Arc<Metrics>,
    /// A permit for each byte of unfinished reviews.
    room: Semaphore,
    max_body_bytes: usize,
}

pub(super) fn router(review: Arc<dyn Review>, limits: &Limits, metrics: &Arc<Metrics>) -> Router {
    let desk = Arc::new(Desk {
        review,
        metrics: Arc::clone(metrics),
        room: Semaphore::new(limits.max_buffered_bytes as usize),
        max_body_bytes: limits.max_body_bytes,
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
        match body::read(request.into_body(), &self.room, self.max_body_bytes).await {
            Ok(whole) => self.judge(webhook, &whole.bytes),
            Err(Incomplete { refusal, part }) => self.refuse(webhook, &part, refusal),
        }
    }

    fn judge(&self, webhook: Webhook, body: &[u8]) -> Response<Body> {
        let start = Instant::now();
        // A panic leaves nothing half-changed behind: the reviewer is immutable and the answer is dropped.
        match catch_unwind(AssertUnwindSafe(|| self.review.review(webhook, body))) {
            Ok(Ok(answer)) => {
                record(&self.metrics, &answer.decision, start.elapsed());
                json(answer)
            }
            Ok(Err(unanswerable)) => Refusal::NoReview.response_saying(unanswerable.message),
            Err(_) => {
                self.metrics.panicked();
                tracing::error!(bytes = body.len(), "a review ended in a panic");
                self.refuse(webhook, body, Refusal::Panic)
            }
        }
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

fn json(answer: Answer<'_>) -> Response<Body> {
    let mut response = Response::new(Body::from(answer.body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
