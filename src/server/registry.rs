//! The open connections of a port, and which of them goes when there is no place for one more.
//!
//! A limit alone can be held against everybody else: whoever has filled it up and keeps silent has shut the
//! port. So a new connection is always taken in, and one that waits for its peer goes: of the address with the
//! most connections the one that has been silent longest. One that waits for us stays; if all do, some hear
//! with their answer that it was the last on this connection.
//!
//! Peers that come as fast as they can have somebody go thousands of times a second, so the order in which they go
//! is kept for a while, and each is looked at again when it is its turn.

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

/// How many connections may be open beyond the limit while others are on their way out, or have found a reason
/// to stay.
pub(super) const OVERSHOOT: usize = 64;

/// As many times shorter than everybody may stay, an order is good for: it is no older than it matters.
const ORDERS_WITHIN_STAY: u64 = 10;

/// As many times longer than everybody may stay, who should go is waited for.
const STAYS_OF_THE_BUSY: u64 = 4;

/// The open connections of a port.
#[derive(Debug)]
pub(super) struct Registry {
    places: usize,
    /// How long everybody may stay since the last step, in microseconds.
    stay: u64,
    opened: Instant,
    leaving: Arc<AtomicUsize>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: HashMap<u64, Arc<Activity>>,
    next: u64,
    /// Who goes, the first at the end.
    order: Vec<Candidate>,
    ordered_at: Option<u64>,
    /// Whether there was nobody to order, as everybody waited for us.
    all_work: bool,
    /// Since when those that should go first have been too busy to go.
    busy_since: Option<u64>,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    registry: Arc<Registry>,
    key: u64,
    pub(super) activity: Arc<Activity>,
}

impl Registry {
    /// `stay` is the time that everybody has for the next step of a handshake or of a request.
    pub(super) fn new(places: usize, stay: Duration) -> Self {
        Self {
            places,
            stay: micros(stay),
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
            if !self.send_away(&mut table) {
                return None;
            }
        }
        (table.open.len() < self.places + OVERSHOOT).then(|| self.take(&mut table, address))
    }

    fn take(self: &Arc<Self>, table: &mut Table, address: IpAddr) -> Place {
        let activity =
            Arc::new(Activity::new(address.to_canonical(), self.opened, Arc::clone(&self.leaving)));
        let key = table.next;
        table.next += 1;
        table.open.insert(key, Arc::clone(&activity));
        Place { registry: Arc::clone(self), key, activity }
    }

