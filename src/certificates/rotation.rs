//! What to do next, so that at no moment a leaf is served that somebody does not trust yet, or no more.
//!
//! The order is the point: a CA is made (a), published beside the one in force (b), left there until every API
//! server has seen it (c), and only then signs (d); the one before it stays published until nothing that it
//! has signed can still be valid (e). Each step is one write that succeeds or does not, and [`plan`] finds
//! where things stand from the Secret and the bundles alone. So a crash at any line costs nothing but time,
//! and so does a second leader: the Secret is written by compare-and-swap, and a bundle is nothing but what
//! the Secret says.
//!
//! How long a bundle has been seen is measured by whoever waits, on a clock that only runs forward, and not
//! written down: a time in the Secret would be compared with the clock of another machine, which may be an
//! hour off. A new leader waits the two minutes anew.
//!
//! CAs in a bundle that are not in the Secret are taken out: whoever could put one there once could otherwise
//! answer in our place for ever. Those that bear our name are kept for a while first, see [`lost`]: a Secret
//! may have been deleted, or restored from a backup, and replicas still serve what it held before.

use std::time::{Duration, SystemTime};

use super::authority::{Authority, CaCertificate, IssueError};
use super::bundle::Bundle;
use super::stored::{Fault, IssuedLeaf, MOST_OLD, Stored};
use super::terms::{Lifetimes, Service, later, left};

/// Everything that a decision hangs on.
pub struct Situation<'a> {
    /// What the Secret holds.
    pub stored: &'a Stored,
    /// What was wrong with the rest of it.
    pub faults: &'a [Fault],
    /// The bundle of every webhook entry.
    pub published: &'a [Bundle],
    /// The CA of what this replica serves.
    pub served: Option<&'a CaCertificate>,
    /// For how long the next CA has been seen in every entry.
    pub next_seen: Duration,
    /// The time of day.
    pub now: SystemTime,
}

/// The next thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Change the Secret.
    Change(Change),
    /// Write this bundle to every webhook entry.
    Publish(Vec<CaCertificate>),
    /// The next CA is published and must be seen for this much longer.
    Wait(Duration),
    /// All is well for this long.
    Rest(Duration),
    /// Something is dated later than now: a clock is wrong, and nothing good can be issued until it is right.
    ClockBehind(SystemTime),
}

/// A change of the Secret: one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Keep these CAs as old ones: the Secret knows nothing of them, and something served may be of theirs.
    Adopt {
        /// The CAs; those that matter most come first.
        authorities: Vec<CaCertificate>,
        /// Whether the current CA is not published at all and must begin again as the next one.
        demote: bool,
        /// Whether replicas need no longer than a moment to leave them.
        briefly: bool,
    },
    /// Make the next CA.
    CreateNext,
    /// Let the next CA sign, and keep the current one as old.
    Promote,
    /// Issue a leaf.
    SignLeaf,
    /// Forget the old CAs.
    DropOld,
    /// Write the good parts without the faulty ones.
    Mend,
}

/// Decides what a leader does next.
#[must_use]
pub fn plan(situation: &Situation<'_>, lifetimes: &Lifetimes) -> Step {
    let Situation { stored, published, now, .. } = *situation;
    if let Some(dated) = dated_later(stored, later(now, lifetimes.skew)) {
        return Step::ClockBehind(dated);
    }
    let authorities = lost(situation);
    if !authorities.is_empty() {
        return Step::Change(adopt(situation, authorities));
    }
    let wanted = wanted(stored, now, lifetimes);
    if !wanted.is_empty() && !published.iter().all(|bundle| bundle.is(&wanted)) {
        return Step::Publish(wanted.into_iter().cloned().collect());
    }
    if !stored.old.is_empty() && !old_counts(stored, now) {
        return Step::Change(Change::DropOld);
    }
    if is_leaf_due(stored, now, lifetimes) {
        return Step::Change(Change::SignLeaf);
    }
    if let Some(next) = &stored.next {
        let is_all_there_is = wanted == [next.certificate()];
        let missing = lifetimes.propagation.saturating_sub(situation.next_seen);
        // Where nobody trusts anything else, nothing is lost by being early.
        if is_all_there_is || missing.is_zero() {
            return Step::Change(Change::Promote);
        }
        return Step::Wait(missing);
    }
    if stored.rotate || due_in(stored, now, lifetimes).is_zero() {
        return Step::Change(Change::CreateNext);
    }
    if !situation.faults.is_empty() {
        return Step::Change(Change::Mend);
    }
    Step::Rest(rest(stored, now, lifetimes))
}

/// The CAs that a bundle must hold, for this content of the Secret; those that matter most come first.
#[must_use]
pub(super) fn wanted<'a>(
    stored: &'a Stored,
    now: SystemTime,
    lifetimes: &Lifetimes,
) -> Vec<&'a CaCertificate> {
    let old: &[CaCertificate] = if old_counts(stored, now) { &stored.old } else { &[] };
    let others = [&stored.current, &stored.next].into_iter().flatten().map(Authority::certificate);
    others.chain(old).filter(|ca| later(ca.not_after(), lifetimes.skew) > now).collect()
}

