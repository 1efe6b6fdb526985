//! A memory budget for the bodies of reviews: so many bytes for all connections together.
//!
//! When the budget is used up, bodies wait for memory, first come, first served. While any wait, bodies that have
//! stalled give up what they have reserved, the longest stalled first: so a peer that holds an unfinished body never
//! keeps out one that sends. While nobody waits, a slow body harms nobody and keeps its reservation.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};

/// A body has stalled when it has made no progress for so long. An API server writes a review in one go, and its
/// network has round trips of some milliseconds.
const STALL_TIMEOUT: Duration = Duration::from_millis(100);

/// How much more of a body is progress: a TLS record. A peer that sends less within the timeout only drips.
const PROGRESS_BYTES: usize = 16 * 1024;

/// The gauges of a budget.
#[derive(Debug, Clone)]
pub(super) struct BudgetGauges {
    /// Bytes that are reserved.
    pub(super) reserved: IntGauge,
    /// Bodies that wait for memory.
    pub(super) waiting: IntGauge,
}

/// A limit on the bytes that are reserved at once.
#[derive(Debug)]
pub(super) struct MemoryBudget {
    size: usize,
    /// How many bytes may be waited for, all together.
    max_queued: usize,
    permits: Arc<Semaphore>,
    state: Mutex<BudgetState>,
    /// Told when somebody begins to wait for memory.
    waited_for: Notify,
    gauges: BudgetGauges,
}

#[derive(Debug, Default)]
struct BudgetState {
    reserved: usize,
    /// Bytes that are waited for, all together.
    queued: usize,
    /// The bytes of reservations that were asked to give up, by id.
    giving_up: BTreeMap<u64, usize>,
    /// Bodies that wait for their peers, by the moment since which they have made no progress.
    receiving: BTreeMap<(Instant, u64), ReceivingBody>,
    last_id: u64,
}

#[derive(Debug)]
struct ReceivingBody {
    /// Whether its own task has seen that it has stalled: only that knows whether anything of it has come meanwhile.
    has_stalled: bool,
    reservation: u64,
    bytes: usize,
    give_up: Arc<Notify>,
}

/// A part of a budget, until it is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Arc<MemoryBudget>,
    id: u64,
    bytes: usize,
    give_up: Arc<Notify>,
    permit: OwnedSemaphorePermit,
}

/// How far a body has come, and since when.
#[derive(Debug)]
pub(super) struct BodyProgress {
    since: Instant,
    bytes: usize,
}

impl MemoryBudget {
    /// Once more than `max_queued` bytes would be waited for, nobody else waits.
    pub(super) fn new(size: usize, max_queued: usize, gauges: BudgetGauges) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(size.min(Semaphore::MAX_PERMITS)));
        let (state, waited_for) = (Mutex::default(), Notify::new());
        Arc::new(Self { size, max_queued, permits, state, waited_for, gauges })
    }

    /// Reserves so many bytes as soon as they are free; `None` if they are not by the deadline.
    pub(super) async fn reserve(self: &Arc<Self>, bytes: usize, deadline: Instant) -> Option<Reservation> {
        let permits = u32::try_from(bytes).ok().filter(|_| bytes <= self.size)?;
        let permit = match Arc::clone(&self.permits).try_acquire_many_owned(permits) {
            Ok(permit) => permit,
            Err(_) => {
                let _queued = QueuedGuard::new(self, bytes)?;
                let permit = Arc::clone(&self.permits).acquire_many_owned(permits);
                timeout_at(deadline, permit).await.ok()?.ok()?
            }
        };
        Some(Reservation::new(self, bytes, permit))
    }

    /// Every change goes through here, so that stalled bodies learn at once that somebody waits.
    fn change<T>(&self, change: impl FnOnce(&mut BudgetState) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut state);
        state.reclaim(self.size);
        self.gauges.reserved.set(i64::try_from(state.reserved).unwrap_or(i64::MAX));
        changed
    }
}

impl BudgetState {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Tells as many stalled bodies to give up as those that wait need.
    fn reclaim(&mut self, size: usize) {
        let mut reclaimed: usize = self.giving_up.values().sum();
        while self.reserved + self.queued > size + reclaimed
            && let Some(longest) = self.receiving.first_entry()
            && longest.get().has_stalled
        {
            let ReceivingBody { reservation, bytes, give_up, .. } = longest.remove();
            reclaimed += bytes;
            self.giving_up.insert(reservation, bytes);
            give_up.notify_one();
        }
    }
}

