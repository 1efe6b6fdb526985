//! Room for the bodies of reviews: so many bytes, for all connections together.
//!
//! Whoever finds it full waits, first come, first served. While anybody waits, bodies that come no further give
//! their places up, the one first that has stood still for longest: so a peer that holds an unfinished body never
//! keeps out one that sends. While nobody waits a slow body disturbs nobody, and keeps its place.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};

/// A body stands still that gets no further for so long. An API server writes a review in one go, and its network
/// has round trips of some milliseconds.
const STANDS_STILL: Duration = Duration::from_millis(100);

/// How much more of a body is progress: a TLS record. A peer that sends less in that time only drips.
const PROGRESS_BYTES: usize = 16 * 1024;

/// What is shown of a room.
#[derive(Debug, Clone)]
pub(super) struct RoomGauges {
    /// Bytes that are taken.
    pub(super) taken: IntGauge,
    /// Bodies that wait for room.
    pub(super) waiting: IntGauge,
}

/// So many bytes.
#[derive(Debug)]
pub(super) struct Room {
    size: usize,
    /// How many bytes may be waited for, all together.
    most_wanted: usize,
    places: Arc<Semaphore>,
    state: Mutex<State>,
    gauges: RoomGauges,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    /// What is waited for, all together.
    wanted: usize,
    /// Places that have been told to go, by their number, and their bytes.
    going: BTreeMap<u64, usize>,
    /// Places of bodies that stand still, in the order in which they came to.
    still: BTreeMap<u64, Still>,
    last_number: u64,
}

#[derive(Debug)]
struct Still {
    place: u64,
    bytes: usize,
    told: Arc<Notify>,
}

/// A part of a room, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    number: u64,
    bytes: usize,
    told: Arc<Notify>,
    permit: OwnedSemaphorePermit,
}

/// How far a body has come, and since when.
#[derive(Debug)]
pub(super) struct Progress {
    since: Instant,
    bytes: usize,
}

impl Room {
    /// Past `most_wanted` bytes that are waited for, nobody else waits.
    pub(super) fn new(size: usize, most_wanted: usize, gauges: RoomGauges) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(size.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self { size, most_wanted, places, state: Mutex::default(), gauges })
    }

    /// A place of so many bytes as soon as there is one; none if there is none `until` then.
    pub(super) async fn take(self: &Arc<Self>, bytes: usize, until: Instant) -> Option<Place> {
        let permits = u32::try_from(bytes).ok().filter(|_| bytes <= self.size)?;
        let permit = match Arc::clone(&self.places).try_acquire_many_owned(permits) {
            Ok(permit) => permit,
            Err(_) => {
                let _wish = Wish::new(self, bytes)?;
                let permit = Arc::clone(&self.places).acquire_many_owned(permits);
                timeout_at(until, permit).await.ok()?.ok()?
            }
        };
        Some(Place::new(self, bytes, permit))
    }

    /// Every change goes through here, so that whoever has to go is told at once.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut state);
        state.tell(self.size);
        self.gauges.taken.set(i64::try_from(state.taken).unwrap_or(i64::MAX));
        changed
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Tells as many bodies that stand still to go as are in the way of those that wait.
    fn tell(&mut self, size: usize) {
        let mut going: usize = self.going.values().sum();
        while self.taken + self.wanted > size + going
            && let Some((_, Still { place, bytes, told })) = self.still.pop_first()
        {
            going += bytes;
            self.going.insert(place, bytes);
            told.notify_one();
        }
    }
}

impl Place {
    fn new(room: &Arc<Room>, bytes: usize, permit: OwnedSemaphorePermit) -> Self {
        let number = room.change(|state| {
            state.taken += bytes;
            state.number()
        });
        Self { room: Arc::clone(room), number, bytes, told: Arc::default(), permit }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether more of the room is taken than mostly is, an eighth.
    pub(super) fn is_among_many(&self) -> bool {
        self.room.places.available_permits() < self.room.size / 8 * 7
    }

    /// Gives back what is more than so many bytes.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.room.change(|state| state.taken -= surplus);
        drop(self.permit.split(surplus));
    }

    /// Ends when somebody else needs the place and the body has come no further for too long.
    pub(super) async fn must_go(&self, progress: &Progress) {
        let stands_still = async {
            sleep_until(progress.since + STANDS_STILL).await;
            let _still = StandsStill::new(self);
            pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = self.told.notified() => {}
            () = stands_still => {}
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.change(|state| {
            state.taken -= self.bytes;
            state.going.remove(&self.number);
        });
    }
}

impl Progress {
    pub(super) fn new(bytes: usize) -> Self {
        Self { since: Instant::now(), bytes }
    }

    /// The body has come so far.
    pub(super) fn note(&mut self, bytes: usize) {
        if bytes >= self.bytes + PROGRESS_BYTES {
            *self = Self::new(bytes);
        }
    }
}

/// Somebody who waits, until it is dropped.
struct Wish<'r> {
    room: &'r Room,
    bytes: usize,
}

