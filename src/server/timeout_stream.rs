//! How long we wait for a peer: a stream whose reads and writes time out.
//!
//! Hyper knows one time limit, for the head of a request, and starts it when the last answer is out; so it is
//! also the idle limit. One that stops a slow head is then one that closes idle connections within seconds,
//! and the API server's next review meets a closed connection. For bodies and for answers that are not taken
//! it has no limit at all. So the waiting is bounded here, where it happens: when a read or a write of the
//! stream is pending. A peer that sends a request whole and takes its answer never starts a timer.
//!
//! | what is waited for | limit | then |
//! |---|---|---|
//! | the first byte of a request | idle | error, which hyper takes for an end: closed in good order |
//! | the rest of the head | header | error: the connection is closed |
//! | the body | as given to [`ConnectionState::begin`] | error: the handler answers, then the connection is closed |
//! | our answer, by the peer | none here, the handler has its own | |
//! | that the peer takes the answer | body | error: the connection is closed |
//! | the end of a request that was refused early | body after its last byte, two bodies in all | closed |
//!
//! Once the process is shutting down, a connection whose peer is silent after its last answer has been idle for long
//! enough. One that has not had its first request yet gets as long as a head may take, since its peer may have opened
//! it for that request.
//!
//! A connection that is to be evicted ([`registry`](crate::server::registry)) ends as soon as a wait is pending, unless
//! something has come meanwhile: then it ends by the limit of that wait.
//!
//! A timer is kept for the life of the connection and only moved when it is due: waiting for the next
//! request costs two looks at the clock.

use std::error::Error;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::server::activity::{ConnectionActivity, ConnectionStage};
use crate::server::args::ServerLimits;
use crate::server::counted_stream::HasSocket;

/// For how many body timeouts what still comes of a refused request is read and dropped.
const LINGER_BODIES: u32 = 2;

/// What the service tells the stream below it. Both run in the one task of the connection, so the order of
/// the atomics is that of the program.
#[derive(Debug)]
pub(super) struct ConnectionState {
    activity: Arc<ConnectionActivity>,
    /// Counts up when a request begins and when it is answered: odd in a request, even in between.
    phase: AtomicU32,
    body_millis: AtomicU32,
    closing: AtomicBool,
    stopping: AtomicBool,
}

impl ConnectionState {
    fn new(activity: Arc<ConnectionActivity>) -> Self {
        Self {
            activity,
            phase: AtomicU32::default(),
            body_millis: AtomicU32::default(),
            closing: AtomicBool::default(),
            stopping: AtomicBool::default(),
        }
    }

    /// The head of a request is complete; its body may take so long.
    pub(super) fn begin(&self, body: Duration) {
        let millis = u32::try_from(body.as_millis()).unwrap_or(u32::MAX);
        self.body_millis.store(millis, Ordering::Relaxed);
        self.phase.fetch_or(1, Ordering::Relaxed);
        self.activity.enter(ConnectionStage::Body);
    }

    /// The request is answered.
    pub(super) fn end(&self) {
        self.phase.fetch_add(1, Ordering::Relaxed);
    }

    /// This answer is the last one, and was given without reading all that the peer sends: the stream reads on
    /// for a while, because closing over unread bytes resets the connection and may destroy the answer.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// The process is shutting down: a request that has begun is the last one. The connection must be polled after
    /// that.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    fn in_request(&self) -> bool {
        self.phase.load(Ordering::Relaxed) % 2 == 1
    }
}

/// A stream with a time limit for every wait.
pub(super) struct TimeoutStream<S> {
    stream: S,
    state: Arc<ConnectionState>,
    limits: ServerLimits,
    /// The phase that `has_begun` and the read timer belong to.
    phase: u32,
    /// Whether a byte of the next request has come.
    has_begun: bool,
    /// How many bytes the socket had received when the last of them were passed on.
    delivered: u64,
    read_timer: WaitTimer,
    write_timer: WaitTimer,
    linger_timer: WaitTimer,
    /// Until when bytes are still read and dropped.
    linger_deadline: Option<Instant>,
}

impl<S: HasSocket> TimeoutStream<S> {
    /// A connection that has never sent a request may be as idle as others: Go dials ahead and keeps such connections
    /// for later. They are also all that an attacker has to open, but where there is no room for a new peer the registry
    /// evicts one.
    pub(super) fn new(stream: S, limits: ServerLimits) -> (Self, Arc<ConnectionState>) {
        let state = Arc::new(ConnectionState::new(Arc::clone(stream.socket().activity())));
        let limited = Self {
            delivered: stream.socket().received(),
            stream,
            state: Arc::clone(&state),
            limits,
            phase: 0,
            has_begun: false,
            read_timer: WaitTimer::default(),
            write_timer: WaitTimer::default(),
            linger_timer: WaitTimer::default(),
            linger_deadline: None,
        };
        (limited, state)
    }

    fn sync_phase(&mut self) {
        let phase = self.state.phase.load(Ordering::Relaxed);
        if phase != self.phase {
            self.phase = phase;
            self.has_begun = false;
            self.read_timer.stop();
        }
    }

