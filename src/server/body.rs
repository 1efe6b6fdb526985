//! Reading the body of a review: whole or not at all, and never more than there is room for.
//!
//! A body that came in one piece is used where it lies. What every connection may hold without asking is enough
//! for nearly all others, so nobody can take the room of those; beyond it there are two rooms, so that long reviews
//! do not take that of ordinary ones. The time limit of a wait for the peer is in the stream
//! ([`patience`](super::patience)), whose read fails when it has passed: only there is it known that nothing more
//! has come, while here even a body that came with its head is pending at first.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::Limits;
use super::buffer::{Buffer, SHORT_BYTES};
use super::metrics::Metrics;
use super::refusal::Refusal;
use super::room::{Place, Progress, Room};

/// Go writes kind, apiVersion and request.uid first, so the uid of a review that is refused for its size is
/// in the first few hundred bytes.
const UID_BYTES: usize = 4096;

/// What each connection may hold without asking for room: most reviews have less. With 2048 connections it makes
/// 32 MiB.
pub(super) const FREE_BYTES: usize = 16 * 1024;

/// The longest ordinary review. Hardly any pod that is not meant to be large makes a longer one.
pub(super) const ORDINARY_BYTES: usize = 256 * 1024;

/// How often the room of long bodies may be waited for: more would hardly be judged in time, and those that are refused
/// at once have longer to finish sending and hear of it. Ordinary ones wait without such a limit.
const QUEUE: usize = 8;

/// Where bodies lie until they are judged.
#[derive(Debug)]
pub(super) struct Rooms {
    ordinary: Arc<Room>,
    large: Arc<Room>,
    longest: usize,
}

/// Until when a review may wait, and for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// The last moment to begin with what may take long: a long review, or a look-up. It leaves time for an answer.
    pub(super) begin: Instant,
    /// The end of all waiting: soon after it the stream ends, whatever is still to be written.
    pub(super) end: Instant,
}

/// A body, and the place that it takes until the last copy is dropped.
#[derive(Debug, Clone)]
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    place: Option<Arc<Place>>,
}

/// A body of which only the beginning was read.
#[derive(Debug)]
pub(super) struct Incomplete {
    pub(super) refusal: Refusal,
    /// The beginning, for the uid.
    pub(super) part: Vec<u8>,
}

impl Deadlines {
    /// Those of a review that came now and has so much time in all.
    pub(super) fn within(limit: Duration) -> Self {
        let now = Instant::now();
        Self { begin: now + limit * 2 / 3, end: now + limit * 9 / 10 }
    }
}

impl Whole {
    /// As much of its beginning, in which the uid is: a refusal should not take the time that judging would.
    pub(super) fn beginning(&self, most: usize) -> &[u8] {
        self.bytes.get(..most).unwrap_or(&self.bytes)
    }

    /// Whether it is no longer than ordinary reviews are.
    pub(super) fn is_ordinary(&self) -> bool {
        self.bytes.len() <= ORDINARY_BYTES
    }
}

impl Rooms {
    /// Each has half of what may be buffered.
    pub(super) fn new(limits: &Limits, metrics: &Metrics) -> Self {
        let half = limits.max_buffered_bytes as usize / 2;
        Self {
            ordinary: Room::new(half, usize::MAX, metrics.room("ordinary")),
            large: Room::new(half, half.saturating_mul(QUEUE), metrics.room("large")),
            longest: limits.max_body_bytes,
        }
    }

    /// Reads a body.
    pub(super) async fn read(&self, mut body: Body, deadlines: Deadlines) -> Result<Whole, Incomplete> {
        let announced = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if announced.is_some_and(|bytes| bytes > self.longest) {
            let part = beginning(&mut body).await;
            return Err(Incomplete::new(Refusal::TooLarge, &part));
        }
        let first = match next(&mut body).await {
            Ok(piece) => piece.unwrap_or_default(),
            Err(refusal) => return Err(Incomplete::new(refusal, &[])),
        };
        if body.is_end_stream() {
            return Ok(Whole { bytes: first, place: None });
        }
        Gathering::new(self, body, announced, deadlines).whole(first).await
    }

    /// Sees to it that a body that is kept for longer than it takes to judge it has a place.
    pub(super) async fn keep(&self, whole: &mut Whole, deadlines: Deadlines) -> Result<(), Refusal> {
        let bytes = whole.bytes.len();
        if bytes > FREE_BYTES && whole.place.is_none() {
            whole.place = Some(Arc::new(self.take(bytes, deadlines).await?));
        }
        Ok(())
    }

