//! Reading the body of a review: whole or not at all, and never more than there is room for.
//!
//! A body that came in one piece is used where it lies. The time limit is not here but in the stream
//! ([`patience`](super::patience)), whose read fails when it has passed: only there is it known that nothing
//! more has come, while here even a body that came with its head is pending at first.

use std::error::Error;
use std::io;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::refusal::Refusal;

/// Go writes kind, apiVersion and request.uid first, so the uid of a review that is refused for its size is
/// in the first few hundred bytes.
const UID_BYTES: usize = 4096;

/// A body, and the room that it takes until it is dropped.
#[derive(Debug)]
pub(super) struct Whole<'r> {
    pub(super) bytes: Bytes,
    _room: Option<SemaphorePermit<'r>>,
}

/// A body of which only the beginning was read.
#[derive(Debug)]
pub(super) struct Incomplete {
    pub(super) refusal: Refusal,
    /// The beginning, for the uid.
    pub(super) part: Bytes,
}

/// Reads a body of at most `most` bytes. `room` has a permit for each byte of all bodies that come in several
/// pieces: what a peer has only announced takes none.
pub(super) async fn read(mut body: Body, room: &Semaphore, most: usize) -> Result<Whole<'_>, Incomplete> {
    let announced = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if announced.is_some_and(|bytes| bytes > most) {
        let part = beginning(&mut body).await;
        return Err(Incomplete::new(Refusal::TooLarge, &part));
    }
    let first = match next(&mut body).await {
        Ok(piece) => piece.unwrap_or_default(),
        Err(refusal) => return Err(Incomplete::new(refusal, &Bytes::new())),
    };
    if body.is_end_stream() {
        return Ok(Whole { bytes: first, _room: None });
    }
    gather(body, first, announced.unwrap_or(0), room, most).await
}

async fn gather(
    mut body: Body,
    first: Bytes,
    announced: usize,
    room: &Semaphore,
    most: usize,
) -> Result<Whole<'_>, Incomplete> {
    let mut taken = None;
    let mut bytes = Vec::new();
    let mut piece = first;
    loop {
        if bytes.len() + piece.len() > most {
            return Err(Incomplete::of_pieces(Refusal::TooLarge, bytes, &piece));
        }
        if !take(room, &mut taken, piece.len()) {
            return Err(Incomplete::of_pieces(Refusal::NoRoom, bytes, &piece));
        }
        bytes.reserve_exact(announced.saturating_sub(bytes.len()));
        bytes.extend_from_slice(&piece);
        piece = match next(&mut body).await {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(refusal) => return Err(Incomplete::new(refusal, &Bytes::from(bytes))),
        };
    }
    Ok(Whole { bytes: Bytes::from(bytes), _room: taken })
}

/// As much of an oversized body as the uid may need; less when it does not come.
async fn beginning(body: &mut Body) -> Bytes {
    let mut bytes = Vec::new();
    while bytes.len() < UID_BYTES {
        match next(body).await {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) | Err(_) => break,
        }
    }
    Bytes::from(bytes)
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

fn take<'r>(room: &'r Semaphore, taken: &mut Option<SemaphorePermit<'r>>, bytes: usize) -> bool {
    let Some(more) = u32::try_from(bytes).ok().and_then(|bytes| room.try_acquire_many(bytes).ok()) else {
        return false;
    };
    match taken {
        Some(permit) => permit.merge(more),
        None => *taken = Some(more),
    }
    true
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
    fn new(refusal: Refusal, bytes: &Bytes) -> Self {
        Self { refusal, part: bytes.slice(..bytes.len().min(UID_BYTES)) }
    }

    fn of_pieces(refusal: Refusal, mut bytes: Vec<u8>, piece: &Bytes) -> Self {
        if bytes.len() < UID_BYTES {
            bytes.extend_from_slice(piece);
        }
        Self::new(refusal, &Bytes::from(bytes))
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

    async fn read_pieces(pieces: &[&'static [u8]], room: usize) -> Result<Bytes, (Refusal, Bytes)> {
        let body = Body::new(Pieces(pieces.to_vec()));
        let room = Semaphore::new(room);
        match read(body, &room, 10).await {
            Ok(whole) => Ok(whole.bytes),
            Err(Incomplete { refusal, part }) => Err((refusal, part)),
        }
    }

    #[tokio::test]
    async fn pieces() {
        let (a, b, x): (&[u8], &[u8], &[u8]) = (b"01234", b"56789", b"x");
        for (pieces, room, expected) in [
            (&[][..], 99, Ok("")),
            (&[a], 99, Ok("01234")),
            (&[a, b], 99, Ok("0123456789")),
            (&[a, b, x], 99, Err((Refusal::TooLarge, "0123456789x"))),
            (&[a, b], 10, Ok("0123456789")),
            (&[a, b], 9, Err((Refusal::NoRoom, "0123456789"))),
        ] {
            let expected = expected.map(Bytes::from).map_err(|(refusal, part)| (refusal, Bytes::from(part)));
            assert_eq!(read_pieces(pieces, room).await, expected, "{pieces:?}");
        }
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied_and_needs_no_room() {
        let bytes = Bytes::from_static(b"0123456789");
        let room = Semaphore::new(0);
        let whole = read(Body::from(bytes.clone()), &room, 10).await.unwrap();
        assert_eq!(whole.bytes.as_ptr(), bytes.as_ptr());
    }

    #[tokio::test]
    async fn room_is_given_back() {
        let room = Semaphore::new(10);
        let whole = read(Body::new(Pieces(vec![b"01", b"23"])), &room, 10).await.unwrap();
        assert_eq!(room.available_permits(), 6);
        drop(whole);
        assert_eq!(room.available_permits(), 10);
    }

    #[tokio::test]
    async fn an_announced_excess_is_not_read_to_its_end() {
        let bytes = Bytes::from(vec![b'x'; 2 * UID_BYTES]);
        let room = Semaphore::new(0);
        let Incomplete { refusal, part } = read(Body::from(bytes), &room, 10).await.unwrap_err();
        assert_eq!((refusal, part.len()), (Refusal::TooLarge, UID_BYTES));
    }
}
