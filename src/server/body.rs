//! Reading the body of a review: whole or not at all, and never more than there is memory for.
//!
//! A body that came in one piece is used where it lies. What every connection may hold without asking is enough
//! for nearly all others, so nobody can use up the memory of those; beyond it there are two budgets, so that long
//! reviews do not use up that of ordinary ones. The time limit of a wait for the peer is in the stream
//! ([`timeout_stream`](crate::server::timeout_stream)), whose read fails when it has passed: only there is it known
//! that nothing more has come, while here even a body that came with its head is pending at first.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use tokio::time::{Instant, timeout_at};

use crate::server::args::ServerLimits;
use crate::server::buffer::{BodyBuffer, SHORT_BYTES};
use crate::server::memory_budget::{BodyProgress, MemoryBudget, Reservation};
use crate::server::metrics::Metrics;
use crate::server::rejection::Rejection;
use crate::server::review_size::{FREE_BYTES, ORDINARY_BYTES};
use crate::server::timeout_stream::is_timeout;

/// Go writes kind, apiVersion and request.uid first, so the uid of a review that is refused for its size is
/// in the first few hundred bytes.
const UID_BYTES: usize = 4096;

/// How many times the budget of long bodies may be waited for: more would hardly be evaluated in time, and those that
/// are refused at once have longer to finish sending and read the answer. Ordinary ones wait without such a limit.
const MAX_QUEUED_BUDGETS: usize = 8;

/// The body of a request, in the pieces in which it comes.
pub(super) trait RequestBody: Body<Data = Bytes, Error: Error + 'static> + Unpin {}

impl<B: Body<Data = Bytes, Error: Error + 'static> + Unpin> RequestBody for B {}

/// Reads bodies within the memory budgets.
#[derive(Debug)]
pub(super) struct BodyReader {
    ordinary: Arc<MemoryBudget>,
    large: Arc<MemoryBudget>,
    max_bytes: usize,
}

/// Until when a review may wait, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReviewDeadlines {
    /// The last moment to begin with what may take long: a long review, or a look-up. It leaves time for an answer.
    pub(super) begin: Instant,
    /// The end of all waiting: soon after it the stream ends, whatever is still to be written.
    pub(super) end: Instant,
}

/// A body, and the memory that it reserves until the last copy is dropped.
#[derive(Debug, Clone)]
pub(super) struct WholeBody {
    pub(super) bytes: Bytes,
    reservation: Option<Arc<Reservation>>,
}

/// A body of which only the beginning was read.
#[derive(Debug)]
pub(super) struct IncompleteBody {
    pub(super) rejection: Rejection,
    /// The beginning, for the uid.
    pub(super) part: Vec<u8>,
}

impl ReviewDeadlines {
    /// The deadlines of a review that came now and has so much time in all.
    pub(super) fn within(limit: Duration) -> Self {
        let now = Instant::now();
        Self { begin: now + limit * 2 / 3, end: now + limit * 9 / 10 }
    }
}

impl WholeBody {
    /// At most so much of its beginning, which holds the uid: a refusal should not take the time that evaluating would.
    pub(super) fn beginning(&self, max_bytes: usize) -> &[u8] {
        self.bytes.get(..max_bytes).unwrap_or(&self.bytes)
    }

    /// Whether it is no longer than ordinary reviews are.
    pub(super) fn is_ordinary(&self) -> bool {
        self.bytes.len() <= ORDINARY_BYTES
    }
}

impl BodyReader {
    /// Each budget has half of what may be buffered.
    pub(super) fn new(limits: &ServerLimits, metrics: &Metrics) -> Self {
        let half = limits.max_buffered_bytes as usize / 2;
        let max_queued = half.saturating_mul(MAX_QUEUED_BUDGETS);
        Self {
            ordinary: MemoryBudget::new(half, usize::MAX, metrics.budget("ordinary")),
            large: MemoryBudget::new(half, max_queued, metrics.budget("large")),
            max_bytes: limits.max_body_bytes,
        }
    }

    /// Reads a body.
    pub(super) async fn read<B: RequestBody>(
        &self,
        mut body: B,
        deadlines: ReviewDeadlines,
    ) -> Result<WholeBody, IncompleteBody> {
        let announced = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if announced.is_some_and(|bytes| bytes > self.max_bytes) {
            let part = beginning(&mut body).await;
            return Err(IncompleteBody::new(Rejection::TooLarge, &part));
        }
        let first = match next(&mut body).await {
            Ok(piece) => piece.unwrap_or_default(),
            Err(rejection) => return Err(IncompleteBody::new(rejection, &[])),
        };
        if body.is_end_stream() {
            return Ok(WholeBody { bytes: first, reservation: None });
        }
        BodyAssembly::new(self, body, announced, deadlines).assemble(first).await
    }

    /// Reserves memory for a body that is kept for longer than it takes to evaluate it.
    pub(super) async fn keep(
        &self,
        whole: &mut WholeBody,
        deadlines: ReviewDeadlines,
    ) -> Result<(), Rejection> {
        let bytes = whole.bytes.len();
        if bytes > FREE_BYTES && whole.reservation.is_none() {
            whole.reservation = Some(Arc::new(self.reserve(bytes, deadlines).await?));
        }
        Ok(())
    }

