//! The open connections of a port, and which of them goes when there is no place for one more.
//!
//! A limit alone can be held against everybody else: whoever has filled it up and keeps silent has shut the
//! port. So a new connection is always taken in, and one that waits for its peer goes: of the address with the
//! most connections the one that has been silent longest. One that waits for us stays; if all do, some hear
//! with their answer that it was the last on this connection.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::activity::{Activity, Stage, State, micros};

/// Go keeps at most 25 idle connections to a host (client-go's own pool), so an address with so many is not
/// known by their number from one that behaves.
const USUAL_CONNECTIONS: usize = 25;

/// But where there are few places, an address that has an eighth of them has many.
const FEW_OF_PLACES: usize = 8;

/// An address that has a sixteenth of the places has to be quick: it goes first even in the midst of something.
const LARGE_SHARE: usize = 16;

/// Nobody goes sooner than all places can be taken at this rate, which is more than one listener accepts. It
/// is the time that a new peer has for its first byte, and one that was answered for its next request.
const CONNECTS_PER_SECOND: u32 = 20_000;
const SHORTEST_STAY: Duration = Duration::from_millis(5);
const LONGEST_STAY: Duration = Duration::from_millis(100);

/// How many connections may be open beyond the limit while others are on their way out, or have found a reason
/// to stay.
pub(super) const OVERSHOOT: usize = 64;

/// The open connections of a port.
#[derive(Debug)]
pub(super) struct Registry {
    places: usize,
    /// How long everybody may stay.
    stay: u64,
    /// How long the next step of a handshake or of a request may be on its way.
    exchange: u64,
    opened: Instant,
    leaving: Arc<AtomicUsize>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: HashMap<u64, Arc<Activity>>,
    by_address: HashMap<IpAddr, Arc<AtomicUsize>>,
    next: u64,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    registry: Arc<Registry>,
    key: u64,
    pub(super) activity: Arc<Activity>,
}

impl Registry {
    /// `exchange` is how long the next step of a handshake or of a request may be on its way.
    pub(super) fn new(places: usize, exchange: Duration) -> Self {
        let filled = Duration::from_secs(1) * u32::try_from(places).unwrap_or(u32::MAX) / CONNECTS_PER_SECOND;
        let stay = filled.clamp(SHORTEST_STAY, LONGEST_STAY);
        Self {
            places,
            stay: micros(stay),
            exchange: micros(exchange.max(stay)),
            opened: Instant::now(),
            leaving: Arc::default(),
            table: Mutex::default(),
        }
    }

    /// Whether more than half of the places are taken.
    pub(super) fn is_crowded(&self) -> bool {
        self.table().open.len() > self.places - self.places / 2
    }

    /// A place for one more connection, if there is one.
    pub(super) fn free_place(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut table = self.table();
        (table.open.len() < self.places).then(|| self.take(&mut table, address))
    }

    /// A place for one more connection, for which another has to go where there is none. `None` when nobody
    /// can be sent away now: to be asked again soon.
    pub(super) fn place(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let mut table = self.table();
        let staying = table.open.len().saturating_sub(self.leaving.load(Ordering::Relaxed));
        let excess = (staying + 1).saturating_sub(self.places);
        for _ in 0..excess {
            if !self.send_away(&table) {
                return None;
            }
        }
        (table.open.len() < self.places + OVERSHOOT).then(|| self.take(&mut table, address))
    }

    fn take(self: &Arc<Self>, table: &mut Table, address: IpAddr) -> Place {
        let address = address.to_canonical();
        let of_address = Arc::clone(table.by_address.entry(address).or_default());
        of_address.fetch_add(1, Ordering::Relaxed);
        let activity = Arc::new(Activity::new(address, of_address, self.opened, Arc::clone(&self.leaving)));
        let key = table.next;
        table.next += 1;
        table.open.insert(key, Arc::clone(&activity));
        Place { registry: Arc::clone(self), key, activity }
    }

