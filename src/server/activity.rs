//! What a connection is doing, for whoever has to choose one to close.
//!
//! The connection's own task writes it, at each step of a connection and not at each byte: a peer that drips
//! bytes is no more active than one that is silent. Others read it at any time, so it is atomics, and the
//! stage and the time of its beginning are one of them: whoever has seen both knows that nothing has happened
//! since as long as they are the same.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// The bits of the state that hold the stage; the others are microseconds, enough for 2,000 years.
const STAGE_BITS: u32 = 8;

/// Of a body that keeps coming: each time that so much of it has come is a step. A peer that only drips makes
/// none within the time for a body.
const STEP_BYTES: usize = 16 * 1024;

/// How far a connection is: what it waits for, or that somebody waits for us. Also a label of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Accepted, and not a byte has come.
    Silent,
    /// Some of the TLS handshake has come.
    Handshake,
    /// The server's part of the handshake is out.
    Greeted,
    /// The first request is awaited.
    Unused,
    /// Some of the head of a request has come.
    Head,
    /// The head is there, the rest of the body is awaited.
    Body,
    /// The request is there and its answer is not out: the peer waits for us.
    Working,
    /// The peer does not take its answer.
    Answer,
    /// Everything is answered.
    Idle,
}

impl Stage {
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
pub(super) struct State {
    pub(super) stage: Stage,
    /// Microseconds since the port was opened.
    pub(super) since: u64,
}

impl State {
    fn pack(self) -> u64 {
        self.since << STAGE_BITS | self.stage as u64
    }

    fn unpack(packed: u64) -> Self {
        let index = usize::from(packed.to_le_bytes()[0]);
        // Only `pack` makes them, so the index is that of a stage.
        let stage = Stage::ALL.get(index).copied().unwrap_or(Stage::Working);
        Self { stage, since: packed >> STAGE_BITS }
    }
}

/// One connection, as seen by its port.
#[derive(Debug)]
pub(super) struct Activity {
    pub(super) address: IpAddr,
    opened: Instant,
    state: AtomicU64,
    was_answered: AtomicBool,
    /// The longest silence, in microseconds, after which the peer has asked again.
    comes_back: AtomicU64,
    step_bytes: AtomicUsize,
    eviction: Eviction,
}

/// That a connection shall go, and what came of that.
#[derive(Debug)]
struct Eviction {
    /// The state in which it was chosen; none has this value otherwise.
    chosen: AtomicU64,
    notice: Notify,
    /// How many of the port are chosen and not gone.
    leaving: Arc<AtomicUsize>,
    has_left: AtomicBool,
    /// The next answer is the last one.
    is_last: AtomicBool,
}

const NOT_CHOSEN: u64 = u64::MAX;

impl Activity {
    /// A connection that was just accepted at a port that was `opened` then.
    pub(super) fn new(address: IpAddr, opened: Instant, leaving: Arc<AtomicUsize>) -> Self {
        let activity = Self {
            address,
            opened,
            state: AtomicU64::new(0),
            was_answered: AtomicBool::new(false),
            comes_back: AtomicU64::new(0),
            step_bytes: AtomicUsize::new(0),
            eviction: Eviction {
                chosen: AtomicU64::new(NOT_CHOSEN),
                notice: Notify::new(),
                leaving,
                has_left: AtomicBool::new(false),
                is_last: AtomicBool::new(false),
            },
        };
        activity.enter(Stage::Silent);
        activity
    }

    // ---- written by the connection

    /// The connection is that far from now on.
    pub(super) fn enter(&self, stage: Stage) {
        let before = self.state();
        let since = micros(self.opened.elapsed());
        if before.stage == Stage::Idle {
            self.comes_back.fetch_max(since.saturating_sub(before.since), Ordering::Relaxed);
        }
        if stage == Stage::Idle {
            self.was_answered.store(true, Ordering::Relaxed);
        }
        self.state.store(State { stage, since }.pack(), Ordering::Relaxed);
    }

    /// As [`enter`](Self::enter), if it was just so far before.
    pub(super) fn advance(&self, from: Stage, to: Stage) {
        if self.state().stage == from {
            self.enter(to);
        }
    }

    /// So many bytes have come on the wire.
    pub(super) fn received(&self, bytes: usize) {
        self.advance(Stage::Silent, Stage::Handshake);
        let bytes = self.step_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if bytes >= STEP_BYTES {
            self.step_bytes.store(0, Ordering::Relaxed);
            self.advance(Stage::Body, Stage::Body);
        }
    }