impl Stored {
    /// Makes a change, without writing it anywhere.
    ///
    /// # Errors
    /// When a certificate cannot be issued.
    pub fn apply(
        mut self,
        change: &Change,
        service: &Service,
        now: SystemTime,
        lifetimes: &Lifetimes,
    ) -> Result<Self, IssueError> {
        let until = later(later(now, lifetimes.leaf), lifetimes.skew);
        match change {
            Change::Adopt { authorities, demote, briefly } => {
                for authority in authorities.iter().rev() {
                    self.retire(authority.clone());
                }
                let until = if *briefly { later(now, lifetimes.skew) } else { until };
                self.old_until = Some(self.old_until.map_or(until, |before| before.max(until)));
                if *demote && let Some(current) = self.current.take() {
                    self.next = Some(current);
                    self.leaf = None;
                }
            }
            Change::CreateNext => {
                self.next = Some(Authority::create(now, lifetimes)?);
                self.rotate = false;
            }
            Change::Promote => {
                let before = self.current.take();
                self.current = self.next.take();
                if let Some(before) = before {
                    self.retire(before.into_certificate());
                    self.old_until = Some(until);
                }
                self.rotate = false;
                self.sign(service, now, lifetimes)?;
            }
            Change::SignLeaf => self.sign(service, now, lifetimes)?,
            Change::DropOld => {
                self.old.clear();
                self.old_until = None;
            }
            Change::Mend => {}
        }
        if !self.old.is_empty() && self.old_until.is_none() {
            self.old_until = Some(until);
        }
        Ok(self)
    }

    fn sign(&mut self, service: &Service, now: SystemTime, lifetimes: &Lifetimes) -> Result<(), IssueError> {
        if let Some(current) = &self.current {
            let leaf = current.issue(service, now, lifetimes)?;
            self.leaf = Some(IssuedLeaf { leaf, issuer: current.certificate().clone() });
        }
        Ok(())
    }
}

/// CAs that something served may be of, and that the Secret has lost: that of what we serve, and those that
/// are published under our name.
fn lost(situation: &Situation<'_>) -> Vec<CaCertificate> {
    let Situation { stored, published, served, now, .. } = *situation;
    let mut lost: Vec<CaCertificate> = Vec::new();
    let ours = published.iter().flat_map(Bundle::authorities).filter(|ca| ca.is_named_as_ours());
    for authority in served.into_iter().chain(ours) {
        let is_known = stored.authorities().any(|known| known == authority) || lost.contains(authority);
        // What we serve pushes an older one out; what that one leaves behind in the bundles does not come back.
        let has_room = stored.old.len() + lost.len() < MOST_OLD || Some(authority) == served;
        if !is_known && has_room && authority.not_after() > now {
            lost.push(authority.clone());
        }
    }
    lost
}

fn adopt(situation: &Situation<'_>, authorities: Vec<CaCertificate>) -> Change {
    let Situation { stored, published, served, .. } = *situation;
    // Where we serve with the current CA it has been published, and it is the bundles that were exchanged.
    let is_in_use = stored.current.as_ref().is_some_and(|current| Some(current.certificate()) == served);
    let is_known = is_in_use || is_published(stored, published);
    // Replicas find the leaf of a CA that is known at their next look. What somebody has slipped into a bundle
    // under our name must not live longer for it than that takes.
    let briefly = is_known && !authorities.iter().any(|authority| Some(authority) == served);
    Change::Adopt { authorities, demote: !is_known, briefly }
}

/// Whether any entry holds the CA that signs.
fn is_published(stored: &Stored, published: &[Bundle]) -> bool {
    let Some(current) = &stored.current else {
        return false;
    };
    published.iter().any(|bundle| bundle.holds(current.certificate()))
}

fn dated_later(stored: &Stored, than: SystemTime) -> Option<SystemTime> {
    let authorities = [&stored.current, &stored.next].into_iter().flatten();
    let dates = authorities.map(|authority| authority.certificate().not_before());
    dates.chain(stored.leaf.iter().map(|leaf| leaf.leaf.not_before())).find(|date| *date > than)
}

fn old_counts(stored: &Stored, now: SystemTime) -> bool {
    stored.old_until.is_none_or(|until| until > now)
}

/// The CA that can sign now.
fn usable(stored: &Stored, now: SystemTime) -> Option<&Authority> {
    stored.current.as_ref().filter(|current| current.certificate().not_after() > now)
}

fn is_leaf_due(stored: &Stored, now: SystemTime, lifetimes: &Lifetimes) -> bool {
    let Some(current) = usable(stored, now) else {
        return false;
    };
    let Some(IssuedLeaf { leaf, issuer }) = &stored.leaf else {
        return true;
    };
    if issuer != current.certificate() {
        return true;
    }
    // A leaf that ends with its CA cannot be made to last longer, however often it is issued anew.
    let gained = left(current.leaf_until(now, lifetimes), leaf.not_after());
    left(leaf.not_after(), now) <= lifetimes.renew_leaf_before && gained > lifetimes.leaf / 10
}

/// How long until the CA is due to be followed by the next.
fn due_in(stored: &Stored, now: SystemTime, lifetimes: &Lifetimes) -> Duration {
    let Some(current) = usable(stored, now) else {
        return Duration::ZERO;
    };
    let certificate = current.certificate();
    let by_age = left(later(certificate.not_before(), lifetimes.renew_authority_after), now);
    // One of somebody else may be shorter than ours.
    let by_end = left(certificate.not_after(), later(now, 2 * lifetimes.leaf));
    by_age.min(by_end)
}

fn rest(stored: &Stored, now: SystemTime, lifetimes: &Lifetimes) -> Duration {
    let leaf = stored
        .leaf
        .as_ref()
        .map(|leaf| left(leaf.leaf.not_after(), now).saturating_sub(lifetimes.renew_leaf_before));
    let old = stored.old_until.map(|until| left(until, now));
    [leaf, old].into_iter().flatten().fold(due_in(stored, now, lifetimes), Duration::min)
}

#[cfg(test)]
mod tests;