    async fn reserve(&self, bytes: usize, deadlines: ReviewDeadlines) -> Result<Reservation, Rejection> {
        let (budget, deadline) = if bytes <= ORDINARY_BYTES {
            (&self.ordinary, deadlines.end)
        } else {
            (&self.large, deadlines.begin)
        };
        budget.reserve(bytes, deadline).await.ok_or(Rejection::NoMemory)
    }
}

/// A body that comes in several pieces.
struct BodyAssembly<'r, B> {
    reader: &'r BodyReader,
    deadlines: ReviewDeadlines,
    body: B,
    announced: Option<usize>,
    buffer: BodyBuffer,
    reservation: Option<Reservation>,
    progress: BodyProgress,
}

impl<'r, B: RequestBody> BodyAssembly<'r, B> {
    fn new(reader: &'r BodyReader, body: B, announced: Option<usize>, deadlines: ReviewDeadlines) -> Self {
        let (buffer, progress) = (BodyBuffer::new(), BodyProgress::new(0));
        Self { reader, deadlines, body, announced, buffer, reservation: None, progress }
    }

    async fn assemble(mut self, first: Bytes) -> Result<WholeBody, IncompleteBody> {
        // The stream bounds the waits for the peer; with those for memory they may come to more.
        let read = timeout_at(self.deadlines.end, self.read_all(first)).await;
        match read.unwrap_or(Err(Rejection::TooSlow)) {
            Ok(()) => {
                if let Some(reservation) = &mut self.reservation {
                    reservation.shrink(self.buffer.bytes().len());
                }
                let reservation = self.reservation.map(Arc::new);
                Ok(WholeBody { bytes: self.buffer.into(), reservation })
            }
            Err(rejection) => Err(IncompleteBody::new(rejection, self.buffer.bytes())),
        }
    }

    async fn read_all(&mut self, first: Bytes) -> Result<(), Rejection> {
        let mut piece = Some(first);
        while let Some(bytes) = piece {
            if let Err(rejection) = self.add(&bytes).await {
                self.keep_beginning(&bytes);
                return Err(rejection);
            }
            piece = self.next().await?;
        }
        Ok(())
    }

    async fn add(&mut self, piece: &[u8]) -> Result<(), Rejection> {
        self.reserve(piece.len()).await?;
        self.buffer.push(piece).map_err(|_| Rejection::NoMemory)?;
        self.progress.update(self.buffer.bytes().len());
        Ok(())
    }

    /// Keeps what the uid may need of a piece that there is no memory for.
    fn keep_beginning(&mut self, piece: &[u8]) {
        let missing = UID_BYTES.saturating_sub(self.buffer.bytes().len()).min(piece.len());
        // Without it there is no uid, and the refusal is an HTTP error.
        let _ = self.buffer.push(piece.get(..missing).unwrap_or_default());
    }

    /// Reserves memory for so many more bytes. What was announced is reserved at once: bodies that grew would wait for
    /// each other. A length that was not announced, which no API server does, is taken for the longest of its budget.
    async fn reserve(&mut self, more: usize) -> Result<(), Rejection> {
        let needed = self.buffer.bytes().len() + more;
        if needed > self.reader.max_bytes {
            return Err(Rejection::TooLarge);
        }
        if needed > self.reservation.as_ref().map_or(FREE_BYTES, Reservation::bytes) {
            let whole = self.announced.unwrap_or(if needed <= ORDINARY_BYTES {
                ORDINARY_BYTES.min(self.reader.max_bytes)
            } else {
                self.reader.max_bytes
            });
            // The body is no part of what is awaited here: it may not be shared.
            let Self { reader, deadlines, reservation, progress, .. } = self;
            let reserved = match reservation {
                None => reader.reserve(whole, *deadlines).await,
                // While it waits for more, what it has may be needed by somebody else.
                Some(reservation) => tokio::select! {
                    biased;
                    reserved = reader.reserve(whole, *deadlines) => reserved,
                    () = reservation.must_give_up(progress) => Err(Rejection::NoMemory),
                },
            };
            self.reservation = Some(reserved?);
            self.progress = BodyProgress::new(self.buffer.bytes().len());
        }
        let free = self.announced.map_or(FREE_BYTES, |whole| whole.min(FREE_BYTES));
        let capacity = self.reservation.as_ref().map_or(free, Reservation::bytes);
        // Of many short ones, too, an allocator would keep the memory.
        let is_busy = self.reservation.as_ref().is_some_and(Reservation::is_budget_busy);
        let short = if is_busy { FREE_BYTES } else { SHORT_BYTES };
        self.buffer.reserve(capacity, short).map_err(|_| Rejection::NoMemory)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Rejection> {
        let Some(reservation) = &self.reservation else { return next(&mut self.body).await };
        tokio::select! {
            biased;
            piece = next(&mut self.body) => piece,
            () = reservation.must_give_up(&self.progress) => Err(Rejection::NoMemory),
        }
    }
}

/// As much of an oversized body as the uid may need; less when it does not come.
async fn beginning(body: &mut impl RequestBody) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < UID_BYTES {
        match next(body).await {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) | Err(_) => break,
        }
    }
    bytes
}