    async fn take(&self, bytes: usize, deadlines: Deadlines) -> Result<Place, Refusal> {
        let (room, until) = if bytes <= ORDINARY_BYTES {
            (&self.ordinary, deadlines.end)
        } else {
            (&self.large, deadlines.begin)
        };
        room.take(bytes, until).await.ok_or(Refusal::NoRoom)
    }
}

/// A body that comes in several pieces.
struct Gathering<'r> {
    rooms: &'r Rooms,
    deadlines: Deadlines,
    body: Body,
    announced: Option<usize>,
    bytes: Buffer,
    place: Option<Place>,
    progress: Progress,
}

impl<'r> Gathering<'r> {
    fn new(rooms: &'r Rooms, body: Body, announced: Option<usize>, deadlines: Deadlines) -> Self {
        let (bytes, progress) = (Buffer::new(), Progress::new(0));
        Self { rooms, deadlines, body, announced, bytes, place: None, progress }
    }

    async fn whole(mut self, first: Bytes) -> Result<Whole, Incomplete> {
        // The stream bounds the waits for the peer; with those for room they may come to more.
        let gathered = timeout_at(self.deadlines.end, self.gather(first)).await;
        match gathered.unwrap_or(Err(Refusal::TooSlow)) {
            Ok(()) => {
                if let Some(place) = &mut self.place {
                    place.shrink(self.bytes.bytes().len());
                }
                Ok(Whole { bytes: self.bytes.into(), place: self.place.map(Arc::new) })
            }
            Err(refusal) => Err(Incomplete::new(refusal, self.bytes.bytes())),
        }
    }

    async fn gather(&mut self, first: Bytes) -> Result<(), Refusal> {
        let mut piece = Some(first);
        while let Some(bytes) = piece {
            if let Err(refusal) = self.add(&bytes).await {
                self.keep_beginning(&bytes);
                return Err(refusal);
            }
            piece = self.next().await?;
        }
        Ok(())
    }

    async fn add(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        self.make_room(piece.len()).await?;
        self.bytes.push(piece).map_err(|_| Refusal::NoRoom)?;
        self.progress.note(self.bytes.bytes().len());
        Ok(())
    }

    /// Keeps what the uid may need of a piece that there is no room for.
    fn keep_beginning(&mut self, piece: &[u8]) {
        let missing = UID_BYTES.saturating_sub(self.bytes.bytes().len()).min(piece.len());
        // Without it there is no uid, and the refusal is one of HTTP.
        let _ = self.bytes.push(piece.get(..missing).unwrap_or_default());
    }

    /// Has room for so many more bytes. What was announced is taken at once: bodies that grew would wait for each
    /// other. A length that was not announced, which no API server does, is taken for the longest of its room.
    async fn make_room(&mut self, more: usize) -> Result<(), Refusal> {
        let needed = self.bytes.bytes().len() + more;
        if needed > self.rooms.longest {
            return Err(Refusal::TooLarge);
        }
        if needed > self.place.as_ref().map_or(FREE_BYTES, Place::bytes) {
            let whole = self.announced.unwrap_or(if needed <= ORDINARY_BYTES {
                ORDINARY_BYTES.min(self.rooms.longest)
            } else {
                self.rooms.longest
            });
            // The body is no part of what is awaited here: it may not be shared.
            let Self { rooms, deadlines, place, progress, .. } = self;
            let taken = match place {
                None => rooms.take(whole, *deadlines).await,
                // While it waits for more, what it has may be needed by somebody else.
                Some(place) => tokio::select! {
                    biased;
                    taken = rooms.take(whole, *deadlines) => taken,
                    () = place.must_go(progress) => Err(Refusal::NoRoom),
                },
            };
            self.place = Some(taken?);
            self.progress = Progress::new(self.bytes.bytes().len());
        }
        let free = self.announced.map_or(FREE_BYTES, |whole| whole.min(FREE_BYTES));
        let room = self.place.as_ref().map_or(free, Place::bytes);
        // Of many short ones, too, an allocator would keep the memory.
        let is_among_many = self.place.as_ref().is_some_and(Place::is_among_many);
        let short = if is_among_many { FREE_BYTES } else { SHORT_BYTES };
        self.bytes.reserve(room, short).map_err(|_| Refusal::NoRoom)
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        let Some(place) = &self.place else { return next(&mut self.body).await };
        tokio::select! {
            biased;
            piece = next(&mut self.body) => piece,
            () = place.must_go(&self.progress) => Err(Refusal::NoRoom),
        }
    }
}