    /// Has one connection go, or else one that works give its last answer. Whether one goes.
    fn send_away(&self, table: &Table) -> bool {
        let now = micros(self.opened.elapsed());
        let waiting = table.open.values().filter_map(|activity| {
            let state = activity.state();
            Some((self.rank(activity, state, now)?, state, activity))
        });
        if let Some((_, state, activity)) = waiting.min_by_key(|(rank, ..)| *rank) {
            activity.choose(state);
            return true;
        }
        let is_to_hear =
            |activity: &&Arc<Activity>| activity.state().stage == Stage::Working && !activity.is_last();
        let working = table.open.values().filter(is_to_hear);
        if let Some(activity) = working.max_by_key(|activity| activity.of_address.load(Ordering::Relaxed)) {
            activity.make_last();
        }
        false
    }

    fn rank(&self, activity: &Activity, state: State, now: u64) -> Option<Rank> {
        if activity.is_chosen() {
            return None;
        }
        let times =
            Times { stay: self.stay, exchange: self.exchange, comes_back: activity.comes_back(), now };
        rank(state, activity.of_address.load(Ordering::Relaxed), self.places, &times)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it is held; and if it did, a connection too many or too few does no harm.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.registry.table();
        self.activity.forget_choice();
        table.open.remove(&self.key);
        if self.activity.of_address.fetch_sub(1, Ordering::Relaxed) == 1 {
            table.by_address.remove(&self.activity.address);
        }
    }
}

/// Who goes first is the smallest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    share: Share,
    patience: Patience,
    connections: Reverse<usize>,
    due: u64,
}

/// What an address has of the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Share {
    Large,
    Fair,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Patience {
    /// Has not sent a byte in all the time. No client of ours does that.
    Stranger,
    /// Is not expected to do anything soon.
    Over,
    /// Is in the midst of something, or known to come back.
    Lasts,
}

/// All in microseconds.
#[derive(Debug)]
struct Times {
    stay: u64,
    exchange: u64,
    comes_back: u64,
    now: u64,
}

