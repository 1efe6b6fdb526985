//! The open connections of a port, and the limit on how many there are.
//!
//! A limit alone could be turned against everybody else: whoever used it up and kept silent would shut the port. So
//! a new connection is always accepted, and one that waits for its peer is evicted for it: [`eviction`] says which.
//! One that waits for us stays; if all do, some answers say that they are the last on their connection.
//!
//! Peers that connect as fast as they can cause thousands of evictions a second, so the order is kept for a while, and
//! each candidate is checked again when it is its turn.
//!
//! [`eviction`]: crate::server::eviction

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::server::activity::{ConnectionActivity, ConnectionStage, micros};
use crate::server::eviction::{EvictionCandidate, eviction_order};

/// How many connections may be open beyond the limit while others are closing, or have declined to.
pub(super) const OVERSHOOT: usize = 64;

/// How many times in a grace period the order is made anew: it is never so old that it matters.
const ORDERS_PER_GRACE: u64 = 10;

/// For how many grace periods the connection that should go first is waited for.
const MAX_BUSY_GRACES: u64 = 4;

/// The open connections of a port.
#[derive(Debug)]
pub(super) struct ConnectionRegistry {
    max_connections: usize,
    /// How long no connection is evicted after a step of a handshake or of a request, in microseconds.
    grace: u64,
    opened: Instant,
    leaving: Arc<AtomicUsize>,
    table: Mutex<OpenConnections>,
}

#[derive(Debug, Default)]
struct OpenConnections {
    open: HashMap<u64, Arc<ConnectionActivity>>,
    next: u64,
    /// Candidates for eviction, the first at the end.
    order: Vec<EvictionCandidate>,
    ordered_at: Option<u64>,
    /// Whether there was no candidate, as every connection waited for us.
    all_working: bool,
    /// Since when the connection that should go first has always been within its grace period.
    busy_since: Option<u64>,
}

/// One of the connections that may be open, until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    registry: Arc<ConnectionRegistry>,
    key: u64,
    pub(super) activity: Arc<ConnectionActivity>,
}

impl ConnectionRegistry {
    /// `grace` is the time that every connection has for the next step of a handshake or of a request.
    pub(super) fn new(max_connections: usize, grace: Duration) -> Self {
        Self {
            max_connections,
            grace: micros(grace),
            opened: Instant::now(),
            leaving: Arc::default(),
            table: Mutex::default(),
        }
    }