impl Reservation {
    fn new(budget: &Arc<MemoryBudget>, bytes: usize, permit: OwnedSemaphorePermit) -> Self {
        let id = budget.change(|state| {
            state.reserved += bytes;
            state.next_id()
        });
        Self { budget: Arc::clone(budget), id, bytes, give_up: Arc::default(), permit }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether more of the budget is in use than usual, which is an eighth.
    pub(super) fn is_budget_busy(&self) -> bool {
        self.budget.permits.available_permits() < self.budget.size / 8 * 7
    }

    /// Gives back all but so many bytes.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.budget.change(|state| state.reserved -= surplus);
        drop(self.permit.split(surplus));
    }

    /// Ends when the body has stalled and somebody else needs the memory.
    ///
    /// There is a timer only once somebody waits for memory: to set one for each wait for the peer, of some milliseconds,
    /// wakes the runtime each time.
    pub(super) async fn must_give_up(&self, progress: &BodyProgress) {
        // It learns of all that happens from here on.
        let waited_for = self.budget.waited_for.notified();
        let mut give_up = pin!(self.give_up.notified());
        let receiving = ReceivingGuard::new(self, progress);
        let stalled = async {
            if !receiving.is_waited_for {
                waited_for.await;
            }
            sleep_until(progress.since + STALL_TIMEOUT).await;
        };
        tokio::select! {
            biased;
            () = give_up.as_mut() => return,
            () = stalled => receiving.has_stalled(),
        }
        give_up.await;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.change(|state| {
            state.reserved -= self.bytes;
            state.giving_up.remove(&self.id);
        });
    }
}

impl BodyProgress {
    pub(super) fn new(bytes: usize) -> Self {
        Self { since: Instant::now(), bytes }
    }

    /// The body is so long now.
    pub(super) fn update(&mut self, bytes: usize) {
        if bytes >= self.bytes + PROGRESS_BYTES {
            *self = Self::new(bytes);
        }
    }
}

/// Counts a body that waits, until it is dropped.
struct QueuedGuard<'b> {
    budget: &'b MemoryBudget,
    bytes: usize,
}

impl<'b> QueuedGuard<'b> {
    /// `None` where too many wait already.
    fn new(budget: &'b MemoryBudget, bytes: usize) -> Option<Self> {
        let may_wait = budget.change(|state| {
            let may_wait = state.queued.saturating_add(bytes) <= budget.max_queued;
            state.queued += if may_wait { bytes } else { 0 };
            may_wait
        });
        may_wait.then(|| {
            budget.waited_for.notify_waiters();
            budget.gauges.waiting.inc();
            Self { budget, bytes }
        })
    }
}

impl Drop for QueuedGuard<'_> {
    fn drop(&mut self) {
        self.budget.change(|state| state.queued -= self.bytes);
        self.budget.gauges.waiting.dec();
    }
}

/// Lists a body that waits for its peer, until it is dropped.
struct ReceivingGuard<'r> {
    reservation: &'r Reservation,
    key: (Instant, u64),
    /// Whether somebody waited for memory when it was made.
    is_waited_for: bool,
}

impl<'r> ReceivingGuard<'r> {
    fn new(reservation: &'r Reservation, progress: &BodyProgress) -> Self {
        let Reservation { id, bytes, ref give_up, .. } = *reservation;
        let give_up = Arc::clone(give_up);
        let receiving = ReceivingBody { has_stalled: false, reservation: id, bytes, give_up };
        let key = (progress.since, id);
        let is_waited_for = reservation.budget.change(|state| {
            state.receiving.insert(key, receiving);
            state.queued > 0
        });
        Self { reservation, key, is_waited_for }
    }

    fn has_stalled(&self) {
        self.reservation.budget.change(|state| {
            if let Some(body) = state.receiving.get_mut(&self.key) {
                body.has_stalled = true;
            }
        });
    }
}