/// `None` for who stays: the peer waits for us, or has had no time yet.
///
/// A peer is expected back within half as much again as it has been silent before: one that asks every 30 s is
/// told by that from one that asked once.
fn rank(state: State, connections: usize, places: usize, times: &Times) -> Option<Rank> {
    let Times { stay, exchange, comes_back, now } = *times;
    let (least, allowed) = match state.stage {
        Stage::Working => return None,
        // A whole hello costs us a signature, and so is not sent for fun. A part of one costs nothing.
        Stage::Silent | Stage::Handshake => (stay, exchange),
        Stage::Idle => (stay, stay.max(comes_back + comes_back / 2)),
        Stage::Greeted | Stage::Unused | Stage::Head | Stage::Body | Stage::Answer => (exchange, exchange),
    };
    if now.saturating_sub(state.since) < least {
        return None;
    }
    let due = state.since + allowed;
    let patience = match state.stage {
        _ if due > now => Patience::Lasts,
        Stage::Silent => Patience::Stranger,
        _ => Patience::Over,
    };
    let share = if connections > places / LARGE_SHARE { Share::Large } else { Share::Fair };
    let usual = USUAL_CONNECTIONS.min(places / FEW_OF_PLACES);
    Some(Rank { share, patience, connections: Reverse(connections.max(usual)), due })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAY: u64 = 100_000;
    const EXCHANGE: u64 = 1_000_000;
    const SECOND: u64 = 1_000_000;

    /// One that entered its stage so many microseconds ago, at an address with so many connections.
    fn of(stage: Stage, silence: u64, comes_back: u64, connections: usize) -> Option<Rank> {
        let now = 1_000 * SECOND;
        let state = State { stage, since: now - silence };
        rank(state, connections, 2048, &Times { stay: STAY, exchange: EXCHANGE, comes_back, now })
    }

    #[test]
    fn who_stays() {
        for (stage, silence) in [
            (Stage::Working, 900 * SECOND),
            (Stage::Silent, STAY - 1),
            (Stage::Handshake, STAY - 1),
            (Stage::Idle, STAY - 1),
            (Stage::Greeted, EXCHANGE - 1),
            (Stage::Unused, EXCHANGE - 1),
            (Stage::Head, EXCHANGE - 1),
            (Stage::Body, EXCHANGE - 1),
            (Stage::Answer, EXCHANGE - 1),
        ] {
            assert_eq!(of(stage, silence, 0, 2000), None, "{stage:?}");
        }
    }

    #[test]
    fn who_goes_first() {
        use Stage::{Handshake, Head, Idle, Silent};
        for (what, first, second) in [
            ("who never sent a byte", of(Silent, SECOND, 0, 2000), of(Idle, 90 * SECOND, 0, 2000)),
            ("of an address the longest idle", of(Idle, 9 * SECOND, 0, 2000), of(Idle, 8 * SECOND, 0, 2000)),
            ("the address with most connections", of(Idle, STAY, 0, 27), of(Idle, 90 * SECOND, 0, 26)),
            ("25 are as good as one", of(Idle, 2 * SECOND, 0, 1), of(Idle, SECOND, 0, 25)),
            ("a half request is as good as none", of(Head, 3 * SECOND, 0, 1), of(Idle, SECOND, 0, 1)),
            (
                "who asked once, not who asks every 30 s",
                of(Idle, SECOND, 0, 1),
                of(Idle, 31 * SECOND, 30 * SECOND, 25),
            ),
            ("nor at the same address", of(Idle, SECOND, 0, 2000), of(Idle, 31 * SECOND, 30 * SECOND, 2000)),
            (
                "who does not come back in time",
                of(Idle, 90 * SECOND, 30 * SECOND, 25),
                of(Idle, SECOND, 0, 25),
            ),
            ("a dripping hello", of(Handshake, STAY, 0, 1), of(Idle, 29 * SECOND, 30 * SECOND, 1)),
            ("who is idle, not who has just come", of(Idle, STAY, 0, 1), of(Silent, STAY, 0, 100)),
            (
                "but who has just come with many others",
                of(Silent, STAY, 0, 2000),
                of(Idle, 90 * SECOND, 0, 25),
            ),
        ] {
            assert!(first.is_some() && second.is_some() && first < second, "{what}: {first:?} {second:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_made_and_what_stays_is_made_up_for() {
        let registry = Arc::new(Registry::new(2, Duration::from_secs(1)));
        let address = IpAddr::from([127, 0, 0, 1]);
        let [one, two] = [(); 2].map(|()| registry.place(address).unwrap());
        one.activity.enter(Stage::Idle);
        two.activity.enter(Stage::Working);
        // Not before its time.
        assert!(registry.place(address).is_none() && registry.free_place(address).is_none());
        // But the other hears that its answer is the last.
        assert!(!one.activity.is_last() && two.activity.is_last());
        tokio::time::advance(Duration::from_secs(1)).await;
        let three = registry.place(address).unwrap();
        assert!(one.activity.is_to_leave() && !two.activity.is_to_leave());
        // A request has begun after all. So there is one too many, and two have to go for the next.
        one.activity.enter(Stage::Head);
        one.activity.stay();
        tokio::time::advance(Duration::from_secs(1)).await;
        let four = registry.place(address).unwrap();
        assert!(one.activity.is_to_leave() && three.activity.is_to_leave());
        drop((one, three, two, four));
        assert_eq!(registry.leaving.load(Ordering::Relaxed), 0);
        assert!(registry.table().open.is_empty() && registry.table().by_address.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_go_is_not_waited_for_without_end() {
        let registry = Arc::new(Registry::new(1, Duration::from_secs(1)));
        let address = IpAddr::from([127, 0, 0, 1]);
        let mut places = Vec::new();
        for _ in 0..1 + OVERSHOOT {
            places.push(registry.place(address).unwrap());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        // All of them are told to go, and none does.
        assert!(registry.place(address).is_none());
        places.pop();
        assert!(registry.place(address).is_some());
    }
}
