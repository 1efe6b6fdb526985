//! Which connection is evicted when a port has no room for one more.
//!
//! Of the address with the most connections the one that has been silent longest; but those that are known to come
//! back, and those that have had an answer where most have not, are evicted after the others.

use std::cmp::Reverse;
use std::net::IpAddr;

use crate::server::activity::{ConnectionActivity, ConnectionStage, TimedStage};

/// Go keeps at most 25 idle connections to a host (client-go's own pool), so an address with up to so many looks like
/// one that behaves.
const USUAL_CONNECTIONS: usize = 25;

/// A connection that might be evicted.
#[derive(Debug, Clone, Copy)]
pub(super) struct EvictionCandidate {
    pub(super) key: u64,
    address: IpAddr,
    pub(super) state: TimedStage,
    rank: EvictionRank,
    /// Whether its grace period is over.
    pub(super) grace_is_over: bool,
    /// How many connections its address has when it is this one's turn, of those that are not closing.
    connections: usize,
}

impl EvictionCandidate {
    /// `favours_answered` spares connections that have had an answer.
    pub(super) fn new(
        key: u64,
        activity: &ConnectionActivity,
        favours_answered: bool,
        now: u64,
        grace: u64,
    ) -> Self {
        let state = activity.state();
        let rank = EvictionRank {
            was_answered: favours_answered && activity.was_answered(),
            is_expected_back: state.stage == ConnectionStage::Idle
                && is_expected_back(activity.longest_silence(), state, now),
            since: state.since,
        };
        let grace_is_over = now.saturating_sub(state.since) >= grace;
        Self { key, address: activity.address, state, rank, grace_is_over, connections: 0 }
    }

    /// Whether the two differ in nothing but how long they have been silent.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let kind =
            |it: &Self| (it.connections > USUAL_CONNECTIONS, it.rank.was_answered, it.rank.is_expected_back);
        kind(self) == kind(other)
    }
}

/// Among those of one address, and of addresses that count as equal, the smallest is evicted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct EvictionRank {
    /// Has had an answer, where most have not: a peer that only crowds out others has had none.
    was_answered: bool,
    /// Has sent requests at intervals, and is not overdue.
    is_expected_back: bool,
    since: u64,
}

/// A peer is expected back within one and a half times its longest silence so far: this tells one that asks every 30 s
/// from one that asked once.
fn is_expected_back(longest_silence: u64, state: TimedStage, now: u64) -> bool {
    now.saturating_sub(state.since) < longest_silence + longest_silence / 2
}

/// Candidates in the order of their eviction. Connections that work are not evicted, but count for their address.
pub(super) fn eviction_order(mut candidates: Vec<EvictionCandidate>) -> Vec<EvictionCandidate> {
    let is_working = |it: &EvictionCandidate| it.state.stage == ConnectionStage::Working;
    candidates.sort_unstable_by_key(|it| (it.address, is_working(it), it.rank));
    for of_address in candidates.chunk_by_mut(|one, other| one.address == other.address) {
        // With each eviction its address has one less.
        for (connections, candidate) in (1..=of_address.len()).rev().zip(of_address) {
            candidate.connections = connections.max(USUAL_CONNECTIONS);
        }
    }
    candidates.retain(|it| !is_working(it));
    candidates.sort_unstable_by_key(|it| (Reverse(it.connections), it.rank));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const NOW: u64 = 1_000 * SECOND;

    fn address(number: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, number])
    }

    /// Connections of one address, entered into a stage so many microseconds ago.
    struct Held(u8, ConnectionStage, usize, u64);

    /// The addresses of those that are evicted, one after the other.
    fn who_goes(held: &[Held]) -> Vec<u8> {
        let mut candidates = Vec::new();
        for Held(number, stage, connections, silence) in held {
            for more in 0..*connections {
                let since = NOW - silence + more as u64;
                let state = TimedStage { stage: *stage, since };
                let rank = EvictionRank { was_answered: false, is_expected_back: false, since };
                let (key, grace_is_over) = (candidates.len() as u64, true);
                let address = address(*number);
                candidates.push(EvictionCandidate {
                    key,
                    address,
                    state,
                    rank,
                    grace_is_over,
                    connections: 0,
                });
            }
        }
        let number = |it: &EvictionCandidate| match it.address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => 0,
        };
        eviction_order(candidates).iter().map(number).collect()
    }

    #[test]
    fn who_goes_first() {
        use ConnectionStage::{Head, Idle, Silent, Working};
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
}
