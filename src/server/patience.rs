//! How long we wait for a peer: a stream that gives up on one that is too slow.
//!
//! Hyper knows one time limit, for the head of a request, and starts it when the last answer is out; so it is
//! also the idle limit. One that stops a slow head is then one that closes idle connections within seconds,
//! and the API server's next review meets a closed connection. For bodies and for answers that are not taken
//! it has no limit at all. So the waiting is bounded here, where it happens: when a read or a write of the
//! stream is pending. A peer that sends a request whole and takes its answer never starts anything.
//!
//! | what is waited for | limit | then |
//! |---|---|---|
//! | the first byte of a request | idle | error, which hyper takes for an end: closed in good order |
//! | the rest of the head | header | error: the connection is closed |
//! | the body | what the [`Link`] says | error: the handler answers, then the connection is closed |
//! | our answer, by the peer | none here, the handler has its own | |
//! | room for the answer | body | error: the connection is closed |
//! | the end of a request that was refused early | body after its last byte, two bodies in all | closed |
//!
//! Once the process stops, a connection whose peer is silent after its last answer is idle for long enough.
//! One that has not had its first request yet gets as long as a head may take, since its peer may have made it
//! for that request.
//!
//! And a connection that was chosen to make room for another one ([`registry`](super::registry)) goes when a wait
//! is pending, if nothing has come since it was chosen: then it ends as by the limit of that wait.
//!
//! A timer is kept for the life of the connection and only moved when it is due: waiting for the next
//! request costs two looks at the clock.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;
use super::activity::{Activity, Stage};
use super::registry::Registry;
use super::wire::OverWire;

/// As many times as long as a body may take, whatever still comes of a refused request is read and dropped.
const LINGER_BODIES: u32 = 2;

/// What the service tells the stream under it. Both run in the one task of the connection, so the order of
/// the atomics is that of the program.
#[derive(Debug)]
pub(super) struct Link {
    activity: Arc<Activity>,
    /// Odd while a request is being read and answered, even in between.
    turn: AtomicU32,
    body_millis: AtomicU32,
    closing: AtomicBool,
    stopping: AtomicBool,
}

impl Link {
    fn new(activity: Arc<Activity>) -> Self {
        Self {
            activity,
            turn: AtomicU32::default(),
            body_millis: AtomicU32::default(),
            closing: AtomicBool::default(),
            stopping: AtomicBool::default(),
        }
    }

    /// The head of a request is complete; its body may take so long.
    pub(super) fn begin(&self, body: Duration) {
        let millis = u32::try_from(body.as_millis()).unwrap_or(u32::MAX);
        self.body_millis.store(millis, Ordering::Relaxed);
        self.turn.fetch_or(1, Ordering::Relaxed);
        self.activity.enter(Stage::Body);
    }

    /// The request is answered.
    pub(super) fn end(&self) {
        self.turn.fetch_add(1, Ordering::Relaxed);
    }

    /// The answer is the last one, and given without having read all that the peer sends: the stream reads
    /// on for a while, because closing over unread bytes resets the connection and may destroy the answer.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// The process stops: what the peer has begun to say is the last that is heard. The connection must be
    /// polled after that.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn in_request(&self) -> bool {
        self.turn.load(Ordering::Relaxed) % 2 == 1
    }
}

/// A stream with bounds on every wait.
pub(super) struct Patient<S> {
    stream: S,
    link: Arc<Link>,
    limits: Limits,
    registry: Arc<Registry>,
    /// The turn that `heard` and the running read clock belong to.
    turn: u32,
    /// Whether a byte of the next request has come.
    heard: bool,
    /// Of the bytes that the wire received, how many it had when the last of them were passed on.
    passed_on: u64,
    reading: Clock,
    writing: Clock,
    lingering: Clock,
    /// Until when bytes are still read and dropped.
    lingers_until: Option<Instant>,
}

impl<S: OverWire> Patient<S> {
    /// A connection that has never sent a request is borne only while no more than half of the places of the port
    /// are taken. Go dials ahead and keeps such connections for later, so they are no
    /// offence; but they are also all that an attacker has to open.
    pub(super) fn new(stream: S, limits: Limits, registry: Arc<Registry>) -> (Self, Arc<Link>) {
        let link = Arc::new(Link::new(Arc::clone(stream.wire().activity())));
        let patient = Self {
            passed_on: stream.wire().received(),
            stream,
            link: Arc::clone(&link),
            limits,
            registry,
            turn: 0,
            heard: false,
            reading: Clock::default(),
            writing: Clock::default(),
            lingering: Clock::default(),
            lingers_until: None,
        };
        (patient, link)
    }