impl Drop for ReceivingGuard<'_> {
    fn drop(&mut self) {
        self.reservation.budget.change(|state| state.receiving.remove(&self.key));
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::time::advance;

    use super::*;

    fn budget(size: usize) -> Arc<MemoryBudget> {
        let gauge = |name: &str| IntGauge::new(name, name).unwrap();
        MemoryBudget::new(
            size,
            2 * size,
            BudgetGauges { reserved: gauge("reserved"), waiting: gauge("waiting") },
        )
    }

    fn in_a_second() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn first_come_first_served() {
        let budget = budget(100);
        let first = budget.reserve(60, in_a_second()).await.unwrap();
        let mut second = Box::pin(budget.reserve(60, in_a_second()));
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!((budget.gauges.reserved.get(), budget.gauges.waiting.get()), (60, 1));
        drop(first);
        assert_eq!(second.await.unwrap().bytes(), 60);
        assert_eq!((budget.gauges.reserved.get(), budget.gauges.waiting.get()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends() {
        let budget = budget(100);
        let _reservation = budget.reserve(60, in_a_second()).await.unwrap();
        assert!(budget.reserve(60, in_a_second()).await.is_none());
        assert!(budget.reserve(101, in_a_second()).await.is_none());
        assert!(budget.reserve(40, Instant::now()).await.is_some());
        assert_eq!(budget.gauges.waiting.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded() {
        let budget = budget(100);
        let _reservation = budget.reserve(60, in_a_second()).await.unwrap();
        let mut first = Box::pin(budget.reserve(100, in_a_second()));
        let mut second = Box::pin(budget.reserve(100, in_a_second()));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(
            budget
                .reserve(100, in_a_second())
                .now_or_never()
                .is_some_and(|reservation| reservation.is_none())
        );
        drop(first);
        assert!(budget.reserve(100, in_a_second()).now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_gives_up_once_somebody_waits() {
        let budget = budget(100);
        let (old, new) = (
            budget.reserve(50, in_a_second()).await.unwrap(),
            budget.reserve(50, in_a_second()).await.unwrap(),
        );
        let progress = BodyProgress::new(0);
        let mut old_gives_up = Box::pin(old.must_give_up(&progress));
        let mut new_gives_up = Box::pin(new.must_give_up(&progress));
        assert!(old_gives_up.as_mut().now_or_never().is_none());
        advance(STALL_TIMEOUT * 2).await;
        assert!(old_gives_up.as_mut().now_or_never().is_none(), "nobody waits");
        assert!(new_gives_up.as_mut().now_or_never().is_none(), "nobody waits");
        let mut third = Box::pin(budget.reserve(10, in_a_second()));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(new_gives_up.as_mut().now_or_never().is_none(), "one is enough");
        assert!(old_gives_up.as_mut().now_or_never().is_some());
        drop(old_gives_up);
        drop(old);
        assert!(third.await.is_some());
        assert!(new_gives_up.as_mut().now_or_never().is_none());
    }

    /// Nobody takes the memory of a body that has not been looked at for long: its next piece may have come.
    #[tokio::test(start_paused = true)]
    async fn a_body_gives_up_only_once_its_own_task_has_looked() {
        let budget = budget(100);
        let reservation = budget.reserve(100, in_a_second()).await.unwrap();
        let progress = BodyProgress::new(0);
        let mut gives_up = Box::pin(reservation.must_give_up(&progress));
        assert!(gives_up.as_mut().now_or_never().is_none());
        advance(STALL_TIMEOUT * 2).await;
        let mut other = Box::pin(budget.reserve(10, in_a_second()));
        assert!(other.as_mut().now_or_never().is_none());
        // A piece has come.
        drop(gives_up);
        let progress = BodyProgress::new(PROGRESS_BYTES);
        let mut gives_up = Box::pin(reservation.must_give_up(&progress));
        assert!(gives_up.as_mut().now_or_never().is_none());
        advance(STALL_TIMEOUT * 2).await;
        assert!(gives_up.as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_makes_progress_keeps_its_reservation() {
        let budget = budget(100);
        let reservation = budget.reserve(100, in_a_second()).await.unwrap();
        let mut progress = BodyProgress::new(0);
        let mut other = Box::pin(budget.reserve(10, in_a_second()));
        assert!(other.as_mut().now_or_never().is_none());
        for step in 1..9 {
            assert!(reservation.must_give_up(&progress).now_or_never().is_none());
            advance(STALL_TIMEOUT * 3 / 4).await;
            progress.update(step * PROGRESS_BYTES);
        }
        advance(STALL_TIMEOUT * 3 / 4).await;
        progress.update(8 * PROGRESS_BYTES + 1);
        advance(STALL_TIMEOUT * 3 / 4).await;
        reservation.must_give_up(&progress).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_reservation_shrinks() {
        let budget = budget(100);
        let mut reservation = budget.reserve(100, in_a_second()).await.unwrap();
        reservation.shrink(30);
        assert_eq!((reservation.bytes(), budget.gauges.reserved.get()), (30, 30));
        let other = budget.reserve(70, Instant::now()).await.unwrap();
        drop((reservation, other));
        assert_eq!(budget.gauges.reserved.get(), 0);
        assert!(budget.reserve(100, Instant::now()).await.is_some());
    }
}