    /// Has one connection go, or else one that works give its last answer. Whether one goes.
    fn send_away(&self, table: &mut Table) -> bool {
        let now = micros(self.opened.elapsed());
        let is_old = |at| now.saturating_sub(at) >= self.stay / ORDERS_WITHIN_STAY;
        if table.ordered_at.is_none_or(is_old) {
            table.ordered_at = Some(now);
            table.make_order(now, self.stay);
        }
        let goes = table.send_next();
        if !goes && table.all_work {
            table.end_one();
        }
        goes
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Nothing panics while it is held; and if it did, a connection too many or too few does no harm.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Has the first one go of whom still is what was said of it when the order was made.
    fn send_next(&mut self) -> bool {
        while let Some(Candidate { key, state, .. }) = self.order.pop() {
            let activity = self.open.get(&key);
            if let Some(activity) = activity.filter(|it| it.state() == state && !it.is_chosen()) {
                activity.choose(state);
                return true;
            }
        }
        false
    }

    /// Who should go is waited for until it may; but not without end, where it always has just made a step.
    fn make_order(&mut self, now: u64, stay: u64) {
        let mut order = order(self.candidates(now, stay));
        self.all_work = order.is_empty();
        let first_may_go = order.first().is_none_or(|it| it.may_go);
        let busy_since = (!first_may_go).then(|| self.busy_since.unwrap_or(now));
        self.busy_since = busy_since;
        // Peers that come back as fast as they are closed have never had their time. Somebody else is not sent away for that.
        if busy_since.is_none_or(|since| now - since < stay * STAYS_OF_THE_BUSY) {
            order.truncate(order.iter().take_while(|it| it.may_go).count());
        }
        // Whoever comes meanwhile may belong before the next kind of candidate, and is not in this order.
        if let Some(first) = order.first().copied() {
            order.truncate(order.iter().take_while(|it| it.is_of_kind(&first)).count());
        }
        order.reverse();
        self.order = order;
    }

    /// All that are not told to go already.
    fn candidates(&self, now: u64, stay: u64) -> Vec<Candidate> {
        let answered = self.open.values().filter(|activity| activity.was_answered()).count();
        let favours_answered = answered * 2 < self.open.len();
        let staying = self.open.iter().filter(|(_, activity)| !activity.is_chosen());
        let candidate = |(key, activity): (&u64, &Arc<Activity>)| {
            let state = activity.state();
            let may_go = now.saturating_sub(state.since) >= stay;
            let merit = Merit {
                was_answered: favours_answered && activity.was_answered(),
                is_expected: state.stage == Stage::Idle && is_expected(activity.comes_back(), state, now),
                since: state.since,
            };
            Candidate { key: *key, address: activity.address, state, merit, may_go, connections: 0 }
        };
        staying.map(candidate).collect()
    }

    /// Has one of those that work, at the address that has most of them, hear that its answer is the last.
    fn end_one(&self) {
        let working = || self.open.values().filter(|activity| activity.state().stage == Stage::Working);
        let mut of_address = HashMap::<IpAddr, usize>::new();
        for activity in working() {
            *of_address.entry(activity.address).or_default() += 1;
        }
        let going_on = working().filter(|activity| !activity.is_last());
        if let Some(activity) = going_on.max_by_key(|activity| of_address.get(&activity.address)) {
            activity.make_last();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.registry.table();
        self.activity.forget_choice();
        table.open.remove(&self.key);
    }
}

/// A connection that might go.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    key: u64,
    address: IpAddr,
    state: State,
    merit: Merit,
    /// Whether it has had its time.
    may_go: bool,
    /// How many its address has when it is this one's turn, of those that are not told to go.
    connections: usize,
}

impl Candidate {
    /// Whether only the length of its silence tells it from another one.
    fn is_of_kind(&self, other: &Self) -> bool {
        let kind =
            |it: &Self| (it.connections > USUAL_CONNECTIONS, it.merit.was_answered, it.merit.is_expected);
        kind(self) == kind(other)
    }
}

/// Of those of one address, and of addresses that count as equal, the smallest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Merit {
    /// Has had an answer, where most have not: whoever only takes places from others has none.
    was_answered: bool,
    /// Is known to come back, and not overdue.
    is_expected: bool,
    since: u64,
}

/// A peer is expected back within half as much again as it has been silent before: one that asks every 30 s is
/// told by that from one that asked once.
fn is_expected(comes_back: u64, state: State, now: u64) -> bool {
    now.saturating_sub(state.since) < comes_back + comes_back / 2
}