impl<'r> Wish<'r> {
    /// None where too many wait already.
    fn new(room: &'r Room, bytes: usize) -> Option<Self> {
        let may_wait = room.change(|state| {
            let may_wait = state.wanted.saturating_add(bytes) <= room.most_wanted;
            state.wanted += if may_wait { bytes } else { 0 };
            may_wait
        });
        may_wait.then(|| {
            room.gauges.waiting.inc();
            Self { room, bytes }
        })
    }
}

impl Drop for Wish<'_> {
    fn drop(&mut self) {
        self.room.change(|state| state.wanted -= self.bytes);
        self.room.gauges.waiting.dec();
    }
}

/// A body that stands still, until it comes further.
struct StandsStill<'p> {
    place: &'p Place,
    number: u64,
}

impl<'p> StandsStill<'p> {
    fn new(place: &'p Place) -> Self {
        let still = Still { place: place.number, bytes: place.bytes, told: Arc::clone(&place.told) };
        let number = place.room.change(|state| {
            let number = state.number();
            state.still.insert(number, still);
            number
        });
        Self { place, number }
    }
}

impl Drop for StandsStill<'_> {
    fn drop(&mut self) {
        self.place.room.change(|state| state.still.remove(&self.number));
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tokio::time::advance;

    use super::*;

    fn room(size: usize) -> Arc<Room> {
        let gauge = |name: &str| IntGauge::new(name, name).unwrap();
        Room::new(size, 2 * size, RoomGauges { taken: gauge("taken"), waiting: gauge("waiting") })
    }

    fn in_a_second() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_first_is_served_first() {
        let room = room(100);
        let first = room.take(60, in_a_second()).await.unwrap();
        let mut second = Box::pin(room.take(60, in_a_second()));
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!((room.gauges.taken.get(), room.gauges.waiting.get()), (60, 1));
        drop(first);
        assert_eq!(second.await.unwrap().bytes(), 60);
        assert_eq!((room.gauges.taken.get(), room.gauges.waiting.get()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends() {
        let room = room(100);
        let _place = room.take(60, in_a_second()).await.unwrap();
        assert!(room.take(60, in_a_second()).await.is_none());
        assert!(room.take(101, in_a_second()).await.is_none());
        assert!(room.take(40, Instant::now()).await.is_some());
        assert_eq!(room.gauges.waiting.get(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_ends_where_there_is_no_hope() {
        let room = room(100);
        let _place = room.take(60, in_a_second()).await.unwrap();
        let mut first = Box::pin(room.take(100, in_a_second()));
        let mut second = Box::pin(room.take(100, in_a_second()));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(room.take(100, in_a_second()).now_or_never().is_some_and(|place| place.is_none()));
        drop(first);
        assert!(room.take(100, in_a_second()).now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_still_goes_once_somebody_waits() {
        let room = room(100);
        let (old, new) =
            (room.take(50, in_a_second()).await.unwrap(), room.take(50, in_a_second()).await.unwrap());
        let progress = Progress::new(0);
        let mut old_goes = Box::pin(old.must_go(&progress));
        let mut new_goes = Box::pin(new.must_go(&progress));
        assert!(old_goes.as_mut().now_or_never().is_none());
        advance(STANDS_STILL * 2).await;
        assert!(old_goes.as_mut().now_or_never().is_none(), "nobody waits");
        assert!(new_goes.as_mut().now_or_never().is_none(), "nobody waits");
        let mut third = Box::pin(room.take(10, in_a_second()));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(new_goes.as_mut().now_or_never().is_none(), "one is enough");
        assert!(old_goes.as_mut().now_or_never().is_some());
        drop(old_goes);
        drop(old);
        assert!(third.await.is_some());
        assert!(new_goes.as_mut().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_further_stays() {
        let room = room(100);
        let place = room.take(100, in_a_second()).await.unwrap();
        let mut progress = Progress::new(0);
        let mut other = Box::pin(room.take(10, in_a_second()));
        assert!(other.as_mut().now_or_never().is_none());
        for step in 1..9 {
            assert!(place.must_go(&progress).now_or_never().is_none());
            advance(STANDS_STILL * 3 / 4).await;
            progress.note(step * PROGRESS_BYTES);
        }
        advance(STANDS_STILL * 3 / 4).await;
        progress.note(8 * PROGRESS_BYTES + 1);
        advance(STANDS_STILL * 3 / 4).await;
        place.must_go(&progress).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_shrinks() {
        let room = room(100);
        let mut place = room.take(100, in_a_second()).await.unwrap();
        place.shrink(30);
        assert_eq!((place.bytes(), room.gauges.taken.get()), (30, 30));
        let other = room.take(70, Instant::now()).await.unwrap();
        drop((place, other));
        assert_eq!(room.gauges.taken.get(), 0);
        assert!(room.take(100, Instant::now()).await.is_some());
    }
}