/// As much of an oversized body as the uid may need; less when it does not come.
async fn beginning(body: &mut Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < UID_BYTES {
        match next(body).await {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) | Err(_) => break,
        }
    }
    bytes
}

async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(error)) if is_timeout(&error) => return Err(Refusal::TooSlow),
            Some(Err(_)) => return Err(Refusal::Broken),
            // What is not data is trailers, which mean nothing here.
            Some(Ok(frame)) => {
                if let Ok(piece) = frame.into_data() {
                    return Ok(Some(piece));
                }
            }
        }
    }
}

fn is_timeout(error: &axum::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}

impl Incomplete {
    fn new(refusal: Refusal, bytes: &[u8]) -> Self {
        Self { refusal, part: bytes.get(..UID_BYTES).unwrap_or(bytes).to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    /// A body of unknown length that comes in these pieces.
    struct Pieces(Vec<&'static [u8]>);

    impl HttpBody for Pieces {
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

    /// Rooms of so many bytes each.
    fn rooms(bytes: usize, longest: usize) -> Rooms {
        let metrics = Metrics::new().unwrap();
        Rooms {
            ordinary: Room::new(bytes, usize::MAX, metrics.room("ordinary")),
            large: Room::new(bytes, usize::MAX, metrics.room("large")),
            longest,
        }
    }

    async fn read(rooms: &Rooms, pieces: &[&'static [u8]]) -> Result<Whole, Incomplete> {
        let deadlines = Deadlines::within(Duration::from_secs(1));
        rooms.read(Body::new(Pieces(pieces.to_vec())), deadlines).await
    }

    #[tokio::test(start_paused = true)]
    async fn pieces() {
        static LONG: [u8; FREE_BYTES] = [b'l'; FREE_BYTES];
        let (a, b, x): (&[u8], &[u8], &[u8]) = (b"01234", b"56789", b"x");
        let long = &LONG[..];
        for (pieces, room, longest, expected) in [
            (&[][..], 0, 10, Ok(0)),
            (&[a], 0, 10, Ok(5)),
            (&[a, b], 0, 10, Ok(10)),
            (&[a, b, x], 0, 10, Err((Refusal::TooLarge, 11))),
            (&[long, x], 1 << 20, 1 << 20, Ok(FREE_BYTES + 1)),
            (&[long, x], FREE_BYTES, 1 << 20, Err((Refusal::NoRoom, UID_BYTES))),
            (&[a, long], FREE_BYTES, 1 << 20, Err((Refusal::NoRoom, UID_BYTES))),
        ] {
            let whole = read(&rooms(room, longest), pieces).await;
            let found = whole.map(|whole| whole.bytes.len());
            assert_eq!(found.map_err(|end| (end.refusal, end.part.len())), expected, "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied_and_needs_no_room() {
        let bytes = Bytes::from_static(b"0123456789");
        let deadlines = Deadlines::within(Duration::ZERO);
        let whole = rooms(0, 10).read(Body::from(bytes.clone()), deadlines).await.unwrap();
        assert_eq!(whole.bytes.as_ptr(), bytes.as_ptr());
    }

    async fn is_empty(room: &Arc<Room>) -> bool {
        room.take(1 << 20, Instant::now()).await.is_some()
    }

    /// An ordinary body takes nothing of the other room, and one that grows leaves the room of the ordinary.
    #[tokio::test(start_paused = true)]
    async fn rooms_are_apart_and_given_back() {
        static PIECE: [u8; 128 * 1024] = [b'p'; 128 * 1024];
        let rooms = rooms(1 << 20, 1 << 20);
        let ordinary = read(&rooms, &[&PIECE, b"x"]).await.unwrap();
        assert!(!is_empty(&rooms.ordinary).await);
        assert!(is_empty(&rooms.large).await);
        let large = read(&rooms, &[&PIECE, &PIECE, b"x"]).await.unwrap();
        assert_eq!(large.place.as_ref().map(|place| place.bytes()), Some(2 * PIECE.len() + 1));
        drop(ordinary);
        assert!(is_empty(&rooms.ordinary).await);
        assert!(!is_empty(&rooms.large).await);
        drop(large);
        assert!(is_empty(&rooms.large).await);
    }

    #[tokio::test]
    async fn an_announced_excess_is_not_read_to_its_end() {
        let bytes = Bytes::from(vec![b'x'; 2 * UID_BYTES]);
        let deadlines = Deadlines::within(Duration::from_secs(9));
        let Incomplete { refusal, part } = rooms(0, 10).read(Body::from(bytes), deadlines).await.unwrap_err();
        assert_eq!((refusal, part.len()), (Refusal::TooLarge, UID_BYTES));
    }
}
