//! What a connection is doing, so that one can be chosen for eviction.
//!
//! The connection's own task writes it, at each step of a connection and not at each byte: a peer that drips
//! bytes is no more active than one that is silent. The registry reads it at any time, so it is made of atomics.
//! The stage and the time when it began share one of them: as long as it has not changed, nothing has happened.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The bits of the state that hold the stage; the others are microseconds, enough for 2,000 years.
const STAGE_BITS: u32 = 8;

/// Every so many bytes of a body count as a step. A peer that only drips makes none within the time for a body.
const STEP_BYTES: usize = 16 * 1024;

/// How far a connection is: what it waits for, or that the peer waits for us. Also a label of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionStage {
    /// Accepted, and nothing has been received.
    Silent,
    /// Some of the TLS handshake has been received.
    Handshake,
    /// The server's part of the handshake is sent.
    Greeted,
    /// The first request is awaited.
    Unused,
    /// Some of the head of a request has been received.
    Head,
    /// The head is complete, the rest of the body is awaited.
    Body,
    /// The request is complete and its answer is not sent: the peer waits for us.
    Working,
    /// The peer does not read its answer.
    Answer,
    /// Every request is answered.
    Idle,
}

impl ConnectionStage {
    pub(super) const ALL: [Self; 9] = [
        Self::Silent,
        Self::Handshake,
        Self::Greeted,
        Self::Unused,
        Self::Head,
        Self::Body,
        Self::Working,
        Self::Answer,
        Self::Idle,
    ];

    /// The label in the metrics and the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Handshake => "hello",
            Self::Greeted => "handshake",
            Self::Unused => "unused",
            Self::Head => "head",
            Self::Body => "body",
            Self::Working => "working",
            Self::Answer => "answer",
            Self::Idle => "idle",
        }
    }
}

/// A stage and when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimedStage {
    pub(super) stage: ConnectionStage,
    /// Microseconds since the port was opened.
    pub(super) since: u64,
}

impl TimedStage {
    fn pack(self) -> u64 {
        self.since << STAGE_BITS | self.stage as u64
    }

    fn unpack(packed: u64) -> Self {
        let index = usize::from(packed.to_le_bytes()[0]);
        // Only `pack` makes them, so the index is that of a stage.
        let stage = ConnectionStage::ALL.get(index).copied().unwrap_or(ConnectionStage::Working);
        Self { stage, since: packed >> STAGE_BITS }
    }
}

/// One connection, as its port sees it.
#[derive(Debug)]
pub(super) struct ConnectionActivity {
    pub(super) address: IpAddr,
    opened: Instant,
    state: AtomicU64,
    was_answered: AtomicBool,
    /// The longest silence, in microseconds, after which the peer has sent another request.
    longest_silence: AtomicU64,
    step_bytes: AtomicUsize,
    eviction: EvictionRequest,
}

/// The request that a connection closes, and how it was answered.
#[derive(Debug)]
struct EvictionRequest {
    /// The stage in which it was requested, or [`NOT_REQUESTED`].
    requested_at: AtomicU64,
    notice: Notify,
    /// How many connections of the port have been asked to close and are still open.
    leaving: Arc<AtomicUsize>,
    was_evicted: AtomicBool,
    /// The next answer is the last one.
    closes_after_answer: AtomicBool,
}

const NOT_REQUESTED: u64 = u64::MAX;

impl ConnectionActivity {
    /// A connection that was just accepted at a port that was `opened` then.
    pub(super) fn new(address: IpAddr, opened: Instant, leaving: Arc<AtomicUsize>) -> Self {
        let activity = Self {
            address,
            opened,
            state: AtomicU64::new(0),
            was_answered: AtomicBool::new(false),
            longest_silence: AtomicU64::new(0),
            step_bytes: AtomicUsize::new(0),
            eviction: EvictionRequest {
                requested_at: AtomicU64::new(NOT_REQUESTED),
                notice: Notify::new(),
                leaving,
                was_evicted: AtomicBool::new(false),
                closes_after_answer: AtomicBool::new(false),
            },
        };
        activity.enter(ConnectionStage::Silent);
        activity
    }

    // ---- for the connection

    /// The connection enters a stage.
    pub(super) fn enter(&self, stage: ConnectionStage) {
        let before = self.state();
        let since = micros(self.opened.elapsed());
        if before.stage == ConnectionStage::Idle {
            self.longest_silence.fetch_max(since.saturating_sub(before.since), Ordering::Relaxed);
        }
        if stage == ConnectionStage::Idle {
            self.was_answered.store(true, Ordering::Relaxed);
        }
        self.state.store(TimedStage { stage, since }.pack(), Ordering::Relaxed);
    }

    /// Enters the stage `to` if it is in the stage `from`.
    pub(super) fn advance(&self, from: ConnectionStage, to: ConnectionStage) {
        if self.state().stage == from {
            self.enter(to);
        }
    }