    fn note_received(&mut self) {
        self.delivered = self.stream.socket().received();
        if !self.has_begun {
            self.has_begun = true;
            // The idle time is over and that of the head begins.
            if !self.in_request() {
                self.read_timer.stop();
                self.state.activity.enter(ConnectionStage::Head);
            }
        }
    }

    fn in_request(&self) -> bool {
        self.phase % 2 == 1
    }

    /// Whether the peer has sent its whole request and waits for us.
    fn peer_is_waiting(&self) -> bool {
        self.in_request()
            && matches!(self.state.activity.state().stage, ConnectionStage::Working | ConnectionStage::Answer)
    }

    fn read_limit(&mut self) -> Duration {
        if self.in_request() {
            return Duration::from_millis(u64::from(self.state.body_millis.load(Ordering::Relaxed)));
        }
        let is_stopping = self.state.is_stopping();
        if is_stopping && !self.has_begun && !self.is_silent() {
            self.note_received();
        }
        let is_first_request = self.phase == 0;
        if self.has_begun || (is_first_request && is_stopping) {
            return self.limits.header_timeout;
        }
        if is_stopping { Duration::ZERO } else { self.limits.idle_timeout }
    }

    /// Whether everything that the peer sent has been passed on, down to the last part of a TLS record.
    fn is_silent(&self) -> bool {
        let socket = self.stream.socket();
        socket.received() == self.delivered && !socket.has_more()
    }

    /// Whether this connection is to be evicted and may go. A request of which a part has arrived is waited for; if
    /// that is no more than a part of a TLS record, then as long as for a head.
    fn agrees_to_leave(&mut self) -> bool {
        let activity = Arc::clone(&self.state.activity);
        if !activity.should_leave() {
            return false;
        }
        let expects_nothing = !self.has_begun && !self.in_request();
        let is_busy = if expects_nothing { !self.is_silent() } else { self.stream.socket().has_more() };
        if !is_busy {
            activity.mark_evicted();
        } else if expects_nothing {
            self.note_received();
        }
        !is_busy
    }

    fn poll_read_timeout(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.peer_is_waiting() {
            self.read_timer.stop();
            return Poll::Pending;
        }
        if self.agrees_to_leave() {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        let limit = self.read_limit();
        ready!(self.read_timer.poll_elapsed(context, limit));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }

    fn poll_write_timeout<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_timer.stop();
            return written;
        }
        let activity = &self.state.activity;
        if activity.should_leave() || activity.was_evicted() {
            activity.mark_evicted();
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        ready!(self.write_timer.poll_elapsed(context, self.limits.body_timeout));
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + HasSocket + Unpin> TimeoutStream<S> {
    /// Reads and drops what the peer still sends, until it has seen the answer and closes, or time is up: many
    /// clients read only once they have written everything.
    ///
    /// Has a timer of its own, since hyper flushes before each poll and a flush stops that of writing.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limit = self.limits.body_timeout;
        let deadline = *self.linger_deadline.get_or_insert_with(|| Instant::now() + limit * LINGER_BODIES);
        let mut space = [0; 4096];
        loop {
            let mut sink = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(context, &mut sink) {
                Poll::Ready(Ok(())) if !sink.filled().is_empty() => self.linger_timer.stop(),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if self.agrees_to_leave() || self.state.activity.was_evicted() => {
                    return Poll::Ready(());
                }
                Poll::Pending => return self.linger_timer.poll_elapsed(context, limit),
            }
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + HasSocket + Unpin> AsyncRead for TimeoutStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.sync_phase();
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                if buffer.filled().len() > before {
                    this.note_received();
                }
                Poll::Ready(read)
            }
            Poll::Pending => this.poll_read_timeout(context),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + HasSocket + Unpin> AsyncWrite for TimeoutStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.poll_write_timeout(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, slices);
        this.poll_write_timeout(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        if matches!(flushed, Poll::Ready(Ok(()))) && !this.state.in_request() {
            this.state.activity.advance(ConnectionStage::Working, ConnectionStage::Idle);
        }
        this.poll_write_timeout(context, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(context);
        let shut = this.poll_write_timeout(context, shut);
        if matches!(shut, Poll::Ready(Ok(()))) && this.state.closing.load(Ordering::Relaxed) {
            return this.poll_linger(context).map(Ok);
        }
        shut
    }
}

/// The timer of one kind of wait.
#[derive(Default)]
struct WaitTimer {
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl WaitTimer {
    fn stop(&mut self) {
        self.since = None;
    }

    /// Ready once `limit` has passed since the first call after [`WaitTimer::stop`].
    fn poll_elapsed(&mut self, context: &mut Context<'_>, limit: Duration) -> Poll<()> {
        let deadline = *self.since.get_or_insert_with(Instant::now) + limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        // It may have been set for an earlier wait: only then is it set again.
        loop {
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

/// Whether an error was caused by a time limit of a [`TimeoutStream`].
pub(super) fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == ErrorKind::TimedOut) {
            return true;
        }
        cause = error.source();
    }
    false
}