async fn next(body: &mut impl RequestBody) -> Result<Option<Bytes>, Rejection> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(error)) if is_timeout(&error) => return Err(Rejection::TooSlow),
            Some(Err(_)) => return Err(Rejection::Broken),
            // What is not data is trailers, which mean nothing here.
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data() {
                    return Ok(Some(piece));
                }
            }
        }
    }
}

impl IncompleteBody {
    fn new(rejection: Rejection, bytes: &[u8]) -> Self {
        Self { rejection, part: bytes.get(..UID_BYTES).unwrap_or(bytes).to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body_util::Full;
    use hyper::body::Frame;

    use super::*;

    /// A body of unknown length that comes in these pieces.
    struct Pieces(Vec<&'static [u8]>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.0.is_empty() {
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.0.remove(0))))))
        }
    }

    /// A reader with budgets of so many bytes each.
    fn reader(bytes: usize, longest: usize) -> BodyReader {
        let metrics = Metrics::new().unwrap();
        BodyReader {
            ordinary: MemoryBudget::new(bytes, usize::MAX, metrics.budget("ordinary")),
            large: MemoryBudget::new(bytes, usize::MAX, metrics.budget("large")),
            max_bytes: longest,
        }
    }

    async fn read(reader: &BodyReader, pieces: &[&'static [u8]]) -> Result<WholeBody, IncompleteBody> {
        let deadlines = ReviewDeadlines::within(Duration::from_secs(1));
        reader.read(Pieces(pieces.to_vec()), deadlines).await
    }

    #[tokio::test(start_paused = true)]
    async fn pieces() {
        static LONG: [u8; FREE_BYTES] = [b'l'; FREE_BYTES];
        let (a, b, x): (&[u8], &[u8], &[u8]) = (b"01234", b"56789", b"x");
        let long = &LONG[..];
        for (pieces, budget, longest, expected) in [
            (&[][..], 0, 10, Ok(0)),
            (&[a], 0, 10, Ok(5)),
            (&[a, b], 0, 10, Ok(10)),
            (&[a, b, x], 0, 10, Err((Rejection::TooLarge, 11))),
            (&[long, x], 1 << 20, 1 << 20, Ok(FREE_BYTES + 1)),
            (&[long, x], FREE_BYTES, 1 << 20, Err((Rejection::NoMemory, UID_BYTES))),
            (&[a, long], FREE_BYTES, 1 << 20, Err((Rejection::NoMemory, UID_BYTES))),
        ] {
            let whole = read(&reader(budget, longest), pieces).await;
            let found = whole.map(|whole| whole.bytes.len());
            assert_eq!(found.map_err(|end| (end.rejection, end.part.len())), expected, "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied_and_needs_no_budget() {
        let bytes = Bytes::from_static(b"0123456789");
        let deadlines = ReviewDeadlines::within(Duration::ZERO);
        let whole = reader(0, 10).read(Full::new(bytes.clone()), deadlines).await.unwrap();
        assert_eq!(whole.bytes.as_ptr(), bytes.as_ptr());
    }

    async fn is_empty(budget: &Arc<MemoryBudget>) -> bool {
        budget.reserve(1 << 20, Instant::now()).await.is_some()
    }

    /// An ordinary body takes nothing of the other budget, and one that grows leaves that of the ordinary.
    #[tokio::test(start_paused = true)]
    async fn budgets_are_apart_and_given_back() {
        static PIECE: [u8; 128 * 1024] = [b'p'; 128 * 1024];
        let reader = reader(1 << 20, 1 << 20);
        let ordinary = read(&reader, &[&PIECE, b"x"]).await.unwrap();
        assert!(!is_empty(&reader.ordinary).await);
        assert!(is_empty(&reader.large).await);
        let large = read(&reader, &[&PIECE, &PIECE, b"x"]).await.unwrap();
        assert_eq!(
            large.reservation.as_ref().map(|reservation| reservation.bytes()),
            Some(2 * PIECE.len() + 1)
        );
        drop(ordinary);
        assert!(is_empty(&reader.ordinary).await);
        assert!(!is_empty(&reader.large).await);
        drop(large);
        assert!(is_empty(&reader.large).await);
    }

    #[tokio::test]
    async fn an_announced_excess_is_not_read_to_its_end() {
        let bytes = Bytes::from(vec![b'x'; 2 * UID_BYTES]);
        let deadlines = ReviewDeadlines::within(Duration::from_secs(9));
        let IncompleteBody { rejection, part } =
            reader(0, 10).read(Full::new(bytes), deadlines).await.unwrap_err();
        assert_eq!((rejection, part.len()), (Rejection::TooLarge, UID_BYTES));
    }
}