    /// A slot for one more connection, if there is one.
    pub(super) fn free_slot(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionSlot> {
        let mut table = self.table();
        (table.open.len() < self.max_connections).then(|| self.open(&mut table, address))
    }

    /// A slot for one more connection, for which another is evicted where there is none. `None` when none can be
    /// evicted now: to be asked again soon.
    pub(super) fn slot(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionSlot> {
        let mut table = self.table();
        let staying = table.open.len().saturating_sub(self.leaving.load(Ordering::Relaxed));
        let excess = (staying + 1).saturating_sub(self.max_connections);
        for _ in 0..excess {
            if !self.evict_one(&mut table) {
                return None;
            }
        }
        (table.open.len() < self.max_connections + OVERSHOOT).then(|| self.open(&mut table, address))
    }

    fn open(self: &Arc<Self>, table: &mut OpenConnections, address: IpAddr) -> ConnectionSlot {
        let activity =
            Arc::new(ConnectionActivity::new(address.to_canonical(), self.opened, Arc::clone(&self.leaving)));
        let key = table.next;
        table.next += 1;
        table.open.insert(key, Arc::clone(&activity));
        ConnectionSlot { registry: Arc::clone(self), key, activity }
    }

    /// Evicts one connection, or else makes the answer of one that works its last. Whether one was evicted.
    fn evict_one(&self, table: &mut OpenConnections) -> bool {
        let now = micros(self.opened.elapsed());
        let is_old = |at| now.saturating_sub(at) >= self.grace / ORDERS_PER_GRACE;
        if table.ordered_at.is_none_or(is_old) {
            table.ordered_at = Some(now);
            table.reorder(now, self.grace);
        }
        let is_evicted = table.evict_next();
        if !is_evicted && table.all_working {
            table.close_one_after_answer();
        }
        is_evicted
    }

    fn table(&self) -> MutexGuard<'_, OpenConnections> {
        // Nothing panics while it is held; and if it did, a connection too many or too few does no harm.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenConnections {
    /// Evicts the first candidate that has made no step since the order was made.
    fn evict_next(&mut self) -> bool {
        while let Some(EvictionCandidate { key, state, .. }) = self.order.pop() {
            let activity = self.open.get(&key);
            if let Some(activity) = activity.filter(|it| it.state() == state && !it.is_eviction_pending()) {
                activity.request_eviction(state);
                return true;
            }
        }
        false
    }

    /// The candidate that should go first is waited for until its grace period is over; but not for ever, if it makes
    /// one step after the other.
    fn reorder(&mut self, now: u64, grace: u64) {
        let mut order = eviction_order(self.candidates(now, grace));
        self.all_working = order.is_empty();
        let is_first_due = order.first().is_none_or(|it| it.grace_is_over);
        let busy_since = (!is_first_due).then(|| self.busy_since.unwrap_or(now));
        self.busy_since = busy_since;
        // Peers that reconnect as fast as they are closed are always within their grace period. Nobody else is evicted
        // for that.
        if busy_since.is_none_or(|since| now - since < grace * MAX_BUSY_GRACES) {
            order.truncate(order.iter().take_while(|it| it.grace_is_over).count());
        }
        // A connection that is accepted meanwhile may belong before the next kind of candidate, and is not in this order.
        if let Some(first) = order.first().copied() {
            order.truncate(order.iter().take_while(|it| it.is_like(&first)).count());
        }
        order.reverse();
        self.order = order;
    }

    /// All that are not closing already.
    fn candidates(&self, now: u64, grace: u64) -> Vec<EvictionCandidate> {
        let answered = self.open.values().filter(|activity| activity.was_answered()).count();
        let favours_answered = answered * 2 < self.open.len();
        let staying = self.open.iter().filter(|(_, activity)| !activity.is_eviction_pending());
        staying
            .map(|(key, activity)| EvictionCandidate::new(*key, activity, favours_answered, now, grace))
            .collect()
    }

    /// Makes the next answer the last for one of those that work, at the address that has most of them.
    fn close_one_after_answer(&self) {
        let working =
            || self.open.values().filter(|activity| activity.state().stage == ConnectionStage::Working);
        let mut of_address = HashMap::<IpAddr, usize>::new();
        for activity in working() {
            *of_address.entry(activity.address).or_default() += 1;
        }
        let going_on = working().filter(|activity| !activity.closes_after_answer());
        if let Some(activity) = going_on.max_by_key(|activity| of_address.get(&activity.address)) {
            activity.close_after_answer();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut table = self.registry.table();
        self.activity.withdraw_eviction();
        table.open.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const GRACE: u64 = SECOND / 4;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, number])
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_evicted_later() {
        let registry = Arc::new(ConnectionRegistry::new(8, Duration::from_micros(GRACE)));
        let take = |stage: ConnectionStage| {
            let slot = registry.free_slot(address(1)).unwrap();
            slot.activity.enter(stage);
            slot
        };
        let known = take(ConnectionStage::Idle);
        tokio::time::advance(Duration::from_secs(30)).await;
        known.activity.enter(ConnectionStage::Working);
        known.activity.enter(ConnectionStage::Idle);
        let answered = take(ConnectionStage::Idle);
        tokio::time::advance(Duration::from_micros(GRACE - 1)).await;
        // Too soon: who should go is waited for.
        assert!(!registry.evict_one(&mut registry.table()));
        let heads = [(); 3].map(|()| take(ConnectionStage::Head));
        let mut gone = Vec::new();
        let mut evict = |seconds: u64| {
            registry.table().ordered_at = None;
            assert!(registry.evict_one(&mut registry.table()), "{seconds}");
            let all = [&known, &answered, &heads[0], &heads[1], &heads[2]];
            let evicted = all
                .iter()
                .position(|it| it.activity.is_eviction_pending() && !gone.contains(&it.key))
                .unwrap();
            gone.push(all[evicted].key);
            evicted
        };
        tokio::time::advance(Duration::from_secs(29)).await;
        // Most have had no answer, so one of them goes, though another was silent for longer.
        assert!(evict(29) >= 2);
        // Now the half of those that stay, so that the longest silent goes; but not who is expected back.
        heads[0].activity.enter(ConnectionStage::Idle);
        assert_eq!(evict(29), 1);
        tokio::time::advance(Duration::from_secs(17)).await;
        // Who is overdue is like all others.
        assert_eq!(evict(46), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_made_and_a_declined_eviction_is_made_up_for() {
        let registry = Arc::new(ConnectionRegistry::new(2, Duration::from_secs(1)));
        let address = IpAddr::from([127, 0, 0, 1]);
        let [one, two] = [(); 2].map(|()| registry.slot(address).unwrap());
        one.activity.enter(ConnectionStage::Idle);
        two.activity.enter(ConnectionStage::Working);
        // Not before its time.
        assert!(registry.slot(address).is_none() && registry.free_slot(address).is_none());
        // It is waited for: the other may go on.
        assert!(!one.activity.closes_after_answer() && !two.activity.closes_after_answer());
        tokio::time::advance(Duration::from_secs(1)).await;
        let three = registry.slot(address).unwrap();
        assert!(one.activity.should_leave() && !two.activity.should_leave());
        // A request has begun after all. So there is one too many, and two have to go for the next.
        one.activity.enter(ConnectionStage::Head);
        one.activity.decline_eviction();
        tokio::time::advance(Duration::from_secs(1)).await;
        // One at a time where they are not of one kind: the other is found by the next order.
        assert!(registry.slot(address).is_none());
        tokio::time::advance(Duration::from_millis(100)).await;
        let four = registry.slot(address).unwrap();
        assert!(one.activity.should_leave() && three.activity.should_leave());
        drop((one, three, two, four));
        assert_eq!(registry.leaving.load(Ordering::Relaxed), 0);
        assert!(registry.table().open.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_go_is_not_waited_for_for_ever() {
        let registry = Arc::new(ConnectionRegistry::new(1, Duration::from_secs(1)));
        let address = IpAddr::from([127, 0, 0, 1]);
        let mut slots = Vec::new();
        for _ in 0..1 + OVERSHOOT {
            slots.push(registry.slot(address).unwrap());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        // All of them are asked to go, and none does.
        assert!(registry.slot(address).is_none());
        slots.pop();
        assert!(registry.slot(address).is_some());
    }
}