/// Who should go, the first one first. Who works does not go, but counts.
fn order(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let is_working = |it: &Candidate| it.state.stage == Stage::Working;
    candidates.sort_unstable_by_key(|it| (it.address, is_working(it), it.merit));
    for of_address in candidates.chunk_by_mut(|one, other| one.address == other.address) {
        // With each that goes its address has one less.
        for (connections, candidate) in (1..=of_address.len()).rev().zip(of_address) {
            candidate.connections = connections.max(USUAL_CONNECTIONS);
        }
    }
    candidates.retain(|it| !is_working(it));
    candidates.sort_unstable_by_key(|it| (Reverse(it.connections), it.merit));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const STAY: u64 = SECOND / 4;
    const NOW: u64 = 1_000 * SECOND;

    /// Connections of one address, entered into a stage so many microseconds ago.
    struct Held(u8, Stage, usize, u64);

    fn address(number: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, number])
    }

    /// The addresses of those that go, one after the other.
    fn who_goes(held: &[Held]) -> Vec<u8> {
        let mut candidates = Vec::new();
        for Held(number, stage, connections, silence) in held {
            for more in 0..*connections {
                let since = NOW - silence + more as u64;
                let state = State { stage: *stage, since };
                let merit = Merit { was_answered: false, is_expected: false, since };
                let (key, may_go) = (candidates.len() as u64, true);
                let address = address(*number);
                candidates.push(Candidate { key, address, state, merit, may_go, connections: 0 });
            }
        }
        let number = |it: &Candidate| match it.address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => 0,
        };
        order(candidates).iter().map(number).collect()
    }

    #[test]
    fn who_goes_first() {
        use Stage::{Head, Idle, Silent, Working};
        // Of the address with most connections, until it has no more than another one; whatever they wait for.
        let goes = who_goes(&[Held(1, Idle, 40, 9 * SECOND), Held(2, Head, 43, SECOND)]);
        assert_eq!(goes[..7], [2, 2, 2, 1, 2, 1, 2]);
        // Those that work count, and stay.
        let goes = who_goes(&[Held(1, Idle, 40, 9 * SECOND), Held(2, Working, 43, SECOND)]);
        assert_eq!(goes.len(), 40);
        let goes = who_goes(&[
            Held(1, Idle, 40, 9 * SECOND),
            Held(2, Working, 41, SECOND),
            Held(2, Silent, 2, SECOND),
        ]);
        assert_eq!(goes[..4], [2, 2, 1, 1]);
        // 25 count as one, and then the longest silent goes.
        let goes = who_goes(&[
            Held(1, Idle, 27, SECOND),
            Held(2, Idle, 1, 3 * SECOND),
            Held(3, Head, 25, 2 * SECOND),
        ]);
        assert_eq!(goes[..5], [1, 1, 2, 3, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stays_longer() {
        let registry = Arc::new(Registry::new(8, Duration::from_micros(STAY)));
        let take = |stage: Stage| {
            let place = registry.free_place(address(1)).unwrap();
            place.activity.enter(stage);
            place
        };
        let known = take(Stage::Idle);
        tokio::time::advance(Duration::from_secs(30)).await;
        known.activity.enter(Stage::Working);
        known.activity.enter(Stage::Idle);
        let answered = take(Stage::Idle);
        tokio::time::advance(Duration::from_micros(STAY - 1)).await;
        // Too soon: who should go is waited for.
        assert!(!registry.send_away(&mut registry.table()));
        let heads = [(); 3].map(|()| take(Stage::Head));
        let mut gone = Vec::new();
        let mut sent_away = |seconds: u64| {
            registry.table().ordered_at = None;
            assert!(registry.send_away(&mut registry.table()), "{seconds}");
            let all = [&known, &answered, &heads[0], &heads[1], &heads[2]];
            let goes = all.iter().position(|it| it.activity.is_chosen() && !gone.contains(&it.key)).unwrap();
            gone.push(all[goes].key);
            goes
        };
        tokio::time::advance(Duration::from_secs(29)).await;
        // Most have had no answer, so one of them goes, though another was silent for longer.
        assert!(sent_away(29) >= 2);
        // Now the half of those that stay, so that the longest silent goes; but not who is expected back.
        heads[0].activity.enter(Stage::Idle);
        assert_eq!(sent_away(29), 1);
        tokio::time::advance(Duration::from_secs(17)).await;
        // Who is overdue is like all others.
        assert_eq!(sent_away(46), 0);
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
        // It is waited for: the other may go on.
        assert!(!one.activity.is_last() && !two.activity.is_last());
        tokio::time::advance(Duration::from_secs(1)).await;
        let three = registry.place(address).unwrap();
        assert!(one.activity.is_to_leave() && !two.activity.is_to_leave());
        // A request has begun after all. So there is one too many, and two have to go for the next.
        one.activity.enter(Stage::Head);
        one.activity.stay();
        tokio::time::advance(Duration::from_secs(1)).await;
        // One at a time where they are not of one kind: the other is found by the next order.
        assert!(registry.place(address).is_none());
        tokio::time::advance(Duration::from_millis(100)).await;
        let four = registry.place(address).unwrap();
        assert!(one.activity.is_to_leave() && three.activity.is_to_leave());
        drop((one, three, two, four));
        assert_eq!(registry.leaving.load(Ordering::Relaxed), 0);
        assert!(registry.table().open.is_empty());
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