    /// So many bytes were received.
    pub(super) fn received(&self, bytes: usize) {
        self.advance(ConnectionStage::Silent, ConnectionStage::Handshake);
        let bytes = self.step_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if bytes >= STEP_BYTES {
            self.step_bytes.store(0, Ordering::Relaxed);
            self.advance(ConnectionStage::Body, ConnectionStage::Body);
        }
    }

    /// Waits until this connection is asked to close.
    pub(super) async fn eviction_requested(&self) {
        self.eviction.notice.notified().await;
    }

    /// Whether it was asked to close, and has made no step since.
    pub(super) fn should_leave(&self) -> bool {
        self.eviction.requested_at.load(Ordering::Relaxed) == self.state.load(Ordering::Relaxed)
    }

    /// It closes because it was asked to.
    pub(super) fn mark_evicted(&self) {
        self.eviction.was_evicted.store(true, Ordering::Relaxed);
    }

    /// Whether it closes because it was asked to.
    pub(super) fn was_evicted(&self) -> bool {
        self.eviction.was_evicted.load(Ordering::Relaxed)
    }

    /// How far it was when it was asked to close, if it closes because of that.
    pub(super) fn evicted_from(&self) -> Option<ConnectionStage> {
        let requested_at = TimedStage::unpack(self.eviction.requested_at.load(Ordering::Relaxed));
        self.was_evicted().then_some(requested_at.stage)
    }

    /// It does not close yet, since something has been received. But its next answer is the last one.
    pub(super) fn decline_eviction(&self) {
        self.close_after_answer();
        self.withdraw_eviction();
    }

    /// Whether the next answer is the last one.
    pub(super) fn closes_after_answer(&self) -> bool {
        self.eviction.closes_after_answer.load(Ordering::Relaxed)
    }

    // ---- for the port

    pub(super) fn state(&self) -> TimedStage {
        TimedStage::unpack(self.state.load(Ordering::Relaxed))
    }

    /// Whether it has ever been idle.
    pub(super) fn was_answered(&self) -> bool {
        self.was_answered.load(Ordering::Relaxed)
    }

    pub(super) fn longest_silence(&self) -> u64 {
        self.longest_silence.load(Ordering::Relaxed)
    }

    /// Whether it was asked to close, and has neither closed nor declined.
    pub(super) fn is_eviction_pending(&self) -> bool {
        self.eviction.requested_at.load(Ordering::Relaxed) != NOT_REQUESTED
    }

    /// Asks it to close, unless it has made a step since it was `seen`.
    pub(super) fn request_eviction(&self, seen: TimedStage) {
        if self.eviction.requested_at.swap(seen.pack(), Ordering::Relaxed) == NOT_REQUESTED {
            self.eviction.leaving.fetch_add(1, Ordering::Relaxed);
        }
        self.eviction.notice.notify_one();
    }

    /// Makes the next answer the last one.
    pub(super) fn close_after_answer(&self) {
        self.eviction.closes_after_answer.store(true, Ordering::Relaxed);
    }

    /// It is no longer asked to close.
    pub(super) fn withdraw_eviction(&self) {
        if self.eviction.requested_at.swap(NOT_REQUESTED, Ordering::Relaxed) != NOT_REQUESTED {
            self.eviction.leaving.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A duration in the unit of [`TimedStage::since`].
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity() -> ConnectionActivity {
        let address = IpAddr::from([127, 0, 0, 1]);
        ConnectionActivity::new(address, Instant::now(), Arc::default())
    }

    #[test]
    fn every_stage_survives_packing() {
        for (index, stage) in ConnectionStage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, index, "{stage:?}");
            for since in [0, 1, u64::MAX >> STAGE_BITS] {
                let state = TimedStage { stage, since };
                assert_eq!(TimedStage::unpack(state.pack()), state);
                assert_ne!(state.pack(), NOT_REQUESTED);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_after_the_choice_keeps_the_connection() {
        let activity = activity();
        activity.enter(ConnectionStage::Idle);
        activity.request_eviction(activity.state());
        assert!(activity.should_leave());
        tokio::time::advance(Duration::from_secs(30)).await;
        activity.enter(ConnectionStage::Head);
        assert!(!activity.should_leave() && activity.is_eviction_pending());
        assert_eq!(activity.longest_silence(), 30_000_000);
        activity.decline_eviction();
        assert!(!activity.is_eviction_pending() && activity.closes_after_answer());
        assert_eq!(activity.eviction.leaving.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_makes_no_step() {
        let activity = activity();
        activity.enter(ConnectionStage::Body);
        let begun = activity.state();
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 1..STEP_BYTES {
            activity.received(1);
        }
        assert_eq!(activity.state(), begun);
        activity.received(1);
        assert_eq!(
            activity.state(),
            TimedStage { stage: ConnectionStage::Body, since: begun.since + 1_000_000 }
        );
    }
}