    /// Waits until this connection is chosen to go.
    pub(super) async fn chosen(&self) {
        self.eviction.notice.notified().await;
    }

    /// Whether it is chosen to go, and has made no step since.
    pub(super) fn is_to_leave(&self) -> bool {
        self.eviction.chosen.load(Ordering::Relaxed) == self.state.load(Ordering::Relaxed)
    }

    /// It goes.
    pub(super) fn leave(&self) {
        self.eviction.has_left.store(true, Ordering::Relaxed);
    }

    /// Whether it goes because it was chosen.
    pub(super) fn has_left(&self) -> bool {
        self.eviction.has_left.load(Ordering::Relaxed)
    }

    /// How far it was when it was chosen, if it went because of that.
    pub(super) fn left_from(&self) -> Option<Stage> {
        let chosen = State::unpack(self.eviction.chosen.load(Ordering::Relaxed));
        self.has_left().then_some(chosen.stage)
    }

    /// It does not go yet: something has come after all. But the next answer is its last.
    pub(super) fn stay(&self) {
        self.make_last();
        self.forget_choice();
    }

    /// Whether the next answer is the last one.
    pub(super) fn is_last(&self) -> bool {
        self.eviction.is_last.load(Ordering::Relaxed)
    }

    // ---- read and written by the port

    pub(super) fn state(&self) -> State {
        State::unpack(self.state.load(Ordering::Relaxed))
    }

    /// Whether it has ever been idle.
    pub(super) fn was_answered(&self) -> bool {
        self.was_answered.load(Ordering::Relaxed)
    }

    pub(super) fn comes_back(&self) -> u64 {
        self.comes_back.load(Ordering::Relaxed)
    }

    /// Whether it was told to go, and has neither gone nor found a reason not to.
    pub(super) fn is_chosen(&self) -> bool {
        self.eviction.chosen.load(Ordering::Relaxed) != NOT_CHOSEN
    }

    /// Has it go, unless something happens first.
    pub(super) fn choose(&self, seen: State) {
        if self.eviction.chosen.swap(seen.pack(), Ordering::Relaxed) == NOT_CHOSEN {
            self.eviction.leaving.fetch_add(1, Ordering::Relaxed);
        }
        self.eviction.notice.notify_one();
    }

    /// Has the next answer say that the connection ends.
    pub(super) fn make_last(&self) {
        self.eviction.is_last.store(true, Ordering::Relaxed);
    }

    /// It is no longer one of those that are about to go.
    pub(super) fn forget_choice(&self) {
        if self.eviction.chosen.swap(NOT_CHOSEN, Ordering::Relaxed) != NOT_CHOSEN {
            self.eviction.leaving.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A duration in the unit of [`State::since`].
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity() -> Activity {
        let address = IpAddr::from([127, 0, 0, 1]);
        Activity::new(address, Instant::now(), Arc::default())
    }

    #[test]
    fn every_stage_survives_packing() {
        for (index, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage as usize, index, "{stage:?}");
            for since in [0, 1, u64::MAX >> STAGE_BITS] {
                let state = State { stage, since };
                assert_eq!(State::unpack(state.pack()), state);
                assert_ne!(state.pack(), NOT_CHOSEN);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_after_the_choice_keeps_the_connection() {
        let activity = activity();
        activity.enter(Stage::Idle);
        activity.choose(activity.state());
        assert!(activity.is_to_leave());
        tokio::time::advance(Duration::from_secs(30)).await;
        activity.enter(Stage::Head);
        assert!(!activity.is_to_leave() && activity.is_chosen());
        assert_eq!(activity.comes_back(), 30_000_000);
        activity.stay();
        assert!(!activity.is_chosen() && activity.is_last());
        assert_eq!(activity.eviction.leaving.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_drips_makes_no_step() {
        let activity = activity();
        activity.enter(Stage::Body);
        let begun = activity.state();
        tokio::time::advance(Duration::from_secs(1)).await;
        for _ in 1..STEP_BYTES {
            activity.received(1);
        }
        assert_eq!(activity.state(), begun);
        activity.received(1);
        assert_eq!(activity.state(), State { stage: Stage::Body, since: begun.since + 1_000_000 });
    }
}