    fn keep_turn(&mut self) {
        let turn = self.link.turn.load(Ordering::Relaxed);
        if turn != self.turn {
            self.turn = turn;
            self.heard = false;
            self.reading.stop();
        }
    }

    fn note_bytes(&mut self) {
        self.passed_on = self.stream.wire().received();
        if !self.heard {
            self.heard = true;
            // The head's time starts now; the idle time is over.
            if !self.in_request() {
                self.reading.stop();
                self.link.activity.enter(Stage::Head);
            }
        }
    }

    fn in_request(&self) -> bool {
        self.turn % 2 == 1
    }

    /// Whether the peer has done its part of a request, and waits for us.
    fn is_waited_for(&self) -> bool {
        self.in_request() && matches!(self.link.activity.state().stage, Stage::Working | Stage::Answer)
    }

    fn read_limit(&mut self) -> Duration {
        if self.in_request() {
            return Duration::from_millis(u64::from(self.link.body_millis.load(Ordering::Relaxed)));
        }
        let is_stopping = self.link.is_stopping();
        if is_stopping && !self.heard && !self.is_silent() {
            self.note_bytes();
        }
        let is_stranger = self.turn == 0;
        if self.heard || (is_stranger && (is_stopping || self.registry.is_crowded())) {
            return self.limits.header_timeout;
        }
        if is_stopping { Duration::ZERO } else { self.limits.idle_timeout }
    }

    /// Whether there is nothing of the peer's that was not passed on, not even a part of a TLS record.
    fn is_silent(&self) -> bool {
        let wire = self.stream.wire();
        wire.received() == self.passed_on && !wire.has_more()
    }

    /// Whether this connection was chosen to make room, and nothing speaks against it. A request of which a part
    /// is already here is waited for; if that is no more than a part of a TLS record, then as for a head.
    fn leaves(&mut self) -> bool {
        let activity = Arc::clone(&self.link.activity);
        if !activity.is_to_leave() {
            return false;
        }
        let expects_nothing = !self.heard && !self.in_request();
        let has_begun = if expects_nothing { !self.is_silent() } else { self.stream.wire().has_more() };
        if !has_begun {
            activity.leave();
        } else if expects_nothing {
            self.note_bytes();
        }
        !has_begun
    }

    fn poll_patience(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_waited_for() {
            self.reading.stop();
            return Poll::Pending;
        }
        if self.leaves() {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        let limit = self.read_limit();
        ready!(self.reading.poll_spent(context, limit));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    fn write_waited<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing.stop();
            return written;
        }
        let activity = &self.link.activity;
        if activity.is_to_leave() || activity.has_left() {
            activity.leave();
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        ready!(self.writing.poll_spent(context, self.limits.body_timeout));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + OverWire + Unpin> Patient<S> {
    /// Reads and drops what the peer still sends, until it has seen the answer and closes, or time is up: many a
    /// client reads only when it has written all.
    /// Has a clock of its own, since hyper flushes before each look and a flush stops that of writing.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limit = self.limits.body_timeout;
        let until = *self.lingers_until.get_or_insert_with(|| Instant::now() + limit * LINGER_BODIES);
        let mut space = [0; 4096];
        loop {
            let mut sink = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(context, &mut sink) {
                Poll::Ready(Ok(())) if !sink.filled().is_empty() => self.lingering.stop(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if self.leaves() || self.link.activity.has_left() => return Poll::Ready(()),
                Poll::Pending => return self.lingering.poll_spent(context, limit),
            }
            if Instant::now() >= until {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + OverWire + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.keep_turn();
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                if buffer.filled().len() > before {
                    this.note_bytes();
                }
                Poll::Ready(read)
            }
            Poll::Pending => this.poll_patience(context),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + OverWire + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.write_waited(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.write_waited(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) && !this.link.in_request() {
            this.link.activity.advance(Stage::Working, Stage::Idle);
        }
        this.write_waited(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(context);
        let shut = this.write_waited(context, shut);
        if matches!(shut, Poll::Ready(Ok(()))) && this.link.closing.load(Ordering::Relaxed) {
            return this.poll_linger(context).map(Ok);
        }
        shut
    }
}

/// One wait: since when, and what wakes us.
#[derive(Default)]
struct Clock {
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    fn stop(&mut self) {
        self.since = None;
    }

    /// Ready once `limit` has passed since the first call after [`Clock::stop`].
    fn poll_spent(&mut self, context: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let deadline = *self.since.get_or_insert_with(Instant::now) + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        // It may have been set for an earlier wait; then it is set again, and only then.
        loop {
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}
